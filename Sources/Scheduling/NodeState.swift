// The life of a node, as a state with the data that is valid in it, and the node's compact record.
// The table of legal moves is here so that documentation, tests and validation share it.

public import Core

/// Where a node stands.
public enum NodeState: Sendable, Equatable {
    /// Some dependency has not succeeded yet, or it may not run yet. Found in the node table only.
    case waiting
    /// May be placed. Found in the ready heap of its run and placement class.
    case ready
    /// Failed retryably and waits. Found in the deadline heap.
    case backingOff(until: Instant)
    /// Sent to a worker that has not said yet that it began. Found in the worker's attempts.
    case leased(WorkerID)
    /// The worker began. Found in the worker's attempts.
    case running(WorkerID)
    /// The attempt was called back; it counts against the worker until its end is known.
    case cancelling(WorkerID, until: Instant)
    /// Ended well.
    case succeeded
    /// Ended badly.
    case failed
    /// Ended because its run was cancelled.
    case cancelled
    /// Never ran because of the node with this index.
    case skipped(because: Int)

    /// The state without its data, for tables and counters.
    public var kind: NodeStateKind {
        switch self {
        case .waiting: .waiting
        case .ready: .ready
        case .backingOff: .backingOff
        case .leased: .leased
        case .running: .running
        case .cancelling: .cancelling
        case .succeeded: .succeeded
        case .failed: .failed
        case .cancelled: .cancelled
        case .skipped: .skipped
        }
    }

    /// The worker that holds the current attempt, if one does.
    public var worker: WorkerID? {
        switch self {
        case .leased(let worker), .running(let worker), .cancelling(let worker, _): worker
        default: nil
        }
    }

    /// Whether it has not ended and no worker holds it: a cancel of its run ends it at once.
    var isUnheld: Bool {
        switch self {
        case .waiting, .ready, .backingOff: true
        default: false
        }
    }
}

/// The names of the states.
public enum NodeStateKind: String, Sendable, CaseIterable {
    case waiting
    case ready
    case backingOff
    case leased
    case running
    case cancelling
    case succeeded
    case failed
    case cancelled
    case skipped

    /// Whether nothing follows.
    public var isTerminal: Bool {
        switch self {
        case .succeeded, .failed, .cancelled, .skipped: true
        default: false
        }
    }

    /// The states that may follow; a move that is not listed is our own bug.
    public var successors: Set<NodeStateKind> {
        switch self {
        // Failed: its arguments cannot be made.
        case .waiting: [.ready, .failed, .skipped, .cancelled]
        case .ready: [.leased, .failed, .cancelled]
        case .backingOff: [.ready, .cancelled]
        // Waiting: it was not sent, because it may not run yet.
        case .leased:
            [.waiting, .running, .ready, .backingOff, .cancelling, .succeeded, .failed]
        case .running: [.ready, .backingOff, .cancelling, .succeeded, .failed]
        // Running again: it had begun before the recall reached its worker.
        case .cancelling: [.cancelled, .running, .ready, .succeeded, .failed, .backingOff]
        case .succeeded, .failed, .cancelled, .skipped: []
        }
    }
}

/// Everything that the scheduler keeps of one node, small because there may be a million.
struct ScheduledNode: Sendable {
    var state = NodeState.waiting
    /// Unfinished dependencies, and holds for what is not in the plan yet.
    var inDegree: Int32 = 0
    /// Nodes on the longest path from here to an end, this one included.
    var rank: Int32 = 1
    /// The placement class, as an index into the run's own list of classes.
    var placement: Int32
    /// Head of the list of edges to dependents, an index into the run's edges; -1 ends it.
    var firstEdge: Int32 = -1
    /// Where the node stands in its worker's list of attempts while a worker holds it.
    var attemptPosition: Int32 = -1
    /// The number of the latest attempt; 0 before the first.
    var attempt: Int32 = 0
    /// The plan's own limit of attempts; 0 leaves it to the tool.
    var maxAttempts: Int16 = 0
    /// Attempts that reported a failure of the tool.
    var failures: Int16 = 0
    /// Workers that were lost while they held the node.
    var workersLost: UInt8 = 0
    /// Refusals since the last start.
    var rejections: UInt8 = 0
    /// Whether its arguments are still to be made when its dependencies are done, or something else
    /// that the caller knows still holds it then.
    var lacksArguments = false
    /// Whether its run was restored and it was not dispatched since: attempts may be on their way of
    /// which nothing is known.
    var isRestored = false
    /// Whether the scheduler's list of troubles has an entry for it.
    var isTroubled = false
    /// Attempts that their workers could not start.
    var neverRan: Int32 = 0
    /// Why the latest attempt was called back, if it was.
    var cancelReason: CancelReason?
    /// The worker that the latest attempt was on, to try another one first.
    var lastWorker: Int32 = 0
    /// The plan's own limit of an attempt's time in milliseconds; 0 leaves it to the tool.
    var timeoutMilliseconds: Int32 = 0
}
