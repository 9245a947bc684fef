// What is kept of each node beside its plan and its outcome, small because there may be a million.

public import Core
public import Wire

/// A node's course so far.
///
/// Times are microseconds since the run was accepted.
public struct RunNode: Sendable, Hashable {
    /// Where it stands.
    public internal(set) var status = NodeStatus.waiting
    /// Whether the tool of the latest attempt may run twice for the node.
    public internal(set) var isRepeatable = false
    /// Whether a person approved it, for all its attempts.
    public internal(set) var isApproved = false
    /// Why the latest attempt was called back, if it was.
    public internal(set) var calledBack: CancelReason?
    /// Workers that were lost with an attempt of it, at most 255.
    public internal(set) var workersLost: UInt8 = 0
    /// Attempts whose tool failed.
    public internal(set) var failures: Int16 = 0
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

    /// Counts an attempt after which another one follows.
    mutating func count(_ cause: RetryCause) {
        switch cause {
        case .failed: failures = failures < .max ? failures + 1 : failures
        case .neverRan: neverRan += 1
        case .workerLost: workersLost = workersLost < .max ? workersLost + 1 : workersLost
        case .refused, .workerEnded: break
        }
    }

    /// Attempts without those that surely never ran.
    public var tries: Int { Int(attempt - neverRan) }
}
