// What limits a goal's calls of models: tokens, replies that do not end, and memory.

import Core
import Plans

extension PlannerMachine {
    /// The reply only repeats itself: it counts up to here.
    mutating func stopEndlessReply(into actions: inout [Action]) {
        switch state {
        case .planning(var draft) where !draft.isStopping:
            draft.isStopping = true
            state = .planning(draft)
        case .joining(var verdict) where !verdict.isStopping:
            verdict.isStopping = true
            state = .joining(verdict)
        case .reacting(var step) where !step.verdict.isStopping:
            step.verdict.isStopping = true
            state = .reacting(step)
        default:
            return
        }
        actions.append(.cancelModel)
    }

    mutating func checkBudget(into actions: inout [Action]) {
        guard isOverBudget else { return }
        switch state {
        case .planning(let draft) where !draft.isStopping && !draft.reader.isAtEnd:
            actions.append(.cancelModel)
            giveUp(budgetSpent, into: &actions)
        case .reacting(let step)
        where step.node == nil && !step.verdict.isStopping && !step.verdict.reader.isComplete:
            actions.append(.cancelModel)
            end(with: budgetSpent, into: &actions)
        case .joining(let verdict) where !verdict.isStopping && !verdict.reader.isComplete:
            actions.append(.cancelModel)
            end(with: budgetSpent, into: &actions)
        default:
            // A complete reply is used; the limit prevents the next call.
            break
        }
    }

    /// The estimated tokens of a call whose provider does not count: one for each four bytes.
    ///
    /// Without it, a limit on tokens would have no effect for programs and servers that report no
    /// usage.
    var estimatedUsage: TokenUsage {
        guard replyBytes > 0 else { return TokenUsage() }
        return TokenUsage(input: (messageBytes + 3) / 4, output: (replyBytes + 3) / 4)
    }

    /// Bytes of the messages of the open call.
    private var messageBytes: Int {
        let messages: [ModelMessage] =
            switch state {
            case .planning(let draft): draft.messages
            case .reacting(let step): step.verdict.messages
            case .joining(let verdict): verdict.messages
            case .growing(let conversation): conversation
            case .idle, .working, .failing, .joiningByTool, .ended: []
            }
        return messages.reduce(0) { $0 + $1.text.utf8.count }
    }

    /// The approximate memory of the machine: the goal, the tools, the messages and the reply of
    /// the open call, and the planned nodes.
    public var heldBytes: Int {
        let nodeCount = max(ledger.count, nodes.count) + rounds.reduce(0) { $0 + $1.parts.count }
        return 2_048 + prompt.goal.utf8.count + 160 * settings.tools.count + messageBytes
            + prompt.exampleBytes
            + 2 * writtenBytes + 384 * nodeCount
    }

    /// The rest of the limits on tokens and cost, which is the most that a reply may have.
    var tokensLeft: Int? {
        var most = settings.maxTokens.map { max(1, $0 - usage.total) }
        if let maxCost = settings.maxCost, let price = settings.highestPrices?.output, price > 0 {
            let affordable = (maxCost - (usage.cost ?? 0)) / price * 1_000_000
            most = min(most ?? .max, Int(min(max(affordable, 1), 1e9)))
        }
        return most
    }

    private var isOverBudget: Bool {
        let isTooMany = settings.maxTokens.map { usage.total > $0 } ?? false
        let isTooDear = settings.maxCost.map { usage.cost ?? 0 > $0 } ?? false
        return isTooMany || isTooDear
    }

    var budgetSpent: Failure {
        var message =
            "the models have used \(usage.total) tokens; at most "
            + "\(settings.maxTokens ?? 0) are allowed"
        if let maxCost = settings.maxCost, let cost = usage.cost, cost >= maxCost {
            // A sum of prices can have rounding errors in its last digits.
            let cost = (cost * 1e9).rounded() / 1e9
            message = "the models have cost \(cost); at most \(maxCost) is allowed"
        }
        return Failure(code: .limit, message: message)
    }

    /// Whether another call may be made.
    var hasBudgetLeft: Bool {
        let hasTokens = settings.maxTokens.map { usage.total < $0 } ?? true
        let hasMoney = settings.maxCost.map { usage.cost ?? 0 < $0 } ?? true
        return hasTokens && hasMoney
    }
}
