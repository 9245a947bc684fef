// Workers: joining, being suspected, draining, getting lost, and which classes they stand in.

internal import DequeModule
internal import Plans

extension Scheduler {
    mutating func join(_ id: WorkerID, _ profile: WorkerProfile) {
        precondition(slot(of: id) == nil, "\(id) joined twice")
        let slot = freeWorkerSlots.popLast() ?? workers.count
        let record = WorkerRecord(id: id, profile: profile)
        if slot == workers.count { workers.append(record) } else { workers[slot] = record }
        while workerSlots.count <= id.number { workerSlots.append(-1) }
        workerSlots[id.number] = Int32(slot)
        workerOrder.append(slot)
        for index in classes.indices { enlist(slot, in: index) }
    }

    /// Makes a worker's standing in a class, and puts it into the rotation if it can run it.
    private mutating func enlist(_ worker: Int, in index: Int) {
        var standing = WorkerRecord.Standing()
        if workers[worker].canRun(classes[index]),
            let offer = workers[worker].profile.tools[classes[index].tool]
        {
            standing.rotation = .none
            standing.hasConcurrencyLimit = offer.concurrency != nil
            standing.mayPrefetch = offer.isIdempotent
            if !workers[worker].isDraining { classes[index].workerCount += 1 }
        }
        workers[worker].standings.append(standing)
        guard standing.rotation != .unable else { return }
        for turn in classes[index].turns.indices { classes[index].turns[turn].isAnnounced = false }
        if workers[worker].mayTakeMore { promote(worker, in: index) }
    }

    /// The class of a tool and a set of labels; made when first asked for.
    mutating func placementClass(for spec: NodeSpec) -> Int {
        let key = PlacementClass.Key(tool: spec.tool, requires: spec.requires)
        if let index = classIndexes[key] { return index }
        let index = classes.count
        classIndexes[key] = index
        classes.append(PlacementClass(tool: spec.tool, requires: spec.requires))
        isClassOpen.append(false)
        for worker in workers.indices {
            if workers[worker].isConnected {
                enlist(worker, in: index)
            } else {
                workers[worker].standings.append(WorkerRecord.Standing())
            }
        }
        return index
    }

    mutating func suspect(_ id: WorkerID) {
        guard let worker = slot(of: id) else { return }
        workers[worker].isSuspect = true
    }

    mutating func recover(_ id: WorkerID) {
        guard let worker = slot(of: id), workers[worker].isSuspect else { return }
        workers[worker].isSuspect = false
        guard workers[worker].mayTakeMore else { return }
        for index in classes.indices { promote(worker, in: index) }
    }

    mutating func drain(_ id: WorkerID) {
        guard let worker = slot(of: id), !workers[worker].isDraining else { return }
        workers[worker].isDraining = true
        leaveClasses(worker)
    }

    /// The worker no longer counts as one that can run anything.
    private mutating func leaveClasses(_ worker: Int) {
        for index in classes.indices where workers[worker].standings[index].rotation != .unable {
            classes[index].workerCount -= 1
            if classes[index].workerCount == 0, !classes[index].turns.isEmpty { openClass(index) }
        }
    }

    mutating func lose(_ id: WorkerID, _ now: Instant, _ actions: inout [Action]) {
        guard let worker = slot(of: id) else { return }
        if !workers[worker].isDraining { leaveClasses(worker) }
        workers[worker].isConnected = false
        for node in workers[worker].attempts { loseAttempt(of: node, on: id, now, &actions) }
        // No rotation may meet the slot's next owner by this one's entries.
        for index in classes.indices {
            classes[index].front.removeAll { $0 == worker }
            classes[index].prefetch.removeAll { $0 == worker }
            workers[worker].standings[index] = WorkerRecord.Standing()
        }
        workerSlots[id.number] = -1
        workerOrder.removeAll { $0 == worker }
        freeWorkerSlots.append(worker)
    }

    // MARK: - Slots

    /// Books an attempt on a worker.
    mutating func assign(_ node: NodeSlot, to worker: Int, _ index: Int) {
        let position = Int32(workers[worker].attempts.count)
        update(node) { $0.attemptPosition = position }
        workers[worker].attempts.append(node)
        runs[Int(node.run)].liveAttempts += 1
        if workers[worker].standings[index].hasConcurrencyLimit {
            workers[worker].held[classes[index].tool, default: 0] += 1
        }
    }

    /// Ends the booking: the slot is free again, and classes that had given the worker up for full
    /// take it back to the front.
    mutating func unassign(_ node: NodeSlot, from id: WorkerID) {
        let position = Int(record(node).attemptPosition)
        guard position >= 0, let worker = slot(of: id),
            let last = workers[worker].attempts.popLast()
        else { return }
        if last != node {
            workers[worker].attempts[position] = last
            update(last) { $0.attemptPosition = Int32(position) }
        }
        update(node) { $0.attemptPosition = -1 }
        runs[Int(node.run)].liveAttempts -= 1
        if !runs[Int(node.run)].parkedQueues.isEmpty { resumeTurns(of: Int(node.run)) }
        workers[worker].endedSinceReview += 1
        let index = placement(of: node)
        if workers[worker].standings[index].hasConcurrencyLimit {
            workers[worker].held[classes[index].tool, default: 1] -= 1
        }
        guard !workers[worker].demoted.isEmpty, workers[worker].mayTakeMore else { return }
        let demoted = workers[worker].demoted
        workers[worker].demoted = []
        for index in demoted { promote(worker, in: index) }
    }

    /// Brings a worker back to the front of a class that had moved it away.
    private mutating func promote(_ worker: Int, in index: Int) {
        switch workers[worker].standings[index].rotation {
        case .unable, .front: return
        case .none, .prefetch: break
        }
        workers[worker].standings[index].rotation = .front
        classes[index].front.append(worker)
        if !classes[index].turns.isEmpty { openClass(index) }
    }
}
