// The ledger of held bytes: how much the coordinator keeps in memory for each of its runs and for all
// of them. What a run keeps is counted in HeldRun.swift; what happens when there is too much
// is in CoordinatorMachine+Holding.swift.

/// The bytes that are kept for runs, one account for each slot of the table of runs.
///
/// An account holds what its run said last; the sums are always those of the accounts.
struct ByteLedger: Sendable {
    private struct Account: Sendable {
        var bytes = 0
        var isFinished = false
    }

    private var accounts: [Account] = []
    /// Bytes of unfinished runs.
    private(set) var active = 0
    /// Bytes of finished runs that are kept for questions.
    private(set) var finished = 0

    /// Bytes of all runs.
    var total: Int { active + finished }

    /// Bytes of the run in a slot; 0 if it has no account.
    func bytes(of slot: Int) -> Int {
        accounts.indices.contains(slot) ? accounts[slot].bytes : 0
    }

    /// Sets what the run in a slot holds now; opens an account for an unfinished run if there is
    /// none.
    mutating func set(_ bytes: Int, of slot: Int) {
        while accounts.count <= slot { accounts.append(Account()) }
        let change = bytes - accounts[slot].bytes
        accounts[slot].bytes = bytes
        if accounts[slot].isFinished { finished += change } else { active += change }
    }

    /// The run in a slot has ended and is kept.
    mutating func finish(_ slot: Int) {
        guard accounts.indices.contains(slot), !accounts[slot].isFinished else { return }
        accounts[slot].isFinished = true
        active -= accounts[slot].bytes
        finished += accounts[slot].bytes
    }

    /// The run in a slot is forgotten.
    mutating func close(_ slot: Int) {
        guard accounts.indices.contains(slot) else { return }
        set(0, of: slot)
        accounts[slot] = Account()
    }

    /// Whether the sums are those of the accounts; for checks.
    var isBalanced: Bool {
        active == accounts.reduce(0) { $0 + ($1.isFinished ? 0 : $1.bytes) }
            && finished == accounts.reduce(0) { $0 + ($1.isFinished ? $1.bytes : 0) }
    }
}
