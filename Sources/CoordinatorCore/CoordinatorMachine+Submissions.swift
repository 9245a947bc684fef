// Runs arrive: a whole plan is checked before anything of it runs. How plans grow is in
// CoordinatorMachine+Growth.swift, how runs end early in CoordinatorMachine+Cancelling.swift.

internal import Core
internal import JSON
internal import PlannerCore
internal import Plans
internal import Runs
internal import Scheduling
internal import Schemas
internal import Wire

/// A submission on its way to being accepted.
struct Submission {
    /// As its identity may make it.
    var submit: Submit
    /// As it was sent.
    let asked: Submit
    /// Who sent it, if that is known.
    let identity: Identity?
    /// Of what was sent.
    let digest: [UInt8]
}

/// The records with which a run begins, and what they changed in its plan.
struct Opening {
    var records: [RunRecord]
    var planner: PlannerSettings?
    var growth: Plan.Growth?

    mutating func apply(_ change: RunChange, to run: inout HeldRun) {
        let record = RunRecord(at: 0, change)
        run.apply(record)
        records.append(record)
    }
}

extension CoordinatorMachine {
    mutating func submit(_ asked: Submit, _ id: ConnectionID, in turn: inout CoordinatorTurn) {
        let identity = peers[id]?.access?.identity
        let submit = asked.restricted(to: identity)
        if !submit.unreadable.isEmpty {
            return refuse(unreadable(submit.unreadable), about: submit.key, id, in: &turn)
        }
        let digest = ContentDigest(of: asked).bytes
        if let run = runs.slot(ofKey: submit.key) {
            return submitAgain(submit, run, digest, id, in: &turn)
        }
        if let error = obstacle(to: submit.key) {
            turn.append(.send(id, .error(error)))
            return
        }
        let submission = Submission(
            submit: submit,
            asked: asked,
            identity: identity,
            digest: digest
        )
        if submit.retry != nil { return retry(submission, id, in: &turn) }
        begin(submission, id, in: &turn)
    }

    /// Begins a run that takes nothing over.
    mutating func begin(
        _ submission: Submission,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        let submit = submission.submit
        let asked = submission.asked
        let identity = submission.identity
        let forbidden = asked.forbiddenTool(for: identity).map {
            "The run is allowed the tool \($0), which \(identity?.name ?? "its client") may not use."
        }
        if let fault = forbidden ?? joinFault(of: submit, asked: asked.tools) {
            let error = ErrorMessage(
                code: .badPlan,
                message: fault,
                isFatal: false,
                about: submit.key
            )
            turn.append(.send(id, .error(error)))
            return
        }
        let acceptance = acceptance(of: submission, turn.now)
        let settings = plannerSettings(for: submit)
        var run = HeldRun(
            Run(acceptance, at: turn.now),
            author: submit.isStreamed ? id : nil,
            planner: settings.map { PlannerMachine(goal: submit.goal ?? "", settings: $0) }
        )
        var opening = Opening(records: [RunRecord(at: 0, .accepted(acceptance))])
        opening.planner = settings
        do throws(PlanProblems) {
            try read(submit, into: &run, &opening)
        } catch {
            return refuse(error.problems, about: submit.key, id, in: &turn)
        }
        if let error = admission(of: run, about: submit.key) {
            turn.append(.send(id, .error(error)))
            return
        }
        accept(run, opening, submission, id, in: &turn)
    }

    /// The first record of a run, with a name that no other has.
    mutating func acceptance(of submission: Submission, _ now: Instant) -> Acceptance {
        let submit = submission.submit
        return Acceptance(
            id: makeRunID(),
            key: submit.key,
            label: submit.label,
            join: submit.join,
            allowedTools: submit.tools,
            nodeBudget: submit.budget.nodes,
            wallMilliseconds: submit.budget.wallMilliseconds,
            approve: submit.approve,
            approvalMilliseconds: submit.budget.approvalMilliseconds,
            digest: submission.digest,
            goal: submit.goal,
            isStreamed: submit.isStreamed,
            onMissingTool: submit.onMissingTool,
            maxRunning: submit.isSequential ? 1 : submit.budget.running,
            submitter: submission.identity?.name,
            retriedRun: submit.retry?.run,
            traceParent: submit.traceParent,
            unixMilliseconds: unixMilliseconds(at: now)
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
        awaitJournal(id, in: &turn)
        let accepted = Accepted(key: submit.key, run: runs[run].id, isExisting: true)
        turn.append(.send(id, .accepted(accepted)))
        if let level = submit.watch {
            watch(run, Watch(run: runs[run].id, from: 0, level: level), id, in: &turn)
        }
    }

    private mutating func accept(
        _ run: HeldRun,
        _ opening: Opening,
        _ submission: Submission,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        let slot = welcome(run, submission, id, in: &turn)
        let submit = submission.submit
        schedule(
            .runAdded(
                run.id,
                submit.onMissingTool,
                maxRunning: run.state.acceptance.maxRunning,
                owner: submission.identity?.runOwner
            ),
            in: &turn
        )
        for record in opening.records { note(record, slot, in: &turn) }
        if let planner = opening.planner {
            record(.plannerMade(planner.document), slot, in: &turn)
        }
        if let growth = opening.growth { scheduleGrowth(growth, of: slot, in: &turn) }
        if submit.goal != nil {
            beginGoal(slot, in: &turn)
        } else if !submit.isStreamed {
            endGrowth(slot, in: &turn)
        }
    }

    /// Gives an accepted run its slot, and tells its client.
    mutating func welcome(
        _ run: HeldRun,
        _ submission: Submission,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) -> Int {
        let submit = submission.submit
        let slot = runs.insert(run)
        runs.markUnbooked(slot)
        if let budget = submit.budget.wallMilliseconds {
            runs.deadlines.ofRuns.set(run.id, at: turn.now + .milliseconds(budget))
        }
        if run.author != nil { audience.noteInterest(of: id, in: run.id) }
        awaitJournal(id, in: &turn)
        let accepted = Accepted(key: submit.key, run: run.id, isExisting: false)
        turn.append(.send(id, .accepted(accepted)))
        let submitter = run.state.acceptance.submitter
        turn.append(
            .report(.runAccepted(run.id, by: submitter, nodes: run.state.plan.count))
        )
        if let level = submit.watch { addWatcher(id, level, of: slot) }
        return slot
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
        // A streamed plan may name what has not been sent yet.
        let whole = WholePlan(reading: text.bytes, isBeginning: submit.isStreamed)
        let document = whole.document
        var errors = whole.problems.filter { !$0.isWarning }
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
    func check(_ nodes: [NodeDefinition], of run: Run) -> [PlanProblem] {
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
        return problems + checkReferences(of: nodes, in: run)
    }

    /// References to parts that outputs surely do not have, as far as tools describe their outputs.
    private func checkReferences(of nodes: [NodeDefinition], in run: Run) -> [PlanProblem] {
        guard fleet.catalogue.describesOutputs else { return [] }
        var tools: [NodeID: String] = [:]
        for node in nodes where tools[node.id] == nil { tools[node.id] = node.tool }
        return nodes.flatMap { node in
            OutputShape.faults(in: node.arguments) { id in
                let tool = tools[id] ?? run.plan.index(of: id).map { run.plan[$0].tool }
                return tool.flatMap { fleet.catalogue[$0]?.shape }
            }.filter(\.isCertain).map { fault in
                PlanProblem(
                    code: .referenceNotFound,
                    node: node.id.text,
                    message: "node \(node.id) \(fault.sentence)"
                )
            }
        }
    }

    func unreadable(_ faults: [String]) -> [PlanProblem] {
        faults.map { PlanProblem(code: .badJSON, message: $0) }
    }

    func refuse(
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
            problems: problems.fitting(in: 4 * limits.detailBytes)
        )
        turn.append(.send(id, .error(error)))
    }

    private mutating func makeRunID() -> RunID {
        while true {
            if let id = RunID(makeName()), runs.slot(of: id) == nil { return id }
        }
    }
}

extension Submit {
    /// Whether its nodes run one at a time.
    fileprivate var isSequential: Bool { goal != nil && planner.strategy == .sequential }
}
