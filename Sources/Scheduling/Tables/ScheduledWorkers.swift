// All workers of the scheduler: by slot, by number, by label and in the order in which they joined,
// and those that the next pass checks. What a worker holds is in ScheduledWorker.

internal import Core

/// Workers by slot; slots of lost workers are used again.
struct ScheduledWorkers: Sendable {
    private var workers: [ScheduledWorker] = []
    /// The slot of each worker number, or -1.
    private(set) var slotsByNumber: [Int32] = []
    private var vacancies: [Int] = []
    /// The numbers of the connected workers in the order in which they joined.
    private var order = Roster<Int32>()
    /// The numbers of the workers that carry a label.
    private var byLabel: [Label: Roster<Int32>] = [:]
    /// Workers that may have room again, for the next pass.
    private(set) var listed: [WorkerID] = []

    subscript(slot: Int) -> ScheduledWorker {
        @inline(__always) _read { yield workers[slot] }
        @inline(__always) _modify { yield &workers[slot] }
    }

    func slot(of worker: WorkerID) -> Int? { slot(ofNumber: worker.number) }

    @inline(__always)
    func slot(ofNumber number: Int) -> Int? {
        guard slotsByNumber.indices.contains(number) else { return nil }
        let slot = slotsByNumber[number]
        return slot >= 0 ? Int(slot) : nil
    }

    /// The connected workers' slots in the order in which they joined.
    var connected: [Int] { order.members.compactMap { slot(ofNumber: Int($0)) } }

    /// Whether the order names every connected worker once; for checks.
    var isOrdered: Bool {
        workers.count(where: \.isConnected) == order.count && connected.count == order.count
    }

    /// How many entries are kept, to check that lost workers leave none.
    var keptEntries: (slots: Int, labels: Int, order: Int) {
        (workers.count, byLabel.count, order.members.count)
    }

    // MARK: - Arrival and departure

    mutating func insert(_ worker: ScheduledWorker) -> Int {
        let number = worker.id.number
        precondition(slot(ofNumber: number) == nil, "\(worker.id) joined twice")
        let slot = vacancies.popLast() ?? workers.count
        if slot == workers.count { workers.append(worker) } else { workers[slot] = worker }
        while slotsByNumber.count <= number { slotsByNumber.append(-1) }
        slotsByNumber[number] = Int32(slot)
        order.add(Int32(number))
        for (key, value) in worker.profile.labels {
            byLabel[Label(key, value), default: Roster()].add(Int32(number))
        }
        return slot
    }

    /// A worker is gone: its number is known no more.
    ///
    /// Its slot stays until it is vacated.
    mutating func dismiss(_ slot: Int) {
        setKnown(slot, false)
        let isThere = { [slotsByNumber] (number: Int32) in slotsByNumber[Int(number)] >= 0 }
        order.removeOne(where: isThere)
        for (key, value) in workers[slot].profile.labels {
            let label = Label(key, value)
            byLabel[label]?.removeOne(where: isThere)
            if byLabel[label]?.count == 0 { byLabel[label] = nil }
        }
    }

    mutating func vacate(_ slot: Int, _ limits: SchedulerLimits) {
        workers[slot] = ScheduledWorker(
            id: WorkerID(0),
            profile: WorkerProfile(name: "", slots: 1, tools: [:]),
            limits: limits
        )
        workers[slot].isConnected = false
        vacancies.append(slot)
    }

    /// Hides the number of a worker that changes its group, or shows it again.
    mutating func setKnown(_ slot: Int, _ isKnown: Bool) {
        slotsByNumber[workers[slot].id.number] = isKnown ? Int32(slot) : -1
    }

    /// The connected workers that meet a demand with labels, in the order in which they joined.
    func meeting(_ demand: Demand) -> [Int] {
        let rosters = demand.labels.map { byLabel[Label($0.key, $0.value)] }
        // The shortest roster; the order of the labels decides nothing else.
        guard let shortest = rosters.min(by: { ($0?.count ?? 0) < ($1?.count ?? 0) }) else {
            return []
        }
        return (shortest?.members ?? []).compactMap { number in
            guard let worker = slot(ofNumber: Int(number)),
                demand.isMet(by: workers[worker].profile)
            else { return nil }
            return worker
        }
    }

    // MARK: - Workers with room

    /// A worker may have room again: the next pass checks it.
    mutating func list(_ slot: Int) {
        guard !workers[slot].isListed, workers[slot].mayTakeMore,
            !workers[slot].lanes.outOfFree.isEmpty || !workers[slot].lanes.outOfAhead.isEmpty
        else { return }
        workers[slot].isListed = true
        listed.append(workers[slot].id)
    }

    /// Takes out the listed workers; the caller unlists each when it serves it.
    mutating func takeListed() -> [WorkerID] { exchange(&listed, with: []) }
}
