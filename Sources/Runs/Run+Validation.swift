// What must hold of a run between two records; tests, simulation and debug builds check it. Two runs
// are equal when everything that records change is.

public import Core
internal import Plans
internal import Wire

extension Run: Equatable {
    /// Whether both are the fold of the same records, as far as can be seen from outside.
    public static func == (left: Run, right: Run) -> Bool {
        left.acceptance == right.acceptance && left.phase == right.phase
            && left.nodes == right.nodes && left.counts == right.counts
            && left.results == right.results && left.workers == right.workers
            && left.times == right.times && left.planning == right.planning
            && left.approvals == right.approvals && left.joiner == right.joiner
            && left.plan.isSame(as: right.plan)
    }

    /// The first part in which two runs differ, in words; nil if they are equal.
    public func difference(from other: Run) -> String? {
        if acceptance != other.acceptance { return "acceptance" }
        if phase != other.phase { return "phase: \(phase) and \(other.phase)" }
        for node in nodes.indices where node < other.nodes.count {
            guard nodes[node] != other.nodes[node] else { continue }
            return "node \(node): \(nodes[node]) and \(other.nodes[node])"
        }
        if nodes.count != other.nodes.count { return "number of nodes" }
        if counts != other.counts { return "counts: \(counts) and \(other.counts)" }
        if results != other.results { return "results" }
        if workers != other.workers { return "workers: \(workers) and \(other.workers)" }
        if times != other.times { return "times: \(times) and \(other.times)" }
        if planning != other.planning { return "planning" }
        if approvals != other.approvals { return "approvals" }
        if joiner != other.joiner { return "joiner" }
        return plan.isSame(as: other.plan) ? nil : "plan"
    }

    /// Walks all nodes and counts them again.
    public func validate() throws(InvariantViolation) {
        guard results.outputs.count == plan.count, nodes.count == plan.count else {
            throw InvariantViolation("run \(id) keeps other nodes than its plan has")
        }
        var counted = NodeCounts()
        counted.total = plan.count
        for node in nodes {
            switch node.status {
            case .sent, .running, .cancelling: counted.running += 1
            case .succeeded: counted.succeeded += 1
            case .failed: counted.failed += 1
            case .cancelled: counted.cancelled += 1
            case .skipped: counted.skipped += 1
            case .waiting, .awaitingApproval, .ready, .backingOff: break
            }
        }
        let asked = nodes.indices.filter { nodes[$0].status == .awaitingApproval }
        guard asked == approvals.nodes else {
            throw InvariantViolation("run \(id) has other open approvals than nodes that wait")
        }
        guard counted == counts else {
            throw InvariantViolation("run \(id) counts \(counts), but has \(counted)")
        }
        guard !isEnded || counts.settled == counts.total else {
            throw InvariantViolation("run \(id) ended with unsettled nodes")
        }
    }
}
