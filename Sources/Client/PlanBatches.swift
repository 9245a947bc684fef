// Splits a plan into messages: nodes in order, as many as fit, read from the text only when they
// are needed. Not here: the source of the text, sending, and checking the plan.
internal import JSON
internal import Plans

/// The nodes of a plan document in batches for `nodes` messages.
struct PlanBatches {
    /// The content of one message.
    struct Batch: Equatable {
        var tasks: [RawJSON]
        var isLast: Bool
        var joinInstruction: String?
    }

    private let bytesPerBatch: Int
    private let largestNode: Int
    /// The available text; the part before `position` is read.
    private var text: [UInt8]
    private var position = 0
    private var isTextWhole: Bool
    private var reader = PlanReader()
    private var waiting: [RawJSON] = []
    private var next = 0
    private var isRead = false
    private var isFinished = false
    private var joinInstruction: String?

    /// Prepares the batches of a text, or of its beginning.
    ///
    /// A batch has at most `bytesPerBatch` bytes of nodes and their commas; a larger node is sent
    /// alone, and one larger than `largestNode` is an error.
    init(text: [UInt8], isWhole: Bool = true, bytesPerBatch: Int, largestNode: Int) {
        self.text = text
        isTextWhole = isWhole
        self.bytesPerBatch = bytesPerBatch
        self.largestNode = largestNode
    }

    /// Whether the next batch needs more text.
    var needsText: Bool { !isTextWhole && position == text.count && next == waiting.count }

    /// Adds the next piece of the text after all earlier text has been split; an empty one is the
    /// end.
    mutating func addText(_ piece: [UInt8]) {
        precondition(needsText, "a piece comes when it is needed")
        text = piece
        position = 0
        isTextWhole = piece.isEmpty
    }

    /// The next batch; nil after the last one, which may be without nodes, and when more text is
    /// needed.
    ///
    /// - Throws: If the text cannot be read or a node cannot be sent.
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
        guard isFinished || !tasks.isEmpty else { return nil }
        return Batch(
            tasks: tasks,
            isLast: isFinished,
            joinInstruction: isFinished ? joinInstruction : nil
        )
    }

    /// Continues reading the available text; false at its end.
    private mutating func readOn() throws(PlanProblems) -> Bool {
        guard !isRead, isTextWhole || position < text.count else { return false }
        waiting.removeAll(keepingCapacity: true)
        next = 0
        let end = min(position + bytesPerBatch, text.count)
        var nodes: [RawJSON] = []
        try reader.feed(text[position..<end]) { nodes.append($0) }
        waiting = nodes
        position = end
        if isTextWhole, end == text.count {
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
                message: "node \(id ?? "?") is \(node.count) bytes long, but a node has to fit "
                    + "into one line of \(largestNode) bytes; put what is large into a file and "
                    + "have a tool read it"
            )
        ])
    }
}
