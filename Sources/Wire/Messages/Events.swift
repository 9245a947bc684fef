// What happens in a run, for those who watch it: watch, event.
public import Core
public import JSON

/// Send the events of a run, those so far and those to come.
public struct Watch: Sendable, Equatable {
    /// Which run.
    public var run: RunID
    /// The sequence number to begin with; nil for the oldest kept.
    public var from: Int?
    /// Which events.
    public var level: WatchLevel
    /// Comes back in the error if the watch cannot be served.
    public var request: Int?

    /// Makes the message of its fields.
    public init(
        run: RunID,
        from: Int? = nil,
        level: WatchLevel = .nodes,
        request: Int? = nil
    ) {
        self.run = run
        self.from = from
        self.level = level
        self.request = request
    }
}

/// What happened.
public enum EventKind: String, Sendable, Hashable, CaseIterable {
    /// Nodes were added to the run.
    case planned
    /// The last dependency of a node is done.
    case nodeReady = "node_ready"
    /// An attempt was sent to a worker.
    case dispatched
    /// An attempt runs.
    case started
    /// A tool wrote output.
    case chunk
    /// How far an attempt is; without a node, how far the run is.
    case progress
    /// How far the run is, for a watcher that came too late for some of its events.
    case snapshot
    /// A node has its output.
    case nodeSucceeded = "node_succeeded"
    /// A node failed for good.
    case nodeFailed = "node_failed"
    /// A node will not run, because one it depends on failed.
    case nodeSkipped = "node_skipped"
    /// A node was cancelled.
    case nodeCancelled = "node_cancelled"
    /// An attempt failed and another one follows.
    case retrying
    /// No connected worker can run a node.
    case unplaceable
    /// A node waits for a person's approval.
    case approvalAsked = "approval_asked"
    /// A node may run, as a person said; one that may not fails.
    case approved
    /// The plan has problems; what could be used is used, or the model is asked again.
    case planProblems = "plan_problems"
    /// The joiner asked for another plan.
    case replanned
    /// More of the answer's text, while it is being written.
    case answering
    /// The answer is made.
    case joined
    /// The run ended with an answer.
    case runSucceeded = "run_succeeded"
    /// The run ended without one.
    case runFailed = "run_failed"
    /// The run was cancelled.
    case runCancelled = "run_cancelled"

    /// Whether it is the last event of its run.
    public var isTerminal: Bool {
        switch self {
        case .runSucceeded, .runFailed, .runCancelled: true
        case .planned, .nodeReady, .dispatched, .started, .chunk, .progress, .snapshot,
            .nodeSucceeded, .nodeFailed, .nodeSkipped, .nodeCancelled, .retrying, .unplaceable,
            .approvalAsked, .approved, .planProblems, .replanned, .answering, .joined:
            false
        }
    }
}

/// Something happened in a run.
public struct EventMessage: Sendable, Equatable {
    /// Which run.
    public var run: RunID
    /// Its position in the run's events, from 0; a watcher of a lower level sees gaps.
    public var sequence: Int
    /// What happened.
    public var kind: EventKind
    /// To which node.
    public var node: NodeID?
    /// In which attempt, by its number from 1.
    public var attempt: Int?
    /// On which worker.
    public var worker: String?
    /// More about it, by kind.
    public var data: RawJSON?
    /// When, in microseconds since the run was accepted.
    public var atMicroseconds: Int

    /// Makes the message of its fields.
    public init(
        run: RunID,
        sequence: Int,
        kind: EventKind,
        node: NodeID? = nil,
        attempt: Int? = nil,
        worker: String? = nil,
        data: RawJSON? = nil,
        atMicroseconds: Int
    ) {
        self.run = run
        self.sequence = sequence
        self.kind = kind
        self.node = node
        self.attempt = attempt
        self.worker = worker
        self.data = data
        self.atMicroseconds = atMicroseconds
    }

    /// Whether it is the last event of its run.
    public var isTerminal: Bool { kind.isTerminal }
}
