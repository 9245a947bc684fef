// Goals: a language model plans, the nodes run while it still writes, and a model joins. The
// planner's machine decides; here its actions meet the run, and the run's ends meet it.

internal import JSON
internal import OrderedCollections
internal import PlannerCore
internal import Plans
internal import Scheduling
internal import Schemas
internal import Wire

extension CoordinatorMachine {
    /// Begins to plan the goal of a run that was just accepted.
    mutating func beginGoal(_ run: Int, _ now: Instant, _ actions: inout [Action]) {
        advance(run, .started, now, &actions)
    }

    /// The planner of a submission's goal, with the tools that connected workers really have.
    func makePlanner(for submit: Submit) -> PlannerMachine? {
        guard let goal = submit.goal else {
            switch submit.join {
            case .concat, .json: return nil
            case .llm, .tool: break
            }
            // Nothing is to be planned, but the outcomes are to be joined.
            var settings = PlannerSettings(tools: [], format: configuration.planFormat)
            settings.join = GoalJoin(submit.join)
            settings.maxTokens = submit.budget.tokens
            return PlannerMachine(goal: "", settings: settings)
        }
        let allowed = submit.tools.map(Set.init)
        let tools = catalogue.names.filter { allowed?.contains($0) ?? true }
            .compactMap { catalogue[$0]?.description }
            .map {
                PlannerTool(
                    name: $0.name,
                    description: $0.description,
                    parameters: $0.parameters
                )
            }
        let format = submit.planner.format ?? configuration.planFormat
        var settings = PlannerSettings(tools: tools, format: format)
        settings.join = GoalJoin(submit.join)
        settings.strategy = submit.planner.strategy
        settings.isPlanOnly = submit.planner.isPlanOnly
        settings.maxRounds = submit.planner.rounds ?? settings.maxRounds
        settings.maxRepairs = submit.planner.repairs ?? settings.maxRepairs
        settings.maxNodes = submit.budget.nodes ?? settings.maxNodes
        settings.maxTokens = submit.budget.tokens
        settings.onFailure = submit.planner.onModelFailure
        return PlannerMachine(goal: goal, settings: settings)
    }

    /// Why a run cannot be planned or joined in the way that the submission asks for; nil if it can.
    func joinFault(of submit: Submit) -> String? {
        let needsModel = submit.goal != nil || submit.join == .llm
        if needsModel, !configuration.hasModels {
            let purpose = submit.goal != nil ? "plan" : "join"
            return "This coordinator has no language model to \(purpose) with; start it with "
                + "--config FILE that names one under models."
        }
        if submit.goal != nil, let missing = submit.tools?.first(where: { catalogue[$0] == nil }) {
            let names = catalogue.names
            let offer = names.prefix(10).joined(separator: ", ")
            let more = names.count > 10 ? " and \(names.count - 10) more" : ""
            return "The run is allowed the tool \(missing), which no connected worker has; there "
                + (names.isEmpty ? "are no tools." : "are \(offer)\(more).")
        }
        guard case .tool(let name) = submit.join else { return nil }
        if let allowed = submit.tools, !allowed.contains(name) {
            return "The outputs are to be joined by the tool \(name), which this run may not use."
        }
        guard catalogue[name] == nil else { return nil }
        return "The outputs are to be joined by the tool \(name), which no connected worker has."
    }

    /// The plan of a run without a goal is complete; its planner only joins.
    mutating func beginJoin(_ run: Int, _ now: Instant, _ actions: inout [Action]) {
        var nodes: [NodeDefinition] = []
        if runs[run].join == .llm {
            nodes = (0..<runs[run].plan.count).map {
                let node = runs[run].plan[$0]
                return NodeDefinition(
                    id: node.id,
                    tool: node.tool,
                    arguments: node.template.source,
                    dependencies: []
                )
            }
        }
        let instruction = runs[run].plan.joinInstruction
        advance(run, .planGiven(nodes, joinInstruction: instruction), now, &actions)
    }

    // MARK: - What the model says

    mutating func takeReport(
        _ call: ModelCallID,
        _ event: ModelEvent,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        guard let run = runSlots[call.run], runs[run].modelCall == call else { return }
        switch event {
        case .ended, .failed:
            runs[run].modelCall = nil
            closingCalls.remove(call)
        case .delta, .usage, .formatLowered: break
        }
        advance(run, .modelReported(event), now, &actions)
        guard runs[run].modelCall == call, runs[run].planner?.awaitsOnlyTheEnd == true,
            !closingCalls.contains(call)
        else { return }
        closingCalls.set(call, at: presence.judgingTime(at: now) + PlannerLimits.endOfCall)
    }

    /// Cancels the calls whose end did not come although nothing else was missing.
    mutating func closeCalls(_ now: Instant, _ actions: inout [Action]) {
        while let call = closingCalls.popDue(until: presence.judgingTime(at: now)) {
            guard let run = runSlots[call.run], runs[run].modelCall == call else { continue }
            cancelModel(run, &actions)
        }
    }

    /// Every node of the present plan has settled: the planner decides what comes next.
    mutating func settleRoundIfDone(_ run: Int, _ now: Instant, _ actions: inout [Action]) {
        guard runs[run].awaitsRound, runs[run].counts.settled == runs[run].counts.total else {
            return
        }
        runs[run].awaitsRound = false
        if let failure = joinShortage(run) { return end(run, because: failure, now, &actions) }
        advance(run, .roundSettled(joinParts(run)), now, &actions)
    }

    /// The node that joins has settled: its output is the answer, its failure the run's.
    mutating func settleJoin(_ run: Int, _ now: Instant, _ actions: inout [Action]) {
        guard let node = runs[run].joinNode else { return }
        let state = scheduler.state(of: NodeReference(run: runs[run].id, node: node)) ?? .cancelled
        let outcome = runs[run].outcome(of: node, state: state) ?? .cancelled
        advance(run, .toolJoined(outcome), now, &actions)
    }

    private func joinParts(_ run: Int) -> [JoinPart] {
        let id = runs[run].id
        return (0..<runs[run].plan.count).map { node in
            let state = scheduler.state(of: NodeReference(run: id, node: node)) ?? .waiting
            return JoinPart(
                id: runs[run].plan[node].id,
                tool: runs[run].plan[node].tool,
                outcome: runs[run].outcome(of: node, state: state) ?? .cancelled
            )
        }
    }

    // MARK: - What the planner wants

    /// Hands an event to the run's planner and carries out what it asks for.
    mutating func advance(
        _ run: Int,
        _ event: PlannerMachine.Event,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        var wanted: [PlannerMachine.Action] = []
        runs[run].planner?.handle(event, into: &wanted)
        if let usage = runs[run].planner?.usage { runs[run].usage = usage }
        book(run)
        for action in wanted { carryOut(action, run, now, &actions) }
    }

    private mutating func carryOut(
        _ action: PlannerMachine.Action,
        _ run: Int,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        switch action {
        case .callModel(let request, let purpose):
            runs[run].modelCalls += 1
            let call = ModelCallID(run: runs[run].id, number: runs[run].modelCalls)
            runs[run].modelCall = call
            runs[run].isModelCancelled = false
            actions.append(.callModel(call, request, purpose))
        case .cancelModel:
            cancelModel(run, &actions)
        case .addNodes(let nodes):
            addPlanned(nodes, run, now, &actions)
        case .closePlan(let instruction):
            if let instruction {
                runs[run].plan.joinInstruction = instruction
                book(run)
            }
            runs[run].awaitsRound = true
            settleRoundIfDone(run, now, &actions)
        case .noteProblems(let problems):
            publish(
                .planProblems,
                run,
                data: .object { writer in
                    writer.key("problems")
                    writer.beginArray()
                    for problem in problems { problem.encode(into: &writer) }
                    writer.endArray()
                },
                now,
                &actions
            )
        case .replanned(let number, let reason):
            let usage = runs[run].usage.document
            publish(
                .replanned,
                run,
                data: .object {
                    $0.field("round", number)
                    $0.field("reason", reason)
                    $0.field("usage", usage)
                },
                now,
                &actions
            )
        case .answerDelta(let text):
            publish(.answering, run, data: .object { $0.field("text", text) }, now, &actions)
        case .callTool(let tool, let arguments):
            callJoiner(tool, arguments, run, now, &actions)
        case .answer(let answer):
            runs[run].isPlanned = true
            runs[run].settleAnswer(answer)
            book(run)
            closeGoal(run, now, &actions)
        case .fail(let failure):
            guard !runs[run].isEnded, runs[run].failure == nil else { return }
            runs[run].failure = failure
            cancelNodes(of: run, now, &actions)
        }
    }

    /// Nodes as the model wrote them, for those who watch; nil if they are too long for an event.
    private func written(_ nodes: [NodeDefinition]) -> RawJSON? {
        var writer = JSONWriter()
        writer.beginArray()
        for node in nodes {
            guard node.arguments.count <= limits.plannedBytes else { return nil }
            node.encode(into: &writer)
            guard writer.bytes.count <= limits.plannedBytes else { return nil }
        }
        writer.endArray()
        return RawJSON(trusted: writer.bytes[...])
    }

    /// Appends nodes that the model has just written; they may leave in this same turn.
    private mutating func addPlanned(
        _ nodes: [NodeDefinition],
        _ run: Int,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        guard !runs[run].isEnded, runs[run].failure == nil else { return }
        do throws(PlanProblems) {
            let growth = try runs[run].plan.append(nodes)
            runs[run].grow(by: growth.added.count)
            grow(run, growth, written: written(nodes), now, &actions)
        } catch {
            // The planner has checked these nodes, so this is our own fault: the code is `internal`.
            let failure = Failure(
                code: .internal,
                message: error.problems.first?.message ?? "the plan is not valid"
            )
            advance(run, .cancelRequested(failure), now, &actions)
        }
    }

    /// Adds the node that joins; of its arguments a tool gets those that its schema lets through.
    private mutating func callJoiner(
        _ tool: String,
        _ arguments: RawJSON,
        _ run: Int,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        var arguments = arguments
        if let entry = catalogue[tool] {
            arguments = arguments.restricted(to: JSONValue(entry.description.parameters))
            let problems = entry.schema.problems(of: JSONValue(arguments))
            guard problems.isEmpty else {
                let failure = Failure.badArguments(problems)
                return advance(run, .toolJoined(.failed(failure)), now, &actions)
            }
        }
        let growth = runs[run].plan.appendLast(named: "join", tool: tool, arguments: arguments)
        runs[run].joinNode = growth.added.lowerBound
        runs[run].grow(by: 1)
        grow(run, growth, now, &actions)
    }

    /// Cancels the open call, once; its end is still reported.
    mutating func cancelModel(_ run: Int, _ actions: inout [Action]) {
        guard let call = runs[run].modelCall, !runs[run].isModelCancelled else { return }
        runs[run].isModelCancelled = true
        actions.append(.cancelModel(call))
    }

    /// The run has its answer: it ends as soon as the scheduler says that all is settled.
    private mutating func closeGoal(_ run: Int, _ now: Instant, _ actions: inout [Action]) {
        let id = runs[run].id
        schedule(.runClosed(id), now, &actions)
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
