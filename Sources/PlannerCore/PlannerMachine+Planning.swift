// Planning: nodes are added while the plan is written, faults go back to the model, and faults that
// cannot be repaired end the run.

import Core
import JSON
import Plans

extension PlannerMachine {
    mutating func beginPlan(into actions: inout [Action]) {
        nodes = []
        held = []
        joinInstruction = nil
        growth = Growth()
        let messages = prompt.plan(
            after: rounds,
            nextNumber: ledger.nextNumber,
            callsLeft: settings.maxNodes - ledger.count
        )
        callPlanner(messages, repairs: 0, into: &actions)
    }

    mutating func callPlanner(
        _ messages: [ModelMessage],
        repairs: Int,
        into actions: inout [Action]
    ) {
        guard hasBudgetLeft else {
            giveUp(budgetSpent, into: &actions)
            return
        }
        state = .planning(
            Draft(
                reader: planReader(),
                messages: messages,
                firstNode: nodes.count,
                repairs: repairs
            )
        )
        let request = request(
            messages,
            format: prompt.planFormat,
            grammar: prompt.planGrammar,
            isRepair: repairs > 0,
            stop: prompt.stop,
            mostTokens: PlannerLimits.planTokens + PlannerLimits.callTokens * settings.maxNodes
        )
        actions.append(.callModel(request, .planner))
    }

    func planReader() -> ModelPlanReader {
        ModelPlanReader(
            format: settings.format,
            tools: settings.tools,
            ledger: ledger,
            goal: prompt.goal,
            nodes: nodes.filter { !growth.unsuccessful.contains($0.id) } + succeededNodes,
            room: max(0, settings.maxNodes - ledger.count)
        )
    }

    /// The nodes of earlier plans that have an output: making their calls again is of no use.
    private var succeededNodes: [NodeDefinition] {
        rounds.flatMap { round in
            let succeeded = Set(round.parts.filter { $0.outcome.output != nil }.map(\.id))
            return round.nodes.filter { succeeded.contains($0.id) }
        }
    }

    mutating func readPlan(_ report: ModelEvent, into actions: inout [Action]) {
        guard case .planning(var draft) = state else { return }
        // Moved out, changed and put back, because a second reference would make each delta copy
        // the whole text.
        state = .idle
        switch report {
        case .delta(let text):
            if !draft.isStopping { read(text, &draft, into: &actions) }
            state = .planning(draft)
        case .ended(.refusal):
            // Calls that it wrote before run already.
            ledger = draft.reader.ledger
            giveUp(refusal(of: .planner), into: &actions)
        case .ended(let stop):
            finishPlan(draft, isCut: stop == .length || stop == .other, into: &actions)
        case .failed(let cause):
            // A failure after the end of the plan does not matter: the plan is complete.
            if draft.isStopping || draft.reader.isAtEnd {
                finishPlan(draft, isCut: false, into: &actions)
            } else if draft.hasNodes, cause.isRetryable, draft.repairs < settings.maxRepairs {
                // What arrived is kept, and the rest asked for.
                finishPlan(draft, isCut: true, into: &actions)
            } else {
                ledger = draft.reader.ledger
                giveUp(failure(cause, of: .planner), into: &actions)
            }
        case .charged, .usage, .formatLowered:
            state = .planning(draft)
        }
    }

    /// The call that wrote this draft is lost.
    mutating func planAgain(_ draft: Draft, into actions: inout [Action]) {
        guard !draft.isStopping, !draft.reader.isAtEnd else {
            return finishPlan(draft, isCut: false, into: &actions)
        }
        guard draft.hasNodes else {
            return callPlanner(draft.messages, repairs: draft.repairs, into: &actions)
        }
        // Not the model's fault: it does not count as a repair.
        var draft = draft
        draft.repairs -= 1
        finishPlan(draft, isCut: true, into: &actions)
    }

    private mutating func read(_ text: String, _ draft: inout Draft, into actions: inout [Action]) {
        if draft.reply.utf8.count < PlannerLimits.quotedReplyBytes { draft.reply += text }
        let found = draft.reader.feed(text)
        if !found.isEmpty { draft.hasNodes = true }
        add(found, into: &actions)
        let isRunningOn =
            draft.reader.trailingBytes > PlannerLimits.trailingBytes
            || draft.reader.hasReachedLimit
        guard isRunningOn else { return }
        draft.isStopping = true
        actions.append(.cancelModel)
    }

    private mutating func add(_ found: [PlannerNode], into actions: inout [Action]) {
        guard !found.isEmpty else { return }
        let definitions = found.map(\.definition)
        nodes += definitions
        if startsAtOnce {
            growth.running += definitions.count
            actions.append(.addNodes(definitions))
        } else {
            held += definitions
        }
    }

    /// Whether a node may start before the plan is complete.
    var startsAtOnce: Bool {
        switch settings.options.strategy {
        case .streamed, .growing: !settings.options.isPlanOnly
        case .planned, .sequential, .react: false
        }
    }

    /// The reply is complete and valid, and with it the plan, unless it grows.
    private mutating func closePlan(after draft: Draft, into actions: inout [Action]) {
        if nodes.isEmpty, !rounds.isEmpty { hasNothingToAdd = true }
        if settings.options.isPlanOnly {
            let document = PlanDocument(nodes: nodes, joinInstruction: joinInstruction)
            var writer = JSONWriter()
            document.encode(into: &writer)
            end(withAnswer: RawJSON(trusted: writer.bytes[...]), into: &actions)
            return
        }
        if grows, growth.running > 0 { return beginGrowing(after: draft, into: &actions) }
        state = .working
        if !held.isEmpty { actions.append(.addNodes(held)) }
        held = []
        actions.append(.closePlan(joinInstruction: joinInstruction))
    }

    private mutating func finishPlan(
        _ draft: Draft,
        isCut: Bool,
        into actions: inout [Action]
    ) {
        var reader = draft.reader
        let isEndless = draft.isStopping && !reader.isAtEnd
        let reading = reader.finish(isCut: isCut || isEndless, isEndless: isEndless)
        add(reading.nodes, into: &actions)
        ledger = reader.ledger
        if let text = reading.joinInstruction { joinInstruction = text }
        // A repair that adds nothing leaves the plan as it was.
        let problems = reading.problems.filter { $0.code != .emptyPlan || nodes.isEmpty }
            .map { problem in
                var problem = problem
                if problem.code == .emptyPlan {
                    // A later plan without anything new says that there is nothing to add. Without
                    // a model that joins, a first plan without calls would be no answer.
                    let isFine = problem.isWarning && settings.join == .model
                    problem.isWarning =
                        !settings.options.isPlanOnly && (isFine || !rounds.isEmpty)
                }
                return problem
            }
        if !problems.isEmpty { actions.append(.noteProblems(problems)) }
        let errors = problems.filter { !$0.isWarning }
        if errors.isEmpty {
            closePlan(after: draft, into: &actions)
        } else if ledger.count >= settings.maxNodes, errors.contains(where: { $0.code == .limit }) {
            let message = "the plans have more than \(settings.maxNodes) nodes"
            giveUp(Failure(code: .limit, message: message), into: &actions)
        } else if draft.repairs >= settings.maxRepairs {
            // With the outputs of an earlier plan there can be an answer all the same.
            if growth.hasBegun || rounds.isEmpty || settings.options.isPlanOnly {
                giveUp(unplannable(errors), into: &actions)
            } else {
                hasNothingToAdd = true
                closePlan(after: draft, into: &actions)
            }
        } else {
            let messages = prompt.repair(
                of: draft.reply,
                to: draft.messages,
                problems: errors,
                added: nodes,
                nextNumber: ledger.nextNumber
            )
            callPlanner(messages, repairs: draft.repairs + 1, into: &actions)
        }
    }

    func unplannable(_ errors: [PlanProblem]) -> Failure {
        let shown = errors.prefix(3).map(\.message).joined(separator: "; ")
        let more = errors.count > 3 ? "; and \(errors.count - 3) more" : ""
        let what = settings.options.strategy == .react ? "a step" : "a plan"
        return Failure(
            code: .badPlan,
            message: "the planner's model did not write \(what) that can be used: \(shown)\(more)"
        )
    }

    /// Ends the run because of a fault of the planner; running nodes may finish, if that is the
    /// policy.
    mutating func giveUp(_ failure: Failure, into actions: inout [Action]) {
        if growth.hasBegun, settings.options.onModelFailure == .finish {
            return stopGrowing(because: failure.message, into: &actions)
        }
        guard settings.options.onModelFailure == .finish, nodes.count > held.count else {
            end(with: failure, into: &actions)
            return
        }
        state = .failing(failure)
        actions.append(.closePlan(joinInstruction: joinInstruction))
    }
}
