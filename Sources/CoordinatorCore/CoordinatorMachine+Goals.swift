// Goals: a language model plans, the nodes run while it still writes, and a model joins. The
// planner's machine decides; here its actions meet the run, and the run's ends meet it.

internal import Core
internal import JSON
internal import OrderedCollections
internal import PlannerCore
internal import Plans
internal import Runs
internal import Scheduling
internal import Schemas
internal import Wire

extension CoordinatorMachine {
    /// Begins to plan the goal of a run that was just accepted.
    mutating func beginGoal(_ run: Int, in turn: inout CoordinatorTurn) {
        advance(run, .started, told: .started, in: &turn)
    }

    /// The settings of a submission's planner, with the tools that connected workers really have;
    /// nil if it needs none.
    func plannerSettings(for submit: Submit) -> PlannerSettings? {
        guard submit.goal != nil else {
            switch submit.join {
            case .concat, .json: return nil
            case .llm, .tool: break
            }
            // Nothing is to be planned, but the outcomes are to be joined.
            var settings = PlannerSettings(tools: [], format: configuration.planFormat)
            settings.join = GoalJoin(submit.join)
            settings.maxTokens = submit.budget.tokens
            settings.maxCost = submit.budget.cost
            settings.highestPrices = configuration.highestPrices
            return settings
        }
        let allowed = submit.tools.map(Set.init)
        let tools = plannerTools { allowed?.contains($0) ?? true }
        let format = submit.planner.format ?? configuration.planFormat
        var settings = PlannerSettings(tools: tools, format: format)
        settings.examples = configuration.planExamples
        settings.remembered = usablePlans(with: allowed)
        settings.join = GoalJoin(submit.join)
        settings.options = submit.planner
        settings.maxNodes = submit.budget.nodes ?? settings.maxNodes
        settings.maxTokens = submit.budget.tokens
        settings.maxCost = submit.budget.cost
        settings.highestPrices = configuration.highestPrices
        return settings
    }

    /// Those of the catalogue's tools, as planners are shown them, in the order of their names.
    func plannerTools(where isWanted: (String) -> Bool) -> [PlannerTool] {
        fleet.catalogue.names.filter(isWanted).compactMap { fleet.catalogue[$0]?.description }
            .map {
                PlannerTool(
                    name: $0.name,
                    description: $0.description,
                    parameters: $0.parameters,
                    outputSchema: $0.outputSchema,
                    mayBeRepeated: $0.mayBeRepeated,
                    examples: $0.examples
                )
            }
    }

    /// Why a run cannot be planned or joined in the way that the submission asks for; nil if it can.
    ///
    /// `asked` are the tools that its client named.
    func joinFault(of submit: Submit, asked: [String]?) -> String? {
        let needsModel = submit.goal != nil || submit.join == .llm
        if needsModel, !configuration.hasModels {
            let purpose = submit.goal != nil ? "plan" : "join"
            return "This coordinator has no language model to \(purpose) with; start it with "
                + "--config FILE that names one under models."
        }
        if submit.budget.cost != nil, configuration.highestPrices == nil {
            return
                "The run has a bound on its cost, and no model has prices; add prices: {input: …, "
                + "output: …}, for a million tokens, to the models of the configuration."
        }
        if submit.goal != nil,
            let missing = asked?.first(where: { fleet.catalogue[$0] == nil })
        {
            let names = fleet.catalogue.names
            let offer = names.prefix(10).joined(separator: ", ")
            let more = names.count > 10 ? " and \(names.count - 10) more" : ""
            return "The run is allowed the tool \(missing), which no connected worker has; there "
                + (names.isEmpty ? "are no tools." : "are \(offer)\(more).")
        }
        guard case .tool(let name) = submit.join else { return nil }
        if let allowed = submit.tools, !allowed.contains(name) {
            return "The outputs are to be joined by the tool \(name), which this run may not use."
        }
        guard fleet.catalogue[name] == nil else { return nil }
        return "The outputs are to be joined by the tool \(name), which no connected worker has."
    }

    /// The plan of a run without a goal is complete; its planner only joins.
    mutating func beginJoin(_ run: Int, in turn: inout CoordinatorTurn) {
        advance(run, runs[run].state.givenPlan, told: .planGiven, in: &turn)
    }

    // MARK: - What the model says

    mutating func handleReport(
        _ call: ModelCallID,
        _ event: ModelEvent,
        in turn: inout CoordinatorTurn
    ) {
        guard let run = runs.slot(of: call.run), runs[run].modelCall?.id == call else { return }
        switch event {
        case .ended, .failed:
            runs[run].modelCall = nil
            runs.deadlines.ofClosingCalls.remove(call)
            if !runs[run].state.isEnded { record(.modelReplied, run, in: &turn) }
        case .charged, .delta, .usage, .formatLowered: break
        }
        advance(run, .modelReported(event), told: .reported(event.document), in: &turn)
        guard runs[run].modelCall?.id == call, runs[run].hasCompleteReply,
            !runs.deadlines.ofClosingCalls.contains(call)
        else { return }
        runs.deadlines.ofClosingCalls.set(
            call,
            at: presence.judgingTime(at: turn.now) + PlannerLimits.endOfCall
        )
    }

    /// Cancels the calls whose end did not come although nothing else was missing.
    mutating func closeCalls(in turn: inout CoordinatorTurn) {
        while let call = runs.deadlines.ofClosingCalls.popDue(
            until: presence.judgingTime(at: turn.now)
        ) {
            guard let run = runs.slot(of: call.run), runs[run].modelCall?.id == call else {
                continue
            }
            cancelModel(run, in: &turn)
        }
    }

    /// Every node of the present plan has settled: the planner decides what comes next.
    mutating func settleRoundIfDone(_ run: Int, in turn: inout CoordinatorTurn) {
        guard runs[run].hasPlanner, runs[run].state.phase == .running,
            runs[run].state.counts.settled == runs[run].state.counts.total
        else { return }
        if let failure = joinShortage(run) { return end(run, because: failure, in: &turn) }
        record(.roundSettled, run, in: &turn)
        advance(run, .roundSettled(runs[run].state.joinParts), told: .roundSettled, in: &turn)
    }

    /// The node that joins has settled: its output is the answer, its failure the run's.
    mutating func settleJoin(_ run: Int, in turn: inout CoordinatorTurn) {
        guard runs[run].state.joiner != nil else { return }
        advance(run, .toolJoined(runs[run].state.joinOutcome), told: .toolJoined, in: &turn)
    }

    // MARK: - What the planner wants

    /// Hands an event to the run's planner and carries out what it asks for; `input` is the same for
    /// the journal.
    mutating func advance(
        _ run: Int,
        _ event: PlannerMachine.Event,
        told input: @autoclosure () -> PlannerInput,
        in turn: inout CoordinatorTurn
    ) {
        if configuration.keepsRecords, runs[run].hasPlanner {
            recordPlanner(.plannerTold(input()), run, turn.now)
        }
        let time = runs[run].state.microseconds(at: turn.now)
        let wanted = runs[run].advancePlanner(event, at: time)
        if let usage = runs[run].plannerUsage, usage != runs[run].state.planning.usage {
            record(.tokensUsed(usage), run, in: &turn)
        }
        runs.markUnbooked(run)
        for action in wanted { carryOut(action, run, in: &turn) }
    }

    private mutating func carryOut(
        _ action: PlannerMachine.Action,
        _ run: Int,
        in turn: inout CoordinatorTurn
    ) {
        switch action {
        case .callModel(let request, let purpose):
            // After a restart it is called as if the call had been lost.
            guard !isDraining else { return }
            record(.modelCalled(isRepair: runs[run].isRepairing), run, in: &turn)
            let number = runs[run].state.planning.calls
            let call = ModelCallID(run: runs[run].id, number: number)
            runs[run].modelCall = OpenModelCall(id: call)
            turn.append(.callModel(call, request, purpose))
        case .cancelModel:
            cancelModel(run, in: &turn)
        case .addNodes(let nodes):
            addPlanned(nodes, run, in: &turn)
        case .closePlan(let instruction):
            if let instruction { record(.joinInstructed(instruction), run, in: &turn) }
            record(.planClosed(isFinal: false), run, in: &turn)
            settleRoundIfDone(run, in: &turn)
        case .noteProblems(let problems):
            record(.planRefused(problems), run, in: &turn)
        case .replanned(let number, let reason):
            let reason = reason.clipped(to: limits.announced.textBytes)
            record(.replanned(round: number, reason: reason), run, in: &turn)
        case .answerDelta(let text):
            for piece in text.pieces(of: limits.announced.textBytes) {
                pass(.answering, run, data: AnswerText(text: piece).json, in: &turn)
            }
        case .callTool(let tool, let arguments):
            callJoiner(tool, arguments, run, in: &turn)
        case .answer(let answer):
            record(.answered(answer), run, in: &turn)
            closeGoal(run, in: &turn)
        case .fail(let failure):
            end(run, because: failure, in: &turn)
        }
    }

    /// Appends nodes that the model has just written; they may leave in this same turn.
    private mutating func addPlanned(
        _ nodes: [NodeDefinition],
        _ run: Int,
        in turn: inout CoordinatorTurn
    ) {
        guard !runs[run].state.isEnded, runs[run].state.failure == nil else { return }
        do throws(PlanProblems) {
            try addNodes(nodes, to: run, in: &turn)
        } catch {
            // The planner has checked these nodes, so this is our own fault: the code is `internal`.
            let failure = Failure(
                code: .internal,
                message: error.problems.first?.message ?? "the plan is not valid"
            )
            advance(run, .cancelRequested(failure), told: .cancelled(failure), in: &turn)
        }
    }

    /// Adds the node that joins; of its arguments a tool gets those that its schema lets through.
    private mutating func callJoiner(
        _ tool: String,
        _ arguments: RawJSON,
        _ run: Int,
        in turn: inout CoordinatorTurn
    ) {
        var arguments = arguments
        if let entry = fleet.catalogue[tool] {
            arguments = arguments.restricted(to: JSONValue(entry.description.parameters))
            let problems = entry.schema.problems(of: JSONValue(arguments))
            guard problems.isEmpty else {
                let failure = Failure.badArguments(problems)
                let event = PlannerMachine.Event.toolJoined(.failed(failure))
                return advance(run, event, told: .toolRefused(failure), in: &turn)
            }
        }
        record(.joinerAdded(tool: tool, arguments: arguments), run, in: &turn)
        let last = runs[run].state.plan.count - 1
        scheduleGrowth(Plan.Growth(added: last..<last + 1), of: run, in: &turn)
    }

    /// Cancels the open call, once; its end is still reported.
    mutating func cancelModel(_ run: Int, in turn: inout CoordinatorTurn) {
        guard let call = runs[run].modelCall, !call.isCancelled else { return }
        runs[run].modelCall?.isCancelled = true
        turn.append(.cancelModel(call.id))
    }

    /// The run has its answer: it ends as soon as the scheduler says that all is settled.
    private mutating func closeGoal(_ run: Int, in turn: inout CoordinatorTurn) {
        let id = runs[run].id
        schedule(.runClosed(id), in: &turn)
    }
}

extension GoalJoin {
    init(_ kind: JoinKind) {
        switch kind {
        case .concat: self = .concat
        case .json: self = .json
        case .llm: self = .model
        case .tool(let name): self = .tool(name)
        }
    }
}

extension RawJSON {
    /// The fields of an object that a schema has properties for, if it admits no others.
    fileprivate func restricted(to schema: JSONValue) -> RawJSON {
        guard schema["additionalProperties"] == false else { return self }
        let properties = schema["properties"]?.objectValue ?? [:]
        return .object { writer in
            forEachField { name, value in
                guard properties[name] != nil else { return }
                writer.key(escaping: name)
                writer.raw(value)
            }
        }
    }
}
