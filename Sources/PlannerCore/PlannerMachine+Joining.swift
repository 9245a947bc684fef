// Joins outcomes into an answer, or asks for another plan.

import Core
import JSON
import Plans

extension PlannerMachine {
    mutating func settle(_ parts: [JoinPart], into actions: inout [Action]) {
        switch state {
        case .failing(let failure):
            end(with: failure, into: &actions)
        case .working where settings.options.strategy == .react && !isGiven:
            let new = Set(parts.map(\.id))
            let old = rounds.flatMap(\.parts).filter { !new.contains($0.id) }
            rounds = [PlannedRound(parts: old + parts, nodes: nodes)]
            beginStep(into: &actions)
        case .working where isGiven:
            rounds = [PlannedRound(parts: parts, nodes: nodes)]
            nodes = []
            join(into: &actions)
        case .working:
            let own = Set(nodes.map(\.id))
            rounds.append(
                PlannedRound(parts: parts.filter { own.contains($0.id) }, nodes: nodes)
            )
            nodes = []
            join(into: &actions)
        case .idle, .planning, .growing, .reacting, .joining, .joiningByTool, .ended:
            break
        }
    }

    mutating func join(into actions: inout [Action]) {
        let parts = rounds.flatMap(\.parts)
        if parts.isEmpty { hasNothingToAdd = true }
        switch settings.join {
        case .model:
            let messages = prompt.join(
                rounds,
                joinInstruction: joinInstruction,
                mayReplan: mayReplan
            )
            callJoiner(messages, repairs: 0, into: &actions)
        case .concat:
            let text = Joiner.concat(parts: parts, joinInstruction: joinInstruction)
            end(withAnswer: RawJSON(text), into: &actions)
        case .json:
            end(withAnswer: Joiner.json(parts: parts), into: &actions)
        case .tool(let name):
            state = .joiningByTool(name)
            let arguments = Joiner.arguments(
                goal: isGiven ? nil : prompt.goal,
                joinInstruction: joinInstruction,
                parts: parts
            )
            actions.append(.callTool(name, arguments: arguments))
        }
    }

    mutating func handleToolJoin(_ outcome: Outcome, into actions: inout [Action]) {
        guard case .joiningByTool(let name) = state else { return }
        if let output = outcome.output { return end(withAnswer: output, into: &actions) }
        var failure = outcome.failure ?? Failure(code: .internal, message: "there is no reason")
        failure.message = "the outputs could not be joined by \(name): \(failure.message)"
        end(with: failure, into: &actions)
    }

    private var mayReplan: Bool {
        !isGiven && !hasNothingToAdd && rounds.count < settings.maxRounds
    }

    private mutating func callJoiner(
        _ messages: [ModelMessage],
        repairs: Int,
        into actions: inout [Action]
    ) {
        guard hasBudgetLeft else {
            end(with: budgetSpent, into: &actions)
            return
        }
        state = .joining(Verdict(messages: messages, repairs: repairs))
        let format = prompt.decisionFormat(mayReplan: mayReplan)
        let request = request(
            messages,
            format: format,
            stop: [],
            mostTokens: PlannerLimits.answerTokens
        )
        actions.append(.callModel(request, .joiner))
    }

    mutating func readDecision(_ report: ModelEvent, into actions: inout [Action]) {
        guard case .joining(var verdict) = state else { return }
        // Moved out, changed and put back, because a second reference would make each delta copy
        // the whole text.
        state = .idle
        switch report {
        case .delta(let text):
            if !verdict.isStopping { read(text, &verdict, into: &actions) }
            state = .joining(verdict)
        case .ended(.refusal):
            end(with: refusal(of: .joiner), into: &actions)
        case .ended(let stop):
            let isCut = stop == .length || stop == .other || verdict.isStopping
            decide(verdict, isCut: isCut && !verdict.reader.isComplete, into: &actions)
        case .failed(let cause):
            if verdict.isStopping || verdict.reader.isComplete {
                decide(verdict, isCut: !verdict.reader.isComplete, into: &actions)
            } else {
                end(with: failure(cause, of: .joiner), into: &actions)
            }
        case .charged, .usage, .formatLowered:
            state = .joining(verdict)
        }
    }

    /// The call that wrote this decision is lost.
    mutating func joinAgain(_ verdict: Verdict, into actions: inout [Action]) {
        guard !verdict.isStopping, !verdict.reader.isComplete else {
            return decide(verdict, isCut: !verdict.reader.isComplete, into: &actions)
        }
        callJoiner(verdict.messages, repairs: verdict.repairs, into: &actions)
    }

    private mutating func read(
        _ text: String,
        _ verdict: inout Verdict,
        into actions: inout [Action]
    ) {
        if verdict.reader.isComplete {
            verdict.trailingBytes += text.utf8.count
            guard verdict.trailingBytes > PlannerLimits.trailingBytes else { return }
            // The decision is complete; a model that does not stop is stopped.
            verdict.isStopping = true
            actions.append(.cancelModel)
            return
        }
        if verdict.reply.utf8.count < PlannerLimits.quotedReplyBytes { verdict.reply += text }
        tell(verdict.reader.feed(text), &verdict.hasDeltas, into: &actions)
    }

    func tell(_ delta: String, _ hasDeltas: inout Bool, into actions: inout [Action]) {
        guard !delta.isEmpty else { return }
        hasDeltas = true
        actions.append(.answerDelta(delta))
    }

    private mutating func decide(
        _ verdict: Verdict,
        isCut: Bool,
        into actions: inout [Action]
    ) {
        var verdict = verdict
        let (decision, text) = verdict.reader.finish(isCut: isCut)
        switch decision {
        case .success(.finish(let answer)):
            tell(text, &verdict.hasDeltas, into: &actions)
            end(withAnswer: answer, into: &actions)
        case .success(.replan(let reason)):
            replan(reason, into: &actions)
        case .failure(let fault):
            // Shown text of an answer cannot be withdrawn, so there is no second answer.
            guard !verdict.hasDeltas, verdict.repairs < settings.maxRepairs else {
                end(
                    with: Failure(
                        code: .badOutput,
                        message: "the joiner's model gave no decision: \(fault.message)"
                    ),
                    into: &actions
                )
                return
            }
            let messages = prompt.joinAgain(
                after: verdict.reply,
                to: verdict.messages,
                fault: fault
            )
            callJoiner(messages, repairs: verdict.repairs + 1, into: &actions)
        }
    }

    private mutating func replan(_ reason: String, into actions: inout [Action]) {
        guard mayReplan else {
            end(
                with: Failure(
                    code: .limit,
                    message: "\(rounds.count) plans did not reach the goal; the joiner "
                        + "still misses: \(shortened(reason, to: 500))"
                ),
                into: &actions
            )
            return
        }
        rounds[rounds.count - 1].reason = reason
        actions.append(.replanned(number: roundNumber, reason: reason))
        beginPlan(into: &actions)
    }

    mutating func end(withAnswer answer: RawJSON, into actions: inout [Action]) {
        state = .ended
        actions.append(.answer(answer))
    }
}
