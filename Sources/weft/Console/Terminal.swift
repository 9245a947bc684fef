// What the process knows of the terminal it may be on: whether, how wide, whether in colour.
internal import FoundationEssentials
internal import Glibc

/// A terminal or what stands in its place.
struct Terminal: Sendable {
    /// Columns; nil when the output is a file or a pipe.
    var width: Int?
    /// Whether text may be coloured.
    var style: Style

    var isTerminal: Bool { width != nil }

    static func of(_ output: Output) -> Terminal {
        guard isatty(output.descriptor) == 1 else {
            return Terminal(width: nil, style: Style(isColored: false))
        }
        let environment = ProcessInfo.processInfo.environment
        let refusesColor = environment["NO_COLOR"].map { !$0.isEmpty } ?? false
        return Terminal(
            width: columns(output.descriptor) ?? environment["COLUMNS"].flatMap(Int.init) ?? 80,
            style: Style(isColored: !refusesColor && environment["TERM"] != "dumb")
        )
    }

    private static func columns(_ descriptor: Int32) -> Int? {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Int(size.ws_col)
    }
}

/// Colours, or their absence.
struct Style: Sendable, Equatable {
    enum Color: Int, Sendable {
        case dim = 2
        case red = 31
        case green = 32
        case yellow = 33
        case cyan = 36
    }

    var isColored: Bool

    func paint(_ text: String, _ color: Color?) -> String {
        guard isColored, let color, !text.isEmpty else { return text }
        return "\u{1B}[\(color.rawValue)m\(text)\u{1B}[0m"
    }

    /// The colour of the state of a run, node or worker.
    static func color(ofState state: String) -> Color? {
        switch state {
        case "succeeded", "ready": .green
        case "failed", "disconnected", "silent": .red
        case "running", "sent", "cancelling": .cyan
        case "cancelled", "skipped", "draining", "congested", "backing_off": .yellow
        default: nil
        }
    }
}
