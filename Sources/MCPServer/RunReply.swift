// The state or the end of a run as a model reads it: outputs as far as there is room, failures, and
// what to do for more. Not here: asking the coordinator for its nodes.
package import Core
package import JSON
package import Plans
package import Wire

/// Collects what is said about a run.
package struct RunReply: Sendable {
    private let run: RunDocument
    private var answer: RawJSON?
    /// The nodes that wait for a person's approval.
    package var approvals: [ApprovalDocument] = []
    private let wanted: WantedOutputs
    private let names: Set<String>
    private var outputs: [(node: String, output: RawJSON)] = []
    private var shortened: [String] = []
    private var failures: [RawJSON] = []
    private var unreportedFailures = 0
    private var room = Self.outputBytes
    /// The node of a run that is a single call.
    private(set) var single: NodeDocument?

    /// Bytes of all outputs together, and of one.
    package static let outputBytes = 48 << 10
    private static let oneOutputBytes = 16 << 10
    private static let failuresReported = 20
    private static let messageLength = 2_000

    /// Begins with the run as a whole; `answer` is that of a joiner.
    package init(_ run: RunDocument, answer: RawJSON? = nil, wanted: WantedOutputs) {
        self.run = run
        self.answer = answer
        self.wanted = wanted
        if case .only(let ids) = wanted { names = Set(ids) } else { names = [] }
    }

    /// Whether the nodes have to be read at all.
    package var needsNodes: Bool {
        guard run.status != .running else { return false }
        if case .none = wanted, run.counts.failed == 0 { return false }
        return true
    }

    /// Adds nodes in the order of the plan.
    package mutating func add(_ page: NodesPage) throws(WireError) {
        var nodes: [(String, NodeDocument)] = []
        try page.forEachNode { id, node in
            nodes.append((id, node))
            return true
        }
        for (id, node) in nodes { add(id, node) }
    }

    private mutating func add(_ id: String, _ node: NodeDocument) {
        if run.counts.total == 1 { single = node }
        if let error = node.error, node.status == .failed { addFailure(id, node, error) }
        guard let output = node.output, isWanted(id) else { return }
        addOutput(id, output)
    }

    private func isWanted(_ id: String) -> Bool {
        switch wanted {
        case .all, .ends: true
        case .only: names.contains(id)
        case .none: false
        }
    }

    private mutating func addFailure(_ id: String, _ node: NodeDocument, _ error: Failure) {
        guard failures.count < Self.failuresReported else {
            unreportedFailures += 1
            return
        }
        failures.append(
            .object {
                $0.field("node", id)
                $0.field("tool", node.tool)
                $0.field("code", error.code.rawValue)
                $0.field("message", Self.shortened(error.message, to: Self.messageLength))
                $0.field("stderr", error.stderrTail.map { String($0.suffix(Self.messageLength)) })
            }
        )
    }

    private mutating func addOutput(_ id: String, _ output: RawJSON) {
        let limit = min(room, Self.oneOutputBytes)
        if output.count <= limit {
            room -= output.count
            outputs.append((id, output))
            return
        }
        shortened.append(id)
        guard limit >= 64 else { return }
        // As text, since half of a JSON value is none.
        let text = output.stringValue ?? output.text
        let beginning = RawJSON(Self.shortened(text, to: limit / 2))
        room -= min(room, beginning.count)
        outputs.append((id, beginning))
    }

    private static func shortened(_ text: String, to length: Int) -> String {
        guard text.count > length else { return text }
        return text.prefix(length) + "… (\(text.count - length) more characters)"
    }

    // MARK: - The end

    /// The result of a tool that tells of a run.
    package var state: ToolResult { ToolResult(structured: document) }

    /// The result of a call that is the run: an error unless that succeeded.
    package var result: ToolResult {
        ToolResult(structured: document, isError: [.failed, .cancelled].contains(run.status))
    }

    /// The document.
    package var document: RawJSON {
        .object { writer in
            writer.field("run", run.run.text)
            writer.field("status", run.status.rawValue)
            writer.field("answer", answer)
            if !outputs.isEmpty {
                writer.key("outputs")
                writer.beginObject()
                for (node, output) in outputs {
                    writer.key(escaping: node)
                    writer.raw(output)
                }
                writer.endObject()
            }
            if !shortened.isEmpty {
                writer.key("shortened")
                writer.beginArray()
                for node in shortened { writer.string(node) }
                writer.endArray()
            }
            if !failures.isEmpty {
                writer.key("failures")
                writer.beginArray()
                for failure in failures { writer.raw(failure) }
                writer.endArray()
            }
            if !approvals.isEmpty {
                writer.key("approvals")
                writer.beginArray()
                for each in approvals { each.encode(into: &writer) }
                writer.endArray()
            }
            writer.field("reason", reason)
            writer.key("counts")
            writer.beginObject()
            run.counts.write(into: &writer)
            writer.endObject()
            writer.field("wall_ms", run.timing.wall / 1_000)
            writer.field("hint", hint)
        }
    }

    private var reason: String? {
        if let error = run.error { return error.description }
        return run.status == .cancelled ? run.reason ?? "it was cancelled" : nil
    }

    private var hint: String? {
        var sentences: [String] = []
        if !approvals.isEmpty {
            sentences.append(
                "A person has to approve tasks: weft approve \(run.run), or weft deny \(run.run)."
            )
        } else if run.status == .running {
            sentences.append("The run goes on; ask again with wait_seconds.")
        }
        if !shortened.isEmpty {
            sentences.append("get_run with node returns the whole output of a task.")
        }
        if unreportedFailures > 0 {
            sentences.append("Tasks that failed and are not shown: \(unreportedFailures).")
        }
        if run.counts.skipped > 0 {
            sentences.append(
                "Tasks that were skipped, because what they depend on did not succeed: "
                    + "\(run.counts.skipped)."
            )
        }
        return sentences.isEmpty ? nil : sentences.joined(separator: " ")
    }
}

extension RunReply {
    /// The result of a single call: what its tool returned, as it is.
    package func callResult(of tool: ToolDescription?) -> ToolResult {
        if let output = single?.output { return ToolResult(output: output, of: tool) }
        if let error = single?.error {
            let tail = error.stderrTail.map { "\n\($0)" } ?? ""
            return .failure("\(error)\(tail)")
        }
        return .failure("Run \(run.run) \(run.status.rawValue): \(reason ?? "no reason is known").")
    }

    /// A plan with mistakes, which was not started.
    package static func refused(_ problems: [PlanProblem], _ message: String? = nil) -> ToolResult {
        let document = RawJSON.object { writer in
            writer.field("status", "refused")
            writer.key("problems")
            writer.beginArray()
            for problem in problems { problem.encode(into: &writer) }
            writer.endArray()
            writer.field("hint", message ?? "Nothing was started. Correct the plan and call again.")
        }
        return ToolResult(structured: document, isError: true)
    }

    /// A part of the output of a node, or why it has none.
    package static func output(
        of details: NodeDetails,
        in run: RunID,
        from offset: Int
    ) -> ToolResult {
        let node = details.node
        let document = RawJSON.object { writer in
            writer.field("run", run.text)
            // The status of a node that waits or runs is that of its run.
            let status = node.status.isTerminal ? node.status.rawValue : "running"
            writer.field("status", status == "skipped" ? "failed" : status)
            writer.field("node", details.id.text)
            writer.field("tool", node.tool)
            guard let output = node.output else {
                writer.field("reason", node.error?.description ?? because(node))
                return
            }
            writePage(of: output, from: offset, details.id.text, into: &writer)
        }
        return ToolResult(structured: document)
    }

    private static func because(_ node: NodeDocument) -> String {
        node.because.map { "\($0) did not succeed" } ?? "it is \(node.status.rawValue)"
    }

    private static func writePage(
        of output: RawJSON,
        from offset: Int,
        _ node: String,
        into writer: inout JSONWriter
    ) {
        writer.key("outputs")
        writer.beginObject()
        writer.key(escaping: node)
        guard offset > 0 || output.count > outputBytes else {
            writer.raw(output)
            return writer.endObject()
        }
        let text = output.stringValue ?? output.text
        let page = text.dropFirst(offset).prefix(outputBytes / 2)
        writer.string(String(page))
        writer.endObject()
        let next = offset + page.count
        writer.field("characters", text.count)
        guard next < text.count else { return }
        writer.field("next_offset", next)
    }
}
