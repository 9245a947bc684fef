// The terminal of the process: whether there is one, its size, and whether it has colours.
internal import FoundationEssentials
internal import Glibc

/// A terminal, or a file or pipe in its place.
package struct Terminal: Sendable {
    /// Columns; nil when the output is a file or a pipe.
    package var width: Int?
    /// The number of visible lines.
    package var rows = 24
    /// Whether lines can be overwritten; not on a terminal that only prints.
    package var isLive = false
    /// Whether text may be coloured.
    package var style: Style

    package var isTerminal: Bool { width != nil }

    package static func of(_ output: Output) -> Terminal {
        guard isatty(output.descriptor) == 1 else {
            return Terminal(width: nil, style: Style(isColored: false))
        }
        let environment = ProcessInfo.processInfo.environment
        let refusesColor = environment["NO_COLOR"].map { !$0.isEmpty } ?? false
        let isLive = !["", "dumb"].contains(environment["TERM"] ?? "")
        let size = size(output.descriptor)
        func number(_ name: String) -> Int? {
            environment[name].flatMap(Int.init).flatMap { $0 > 0 ? $0 : nil }
        }
        return Terminal(
            width: size.columns ?? number("COLUMNS") ?? 80,
            rows: size.rows ?? number("LINES") ?? 24,
            isLive: isLive,
            style: Style(isColored: !refusesColor && isLive)
        )
    }

    /// Updates the size from the window.
    package mutating func measure(_ output: Output) {
        let size = Self.size(output.descriptor)
        width = size.columns ?? width
        rows = size.rows ?? rows
    }

    private static func size(_ descriptor: Int32) -> (columns: Int?, rows: Int?) {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 else { return (nil, nil) }
        return (
            size.ws_col > 0 ? Int(size.ws_col) : nil, size.ws_row > 0 ? Int(size.ws_row) : nil
        )
    }
}

/// Whether and how text is coloured.
package struct Style: Sendable, Equatable {
    package enum Color: Int, Sendable {
        case dim = 2
        case red = 31
        case green = 32
        case yellow = 33
        case cyan = 36
    }

    package var isColored: Bool

    package init(isColored: Bool) { self.isColored = isColored }

    package func paint(_ text: String, _ color: Color?) -> String {
        guard isColored, let color, !text.isEmpty else { return text }
        return "\u{1B}[\(color.rawValue)m\(text)\u{1B}[0m"
    }

    /// A coloured text without its colours.
    package static func bare(_ text: String) -> String {
        guard text.contains("\u{1B}") else { return text }
        var bare = ""
        var isEscape = false
        for character in text {
            if character == "\u{1B}" { isEscape = true }
            if !isEscape { bare.append(character) }
            if isEscape, character == "m" { isEscape = false }
        }
        return bare
    }

    /// The colour of the state of a run, node or worker.
    package static func color(ofState state: String) -> Color? {
        switch state {
        case "succeeded", "ready": .green
        case "failed", "disconnected", "silent": .red
        case "running", "sent", "cancelling": .cyan
        case "cancelled", "skipped", "draining", "congested", "backing_off", "awaiting_approval":
            .yellow
        default: nil
        }
    }
}
