// Approval by the program that runs plans: what waits, and answers.
internal import Client
public import Core
public import JSON
internal import Wire

/// A node that waits for approval.
public struct PendingApproval: Sendable, Equatable {
    /// The run.
    public var run: RunID
    /// The node.
    public var node: NodeID
    /// The tool that it calls.
    public var tool: String
    /// Its arguments, with the outputs of other nodes in place; nil if they are longer than 16 KiB.
    public var arguments: JSONValue?
    /// How long the answer may take in all.
    public var timeLimit: Duration
    /// How long it has waited.
    public var waited: Duration
}

extension WeftClient {
    /// The nodes that wait for approval, those of the oldest run first.
    ///
    /// - Parameter run: Only those of this run; nil for all.
    /// - Returns: What waits, with arguments.
    /// - Throws: `ClientError` if the coordinator does not know the run, or the connection is lost
    ///   for good.
    public func approvals(of run: RunID? = nil) async throws -> [PendingApproval] {
        let answer = Promise<[PendingApproval]>()
        let isOpen = postToLoop { tracker in
            tracker.approvals(of: run) { answer.settle($0.mapError { $0 }) }
        }
        guard isOpen else { throw ClientError.closed }
        return try await answer.value
    }

    /// Approves nodes that wait for it; each approval holds for all attempts of its node.
    ///
    /// - Parameters:
    ///   - nodes: The nodes; nil for all of the run that wait now.
    ///   - run: The run.
    ///   - reason: Why, for those who watch it; its first 1000 characters are used.
    /// - Throws: `ClientError` if a node does not wait, or the connection is lost for good.
    public func approve(_ nodes: [NodeID]?, of run: RunID, reason: String? = nil) async throws {
        try await answer(Approve(run: run, nodes: nodes, isApproved: true, reason: reason))
    }

    /// Denies nodes that wait for approval: they fail with the code `denied`.
    ///
    /// - Parameters:
    ///   - nodes: The nodes; nil for all of the run that wait now.
    ///   - run: The run.
    ///   - reason: Why, for those who watch it; its first 1000 characters are used.
    /// - Throws: `ClientError` if a node does not wait, or the connection is lost for good.
    public func deny(_ nodes: [NodeID]?, of run: RunID, reason: String? = nil) async throws {
        try await answer(Approve(run: run, nodes: nodes, isApproved: false, reason: reason))
    }

    private func answer(_ answer: Approve) async throws {
        var answer = answer
        // A longer reason might be refused.
        answer.reason = answer.reason.map { String($0.prefix(1_000)) }
        let taken = Promise<Void>()
        let isOpen = postToLoop { [answer] tracker in
            tracker.answer(answer) { taken.settle($0.mapError { $0 }) }
        }
        guard isOpen else { throw ClientError.closed }
        try await taken.value
    }
}

extension RunHandle {
    /// Approves nodes of the run, see ``WeftClient/approve(_:of:reason:)``.
    public func approve(_ nodes: NodeID..., reason: String? = nil) async throws {
        try await client.approve(nodes, of: id, reason: reason)
    }

    /// Denies nodes of the run, see ``WeftClient/deny(_:of:reason:)``.
    public func deny(_ nodes: NodeID..., reason: String? = nil) async throws {
        try await client.deny(nodes, of: id, reason: reason)
    }
}

extension LocalCluster {
    /// The nodes that wait for approval, see ``WeftClient/approvals(of:)``.
    public func approvals(of run: RunID? = nil) async throws -> [PendingApproval] {
        try await client.approvals(of: run)
    }

    /// Approves nodes, see ``WeftClient/approve(_:of:reason:)``.
    public func approve(_ nodes: [NodeID]?, of run: RunID, reason: String? = nil) async throws {
        try await client.approve(nodes, of: run, reason: reason)
    }

    /// Denies nodes, see ``WeftClient/deny(_:of:reason:)``.
    public func deny(_ nodes: [NodeID]?, of run: RunID, reason: String? = nil) async throws {
        try await client.deny(nodes, of: run, reason: reason)
    }
}

extension PendingApproval {
    init(_ document: ApprovalDocument) {
        run = document.run
        node = document.node
        tool = document.question.tool
        arguments = document.question.arguments.map { JSONValue($0) }
        timeLimit = .milliseconds(document.question.timeoutMilliseconds)
        waited = .milliseconds(document.waitMilliseconds)
    }
}
