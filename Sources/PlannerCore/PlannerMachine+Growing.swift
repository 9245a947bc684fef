// A plan that grows: while calls run, the model gets new outputs and may add calls. It is one
// conversation, to which messages are only appended.

import Core
import Plans

/// How far the nodes of a growing plan are.
struct Growth: Sendable {
    /// Outcomes that the model was not told yet.
    var untold: [JoinPart] = []
    /// Nodes without an outcome.
    var running = 0
    /// Whether the model was told outcomes of the current plan.
    var hasBegun = false
    /// Bytes of what it was told.
    var toldBytes = 0
    /// Nodes without an output, whose calls may be made again.
    var unsuccessful: Set<NodeID> = []
}

extension PlannerMachine {
    /// Whether outcomes are told while other calls run.
    public var grows: Bool { prompt.grows }

    /// Takes in the outcome of a node, which may be a reason to ask the model.
    mutating func noteOutcome(_ part: JoinPart, into actions: inout [Action]) {
        guard grows, growth.running > 0 else { return }
        growth.running -= 1
        growth.untold.append(part)
        if part.outcome.output == nil { growth.unsuccessful.insert(part.id) }
        goOnGrowing(into: &actions)
    }

    /// The reply was read: its calls run, and the conversation may go on.
    mutating func beginGrowing(after draft: Draft, into actions: inout [Action]) {
        let written = Array(nodes.dropFirst(draft.firstNode))
        let reply = prompt.reply(with: written, nextNumber: ledger.nextNumber)
        state = .growing(draft.messages + [.assistant(reply)])
        goOnGrowing(into: &actions)
    }

    /// Asks for the calls that follow from new outputs, if others run still; without any running
    /// the plan is complete.
    private mutating func goOnGrowing(into actions: inout [Action]) {
        guard case .growing(let conversation) = state else { return }
        guard growth.running > 0 else { return completePlan(into: &actions) }
        // The conversation is sent whole each time, so that its outputs have a bound together.
        guard !growth.untold.isEmpty, hasBudgetLeft, ledger.count < settings.maxNodes,
            growth.toldBytes < settings.outputsBytes
        else { return }
        let messages = prompt.grow(
            conversation,
            told: growth.untold,
            nodes: nodes,
            nextNumber: ledger.nextNumber
        )
        growth.untold = []
        growth.hasBegun = true
        growth.toldBytes += messages.last?.text.utf8.count ?? 0
        callPlanner(messages, repairs: 0, into: &actions)
    }

    /// The model cannot add to a plan whose calls run; they are joined without it.
    mutating func stopGrowing(because reason: String, into actions: inout [Action]) {
        let message = "the plan does not grow any more: \(reason)"
        actions.append(
            .noteProblems([PlanProblem(code: .badPlan, message: message, isWarning: true)])
        )
        completePlan(into: &actions)
    }

    private mutating func completePlan(into actions: inout [Action]) {
        state = .working
        actions.append(.closePlan(joinInstruction: joinInstruction))
    }
}
