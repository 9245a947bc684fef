// Workers: joining, being suspected, draining, getting lost, and what they hold. Which pools they
// stand in is in Pools.

internal import Core
internal import DequeModule

extension Scheduler {
    mutating func join(_ id: WorkerID, _ profile: WorkerProfile) {
        let slot = workers.insert(ScheduledWorker(id: id, profile: profile, limits: limits))
        enterPools(slot)
        careful.open()
        reconsiderCoolings()
    }

    /// A worker has got or lost tools, or slots.
    ///
    /// What it holds goes on.
    mutating func changeOffers(of id: WorkerID, to profile: WorkerProfile) {
        guard let worker = slot(of: id) else { return }
        let before = workers[worker].tools.offered
        workers[worker].tools.offered = profile.tools
        workers[worker].profile.slots = profile.slots
        for (tool, offer) in before where profile.tools[tool] == nil {
            workers[worker].tools.withdrawn[tool] = offer
            workers[worker].tools.cooling[tool] = nil
        }
        for tool in profile.tools.keys where before[tool] == nil {
            workers[worker].tools.withdrawn[tool] = nil
        }
        if workers[worker].tools.cooling.isEmpty { times.forgetCooling(id) }
        regroup(worker)
        careful.open()
        reconsiderCoolings()
        listWorker(worker)
    }

    mutating func suspect(_ id: WorkerID) {
        guard let worker = slot(of: id) else { return }
        workers[worker].isSuspect = true
    }

    mutating func recover(_ id: WorkerID) {
        guard let worker = slot(of: id), workers[worker].isSuspect else { return }
        workers[worker].isSuspect = false
        careful.open()
        listWorker(worker)
    }

    mutating func drain(_ id: WorkerID) {
        guard let worker = slot(of: id), !workers[worker].isDraining else { return }
        workers[worker].isDraining = true
        uncountActiveMember(worker)
        careful.open()
        reconsiderCoolings()
    }

    mutating func lose(_ id: WorkerID, _ now: Instant, _ actions: inout [Action]) {
        guard let worker = slot(of: id) else { return }
        if !workers[worker].isDraining { uncountActiveMember(worker) }
        workers[worker].isConnected = false
        loseAttempts(of: worker, now, &actions)
        workers.dismiss(worker)
        leavePools(worker)
        workers.vacate(worker, limits)
        careful.open()
        times.forgetCooling(id)
        reconsiderCoolings()
    }

    /// Ends the attempts of a lost worker; those that may run again run apart from each other.
    private mutating func loseAttempts(
        of worker: Int,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        let held = workers[worker].attempts.map(\.node)
        let main = mainSuspect(of: held)
        var suspects: [NodeSlot] = []
        var retried: [NodeSlot] = []
        for node in held {
            let hadBegun = hasBegun(node)
            let mayGoOn = loseAttempt(
                of: node,
                on: workers[worker].id,
                isMainSuspect: node == main,
                &actions
            )
            guard mayGoOn else { continue }
            retried.append(node)
            // What had not begun may hardly have done it, unless it was there before.
            if hadBegun || record(node).workersLost > 1 { suspects.append(node) }
        }
        separate(suspects, isShared: held.count > 1, now)
        for node in retried { makeReady(node) }
    }

    // MARK: - Slots

    /// Books an attempt on a worker.
    mutating func assign(_ node: NodeSlot, to worker: Int) {
        let position = Int32(workers[worker].attempts.count)
        update(node) { $0.attemptPosition = position }
        let order = workers[worker].sentCount
        workers[worker].sentCount += 1
        workers[worker].attempts.append(ScheduledWorker.HeldAttempt(node: node, order: order))
        beginAttempt(of: Int(node.run))
        if record(node).isTroubled { host(node, on: worker, 1) }
        countHeld(of: node, on: worker, 1)
    }

    /// Ends the booking: the next pass checks the worker, which has room again.
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
        endAttempt(of: Int(node.run))
        workers[worker].endedSinceReview += 1
        if record(node).isTroubled { host(node, on: worker, -1) }
        countHeld(of: node, on: worker, -1)
        workers[worker].pause.isOn = false
        listWorker(worker)
    }

    /// Counts an attempt of a tool with a limit of its own; who waited for the limit is checked
    /// again when one ends.
    private mutating func countHeld(of node: NodeSlot, on worker: Int, _ change: Int) {
        guard groups[workers[worker].group].hasLimitedTools else { return }
        let tool = classes[placement(of: node)].tool
        guard workers[worker].profile.tools[tool]?.concurrency != nil else { return }
        var limited = workers[worker].lanes.limited.removeValue(forKey: tool) ?? .init()
        limited.held += change
        if change < 0 {
            workers[worker].lanes.outOfFree.append(contentsOf: limited.outOfFree)
            workers[worker].lanes.outOfAhead.append(contentsOf: limited.outOfAhead)
            limited.outOfFree = []
            limited.outOfAhead = []
        }
        if limited.held > 0 { workers[worker].lanes.limited[tool] = limited }
    }
}
