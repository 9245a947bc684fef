// A run is done again as a new one: it takes over the outputs of what succeeded, and the rest runs.
// How submissions are accepted otherwise is in CoordinatorMachine+Submissions.swift.

internal import Core
internal import JSON
internal import PlannerCore
internal import Plans
internal import Runs
internal import Scheduling
internal import Wire

/// What a retry begins with.
struct Retry {
    /// The nodes of the plan, all of them.
    var nodes: [NodeDefinition]
    /// The outputs that are taken over, by position in the plan.
    var outputs: [(node: Int, output: RawJSON)]
}

extension CoordinatorMachine {
    /// Does a run again that is in memory, as a submission asks for it.
    mutating func retry(_ submitted: Submission, _ id: ConnectionID, in turn: inout CoordinatorTurn)
    {
        guard let asked = submitted.submit.retry else { return }
        let key = submitted.submit.key
        guard let slot = runs.slot(of: asked.run) else {
            let fault =
                "No run has the id \(asked.run); `weft runs` lists those that are known."
            return refuse(.unknownRun, fault, about: key, id, in: &turn)
        }
        guard runs[slot].state.isEnded else {
            let fault = "Run \(asked.run) goes on; it can be done again when it has ended."
            return refuse(.conflict, fault, about: key, id, in: &turn)
        }
        var submitted = submitted
        submitted.submit.takeOver(runs[slot].state, allowed: submitted.identity?.allowedTools)
        guard let whole = retriedPlan(of: runs[slot].state) else {
            // Without a plan that is complete, a goal is planned from the beginning.
            if submitted.submit.goal != nil, asked.nodes.isEmpty {
                return begin(submitted, id, in: &turn)
            }
            let fault = "The plan of run \(asked.run) was never complete; submit all of it again."
            return refuse(.badPlan, fault, about: key, id, in: &turn)
        }
        let retry: Retry
        switch plan(asked, of: runs[slot].state, whole) {
        case .success(let found): retry = found
        case .failure(let fault):
            return refuse(fault.code, fault.message, about: key, id, in: &turn)
        }
        begin(submitted, retry, runs[slot].state, id, in: &turn)
    }

    /// The nodes that a run was to do, without the one that joins; nil if they are not all there.
    private func retriedPlan(of run: Run) -> [NodeDefinition]? {
        guard run.isPlanComplete, run.plan.held.isEmpty else { return nil }
        return (0..<(run.joiner ?? run.plan.count)).map { run.definition(of: $0) }
    }

    /// Why a run cannot be done again.
    private struct Fault: Error {
        var code: ErrorCode
        var message: String
    }

    private func plan(
        _ asked: RetriedRun,
        of run: Run,
        _ nodes: [NodeDefinition]
    ) -> Result<Retry, Fault> {
        var runsAgain = [Bool](repeating: false, count: nodes.count)
        for node in asked.nodes {
            guard let index = run.plan.index(of: node), index < nodes.count else {
                let message = "Run \(run.id) has no node \(node)."
                return .failure(Fault(code: .unknownNode, message: message))
            }
            runsAgain[index] = true
        }
        guard run.status != .succeeded || !asked.nodes.isEmpty else {
            let message =
                "Run \(run.id) has succeeded; name the nodes that are to run again (`weft retry "
                + "\(run.id) --node NODE`)."
            return .failure(Fault(code: .conflict, message: message))
        }
        run.plan.spread(&runsAgain)
        var retry = Retry(nodes: nodes, outputs: [])
        var lost: NodeID?
        for index in nodes.indices where run.nodes[index].status == .succeeded {
            guard !runsAgain[index] else { continue }
            if let output = run.results.outputs[index] {
                retry.outputs.append((index, output))
            } else {
                lost = lost ?? run.plan[index].id
            }
        }
        if let lost {
            let message =
                "The output of node \(lost) of run \(run.id) was not kept, because there was no "
                + "room for it; submit the plan again."
            return .failure(Fault(code: .limit, message: message))
        }
        return .success(retry)
    }

    private func refuse(
        _ code: ErrorCode,
        _ message: String,
        about key: String,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        let error = ErrorMessage(code: code, message: message, isFatal: false, about: key)
        turn.append(.send(id, .error(error)))
    }

    // MARK: - The new run

    private mutating func begin(
        _ submitted: Submission,
        _ retry: Retry,
        _ old: Run,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        let submit = submitted.submit
        let taken = Set(retry.outputs.map(\.node))
        let acceptance = acceptance(of: submitted, turn.now)
        let settings = old.planning.settings.flatMap(PlannerSettings.init(decoding:)).map {
            $0.restricted(to: submit)
        }
        var run = HeldRun(
            Run(acceptance, at: turn.now),
            author: nil,
            planner: settings.map { PlannerMachine(goal: submit.goal ?? "", settings: $0) }
        )
        let again = retry.nodes.indices.filter { !taken.contains($0) }.map { retry.nodes[$0] }
        if let fault = joinFault(of: submit, asked: nil) {
            return refuse(.badPlan, fault, about: submit.key, id, in: &turn)
        }
        let problems = check(again, of: run.state)
        guard problems.isEmpty else { return refuse(problems, about: submit.key, id, in: &turn) }
        var opening = Opening(records: [RunRecord(at: 0, .accepted(acceptance))])
        if let instruction = old.plan.joinInstruction {
            opening.apply(.joinInstructed(instruction), to: &run)
        }
        do throws(PlanProblems) {
            let added = RunRecord(at: 0, .nodesAdded(retry.nodes))
            _ = try run.applyChecked(added)
            opening.records.append(added)
            for (node, output) in retry.outputs {
                opening.apply(.takenOver(node: Int32(node), output), to: &run)
            }
            // Of a goal a model may still want more nodes.
            let closed = RunRecord(at: 0, .planClosed(isFinal: submit.goal == nil))
            _ = try run.applyChecked(closed)
            opening.records.append(closed)
        } catch {
            return refuse(error.problems, about: submit.key, id, in: &turn)
        }
        if let settings { opening.apply(.plannerMade(settings.document), to: &run) }
        if let error = admission(of: run, about: submit.key) {
            turn.append(.send(id, .error(error)))
            return
        }
        let slot = welcome(run, submitted, id, in: &turn)
        for record in opening.records { note(record, slot, in: &turn) }
        var restored = restoredRun(slot, [:], turn.now)
        restored.isNew = true
        schedule(.runRestored(restored), in: &turn)
        if runs[slot].hasPlanner { beginJoin(slot, in: &turn) }
        if runs.slot(of: acceptance.id) == slot { markProgressDirty(slot, turn.now) }
    }
}

extension Plan {
    /// Marks all nodes that depend on marked ones.
    fileprivate func spread(_ marked: inout [Bool]) {
        guard marked.contains(true) else { return }
        var dependents: [Int: [Int]] = [:]
        for edge in edges { dependents[edge.dependency, default: []].append(edge.dependent) }
        var next = marked.indices.filter { marked[$0] }
        while let node = next.popLast() {
            for dependent in dependents[node] ?? []
            where marked.indices.contains(dependent) && !marked[dependent] {
                marked[dependent] = true
                next.append(dependent)
            }
        }
    }
}

extension Run {
    /// A node as its author wrote it; what it depends on is named.
    fileprivate func definition(of index: Int) -> NodeDefinition {
        let node = plan[index]
        return NodeDefinition(
            id: node.id,
            tool: node.tool,
            arguments: node.template.source,
            dependencies: plan.dependencies(of: index).map { plan[$0].id },
            timeout: node.timeout,
            maxAttempts: node.maxAttempts,
            requires: node.requires
        )
    }
}

extension Submit {
    /// What the retried run was asked for holds again, within what the identity may do.
    fileprivate mutating func takeOver(_ run: Run, allowed: [String]?) {
        let acceptance = run.acceptance
        goal = acceptance.goal
        join = acceptance.join
        onMissingTool = acceptance.onMissingTool
        joinInstruction = run.plan.joinInstruction
        label = label ?? acceptance.label
        tools = acceptance.allowedTools
        if let allowed { tools = tools?.filter(allowed.contains) ?? allowed }
        approve = acceptance.approve + approve.filter { !acceptance.approve.contains($0) }
        budget.approvalMilliseconds =
            budget.approvalMilliseconds ?? acceptance.approvalMilliseconds
        budget.nodes = budget.nodes ?? acceptance.nodeBudget
        budget.wallMilliseconds = budget.wallMilliseconds ?? acceptance.wallMilliseconds
        if let running = acceptance.maxRunning {
            budget.running = min(budget.running ?? running, running)
        }
        guard let settings = run.planning.settings.flatMap(PlannerSettings.init(decoding:)) else {
            return
        }
        planner = settings.options
        budget.tokens = budget.tokens ?? settings.maxTokens
        budget.cost = budget.cost ?? settings.maxCost
    }
}

extension PlannerSettings {
    /// The settings with the bounds of a submission.
    fileprivate func restricted(to submit: Submit) -> PlannerSettings {
        var settings = self
        settings.maxTokens = submit.budget.tokens
        settings.maxCost = submit.budget.cost
        settings.maxNodes = submit.budget.nodes ?? maxNodes
        return settings
    }
}
