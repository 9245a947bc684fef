// All runs of the scheduler: by slot and by name, and those that the next pass checks. What a run
// holds is in ScheduledRun.

internal import Core

/// Runs by slot; slots of released runs are used again.
struct ScheduledRuns: Sendable {
    private var runs: [ScheduledRun] = []
    private var slots: [RunID: Int] = [:]
    private var vacancies: [Int] = []
    private var latestGeneration: UInt32 = 0
    /// Runs that may have more attempts again, for the next pass.
    private var listed: [ScheduledRun.Use] = []

    subscript(slot: Int) -> ScheduledRun {
        @inline(__always) _read { yield runs[slot] }
        @inline(__always) _modify { yield &runs[slot] }
    }

    func slot(of run: RunID) -> Int? { slots[run] }

    /// The nodes that depend on a node, read where they stand: a run is large.
    func dependents(of node: NodeSlot) -> [Int] {
        runs[Int(node.run)].dependents(of: Int(node.node))
    }

    /// The slots of the runs that are not released, in ascending order.
    var slotsInUse: [Int] { runs.indices.filter { slots[runs[$0].id] == $0 } }

    /// Adds a run and returns its slot.
    mutating func insert(_ id: RunID, _ policy: MissingToolPolicy, maxRunning: Int?) -> Int {
        precondition(slots[id] == nil, "run \(id) was added twice")
        var run = ScheduledRun(id: id, missingTool: policy, generation: makeGeneration())
        if let maxRunning { run.maxRunning = Int32(clamping: max(maxRunning, 1)) }
        let slot = vacancies.popLast() ?? runs.count
        if slot == runs.count { runs.append(run) } else { runs[slot] = run }
        slots[id] = slot
        return slot
    }

    mutating func release(_ id: RunID) {
        guard let slot = slots.removeValue(forKey: id) else { return }
        precondition(runs[slot].isFinished, "run \(id) was released unfinished")
        runs[slot] = ScheduledRun(id: id, missingTool: .wait, generation: makeGeneration())
        vacancies.append(slot)
    }

    /// From now on nothing that was noted for the run counts.
    mutating func renew(_ slot: Int) { runs[slot].generation = makeGeneration() }

    private mutating func makeGeneration() -> UInt32 {
        latestGeneration &+= 1
        return latestGeneration
    }

    /// Whether this is still the run in its slot, and unfinished.
    func has(_ use: ScheduledRun.Use) -> Bool { runs[use.run].generation == use.generation }

    // MARK: - Runs with room

    /// Whether runs that were at their bound may have room now.
    var areListed: Bool { !listed.isEmpty }

    /// A run that was at its bound of attempts has room for another one: the next pass checks it.
    mutating func list(_ slot: Int) {
        guard !runs[slot].isListed, !runs[slot].waitsForOwner, !runs[slot].parkedQueues.isEmpty
        else { return }
        runs[slot].isListed = true
        listed.append(ScheduledRun.Use(run: slot, generation: runs[slot].generation))
    }

    /// Takes out the listed runs; the caller unlists each when it serves it.
    mutating func takeListed() -> [ScheduledRun.Use] { exchange(&listed, with: []) }
}
