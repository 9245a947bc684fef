// Runs arrive and grow: submit, nodes, cancel. A whole plan is checked before anything of it runs;
// a streamed one runs while it is still being sent.

internal import Core
internal import DequeModule
internal import JSON
internal import OrderedCollections
internal import PlannerCore
internal import Plans
internal import Runs
internal import Scheduling
internal import Schemas
internal import Wire

extension CoordinatorMachine {
    mutating func submit(_ submit: Submit, _ id: ConnectionID, in turn: inout CoordinatorTurn) {
        if !submit.unreadable.isEmpty {
            return refuse(unreadable(submit.unreadable), about: submit.key, id, in: &turn)
        }
        let digest = ContentDigest(of: submit).bytes
        if let run = runs.slot(ofKey: submit.key) {
            return submitAgain(submit, run, digest, id, in: &turn)
        }
        guard runs.active.count < limits.unfinishedRuns else {
            let error = ErrorMessage(
                code: .busy,
                message: "No further run is accepted now; try again later.",
                isFatal: false,
                about: submit.key
            )
            turn.append(.send(id, .error(error)))
            return
        }
        if let fault = joinFault(of: submit) {
            let error = ErrorMessage(
                code: .badPlan,
                message: fault,
                isFatal: false,
                about: submit.key
            )
            turn.append(.send(id, .error(error)))
            return
        }
        let acceptance = acceptance(of: submit, digest, turn.now)
        var run = HeldRun(
            Run(acceptance, at: turn.now),
            author: submit.isStreamed ? id : nil,
            planner: makePlanner(for: submit)
        )
        var opening = Opening(records: [RunRecord(at: 0, .accepted(acceptance))])
        do throws(PlanProblems) {
            try read(submit, into: &run, &opening)
        } catch {
            return refuse(error.problems, about: submit.key, id, in: &turn)
        }
        if let error = admission(of: run, about: submit.key) {
            turn.append(.send(id, .error(error)))
            return
        }
        accept(run, opening, submit, id, in: &turn)
    }

    /// The records with which a run begins, and what they changed in its plan.
    private struct Opening {
        var records: [RunRecord]
        var growth: Plan.Growth?

        mutating func apply(_ change: RunChange, to run: inout HeldRun) {
            let record = RunRecord(at: 0, change)
            run.apply(record)
            records.append(record)
        }
    }

    private mutating func acceptance(
        of submit: Submit,
        _ digest: [UInt8],
        _ now: Instant
    ) -> Acceptance {
        Acceptance(
            id: makeRunID(),
            key: submit.key,
            label: submit.label,
            join: submit.join,
            allowedTools: submit.tools,
            nodeBudget: submit.budget.nodes,
            wallMilliseconds: submit.budget.wallMilliseconds,
            digest: digest,
            goal: submit.goal,
            isStreamed: submit.isStreamed,
            unixMilliseconds: configuration.unixMillisecondsAtZero + Int(now.milliseconds)
        )
    }

    /// The same key again: the same run if the content is the same.
    private mutating func submitAgain(
        _ submit: Submit,
        _ run: Int,
        _ digest: [UInt8],
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        guard runs[run].state.acceptance.digest == digest else {
            let error = ErrorMessage(
                code: .conflict,
                message: "The key \(submit.key) was used for another submission, run "
                    + "\(runs[run].id).",
                isFatal: false,
                about: submit.key
            )
            turn.append(.send(id, .error(error)))
            return
        }
        let accepted = Accepted(key: submit.key, run: runs[run].id, isExisting: true)
        turn.append(.send(id, .accepted(accepted)))
        if let level = submit.watch {
            watch(run, Watch(run: runs[run].id, from: 0, level: level), id, in: &turn)
        }
    }

    private mutating func accept(
        _ run: HeldRun,
        _ opening: Opening,
        _ submit: Submit,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        let slot = runs.insert(run)
        runs.markUnbooked(slot)
        if let budget = submit.budget.wallMilliseconds {
            runs.deadlines.ofRuns.set(run.id, at: turn.now + .milliseconds(budget))
        }
        if run.author != nil { audience.noteInterest(of: id, in: run.id) }
        let accepted = Accepted(key: submit.key, run: run.id, isExisting: false)
        turn.append(.send(id, .accepted(accepted)))
        turn.append(.report(.runAccepted(run.id, nodes: run.state.plan.count)))
        if let level = submit.watch { addWatcher(id, level, of: slot) }
        let isSequential = submit.goal != nil && submit.planner.strategy == .sequential
        let bound = isSequential ? 1 : submit.budget.running
        schedule(.runAdded(run.id, submit.onMissingTool, maxRunning: bound), in: &turn)
        for record in opening.records { note(record, slot, in: &turn) }
        if let growth = opening.growth { scheduleGrowth(growth, of: slot, in: &turn) }
        if submit.goal != nil {
            beginGoal(slot, in: &turn)
        } else if !submit.isStreamed {
            endGrowth(slot, in: &turn)
        }
    }

    /// Reads the plan of a submission into its run, gathering every problem.
    private func read(
        _ submit: Submit,
        into run: inout HeldRun,
        _ opening: inout Opening
    ) throws(PlanProblems) {
        if let instruction = submit.joinInstruction {
            opening.apply(.joinInstructed(instruction), to: &run)
        }
        guard let text = submit.plan else { return }
        let whole = WholePlan(reading: text.bytes)
        let document = whole.document
        var errors = whole.problems.filter { !$0.isWarning }
        // A streamed plan may name what has not been sent yet.
        if submit.isStreamed {
            errors.removeAll { $0.code == .unknownDependency || $0.code == .emptyPlan }
        }
        errors += check(document.nodes, of: run.state)
        guard errors.isEmpty else { throw PlanProblems(errors) }
        if let instruction = document.joinInstruction {
            opening.apply(.joinInstructed(instruction), to: &run)
        }
        guard submit.isStreamed else {
            let (records, growth) = run.apply(whole)
            opening.records += records
            opening.growth = growth
            return
        }
        let added = RunRecord(at: 0, .nodesAdded(document.nodes))
        opening.growth = try run.applyChecked(added)
        opening.records.append(added)
    }

    /// What only the coordinator can check: allowed tools, budgets, arguments against schemas.
    private func check(_ nodes: [NodeDefinition], of run: Run) -> [PlanProblem] {
        var problems: [PlanProblem] = []
        if let budget = run.acceptance.nodeBudget, run.plan.count + nodes.count > budget {
            problems.append(
                PlanProblem(
                    code: .limit,
                    message: "the plan has more than the \(budget) nodes allowed"
                )
            )
        }
        var seen: (name: String, schema: ToolCatalogue.Entry?, isAllowed: Bool)?
        for node in nodes {
            guard problems.count < PlanLimits.problemsReported else { break }
            if seen?.name != node.tool {
                seen = (
                    node.tool, fleet.catalogue[node.tool],
                    run.acceptance.allowedTools?.contains(node.tool) ?? true
                )
            }
            if seen?.isAllowed == false {
                problems.append(
                    PlanProblem(
                        code: .unknownTool,
                        node: node.id.text,
                        message: "node \(node.id) uses \(node.tool), which this run may not use"
                    )
                )
            }
            guard let schema = seen?.schema?.schema else { continue }
            let found = schema.problems(ofWritten: node.arguments)
            guard !found.isEmpty else { continue }
            problems.append(
                PlanProblem(
                    code: .badArguments,
                    node: node.id.text,
                    message: "node \(node.id): arguments of \(node.tool): \(found.sentence)"
                )
            )
        }
        return problems
    }

    private func unreadable(_ faults: [String]) -> [PlanProblem] {
        faults.map { PlanProblem(code: .badJSON, message: $0) }
    }

    private func refuse(
        _ problems: [PlanProblem],
        about key: String,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        let count = problems.count == 1 ? "1 problem" : "\(problems.count) problems"
        let error = ErrorMessage(
            code: .badPlan,
            message: "The plan has \(count).",
            isFatal: false,
            about: key,
            problems: problems
        )
        turn.append(.send(id, .error(error)))
    }

    // MARK: - Growth

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
    private mutating func endGrowth(_ run: Int, in turn: inout CoordinatorTurn) {
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

    /// Hands nodes that the plan has got to the scheduler.
    mutating func scheduleGrowth(
        _ growth: Plan.Growth,
        of run: Int,
        in turn: inout CoordinatorTurn
    ) {
        let specs = growth.added.map { index in
            let node = runs[run].state.plan[index]
            return NodeSpec(
                tool: node.tool,
                requires: node.requires.isEmpty
                    ? [:] : Dictionary(node.requires.map { ($0.key, $0.value) }) { $1 },
                maxAttempts: node.maxAttempts,
                timeout: node.timeout,
                needsArguments: needsArguments(node)
            )
        }
        let id = runs[run].id
        schedule(.nodesAdded(id, specs, edges: growth.edges, held: growth.held), in: &turn)
        if !growth.released.isEmpty {
            schedule(.nodesReleased(id, growth.released), in: &turn)
        }
    }

    // MARK: - Ending early

    /// Ends a run as failed: what still runs is called back.
    mutating func end(_ run: Int, because failure: Failure, in turn: inout CoordinatorTurn) {
        guard !runs[run].state.isEnded, runs[run].state.failure == nil else { return }
        record(.failureDecided(failure), run, in: &turn)
        cancelNodes(of: run, in: &turn)
    }

    mutating func cancel(_ cancel: CancelRun, _ id: ConnectionID, in turn: inout CoordinatorTurn) {
        guard let run = runs.slot(of: cancel.run) else {
            return unknownRun(cancel.run, request: nil, id, in: &turn)
        }
        guard runs[run].state.phase.isGoingOn else { return }
        let change = RunChange.cancelAsked(
            reason: cancel.reason ?? "cancelled by a client",
            isCutShort: runs[run].author != nil || runs[run].hasPlanner
        )
        record(change, run, in: &turn)
        cancelNodes(of: run, in: &turn)
    }

    mutating func cancelNodes(of run: Int, in turn: inout CoordinatorTurn) {
        let id = runs[run].id
        let wasOpen = runs[run].author != nil || runs[run].hasPlanner
        cancelModel(run, in: &turn)
        // A planner that is gone takes no further report and asks for nothing more.
        runs[run].dropPlanner()
        runs[run].modelCall = nil
        forgetAuthor(of: run)
        runs.markUnbooked(run)
        runs.deadlines.ofRuns.remove(id)
        schedule(.cancelRequested(id), in: &turn)
        if wasOpen { schedule(.runClosed(id), in: &turn) }
    }

    mutating func unknownRun(
        _ run: RunID,
        request: Int?,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        let error = ErrorMessage(
            code: .unknownRun,
            message: "No run has the id \(run); `weft runs` lists those that are known.",
            isFatal: false,
            about: run.text,
            request: request
        )
        turn.append(.send(id, .error(error)))
    }

    private mutating func makeRunID() -> RunID {
        while true {
            if let id = RunID(makeName()), runs.slot(of: id) == nil { return id }
        }
    }
}
