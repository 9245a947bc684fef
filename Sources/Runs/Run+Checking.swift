// Applying records that come from a disk: a record that cannot follow those before it is refused
// before anything changes, where `apply` would trap. What a record does is in Run+Applying.swift.

internal import Plans
internal import Wire

extension Run {
    /// Carries out a change that was read, if it can follow those before it.
    ///
    /// Throws why it cannot, and has then changed nothing.
    public mutating func applyRead(_ record: RunRecord) throws(RunRecordError) {
        if let problem = problem(with: record) {
            throw RunRecordError("\"\(record.change.kind)\" cannot follow: \(problem)")
        }
        switch record.change {
        case .nodesAdded, .planClosed:
            do throws(PlanProblems) {
                try applyChecked(record)
            } catch {
                throw RunRecordError("\"\(record.change.kind)\" cannot follow: \(error)")
            }
        default: apply(record)
        }
    }

    /// Times and pauses beyond this, about 285 years, are no times.
    private static let latest = 1 << 53

    /// Why a record cannot follow, as far as can be said without its plan's nodes.
    private func problem(with record: RunRecord) -> String? {
        guard (0...Self.latest).contains(record.at) else { return "its time is out of range" }
        if isEnded { return "the run has ended" }
        if let node = record.change.node {
            guard nodes.indices.contains(node) else { return "there is no node number \(node)" }
            return problem(with: record.change, of: nodes[node])
        }
        switch record.change {
        case .accepted: return "the run was accepted before"
        case .ended(.running): return "a run does not end as running"
        case .ended where counts.settled < counts.total: return "not all nodes have settled"
        default: return nil
        }
    }

    private func problem(with change: RunChange, of node: RunNode) -> String? {
        let status = node.status
        switch change {
        case .worked, .toolWrote: return nil
        default: break
        }
        if status.isSettled { return "the node has settled as \(status.rawValue)" }
        switch change {
        case .nodeReady where status.isHeld, .skipped where status.isHeld,
            .pauseEnded where status.isHeld:
            return "a worker has the node"
        case .dispatched where status != .ready: return "the node is \(status.rawValue)"
        case .takenOver where status != .waiting: return "the node is \(status.rawValue)"
        case .approvalAsked where status != .waiting && status != .ready:
            return "the node is \(status.rawValue)"
        case .approvalAsked(_, let milliseconds) where !(0...Self.latest).contains(milliseconds):
            return "its time is out of range"
        case .approved where status != .awaitingApproval: return "the node does not wait for it"
        case .started(_, let attempt) where attempt != node.attempt || !status.isHeld,
            .calledBack(_, let attempt, _) where attempt != node.attempt || !status.isHeld:
            return "attempt \(attempt) is not with a worker"
        case .skipped(_, let cause) where !nodes.indices.contains(Int(cause)):
            return "there is no node number \(cause)"
        case .retrying(_, _, _, let delay, _) where !(0...Int64(Self.latest)).contains(delay):
            return "its pause is out of range"
        default: return nil
        }
    }
}

extension NodeStatus {
    /// Whether the node has ended.
    fileprivate var isSettled: Bool {
        switch self {
        case .succeeded, .failed, .skipped, .cancelled: true
        case .waiting, .awaitingApproval, .ready, .backingOff, .sent, .running, .cancelling: false
        }
    }
}
