// The end of a run in words for people, and the nodes that failed. Pure.
internal import Console
internal import Core
internal import JSON
internal import Weftline
internal import Wire

extension RunEnd {
    var exitStatus: ExitStatus { status == .succeeded ? .success : .failed }

    /// The end of the run in a sentence; nil if the failures of its nodes are enough.
    var sentence: String? {
        guard let error = outcome.error else {
            let reason = outcome.reason ?? "no reason given"
            return status == .cancelled ? "was cancelled: \(reason)" : nil
        }
        return "\(status.rawValue): \(error)"
    }

    /// One line with counts and times.
    var summary: String {
        let (counts, timing) = (outcome.counts, outcome.timing)
        let nodes = Text.count(counts.total, "node")
        let times = [
            ("", timing.wall), ("critical path ", timing.criticalPath), ("work ", timing.work),
        ].map { name, time in name + Text.duration(microseconds: time) }
        let ends = [
            (counts.succeeded, "succeeded"), (counts.failed, "failed"),
            (counts.skipped, "skipped"), (counts.cancelled, "cancelled"),
        ]
        // Counts of 0 are left out, and so are times that do not fit into a line of a terminal.
        let told = ends.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
        let head = "\(nodes): \(told.isEmpty ? "nothing ran" : told)"
        let lines = (0...times.count).reversed().map { count in
            head + (count > 0 ? " in \(times.prefix(count).joined(separator: ", "))" : "")
        }
        return lines.first { $0.count < 80 } ?? head
    }

    /// What the models did, in a line; nil if none was called.
    var modelsLine: String? { outcome.planning?.words(outcome.usage, columns: 71) }

    /// The answer as text: a string without its quotes, anything else as JSON; one line end.
    static func text(of answer: RawJSON) -> [UInt8] {
        guard let text = answer.stringValue else { return Array(answer.bytes) + [0x0A] }
        let bytes = Array(text.utf8)
        return bytes.last == 0x0A ? bytes : bytes + [0x0A]
    }
}

extension PlanningDocument {
    /// `2 calls in 3.3 s, 1280 + 27 tokens, cost 0.0021, first node 970 ms, 1 repair`: tokens of
    /// requests and of replies.
    ///
    /// Later parts are left out where they do not fit into so many columns.
    func words(_ usage: TokenUsage?, columns: Int) -> String {
        var parts = [
            "\(Text.count(calls, "call")) in \(Text.duration(microseconds: modelTime))"
        ]
        if let usage { parts.append("\(usage.input) + \(usage.output) tokens") }
        if let cost = usage?.cost { parts.append("cost \(Text.amount(cost))") }
        if let firstNode {
            parts.append("first node \(Text.duration(microseconds: firstNode))")
        }
        if repairs > 0 { parts.append(Text.count(repairs, "repair")) }
        if replans > 0 { parts.append(Text.count(replans, "replan")) }
        var line = parts[0]
        for part in parts.dropFirst() where line.count + part.count + 2 <= columns {
            line += ", \(part)"
        }
        return line
    }
}

/// The nodes that failed, collected from pages until there are enough.
struct FailureList {
    private(set) var lines: [String] = []
    private var unseen: Int

    /// The most lines shown.
    private static let limit = 20
    private let total: Int
    /// Failures that were shown before.
    private let told: Int

    init(failed: Int, told: Int = 0) {
        total = failed
        self.told = told
        unseen = told > 0 ? 0 : failed
    }

    /// Whether no further page is needed.
    var isComplete: Bool { unseen == 0 || lines.count == Self.limit }

    mutating func read(_ page: NodesPage) throws(WireError) {
        try page.forEachNode { id, node in
            if node.status == .failed {
                unseen -= 1
                lines.append(Self.line(id, node))
            }
            return !isComplete
        }
    }

    /// How many failures are not in the lines.
    var rest: Int { max(total - told - lines.count, 0) }

    /// The lines, and how many more there are.
    var shown: [String] { rest > 0 ? lines + ["and \(rest) more failed"] : lines }

    /// How to see more; nil if there is nothing to see.
    ///
    /// `run` is nil for a cluster of its own, which has ended by then.
    func hint(_ run: RunID?) -> String? {
        guard let run else { return rest > 0 ? "Every node: weft run --json" : nil }
        guard !shown.isEmpty else { return nil }
        let all = rest > 0 ? "; all that failed: weft show \(run) --status failed --all" : ""
        return "More about a node: weft show \(run) NODE\(all)"
    }

    /// `t3 (grep) failed: tool_error: no such file`.
    static func line(_ id: String, _ node: NodeDocument) -> String {
        "\(id) (\(node.tool)) failed: \(node.error?.description ?? "it does not say why")"
    }
}
