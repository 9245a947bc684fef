// Closing a plan: the problems of the plan as a whole, and the remaining holds.

import Core

extension Plan {
    /// Ends growth.
    ///
    /// Throws every problem of the plan as a whole (no nodes, a declared dependency that is not in
    /// the plan, cycles) and then changes nothing. References to ids that never arrived become
    /// text, unless they were declared; returns the nodes that waited for such ids, once for each
    /// id.
    @discardableResult
    public mutating func close() throws(PlanProblems) -> [Int] {
        if isClosed { return [] }
        try closingProblems().throwIfAny()
        return endGrowth()
    }

    /// Ends growth of a plan without closing problems; see ``close()``.
    mutating func endGrowth() -> [Int] {
        isClosed = true
        var released: [Int] = []
        if !waiting.isEmpty {
            for (node, target) in pendingTargets() {
                targets[target] = Plan.dropped
                released.append(node)
            }
        }
        holds = []
        freeHold = -1
        waiting = [:]
        return released
    }

    /// The problems if the plan were closed now.
    func closingProblems() -> ProblemList {
        var problems = ProblemList()
        if nodes.isEmpty {
            problems.add(PlanProblem(code: .emptyPlan, message: "the plan has no nodes"))
        }
        if !waiting.isEmpty {
            for (node, target) in pendingTargets() {
                guard let place = Plan.hold(in: targets[target]), holds[place].isDeclared else {
                    continue
                }
                let id = nodes[node].id
                problems.add(
                    PlanProblem(
                        code: .unknownDependency,
                        node: id.text,
                        message: "node \(id) depends on \(holds[place].id), which is not in the "
                            + "plan"
                    )
                )
            }
        }
        if hasForwardEdge {
            for cycle in cycles() { problems.add(cycleProblem(cycle)) }
        }
        return problems
    }

    /// The targets that still wait for an id, in the order of the plan.
    private func pendingTargets() -> [(node: Int, target: Int)] {
        var pending: [(node: Int, target: Int)] = []
        for node in nodes.indices {
            for target in slots(of: node) where Plan.hold(in: targets[target]) != nil {
                pending.append((node, target))
            }
        }
        return pending
    }
}
