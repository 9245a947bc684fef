// Where runs and nodes stand, as written on the wire, and how many nodes are where.
package import JSON

/// How a run ended, or that it goes on.
public enum RunStatus: String, Sendable, Hashable, CaseIterable {
    /// It goes on.
    case running
    /// It has its answer.
    case succeeded
    /// A node of it or the run as a whole failed.
    case failed
    /// A client ended it before it was done.
    case cancelled
}

/// Where a node stands.
public enum NodeStatus: String, Sendable, Hashable, CaseIterable {
    /// Some dependency has not succeeded yet.
    case waiting
    /// Waits until a person approves it.
    case awaitingApproval = "awaiting_approval"
    /// May be given to a worker.
    case ready
    /// Failed retryably and waits for its next attempt.
    case backingOff = "backing_off"
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

    /// Whether nothing follows.
    public var isTerminal: Bool {
        switch self {
        case .succeeded, .failed, .cancelled, .skipped: true
        case .waiting, .awaitingApproval, .ready, .backingOff, .sent, .running, .cancelling: false
        }
    }

    /// Whether a worker has it.
    public var isHeld: Bool {
        switch self {
        case .sent, .running, .cancelling: true
        case .waiting, .awaitingApproval, .ready, .backingOff, .succeeded, .failed, .cancelled,
            .skipped:
            false
        }
    }
}

/// How many nodes of a run are where.
public struct NodeCounts: Sendable, Hashable {
    /// Nodes of the plan so far.
    public var total = 0
    /// Nodes that workers have.
    public var running = 0
    /// Nodes that ended well.
    public var succeeded = 0
    /// Nodes that ended badly.
    public var failed = 0
    /// Nodes that never ran because of another one.
    public var skipped = 0
    /// Nodes that were cancelled with the run.
    public var cancelled = 0

    /// Counts nothing yet.
    public init() {}

    /// Nodes that have reached their end.
    public var settled: Int { succeeded + failed + skipped + cancelled }
}

extension NodeCounts: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        total = try fields.integer("total")
        running = try fields.integer("running")
        succeeded = try fields.integer("succeeded")
        failed = try fields.integer("failed")
        skipped = try fields.integer("skipped")
        cancelled = try fields.integer("cancelled")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("total", total)
        writer.field("running", running)
        writer.field("succeeded", succeeded)
        writer.field("failed", failed)
        writer.field("skipped", skipped)
        writer.field("cancelled", cancelled)
    }
}
