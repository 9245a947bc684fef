// Questions and answers: get, reply.

public import Core

/// What a `get` asks for.
public enum GetKind: String, Sendable, Hashable, CaseIterable {
    /// One run: its state and counts.
    case run
    /// The runs, newest first.
    case runs
    /// The nodes of a run, with state and outcome.
    case nodes
    /// The nodes of a run by name, tool, state and dependencies, without anything large.
    case graph
    /// One node of a run.
    case node
    /// The answer of a run.
    case answer
    /// The workers.
    case workers
    /// The launches that start workers.
    case launches
    /// The catalogue of tools.
    case tools
    /// The nodes that wait for a person's approval, of all runs or of one.
    case approvals
    /// Why a run or node does not go on.
    case explain
    /// All that happened to a node, as far as it is kept.
    case story
    /// What the tool of a node wrote, as far as it is kept.
    case logs
    /// What language models were asked for a run, and what they wrote.
    case conversation
    /// The plans that are remembered, the oldest first.
    case plans
    /// The coordinator itself.
    case status
}

/// A question.
public struct Get: Sendable, Equatable {
    /// A number of the asker's choice; comes back in the answer.
    public var request: Int
    /// What is asked for.
    public var what: GetKind
    /// Of which run, worker or tool.
    public var id: String?
    /// Of which node of that run.
    public var node: NodeID?
    /// The position to begin with in a long list.
    public var from: Int?
    /// The most entries of a long list to send.
    public var limit: Int?
    /// Of runs: only those that stand so.
    public var status: RunStatus?
    /// Of runs: only those with this label.
    public var label: String?
    /// Of runs: only those accepted since then, in milliseconds of Unix time.
    public var since: Int?

    /// Makes the message of its fields.
    public init(
        request: Int,
        what: GetKind,
        id: String? = nil,
        node: NodeID? = nil,
        from: Int? = nil,
        limit: Int? = nil,
        status: RunStatus? = nil,
        label: String? = nil,
        since: Int? = nil
    ) {
        self.status = status
        self.label = label
        self.since = since
        self.request = request
        self.what = what
        self.id = id
        self.node = node
        self.from = from
        self.limit = limit
    }
}

/// The answer to a question.
///
/// Data in chunks has been sent before this message, which completes it.
public struct Reply: Sendable, Equatable {
    /// The number of the question.
    public var request: Int
    /// What was asked for.
    public var what: GetKind
    /// The answer, or a page of it.
    public var data: Payload
    /// The `from` of the next page; nil if this is the last one.
    public var next: Int?

    /// Makes the message of its fields.
    public init(request: Int, what: GetKind, data: Payload, next: Int? = nil) {
        self.request = request
        self.what = what
        self.data = data
        self.next = next
    }
}
