// Who talks to the coordinator, and which node of which run: ids that the coordinator gives itself.

/// One session of one worker.
///
/// The coordinator's core gives the numbers; they are never reused.
public struct WorkerID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The number, counted from 1 in the order of registration.
    public let number: Int

    /// Names the session with this number.
    public init(_ number: Int) {
        self.number = number
    }

    /// Orders by number.
    public static func < (left: WorkerID, right: WorkerID) -> Bool {
        left.number < right.number
    }

    /// For logs and stories, as in `worker#3`.
    public var description: String { "worker#\(number)" }
}

/// A node of a run, by its dense index in the run's plan.
public struct NodeReference: Sendable, Hashable, CustomStringConvertible {
    /// The run that the node belongs to.
    public var run: RunID
    /// The position of the node in its plan, from 0.
    public var node: Int

    /// Names the node at this position of this run.
    public init(run: RunID, node: Int) {
        self.run = run
        self.node = node
    }

    /// For logs and stories, as in `r1/7`.
    public var description: String { "\(run)/\(node)" }
}

/// One TCP connection, numbered by the shell and never used again.
public struct ConnectionID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Counted from 1 in the order of acceptance.
    public let number: Int

    /// Names the connection with this number.
    public init(_ number: Int) {
        self.number = number
    }

    /// Orders by number.
    public static func < (left: ConnectionID, right: ConnectionID) -> Bool {
        left.number < right.number
    }

    /// For logs, as in `connection#4`.
    public var description: String { "connection#\(number)" }
}
