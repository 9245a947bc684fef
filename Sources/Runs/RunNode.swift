// What is kept of each node beside its plan and its outcome, small because there may be a million;
// and the counts of all nodes.

/// Where a node stands, as written on the wire.
public enum NodeStatus: UInt8, Sendable, Hashable, CaseIterable {
    /// Some dependency has not succeeded yet.
    case waiting
    /// May be given to a worker.
    case ready
    /// Failed retryably and waits for its next attempt.
    case backingOff
    /// A worker has it and has not said yet that it began.
    case sent
    /// Its worker began.
    case running
    /// Its worker was asked to end it.
    case cancelling
    /// Ended well.
    case succeeded
    /// Ended badly.
    case failed
    /// Ended because its run was cancelled.
    case cancelled
    /// Never ran, because another node failed or was cancelled.
    case skipped

    /// The name on the wire.
    public var name: String {
        switch self {
        case .waiting: "waiting"
        case .ready: "ready"
        case .backingOff: "backing_off"
        case .sent: "sent"
        case .running: "running"
        case .cancelling: "cancelling"
        case .succeeded: "succeeded"
        case .failed: "failed"
        case .cancelled: "cancelled"
        case .skipped: "skipped"
        }
    }

    /// Whether nothing follows.
    public var isTerminal: Bool {
        switch self {
        case .succeeded, .failed, .cancelled, .skipped: true
        default: false
        }
    }

    /// Whether a worker has it.
    public var isHeld: Bool {
        switch self {
        case .sent, .running, .cancelling: true
        default: false
        }
    }
}

/// A node's course so far.
///
/// Times are microseconds since the run was accepted.
public struct RunNode: Sendable, Hashable {
    /// Where it stands.
    public internal(set) var status = NodeStatus.waiting
    /// The number of the latest attempt; 0 before the first.
    public internal(set) var attempt: Int32 = 0
    /// Attempts that surely never ran, though each had a number.
    public internal(set) var neverRan: Int32 = 0
    /// The node because of which it was skipped; -1 if it was not.
    public internal(set) var cause: Int32 = -1
    /// The worker of the latest attempt, as a position in `Run.workers`; 0 before the first.
    public internal(set) var worker: Int32 = 0
    /// From ready to the dispatch of the latest attempt, in microseconds.
    public internal(set) var queued: Int32 = 0
    /// From the dispatch of the latest attempt to its end as seen here, in microseconds.
    public internal(set) var turnaround: Int32 = 0
    /// The working time of the latest attempt, in microseconds.
    public internal(set) var work: Int32 = 0
    /// When it became ready, or will be after its pause; -1 before.
    public internal(set) var readyAt: Int64 = -1
    /// When the latest attempt was dispatched.
    public internal(set) var dispatchedAt: Int64 = 0
    /// The longest path of working time that ends with this node, in microseconds.
    public internal(set) var path: Int64 = 0

    /// Attempts without those that surely never ran.
    public var tries: Int { Int(attempt - neverRan) }
}

/// How many nodes of a run are where.
public struct NodeCounts: Sendable, Hashable {
    /// Nodes of the plan so far.
    public internal(set) var total = 0
    /// Nodes that workers have.
    public internal(set) var running = 0
    /// Nodes that ended well.
    public internal(set) var succeeded = 0
    /// Nodes that ended badly.
    public internal(set) var failed = 0
    /// Nodes that never ran because of another one.
    public internal(set) var skipped = 0
    /// Nodes that were cancelled with the run.
    public internal(set) var cancelled = 0

    /// Nodes that have reached their end.
    public var settled: Int { succeeded + failed + skipped + cancelled }
}
