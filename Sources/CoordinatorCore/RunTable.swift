// The runs that the coordinator knows: by slot, by name and by key, in the order of acceptance and of
// their ends. What happens to a run is not decided here.

internal import Core
internal import DequeModule
internal import Plans
internal import Runs

/// Every run that is not forgotten yet.
struct RunTable: Sendable {
    /// Runs by slot; slots of forgotten runs are used again.
    private var runs: [HeldRun] = []
    private var slots: [RunID: Int] = [:]
    private var names: [String: RunID] = [:]
    private var vacancies: [Int] = []
    /// An empty run, put into the slot of each forgotten run; nil until the first one is forgotten.
    private var vacant: HeldRun?
    /// Unfinished runs in the order of acceptance.
    private(set) var active = ArrivalOrder<RunID>()
    /// Finished runs in the order of their ends.
    private(set) var finished: Deque<RunID> = []
    private(set) var counts = Counts()
    /// What all runs hold, as it was booked last.
    private(set) var ledger = ByteLedger()
    /// Runs to book: those whose bytes changed, and those that held too much when they were booked.
    private var booking = (unbooked: [Int](), overfull: [Int]())
    var deadlines = RunDeadlines()
    /// Runs whose answers are made, a part in each turn.
    var unmadeAnswers: Deque<RunID> = []

    /// What is counted over all runs.
    struct Counts: Sendable {
        /// Runs that were ever accepted.
        fileprivate(set) var accepted = 0
        /// Nodes that ever settled.
        fileprivate(set) var settledNodes = 0
        /// Nodes of the finished runs that are kept.
        fileprivate(set) var finishedNodes = 0
    }

    subscript(slot: Int) -> HeldRun {
        @inline(__always) _read { yield runs[slot] }
        @inline(__always) _modify { yield &runs[slot] }
    }

    /// How many runs are known.
    var count: Int { slots.count }

    /// The slot of a run; nil if it is not known.
    func slot(of run: RunID) -> Int? { slots[run] }

    /// The slot of the latest run with a key.
    func slot(ofKey key: String) -> Int? { names[key].flatMap { slots[$0] } }

    /// Adds an accepted run, and returns its slot; one that `isNew` is counted.
    mutating func insert(_ run: HeldRun, isNew: Bool = true) -> Int {
        let slot = vacancies.popLast() ?? runs.count
        if slot == runs.count { runs.append(run) } else { runs[slot] = run }
        slots[run.id] = slot
        names[run.state.acceptance.key] = run.id
        active.append(run.id)
        if isNew { counts.accepted += 1 }
        return slot
    }

    /// Counts a node that has settled.
    mutating func noteSettledNode() { counts.settledNodes += 1 }

    // MARK: - Bytes

    /// Notes that a run holds other bytes than are booked.
    mutating func markUnbooked(_ slot: Int) {
        guard !runs[slot].isUnbooked else { return }
        runs[slot].isUnbooked = true
        booking.unbooked.append(slot)
    }

    /// Books what runs hold; those that hold more than a run may are listed.
    mutating func book(runBytes most: Int) {
        while let slot = booking.unbooked.popLast() {
            guard runs[slot].isUnbooked else { continue }
            let bytes = runs[slot].takeUnbooked()
            ledger.set(bytes, of: slot)
            if bytes > most, !runs[slot].state.isEnded { booking.overfull.append(slot) }
        }
    }

    /// A run that held too much when it was booked, once.
    mutating func nextOverfull() -> Int? { booking.overfull.popLast() }

    // MARK: - Ends

    /// Notes that a run has ended; its bytes are booked.
    mutating func finish(_ slot: Int) {
        ledger.finish(slot)
        active.remove(runs[slot].id)
        finished.append(runs[slot].id)
        counts.finishedNodes += runs[slot].state.plan.count
    }

    /// Forgets the run that ended first, and returns its name and key; nil if none is kept, or if
    /// its end has a position beyond `written`.
    mutating func removeOldestFinished(written: Int) -> (id: RunID, key: String)? {
        guard let id = finished.first, let slot = slots[id], runs[slot].endPosition <= written
        else { return nil }
        return (id, remove(id, from: slot, at: 0))
    }

    /// Forgets a run that has ended.
    mutating func removeFinished(_ id: RunID) {
        guard let slot = slots[id], let place = finished.firstIndex(of: id) else { return }
        _ = remove(id, from: slot, at: place)
    }

    /// Removes a finished run, and returns its key.
    private mutating func remove(_ id: RunID, from slot: Int, at place: Int) -> String {
        finished.remove(at: place)
        slots[id] = nil
        counts.finishedNodes -= runs[slot].state.plan.count
        let key = runs[slot].state.acceptance.key
        if names[key] == id { names[key] = nil }
        runs[slot] = vacantRun(id)
        ledger.close(slot)
        vacancies.append(slot)
        return key
    }

    /// A run without anything; made once, as every forgotten run is replaced by one.
    private mutating func vacantRun(_ id: RunID) -> HeldRun {
        if let vacant { return vacant }
        let run = HeldRun(Run(Acceptance(id: id, key: ""), at: .zero), author: nil)
        vacant = run
        return run
    }
}

/// When something is due that concerns a run.
struct RunDeadlines: Sendable {
    /// When the time budgets of unfinished runs are spent, in real time.
    var ofRuns = DueTimes<RunID>()
    /// When nodes fail that wait for a person's approval, in real time.
    var ofApprovals = DueTimes<NodeReference>()
    /// The deadline for the end of model calls from which nothing more is needed, on the judging
    /// clock.
    var ofClosingCalls = DueTimes<ModelCallID>()
}
