// Nodes that need approval: computed separately, from what clients submitted and said.

import Core
import Plans
import Runs
import Wire

/// No node leaves without the approval that it needs, answers are those that clients gave, and no
/// question ends before its time.
struct ApprovalChecker {
    private struct Answer: Hashable {
        var run: RunID
        /// Nil stands for all nodes.
        var node: NodeID?
        var isApproved: Bool
    }

    /// The tool whose nodes always need approval, if there is one.
    var tool: String?
    private var wanted: [RunID: [String]] = [:]
    private var answers: Set<Answer> = []

    /// A run was accepted that asks for the approval of these tools, too.
    mutating func accept(_ run: RunID, _ approve: [String]) { wanted[run] = approve }

    /// A client's answer arrives.
    mutating func hear(_ answer: Approve) {
        let nodes: [NodeID?] = answer.nodes ?? [nil]
        for node in nodes {
            answers.insert(Answer(run: answer.run, node: node, isApproved: answer.isApproved))
        }
    }

    private func needs(_ tool: String, in run: RunID) -> Bool {
        if tool == self.tool { return true }
        guard let wanted = wanted[run] else { return false }
        return wanted.contains(tool) || wanted.contains("*")
    }

    private func has(_ isApproved: Bool, _ run: RunID, _ node: NodeID) -> Bool {
        [node, nil].contains {
            answers.contains(Answer(run: run, node: $0, isApproved: isApproved))
        }
    }

    /// Whether a change may follow in a run, which has not changed yet; why not.
    func problem(with record: RunRecord, of run: Run) -> String? {
        guard let index = record.change.node, index < run.plan.count else { return nil }
        let node = run.plan[index]
        switch record.change {
        case .dispatched where needs(node.tool, in: run.id) && !run.nodes[index].isApproved:
            return "\(run.id)/\(index) was dispatched to \(node.tool), and is not approved"
        case .approvalAsked where !needs(node.tool, in: run.id):
            return "\(run.id)/\(index) asks for an approval that it does not need"
        case .approvalAsked where run.nodes[index].isApproved:
            return "\(run.id)/\(index) asks again"
        case .approved where !has(true, run.id, node.id):
            return "\(run.id)/\(index) was approved, and nobody did"
        case .failed(_, let failure):
            return problem(with: failure, of: index, at: record.at, run)
        default: return nil
        }
    }

    private func problem(with failure: Failure, of node: Int, at: Int, _ run: Run) -> String? {
        switch failure.code {
        case .denied where !has(false, run.id, run.plan[node].id):
            return "\(run.id)/\(node) was denied, and nobody did"
        case .approvalTimeout:
            guard let question = run.approvals[node] else {
                return "\(run.id)/\(node) was not asked about, and its time is over"
            }
            let waited = at - question.askedAt
            return waited >= question.milliseconds * 1_000
                ? nil : "\(run.id)/\(node) waited \(waited) us only: \(question)"
        default: return nil
        }
    }
}
