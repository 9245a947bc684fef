// The model is asked before every call: each step is one reply, with one call or the answer. It is
// slower than a plan by design, for comparison.

import Core
import JSON
import Plans

extension PlannerMachine {
    /// Asks for the next call, with the results of the earlier ones.
    mutating func beginStep(into actions: inout [Action]) {
        let messages = prompt.step(
            after: rounds,
            nextNumber: ledger.nextNumber,
            mayCall: mayCall
        )
        callModel(messages, repairs: 0, into: &actions)
    }

    private var mayCall: Bool { ledger.count < settings.maxNodes }

    private mutating func callModel(
        _ messages: [ModelMessage],
        repairs: Int,
        into actions: inout [Action]
    ) {
        guard hasBudgetLeft else { return end(with: budgetSpent, into: &actions) }
        state = .reacting(
            Step(calls: stepReader(), verdict: Verdict(messages: messages, repairs: repairs))
        )
        let request = request(
            messages,
            format: prompt.stepFormat(mayCall: mayCall),
            stop: prompt.stepStop,
            mostTokens: PlannerLimits.answerTokens
        )
        actions.append(.callModel(request, .planner))
    }

    /// Reads one call: text after it is not read.
    ///
    /// A call may be made again.
    func stepReader() -> ModelPlanReader {
        ModelPlanReader(
            format: settings.format,
            tools: settings.tools,
            ledger: ledger,
            nodes: nil,
            room: mayCall ? 1 : 0
        )
    }

    mutating func readStep(_ report: ModelEvent, into actions: inout [Action]) {
        guard case .reacting(var step) = state else { return }
        // Moved out, changed and put back, because a second reference would make each delta copy
        // the whole text.
        state = .idle
        switch report {
        case .delta(let text):
            if !step.verdict.isStopping { read(text, &step, into: &actions) }
            state = .reacting(step)
        case .ended(.refusal) where step.node == nil:
            end(with: refusal(of: .planner), into: &actions)
        case .ended(let stop):
            finishStep(step, isCut: stop == .length || stop == .other, into: &actions)
        case .failed(let cause):
            // If its call or its answer is complete, a reply that breaks off is complete too.
            if step.verdict.isStopping || step.node != nil || step.verdict.reader.isComplete {
                let isWhole = step.node != nil || step.verdict.reader.isComplete
                finishStep(step, isCut: !isWhole, into: &actions)
            } else {
                end(with: failure(cause, of: .planner), into: &actions)
            }
        case .charged, .usage, .formatLowered:
            state = .reacting(step)
        }
    }

    /// The call that wrote this step is lost.
    mutating func stepAgain(_ step: Step, into actions: inout [Action]) {
        let isWhole = step.node != nil || step.verdict.reader.isComplete
        guard !isWhole, !step.verdict.isStopping else {
            return finishStep(step, isCut: !isWhole, into: &actions)
        }
        callModel(step.verdict.messages, repairs: step.verdict.repairs, into: &actions)
    }

    private mutating func read(_ text: String, _ step: inout Step, into actions: inout [Action]) {
        if step.verdict.reply.utf8.count < PlannerLimits.quotedReplyBytes {
            step.verdict.reply += text
        }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            // A call is complete with the last byte of such a piece and an answer begins within
            // one, so which comes first does not depend on how the reply was split.
            let inner = rest.prefix { !PlannerMachine.callEnds.contains($0) }
            let piece = rest.prefix(inner.count + 1)
            rest = rest.dropFirst(piece.count)
            read(piece, &step, into: &actions)
        }
        guard step.verdict.trailingBytes > PlannerLimits.trailingBytes else { return }
        step.verdict.isStopping = true
        actions.append(.cancelModel)
    }

    private static let callEnds = Array(")}\n".utf8)

    private mutating func read(
        _ piece: ArraySlice<UInt8>,
        _ step: inout Step,
        into actions: inout [Action]
    ) {
        guard step.node == nil, !step.verdict.reader.isComplete else {
            step.verdict.trailingBytes += piece.count
            return
        }
        let delta = step.verdict.reader.feed(piece)
        guard !step.verdict.reader.isAnswering else {
            // Only with a separate joiner is the answer different from the model's.
            if settings.join == .model { tell(delta, &step.verdict.hasDeltas, into: &actions) }
            return
        }
        add(step.calls.feed(piece), &step, into: &actions)
    }

    private mutating func add(
        _ found: [PlannerNode],
        _ step: inout Step,
        into actions: inout [Action]
    ) {
        guard step.node == nil, let node = found.first?.definition else { return }
        step.node = node
        nodes.append(node)
        ledger = step.calls.ledger
        actions.append(.addNodes([node]))
    }

    private mutating func finishStep(_ step: Step, isCut: Bool, into actions: inout [Action]) {
        var step = step
        var problems: [PlanProblem] = []
        if step.node == nil, !step.verdict.reader.isAnswering {
            let reading = step.calls.finish(isCut: isCut)
            add(reading.nodes, &step, into: &actions)
            problems = reading.problems.filter { !$0.isWarning }
        }
        if step.node != nil {
            state = .working
            actions.append(.closePlan(joinInstruction: nil))
            return
        }
        let (decision, text) = step.verdict.reader.finish(
            isCut: isCut,
            mayBePlain: false
        )
        switch decision {
        case .success(.finish(let answer)):
            guard settings.join == .model else { return join(into: &actions) }
            tell(text, &step.verdict.hasDeltas, into: &actions)
            end(withAnswer: answer, into: &actions)
        case .success(.replan):
            repair(step, problems, "there is no plan to replace", into: &actions)
        case .failure(let fault):
            repair(step, problems, fault.message, into: &actions)
        }
    }

    private mutating func repair(
        _ step: Step,
        _ problems: [PlanProblem],
        _ fault: String,
        into actions: inout [Action]
    ) {
        // A missing call is not reported when the answer was the fault.
        var problems = problems.filter { $0.code != .emptyPlan }
        if problems.isEmpty { problems = [PlanProblem(code: .badPlan, message: fault)] }
        actions.append(.noteProblems(problems))
        if !mayCall, problems.contains(where: { $0.code == .limit }) {
            let message = "the goal was not reached by \(settings.maxNodes) calls"
            return end(with: Failure(code: .limit, message: message), into: &actions)
        }
        let verdict = step.verdict
        // Shown text of an answer cannot be withdrawn, so there is no second answer.
        guard !verdict.hasDeltas, verdict.repairs < settings.maxRepairs else {
            return end(with: unplannable(problems), into: &actions)
        }
        let messages = prompt.stepAgain(
            after: verdict.reply,
            to: verdict.messages,
            problems: problems
        )
        callModel(messages, repairs: verdict.repairs + 1, into: &actions)
    }
}
