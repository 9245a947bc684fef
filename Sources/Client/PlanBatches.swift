// A plan cut into lines: nodes in order, as many as fit, read from the document only when they are
// to be sent. Not here: sending, and what is wrong with a plan.
internal import JSON
internal import Plans

/// The nodes of a plan document in batches for `nodes` messages.
struct PlanBatches {
    /// What one message carries.
    struct Batch: Equatable {
        var tasks: [RawJSON]
        var isLast: Bool
        var joinInstruction: String?
    }

    private let document: [UInt8]
    private let bytesPerBatch: Int
    private let largestNode: Int
    private var position = 0
    private var reader = PlanReader()
    private var waiting: [RawJSON] = []
    private var next = 0
    private var isRead = false
    private var isFinished = false
    private var joinInstruction: String?

    /// Prepares the batches of a document.
    ///
    /// A batch has at most `bytesPerBatch` bytes of nodes and their commas; a larger node goes
    /// alone, and one larger than `largestNode` not at all.
    init(document: [UInt8], bytesPerBatch: Int, largestNode: Int) {
        self.document = document
        self.bytesPerBatch = bytesPerBatch
        self.largestNode = largestNode
    }

    /// The next batch; nil after the last one, which may be without nodes.
    ///
    /// - Throws: What keeps the document from being read or a node from being sent.
    mutating func nextBatch() throws(PlanProblems) -> Batch? {
        guard !isFinished else { return nil }
        var tasks: [RawJSON] = []
        var bytes = 0
        while true {
            if next == waiting.count {
                guard try readOn() else { break }
                continue
            }
            let node = waiting[next]
            guard tasks.isEmpty || bytes + node.count + 1 <= bytesPerBatch else { break }
            try check(node)
            bytes += node.count + 1
            tasks.append(node)
            next += 1
        }
        isFinished = isRead && next == waiting.count
        return Batch(
            tasks: tasks,
            isLast: isFinished,
            joinInstruction: isFinished ? joinInstruction : nil
        )
    }

    /// Reads the next piece of the document; false at its end.
    private mutating func readOn() throws(PlanProblems) -> Bool {
        guard !isRead else { return false }
        waiting.removeAll(keepingCapacity: true)
        next = 0
        let end = min(position + bytesPerBatch, document.count)
        var nodes: [RawJSON] = []
        try reader.feed(document[position..<end]) { nodes.append($0) }
        waiting = nodes
        position = end
        if end == document.count {
            joinInstruction = try reader.finish()
            isRead = true
        }
        return true
    }

    private func check(_ node: RawJSON) throws(PlanProblems) {
        guard node.count > largestNode else { return }
        let id = node.value(at: [.key("id")])?.stringValue
        throw PlanProblems([
            PlanProblem(
                code: .limit,
                node: id,
                message: "node \(id ?? "?") is \(node.count) bytes long; the coordinator takes at "
                    + "most \(largestNode)"
            )
        ])
    }
}
