// Remembered plans: clients add and forget them, runs that succeed may add theirs, planners are shown
// those whose tools are as they were.

internal import Core
internal import JSON
internal import PlannerCore
internal import Plans
internal import Runs
internal import Wire

extension CoordinatorMachine {
    // MARK: - Clients

    mutating func remember(
        _ request: Remember,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        switch request.source {
        case .run(let name):
            guard let run = runs.slot(of: name) else {
                return unknownRun(name, request: nil, id, in: &turn)
            }
            if let problem = remember(run, in: &turn) {
                let message = "The plan of run \(name) is not remembered: \(problem)."
                refuse(message, name.text, id, in: &turn)
            }
        case .plan(let document, let goal):
            var problem: String?
            do throws(PlanProblems) {
                let plan = try Plan(reading: document.bytes)
                let count = min(plan.count, PlanExample.mostCalls + 1)
                let nodes = (0..<count).map { plan.definition(of: $0) }
                problem = remember(nodes, for: goal, of: nil, in: &turn)
            } catch {
                problem = error.problems.first?.message ?? "it is not valid"
            }
            if let problem {
                refuse("The plan is not remembered: \(problem).", goal, id, in: &turn)
            }
        }
    }

    mutating func forget(_ request: Forget, _ id: ConnectionID, in turn: inout CoordinatorTurn) {
        if let run = request.run { return forget(run, id, in: &turn) }
        if let name = request.plan {
            guard memory.forget(name) else {
                let error = ErrorMessage(
                    code: .unknownPlan,
                    message: "No plan has the name \(name); `weft plans list` has those that are "
                        + "remembered.",
                    isFatal: false,
                    about: name
                )
                return turn.append(.send(id, .error(error)))
            }
        } else {
            memory.forgetAll()
        }
    }

    /// Has the plans stored if they have changed: once a turn, however many changes there were.
    mutating func storePlans(in turn: inout CoordinatorTurn) {
        guard let plans = memory.takeChanged() else { return }
        turn.append(.storePlans(plans))
    }

    private func refuse(
        _ message: String,
        _ about: String,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        let error = ErrorMessage(code: .badPlan, message: message, isFatal: false, about: about)
        turn.append(.send(id, .error(error)))
    }

    // MARK: - Runs

    /// A goal was reached: notes what its tools are now, as they may change before its plan is
    /// remembered.
    mutating func noteTools(of run: Int) {
        let state = runs[run].state
        guard state.acceptance.goal != nil, state.status == .succeeded,
            state.plan.count <= PlanExample.mostCalls + 1
        else { return }
        for node in 0..<state.plan.count where node != state.joiner {
            let tool = state.plan[node].tool
            runs[run].toolDigests[tool] = fleet.catalogue[tool]?.digest
        }
        runs.markUnbooked(run)
    }

    /// Remembers the plan of a goal that was reached at the first attempt, if that is configured.
    ///
    /// Only one that was written before its outputs were known: others have them in their arguments.
    mutating func rememberIfGood(_ run: Int, in turn: inout CoordinatorTurn) {
        let state = runs[run].state
        guard configuration.remembersPlans, state.status == .succeeded,
            runs[run].plannerSettings?.options.strategy.plansAhead ?? false,
            state.planning.calls > 0, state.planning.repairs == 0, state.planning.replans == 0,
            state.counts.succeeded == state.counts.total, state.plan.count > 0
        else { return }
        _ = remember(run, in: &turn)
    }

    /// What keeps the plan of a run from being remembered; nil if it is.
    private mutating func remember(_ run: Int, in turn: inout CoordinatorTurn) -> String? {
        let state = runs[run].state
        guard let goal = state.acceptance.goal else { return "it has no goal" }
        guard state.isEnded else { return "it has not ended" }
        guard state.status == .succeeded else { return "it has not succeeded" }
        let positions = (0..<state.plan.count).filter { $0 != state.joiner }
        guard !positions.isEmpty else { return "it has made no call" }
        guard positions.count <= PlanExample.mostCalls else {
            return "it has more than \(PlanExample.mostCalls) calls"
        }
        let nodes = positions.map { state.plan.definition(of: $0) }
        for (tool, digest) in runs[run].toolDigests.sorted(by: { $0.key < $1.key })
        where fleet.catalogue[tool].map({ $0.digest != digest }) ?? false {
            return "its tool \(tool) has changed since then"
        }
        return remember(nodes, for: goal, of: state.id, in: &turn)
    }

    private mutating func remember(
        _ nodes: [NodeDefinition],
        for goal: String,
        of run: RunID?,
        in turn: inout CoordinatorTurn
    ) -> String? {
        let names = Set(nodes.map(\.tool))
        if let missing = names.sorted().first(where: { fleet.catalogue[$0] == nil }) {
            return "no connected worker has its tool \(missing)"
        }
        let tools = plannerTools { names.contains($0) }
        switch PlanExample.made(for: goal, of: nodes, tools: tools) {
        case .failure(let problems):
            return problems.problems.first?.message ?? "it is not valid"
        case .success(let example):
            let digests = names.reduce(into: [:]) { $0[$1] = fleet.catalogue[$1]?.digest }
            let time = configuration.unixMillisecondsAtZero + Int(turn.now.milliseconds)
            memory.remember(example, tools: digests) { name in
                RememberedPlan(
                    name: name,
                    example: example,
                    tools: digests,
                    run: run,
                    unixMilliseconds: time
                )
            }
            return nil
        }
    }

    // MARK: - Planners

    /// The plans that a planner is shown now who may use these tools; nil for all.
    func usablePlans(with allowed: Set<String>?) -> [PlanExample] {
        memory.plans.filter { plan in
            guard obstacle(to: plan) == nil else { return false }
            return allowed.map { plan.tools.keys.allSatisfy($0.contains) } ?? true
        }.map(\.example)
    }

    /// Why planners are not shown a plan; nil if they are.
    func obstacle(to plan: RememberedPlan) -> String? {
        for (name, digest) in plan.tools.sorted(by: { $0.key < $1.key }) {
            guard let tool = fleet.catalogue[name] else { return "no worker has \(name)" }
            if tool.digest != digest { return "\(name) has changed since then" }
        }
        return nil
    }
}

extension Plan {
    /// A node with all its dependencies.
    fileprivate func definition(of node: Int) -> NodeDefinition {
        NodeDefinition(
            id: self[node].id,
            tool: self[node].tool,
            arguments: self[node].template.source,
            dependencies: dependencies(of: node).map { self[$0].id }
        )
    }
}
