// Plans that grow: nodes that a client or a planner sends after the submission, and the end of
// growth.

internal import Core
internal import OrderedCollections
internal import Plans
internal import Runs
internal import Scheduling
internal import Wire

extension CoordinatorMachine {
    mutating func addNodes(_ nodes: Nodes, _ id: ConnectionID, in turn: inout CoordinatorTurn) {
        guard let run = runs.slot(ofKey: nodes.key),
            runs[run].author == id
        else {
            let error = ErrorMessage(
                code: .unknownRun,
                message: "No streamed run of yours has the key \(nodes.key).",
                isFatal: false,
                about: nodes.key
            )
            turn.append(.send(id, .error(error)))
            return
        }
        guard !runs[run].state.isEnded, runs[run].state.failure == nil else { return }
        if let reason = nodes.brokenOff {
            return end(run, because: Failure(code: .badPlan, message: reason), in: &turn)
        }
        do throws(PlanProblems) {
            let faults = unreadable(nodes.unreadable)
            guard faults.isEmpty else { throw PlanProblems(faults) }
            var definitions: [NodeDefinition] = []
            definitions.reserveCapacity(nodes.tasks.count)
            for node in nodes.tasks {
                definitions.append(
                    try NodeDefinition(
                        decoding: node,
                        at: runs[run].state.plan.count + definitions.count
                    )
                )
            }
            let problems = check(definitions, of: runs[run].state)
            guard problems.isEmpty else { throw PlanProblems(problems) }
            try addNodes(definitions, to: run, in: &turn)
            if let instruction = nodes.joinInstruction {
                record(.joinInstructed(instruction), run, in: &turn)
            }
            if nodes.isLast { try close(run, in: &turn) }
        } catch {
            refuse(error.problems, about: nodes.key, id, in: &turn)
            let first = error.problems.first?.message ?? "the plan is not valid"
            end(run, because: Failure(code: .badPlan, message: first), in: &turn)
        }
    }

    private mutating func close(_ run: Int, in turn: inout CoordinatorTurn) throws(PlanProblems) {
        let (record, growth) = try recordChecked(.planClosed(isFinal: true), run, turn.now)
        note(record, run, in: &turn)
        forgetAuthor(of: run)
        let id = runs[run].id
        if !growth.released.isEmpty {
            schedule(.nodesReleased(id, growth.released), in: &turn)
        }
        endGrowth(run, in: &turn)
    }

    /// The plan is complete: the run ends with its last node, or is joined then.
    mutating func endGrowth(_ run: Int, in turn: inout CoordinatorTurn) {
        guard !runs[run].hasPlanner else { return beginJoin(run, in: &turn) }
        schedule(.runClosed(runs[run].id), in: &turn)
    }

    /// Appends nodes to the plan of a run; they may leave in this same turn.
    mutating func addNodes(
        _ nodes: [NodeDefinition],
        to run: Int,
        in turn: inout CoordinatorTurn
    ) throws(PlanProblems) {
        let (record, growth) = try recordChecked(.nodesAdded(nodes), run, turn.now)
        note(record, run, in: &turn)
        scheduleGrowth(growth, of: run, in: &turn)
    }

    /// What the scheduler is to know of a node.
    func spec(of index: Int, _ run: Int) -> NodeSpec {
        let node = runs[run].state.plan[index]
        return NodeSpec(
            tool: node.tool,
            requires: node.requires.isEmpty
                ? [:] : Dictionary(node.requires.map { ($0.key, $0.value) }) { $1 },
            maxAttempts: node.maxAttempts,
            timeout: node.timeout,
            needsArguments: needsArguments(node) || needsApproval(index, run)
                || runs[run].state.approvals[index] != nil
        )
    }

    /// Hands nodes that the plan has got to the scheduler.
    mutating func scheduleGrowth(
        _ growth: Plan.Growth,
        of run: Int,
        in turn: inout CoordinatorTurn
    ) {
        let specs = growth.added.map { spec(of: $0, run) }
        let id = runs[run].id
        schedule(.nodesAdded(id, specs, edges: growth.edges, held: growth.held), in: &turn)
        if !growth.released.isEmpty {
            schedule(.nodesReleased(id, growth.released), in: &turn)
        }
    }
}
