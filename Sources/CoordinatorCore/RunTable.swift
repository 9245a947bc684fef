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
    /// Unfinished runs in the order of acceptance.
    private(set) var active = ArrivalOrder<RunID>()
    /// Finished runs in the order of their ends.
    private(set) var finished: Deque<RunID> = []
    /// Nodes of the finished runs.
    private(set) var finishedNodes = 0

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

    /// Adds an accepted run, and returns its slot.
    mutating func insert(_ run: HeldRun) -> Int {
        let slot = vacancies.popLast() ?? runs.count
        if slot == runs.count { runs.append(run) } else { runs[slot] = run }
        slots[run.id] = slot
        names[run.state.acceptance.key] = run.id
        active.append(run.id)
        return slot
    }

    /// Notes that a run has ended.
    mutating func finish(_ slot: Int) {
        active.remove(runs[slot].id)
        finished.append(runs[slot].id)
        finishedNodes += runs[slot].state.plan.count
    }

    /// Forgets the run that ended first, and returns its name and the slot that it had.
    mutating func removeOldestFinished() -> (id: RunID, slot: Int)? {
        guard let id = finished.popFirst(), let slot = slots.removeValue(forKey: id) else {
            return nil
        }
        finishedNodes -= runs[slot].state.plan.count
        let key = runs[slot].state.acceptance.key
        if names[key] == id { names[key] = nil }
        runs[slot].vacate()
        vacancies.append(slot)
        return (id, slot)
    }
}
