// Goals: a language model plans, the nodes run while it still writes, and a model joins. The
// planner's machine decides; here its actions meet the run, and the run's ends meet it.

internal import JSON
internal import Joining
internal import Planning
internal import Plans
internal import Scheduling
internal import Wire

extension CoordinatorMachine {
    /// Begins to plan the goal of a run that was just accepted.
    mutating func beginGoal(_ run: Int, _ now: Instant, _ actions: inout [Action]) {
        advance(run, .started, now, &actions)
    }

    /// The planner of a submission's goal, with the tools that connected workers really have.
    func makePlanner(for submit: Submit) -> PlannerMachine? {
        guard let goal = submit.goal else { return nil }
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
        let chosen = submit.planner.format.flatMap { PlanFormat(rawValue: $0.rawValue) }
        var settings = PlannerSettings(tools: tools, format: chosen ?? configuration.planFormat)
        settings.join =
            switch submit.join {
            case .concat: .concat
            case .json: .json
            case .llm: .model
            }
        settings.maxRounds = submit.planner.rounds ?? settings.maxRounds
        settings.maxRepairs = submit.planner.repairs ?? settings.maxRepairs
        settings.maxNodes = submit.budget.nodes ?? settings.maxNodes
        settings.maxTokens = submit.budget.tokens
        settings.onFailure = submit.planner.onModelFailure == .finish ? .finish : .cancel
        return PlannerMachine(goal: goal, settings: settings)
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
        case .ended, .failed: runs[run].modelCall = nil
        case .delta, .usage, .formatLowered: break
        }
        advance(run, .modelReported(event), now, &actions)
    }

    /// Every node of the present plan has settled: the planner decides what comes next.
    mutating func settleRoundIfDone(_ run: Int, _ now: Instant, _ actions: inout [Action]) {
        guard runs[run].awaitsRound, runs[run].counts.settled == runs[run].counts.total else {
            return
        }
        runs[run].awaitsRound = false
        advance(run, .roundSettled(joinParts(run)), now, &actions)
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
            runs[run].isModelCallCancelled = false
            actions.append(.callModel(call, request, purpose))
        case .cancelModel:
            cancelCall(of: run, &actions)
        case .addNodes(let nodes):
            addPlanned(nodes, run, now, &actions)
        case .closePlan(let instruction):
            if let instruction { runs[run].plan.joinInstruction = instruction }
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
            publish(
                .replanned,
                run,
                data: .object {
                    $0.field("round", number)
                    $0.field("reason", reason)
                },
                now,
                &actions
            )
        case .answerDelta(let text):
            publish(.answering, run, data: .object { $0.field("text", text) }, now, &actions)
        case .answer(let answer):
            runs[run].isPlanned = true
            runs[run].settleAnswer(answer)
            closeGoal(run, now, &actions)
        case .fail(let failure):
            guard !runs[run].isEnded, runs[run].failure == nil else { return }
            runs[run].failure = failure
            cancelNodes(of: run, now, &actions)
        }
    }

    /// Cancels the open call, once; it still ends with a report.
    mutating func cancelCall(of run: Int, _ actions: inout [Action]) {
        guard let call = runs[run].modelCall, !runs[run].isModelCallCancelled else { return }
        runs[run].isModelCallCancelled = true
        actions.append(.cancelModel(call))
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
            grow(run, growth, now, &actions)
        } catch {
            // The planner checks what it hands on, so this is a fault of ours, told as one.
            let failure = Failure(
                code: .internal,
                message: error.problems.first?.message ?? "the plan is not valid"
            )
            advance(run, .cancelRequested(failure), now, &actions)
        }
    }

    /// The run has its answer: it ends as soon as the scheduler says that all is settled.
    private mutating func closeGoal(_ run: Int, _ now: Instant, _ actions: inout [Action]) {
        let id = runs[run].id
        schedule(.runClosed(id), now, &actions)
    }
}
