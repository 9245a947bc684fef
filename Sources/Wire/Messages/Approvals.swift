// How a person answers for nodes that wait for approval: approve.
public import Core

/// Approve or deny nodes of a run that wait for it.
public struct Approve: Sendable, Equatable {
    /// Which run.
    public var run: RunID
    /// Which nodes; nil for all of the run that wait now.
    public var nodes: [NodeID]?
    /// Whether they may run; otherwise they fail.
    public var isApproved: Bool
    /// Why, for a person.
    public var reason: String?

    /// Makes the message of its fields.
    public init(
        run: RunID,
        nodes: [NodeID]? = nil,
        isApproved: Bool = true,
        reason: String? = nil
    ) {
        self.run = run
        self.nodes = nodes
        self.isApproved = isApproved
        self.reason = reason
    }
}
