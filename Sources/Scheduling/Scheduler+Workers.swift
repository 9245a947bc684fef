// Workers: joining, being suspected, draining, getting lost, and what they hold. Which pools they
// stand in is in Pools.

internal import DequeModule
internal import Plans

extension Scheduler {
    mutating func join(_ id: WorkerID, _ profile: WorkerProfile) {
        precondition(slot(of: id) == nil, "\(id) joined twice")
        let slot = freeWorkerSlots.popLast() ?? workers.count
        let record = WorkerRecord(id: id, profile: profile, limits: limits)
        if slot == workers.count { workers.append(record) } else { workers[slot] = record }
        while workerSlots.count <= id.number { workerSlots.append(-1) }
        workerSlots[id.number] = Int32(slot)
        workerOrder.add(number(of: slot))
        for (key, value) in profile.labels {
            workersByLabel[Label(key, value), default: Roster()].add(number(of: slot))
        }
        enterPools(slot)
    }

    mutating func suspect(_ id: WorkerID) {
        guard let worker = slot(of: id) else { return }
        workers[worker].isSuspect = true
    }

    mutating func recover(_ id: WorkerID) {
        guard let worker = slot(of: id), workers[worker].isSuspect else { return }
        workers[worker].isSuspect = false
        listWorker(worker)
    }

    mutating func drain(_ id: WorkerID) {
        guard let worker = slot(of: id), !workers[worker].isDraining else { return }
        workers[worker].isDraining = true
        uncountActiveMember(worker)
    }

    mutating func lose(_ id: WorkerID, _ now: Instant, _ actions: inout [Action]) {
        guard let worker = slot(of: id) else { return }
        if !workers[worker].isDraining { uncountActiveMember(worker) }
        workers[worker].isConnected = false
        for held in workers[worker].attempts { loseAttempt(of: held.node, on: id, now, &actions) }
        workerSlots[id.number] = -1
        let isThere = { [workerSlots] (number: Int32) in workerSlots[Int(number)] >= 0 }
        workerOrder.removeOne(where: isThere)
        for (key, value) in workers[worker].profile.labels {
            let label = Label(key, value)
            workersByLabel[label]?.removeOne(where: isThere)
            if workersByLabel[label]?.count == 0 { workersByLabel[label] = nil }
        }
        leavePools(worker)
        workers[worker] = WorkerRecord(
            id: WorkerID(0),
            profile: WorkerProfile(name: "", slots: 1, tools: [:]),
            limits: limits
        )
        workers[worker].isConnected = false
        freeWorkerSlots.append(worker)
    }

    /// The connected workers' slots in the order in which they joined.
    var connectedWorkers: [Int] {
        workerOrder.members.compactMap { slot(of: WorkerID(Int($0))) }
    }

    // MARK: - Slots

    /// Books an attempt on a worker.
    mutating func assign(_ node: NodeSlot, to worker: Int) {
        let position = Int32(workers[worker].attempts.count)
        update(node) { $0.attemptPosition = position }
        let order = workers[worker].sentCount
        workers[worker].sentCount += 1
        workers[worker].attempts.append(WorkerRecord.HeldAttempt(node: node, order: order))
        runs[Int(node.run)].liveAttempts += 1
        countHeld(of: node, on: worker, 1)
    }

    /// Ends the booking: the next pass looks at the worker, which has room again.
    mutating func unassign(_ node: NodeSlot, from id: WorkerID) {
        let position = Int(record(node).attemptPosition)
        guard position >= 0, let worker = slot(of: id),
            let last = workers[worker].attempts.popLast()
        else { return }
        if last.node != node {
            workers[worker].attempts[position] = last
            update(last.node) { $0.attemptPosition = Int32(position) }
        }
        update(node) { $0.attemptPosition = -1 }
        runs[Int(node.run)].liveAttempts -= 1
        if !runs[Int(node.run)].parkedQueues.isEmpty { resumeTurns(of: Int(node.run)) }
        workers[worker].endedSinceReview += 1
        countHeld(of: node, on: worker, -1)
        workers[worker].isPaused = false
        listWorker(worker)
    }

    /// Counts an attempt of a tool with a limit of its own; who waited for the limit is looked at
    /// again when one ends.
    private mutating func countHeld(of node: NodeSlot, on worker: Int, _ change: Int) {
        guard groups[workers[worker].group].hasLimitedTools else { return }
        let tool = classes[placement(of: node)].tool
        guard workers[worker].profile.tools[tool]?.concurrency != nil else { return }
        var limited = workers[worker].limited.removeValue(forKey: tool) ?? .init()
        limited.held += change
        if change < 0 {
            workers[worker].outOfFree.append(contentsOf: limited.outOfFree)
            workers[worker].outOfAhead.append(contentsOf: limited.outOfAhead)
            limited.outOfFree = []
            limited.outOfAhead = []
        }
        if limited.held > 0 { workers[worker].limited[tool] = limited }
    }
}
