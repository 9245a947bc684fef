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
        var stream: ChunkStream
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
        let content: EventData?
        do throws(WireError) { content = try EventData(of: event) } catch { return error.message }
        switch content {
        case .planned(let planned):
            let named = planned.nodes.prefix(5).map { "\($0.id) \($0.tool)" }
            let count = Text.count(planned.count, "node")
            return named.isEmpty ? count : "\(count): \(named.joined(separator: ", "))"
        case .placed(let placed): return placed.tool
        case .nodeSucceeded(let success):
            return success.isTakenOver
                ? "taken over" : Text.duration(microseconds: success.run)
        case .nodeFailed(let failure): return failure.description
        case .nodeSkipped(let skipped): return "because of \(skipped.because)"
        case .retrying(let retry):
            return "\(retry.code): \(retry.message); again in "
                + Text.duration(milliseconds: Double(retry.afterMilliseconds))
        case .replanned(let next): return "plan \(next.round): \(next.reason)"
        case .answering(let answer): return answer.text
        case .planProblems(let list):
            return list.problems.map(\.message).joined(separator: "; ")
        case .progress(let progress):
            let counts = progress.counts
            return "\(counts.settled) of \(counts.total) done, \(counts.running) running, "
                + "\(counts.failed) failed"
        case .attemptProgress(let progress):
            let share = progress.fraction.map { Text.fixed($0 * 100, digits: 0) + " %" }
            return [share, progress.note].compactMap(\.self).joined(separator: " ")
        case .unplaceable(let missing): return missing.message
        case .approvalAsked(let question):
            let node = event.node.map { " \($0)" } ?? ""
            let arguments = question.arguments.map { " \(Text.cut($0.text, to: 400))" } ?? ""
            return "\(question.tool)\(arguments); weft approve \(event.run)\(node), or weft deny"
        case .approved(let answer):
            let person = answer.identity.map { "by \($0)" }
            return [person, answer.reason].compactMap(\.self).joined(separator: ": ")
        case .joined, .output, .ended, nil: return nil
        }
    }

    private static func color(of kind: EventKind) -> Style.Color? {
        switch kind {
        case .nodeSucceeded, .runSucceeded, .approved: .green
        case .nodeFailed, .runFailed: .red
        case .nodeSkipped, .nodeCancelled, .retrying, .unplaceable, .runCancelled,
            .planProblems, .replanned, .approvalAsked:
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
        guard let node = event.node?.text, case .output(let output) = try? EventData(of: event)
        else { return [] }
        let source = Source(node: node, stream: output.stream)
        // A character may be split between two events.
        let bytes = (partial.removeValue(forKey: source) ?? []) + output.bytes
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
        [ChunkStream.standardOutput, .standardError].compactMap { stream in
            let source = Source(node: node, stream: stream)
            return partial.removeValue(forKey: source).map { prefixed(source, $0[...]) }
        }
    }

    private func prefixed(_ source: Source, _ bytes: ArraySlice<UInt8>) -> String {
        let text = bytes.last == 0x0D ? bytes.dropLast() : bytes
        return prefixed(source, String(decoding: text, as: UTF8.self))
    }

    private func prefixed(_ source: Source, _ text: String) -> String {
        let mark = source.stream == .standardError ? "!" : "|"
        let color: Style.Color = source.stream == .standardError ? .yellow : .cyan
        let shown = isForTerminal ? Text.printable(text) : text
        return "\(style.paint("\(source.node) \(mark)", color)) \(shown)"
    }
}
