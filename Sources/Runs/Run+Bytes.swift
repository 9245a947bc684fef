// What a run takes in memory, for the ledger of held bytes. Each part counts its own bytes as it
// changes, so that the sum costs a few additions.

public import Core
internal import JSON
internal import Plans

/// What things take in memory beside their payloads, about; measured and rounded up.
public enum HeldCost {
    /// A run without nodes, with its entries in the tables of runs.
    public static let run = 2_048
    /// A node beside its part of the plan: its course, its output's buffer, the scheduler's record.
    public static let node = 256
    /// A failure of a node beside its texts.
    public static let failure = 192
}

extension Run {
    /// All bytes that the run holds beside those of its acceptance, which never change.
    public var heldBytes: Int {
        plan.heldBytes + plan.count * HeldCost.node + results.outputBytes
            + results.failureBytes + workers.bytes + approvals.bytes + endingBytes + planningBytes
    }

    /// `heldBytes`, computed again from all parts; for checks.
    public var countedBytes: Int {
        plan.countedBytes + plan.count * HeldCost.node
            + results.outputs.reduce(0) { $0 + ($1?.count ?? 0) }
            + results.failures.values.reduce(0) { $0 + $1.heldBytes }
            + workers.bytes + approvals.bytes + endingBytes + planningBytes
    }

    private var planningBytes: Int {
        (planning.answer?.count ?? 0) + (planning.settings?.count ?? 0)
    }

    private var endingBytes: Int {
        (failure?.heldBytes ?? 0) + (cancelReason?.utf8.count ?? 0)
            + (canceller?.utf8.count ?? 0)
    }
}

extension Acceptance {
    /// What it takes in memory, about.
    public var heldBytes: Int {
        HeldCost.run + key.utf8.count + (label?.utf8.count ?? 0) + (goal?.utf8.count ?? 0)
            + (allowedTools ?? []).reduce(0) { $0 + 64 + $1.utf8.count }
            + approve.reduce(0) { $0 + 64 + $1.utf8.count }
    }
}

extension Failure {
    /// What a kept failure takes in memory, about.
    public var heldBytes: Int {
        HeldCost.failure + message.utf8.count + (stderrTail?.utf8.count ?? 0)
    }
}
