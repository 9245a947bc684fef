// Events as printed by `weft watch`: a line for each event, and for each line of a tool's output.
// Pure.
internal import Console
internal import Core
internal import JSON
internal import Weftline
internal import Wire

/// Makes the lines of one run's events; keeps an incomplete line of a tool until the rest comes.
struct EventLines {
    private struct Source: Hashable {
        var node: String
        var stream: String
    }

    private let style: Style
    /// Whether the lines go to a terminal, which the output of tools must not control.
    private let isForTerminal: Bool
    private var partial: [Source: [UInt8]] = [:]

    /// Bytes of an incomplete line after which it is printed.
    private static let longest = 16 << 10

    init(style: Style, isForTerminal: Bool = true) {
        self.style = style
        self.isForTerminal = isForTerminal
    }

    /// The lines of an event; none for a piece of a line that is not complete.
    mutating func lines(of event: EventMessage) -> [String] {
        if event.kind == .chunk { return output(of: event) }
        var lines: [String] = []
        if let node = event.node, Self.endsOutput(event.kind) { lines = rest(of: node.text) }
        lines.append(line(of: event))
        return lines
    }

    private func line(of event: EventMessage) -> String {
        let time = Text.seconds(microseconds: event.atMicroseconds)
        let kind = event.kind.rawValue
        var parts = [
            style.paint(Self.left(time, 9), .dim),
            style.paint(Self.right(kind, 14), Self.color(of: event.kind)),
        ]
        if let node = event.node { parts.append(Text.printable(node.text)) }
        if let worker = event.worker {
            parts.append(style.paint("on \(Text.printable(worker))", .dim))
        }
        if let attempt = event.attempt, attempt > 1 { parts.append("attempt \(attempt)") }
        if let text = Self.text(of: event) { parts.append(Text.printable(text)) }
        var line = parts.joined(separator: "  ")
        while line.last == " " { line.removeLast() }
        return line
    }

    // MARK: - Words

    /// The data of an event in words, by kind.
    static func text(of event: EventMessage) -> String? {
        if let end = RunEnd(event) {
            return [end.sentence, end.summary].compactMap(\.self).joined(separator: "; ")
        }
        guard let data = event.data.map({ JSONValue($0) }) else { return nil }
        switch event.kind {
        case .planned:
            let tasks = (data["tasks"]?.arrayValue ?? []).prefix(5)
            let named = tasks.map { "\($0.text("id")) \($0.text("tool_name"))" }
            let count = Text.count(data.number("nodes"), "node")
            return named.isEmpty ? count : "\(count): \(named.joined(separator: ", "))"
        case .nodeSucceeded: return data.time("run_ms")
        case .nodeFailed: return "\(data.text("code")): \(data.text("message"))"
        case .nodeSkipped: return "because of \(data.text("because"))"
        case .retrying:
            return "\(data.text("code")): \(data.text("message")); again in "
                + data.time("after_ms")
        case .replanned: return "plan \(data["round"]?.intValue ?? 2): \(data.text("reason"))"
        case .answering: return data["text"]?.stringValue
        case .planProblems:
            let problems = data["problems"]?.arrayValue ?? []
            return problems.map { $0.text("message") }.joined(separator: "; ")
        case .progress, .snapshot:
            if let progress = event.data.flatMap(RunProgress.init) {
                return "\(progress.settled) of \(progress.total) done, \(progress.running) "
                    + "running, \(progress.failed) failed"
            }
            let share = data["fraction"]?.doubleValue.map { Text.fixed($0 * 100, digits: 0) + " %" }
            return [share, data["note"]?.stringValue].compactMap(\.self).joined(separator: " ")
        default: return data["message"]?.stringValue
        }
    }

    private static func color(of kind: EventKind) -> Style.Color? {
        switch kind {
        case .nodeSucceeded, .runSucceeded: .green
        case .nodeFailed, .runFailed: .red
        case .nodeSkipped, .nodeCancelled, .retrying, .unplaceable, .runCancelled,
            .planProblems, .replanned:
            .yellow
        case .planned, .nodeReady, .dispatched, .started, .chunk, .progress, .snapshot, .joined,
            .answering:
            nil
        }
    }

    private static func left(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(width - text.count, 0)) + text
    }

    private static func right(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(width - text.count, 0))
    }

    // MARK: - Output of tools

    private static func endsOutput(_ kind: EventKind) -> Bool {
        switch kind {
        case .nodeSucceeded, .nodeFailed, .nodeCancelled, .retrying: true
        default: false
        }
    }

    private mutating func output(of event: EventMessage) -> [String] {
        guard let node = event.node?.text, let data = event.data else { return [] }
        let stream = data.value(at: [.key("stream")])?.stringValue ?? "stdout"
        let source = Source(node: node, stream: stream)
        var bytes = partial.removeValue(forKey: source) ?? []
        if let text = data.value(at: [.key("text")])?.stringValue {
            bytes += text.utf8
        } else if let encoded = data.value(at: [.key("base64")])?.stringValue {
            // A character may be split between two chunks.
            bytes += Base64.decode(Array(encoded.utf8)) ?? []
        }
        var lines: [String] = []
        var pieces = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
        let last = pieces.removeLast()
        for piece in pieces { lines.append(prefixed(source, piece)) }
        if last.count > Self.longest {
            lines.append(prefixed(source, last))
        } else if !last.isEmpty {
            partial[source] = Array(last)
        }
        return lines
    }

    /// The output of a node without a line end.
    private mutating func rest(of node: String) -> [String] {
        ["stdout", "stderr"].compactMap { stream in
            let source = Source(node: node, stream: stream)
            return partial.removeValue(forKey: source).map { prefixed(source, $0[...]) }
        }
    }

    private func prefixed(_ source: Source, _ bytes: ArraySlice<UInt8>) -> String {
        let text = bytes.last == 0x0D ? bytes.dropLast() : bytes
        return prefixed(source, String(decoding: text, as: UTF8.self))
    }

    private func prefixed(_ source: Source, _ text: String) -> String {
        let mark = source.stream == "stderr" ? "!" : "|"
        let color: Style.Color = source.stream == "stderr" ? .yellow : .cyan
        let shown = isForTerminal ? Text.printable(text) : text
        return "\(style.paint("\(source.node) \(mark)", color)) \(shown)"
    }
}
