// The end of a run in words for people, and as a document for programs. Pure.
internal import Console
internal import Core
internal import JSON
internal import Weftline

extension RunEnd {
    var exitStatus: ExitStatus { status == .succeeded ? .success : .failed }

    /// The end of the run in a sentence; nil if the failures of its nodes are enough.
    var sentence: String? {
        guard let error, let message = error.value(at: [.key("message")])?.stringValue else {
            return status == .cancelled ? "was cancelled: \(reason ?? "no reason given")" : nil
        }
        let code = error.value(at: [.key("code")])?.stringValue ?? "error"
        return "\(status.rawValue): \(code): \(message)"
    }

    /// One line with counts and times.
    var summary: String {
        let nodes = Text.count(counts.total, "node")
        let times = [("", "wall_ms"), ("critical path ", "critical_path_ms"), ("work ", "work_ms")]
            .compactMap { name, key in
                timing.value(at: [.key(key)])?.doubleValue
                    .map { name + Text.duration(milliseconds: $0) }
            }
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

    /// The answer as text: a string without its quotes, anything else as JSON; one line end.
    static func text(of answer: RawJSON) -> [UInt8] {
        guard let text = answer.stringValue else { return Array(answer.bytes) + [0x0A] }
        let bytes = Array(text.utf8)
        return bytes.last == 0x0A ? bytes : bytes + [0x0A]
    }
}

/// The document of a run, written piece by piece, because it may be too large for memory.
struct RunDocument {
    private var hasNodes = false

    /// Everything before the nodes.
    func opening(_ end: RunEnd, answer: RawJSON) -> [UInt8] {
        var writer = JSONWriter(reserving: answer.count + 256)
        writer.beginObject()
        writer.field("run", end.run.text)
        writer.field("status", end.status.rawValue)
        writer.field("error", end.error)
        writer.field("reason", end.reason)
        writer.field("answer", answer)
        writer.key("nodes")
        return writer.bytes + Array("{".utf8)
    }

    /// The nodes of one page of the coordinator's answer.
    mutating func nodes(_ page: RawJSON) -> [UInt8] {
        guard let nodes = page.value(at: [.key("nodes")]), nodes.kind == .object, nodes.count > 2
        else { return [] }
        let comma: [UInt8] = hasNodes ? [0x2C] : []
        hasNodes = true
        return comma + nodes.bytes.dropFirst().dropLast()
    }

    /// Everything after the nodes, and the line's end.
    func closing(_ end: RunEnd) -> [UInt8] {
        Array("},\"timing\":".utf8) + end.timing.bytes + Array("}\n".utf8)
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

    mutating func read(_ page: RawJSON) {
        page.value(at: [.key("nodes")])?
            .forEachField { id, node in
                guard !isComplete, node.value(at: [.key("status")])?.stringValue == "failed" else {
                    return
                }
                unseen -= 1
                lines.append(Self.line(id, node))
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
    static func line(_ id: String, _ node: RawJSON) -> String {
        func text(_ path: String...) -> String? {
            node.value(at: path.map { .key($0) })?.stringValue
        }
        let code = text("error", "code") ?? "error"
        let message = text("error", "message") ?? "no message"
        return "\(id) (\(text("tool") ?? "?")) failed: \(code): \(message)"
    }
}
