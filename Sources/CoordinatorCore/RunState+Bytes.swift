// What a run takes in memory, for the ledger of held bytes. Each part of a run counts its own bytes
// as it changes, so that the sum costs a few additions.

internal import DequeModule
internal import JSON
internal import PlannerCore
internal import Plans
internal import Wire

/// What things take in memory beside their payloads, about; measured and rounded up.
enum HeldCost {
    /// A run without nodes, with its entries in the tables of runs.
    static let run = 2_048
    /// A node beside its part of the plan: its report, its output's buffer, the scheduler's record.
    static let node = 256
    /// A failure of a node beside its texts.
    static let failure = 192
}

extension RunState {
    /// All bytes that the run holds.
    var heldBytes: Int {
        fixedBytes + plan.heldBytes + plan.count * HeldCost.node + outputBytes + failureBytes
            + incoming.bytes + log.bytes + plannerBytes + answerBytes
            + (failure?.heldBytes ?? 0) + (cancelReason?.utf8.count ?? 0)
    }

    /// The same, with every part counted anew; for checks.
    var countedBytes: Int {
        fixedBytes + plan.countedBytes + plan.count * HeldCost.node
            + outputs.reduce(0) { $0 + ($1?.count ?? 0) }
            + failures.values.reduce(0) { $0 + $1.heldBytes }
            + incoming.countedBytes + log.countedBytes + (planner?.heldBytes ?? 0) + answerBytes
            + (failure?.heldBytes ?? 0) + (cancelReason?.utf8.count ?? 0)
    }

    /// Where most of the bytes are, for a person who has to make a run smaller.
    var heldBytesInWords: String {
        let parts = [
            ("outputs", outputBytes + incoming.bytes),
            ("failures", failureBytes),
            ("the plan", plan.heldBytes + plan.count * HeldCost.node),
            ("events", log.bytes),
            ("the planner", plannerBytes),
            ("the answer", answerBytes),
        ]
        let largest = parts.sorted { $0.1 > $1.1 }.prefix(2).filter { $0.1 > 0 }
        return largest.map { "\($0.0) \($0.1) bytes" }.joined(separator: ", ")
    }
}

extension Failure {
    /// What a kept failure takes in memory, about.
    var heldBytes: Int {
        HeldCost.failure + message.utf8.count + (stderrTail?.utf8.count ?? 0)
    }
}
