// Placement: ready nodes meet workers with room. One bounded pass a loop turn. Runs of a class take
// turns, classes that wait for the same pool take turns, and workers with free slots come before
// workers that could only prefetch.
// A class that finds no room waits in the pools and is not checked again before one of them has
// room; a worker that is full leaves its pools' lanes and comes back when an attempt ends. So nothing
// here grows with the number of workers, tools or runs.

public import Core
internal import DequeModule
internal import HeapModule

extension Scheduler {
    /// Whether ready nodes may find room since the last pass: another one must follow.
    public var hasOpenings: Bool {
        guard isPlacing else { return false }
        return !classes.opened.isEmpty || !workers.listed.isEmpty || runs.areListed
            || owners.areListed
            || careful.haveOpenings
    }

    /// Dispatches ready nodes while workers have room.
    ///
    /// Called once a loop turn, after all input.
    public mutating func place(at now: Instant, into actions: inout [Action]) {
        guard isPlacing else { return }
        // What was tried before comes first: the others would always be ahead of it.
        // Nodes whose restrictions are given up come again, a few times at most.
        while careful.isOpen { placeCareful(now, &actions) }
        if !workers.listed.isEmpty { restoreWorkers(now, &actions) }
        if !classes.opened.isEmpty { placeOpenClasses(now, &actions) }
        if runs.areListed { resumeRuns(now, &actions) }
        if owners.areListed { resumeOwners(now, &actions) }
    }

    private mutating func placeOpenClasses(_ now: Instant, _ actions: inout [Action]) {
        for ticket in classes.takeOpen() where classes.has(ticket) {
            placeClass(ticket.index, now, &actions)
        }
    }

    mutating func placeClass(_ index: Int, _ now: Instant, _ actions: inout [Action]) {
        guard classes[index].activePools > 0 else { return missTool(index, &actions) }
        while let turn = nextTurn(of: index), let place = nextWorker(of: index) {
            dispatchNext(of: turn, index, to: place.worker, from: place.pool, now, &actions)
        }
    }

    /// Dispatches the most urgent node of the run whose turn it is.
    private mutating func dispatchNext(
        of turn: PlacementClass.QueueTurn,
        _ index: Int,
        to worker: Int,
        from pool: Int,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        guard let node = runs[turn.run].popReady(turn.queue) else { return }
        classes[index].turns.removeFirst()
        if runs[turn.run].queues[turn.queue].heap.isEmpty {
            runs[turn.run].queues[turn.queue].hasTurn = false
        } else {
            classes[index].turns.append(turn)
        }
        dispatch(NodeSlot(run: turn.run, node: node), to: worker, from: pool, now, &actions)
    }

    /// The run whose turn it is; stays at the front until a node of it was placed.
    private mutating func nextTurn(of index: Int) -> PlacementClass.QueueTurn? {
        while let turn = classes[index].turns.first {
            if isValid(turn) {
                if isAtBound(turn.run) {
                    park(turn)
                } else if runs[turn.run].firstReady(turn.queue) != nil {
                    return turn
                }
                runs[turn.run].queues[turn.queue].hasTurn = false
            }
            classes[index].turns.removeFirst()
        }
        return nil
    }

    /// Whether the run of a turn is still the one in that slot, and unfinished.
    func isValid(_ turn: PlacementClass.QueueTurn) -> Bool {
        runs[turn.run].generation == turn.generation
    }

    // MARK: - From a class to a worker

    /// A worker with a free slot, else one that may prefetch, else none; pools without room are
    /// told that the class waits.
    private mutating func nextWorker(of index: Int) -> (worker: Int, pool: Int)? {
        while let ticket = classes[index].free.popFirst() {
            guard pools.has(ticket) else { continue }
            if let worker = nextFree(in: ticket.index) {
                classes[index].free.append(ticket)
                return (worker, ticket.index)
            }
            pools[ticket.index].free.waiters.append(classes.ticket(of: index))
        }
        guard classes[index].prefetchPerSlot > 0 else { return nil }
        while let ticket = classes[index].ahead.popFirst() {
            guard pools.has(ticket) else { continue }
            if let worker = nextAhead(in: ticket.index, index) {
                classes[index].ahead.append(ticket)
                return (worker, ticket.index)
            }
            pools[ticket.index].ahead.waiters.append(classes.ticket(of: index))
        }
        return nil
    }

    /// The next member of a pool with a free slot; stays in the lane, at its end.
    private mutating func nextFree(in pool: Int) -> Int? {
        while let member = pools[pool].free.members.popFirst() {
            guard let worker = workers.slot(ofNumber: Int(member.worker)) else { continue }
            let limit = limitReached(worker, in: pool)
            if workers[worker].mayTakeMore, workers[worker].hasFreeSlot, limit == nil {
                pools[pool].free.members.append(member)
                return worker
            }
            workers[worker].lanes.standings[Int(member.standing)].isInFree = false
            if let limit, workers[worker].hasFreeSlot {
                workers[worker].lanes.limited[limit, default: .init()].outOfFree.append(
                    member.standing
                )
            } else {
                workers[worker].lanes.outOfFree.append(member.standing)
            }
        }
        return nil
    }

    /// The next member of a pool that may hold another node of the class; stays in the lane, at its
    /// end.
    private mutating func nextAhead(in pool: Int, _ index: Int) -> Int? {
        let perSlot = classes[index].prefetchPerSlot
        while let member = pools[pool].ahead.members.popFirst() {
            guard let worker = workers.slot(ofNumber: Int(member.worker)) else { continue }
            let hasRoom =
                workers[worker].attempts.count
                < workers[worker].holdLimit(perSlot: perSlot)
            let limit = limitReached(worker, in: pool)
            if workers[worker].mayTakeMore, hasRoom, limit == nil {
                pools[pool].ahead.members.append(member)
                return worker
            }
            workers[worker].lanes.standings[Int(member.standing)].isInAhead = false
            if let limit, hasRoom {
                workers[worker].lanes.limited[limit, default: .init()].outOfAhead.append(
                    member.standing
                )
            } else {
                workers[worker].lanes.outOfAhead.append(member.standing)
            }
        }
        return nil
    }

    /// The pool's tool, if the worker runs as many attempts of it as it may.
    private func limitReached(_ worker: Int, in pool: Int) -> String? {
        guard let tool = pools[pool].limitedTool, !workers[worker].isBelowConcurrency(tool) else {
            return nil
        }
        return tool
    }

    // MARK: - From a worker to a class

    /// Notes that a worker may have room again; the next pass checks it.
    mutating func listWorker(_ worker: Int) {
        // Nodes with restrictions look at all workers, and stand in no lane.
        if !careful.queues.isEmpty { careful.open() }
        workers.list(worker)
    }

    private mutating func restoreWorkers(_ now: Instant, _ actions: inout [Action]) {
        for id in workers.takeListed() {
            guard let worker = slot(of: id) else { continue }
            workers[worker].isListed = false
            restore(worker, now, &actions)
        }
    }

    /// Brings a worker with room back into the lanes that it left, one after the other while it has
    /// room, and serves the classes that wait there.
    private mutating func restore(_ worker: Int, _ now: Instant, _ actions: inout [Action]) {
        var remaining = workers[worker].lanes.outOfFree.count
        while remaining > 0, workers[worker].mayTakeMore, workers[worker].hasFreeSlot,
            let standing = workers[worker].lanes.outOfFree.popFirst()
        {
            remaining -= 1
            let pool = Int(workers[worker].lanes.standings[Int(standing)].pool)
            workers[worker].lanes.standings[Int(standing)].isInFree = true
            pools[pool].free.members.append(member(worker, standing))
            serveFree(pool, now, &actions)
        }
        remaining = workers[worker].lanes.outOfAhead.count
        while remaining > 0, workers[worker].mayTakeMore, workers[worker].mayPrefetch,
            let standing = workers[worker].lanes.outOfAhead.popFirst()
        {
            remaining -= 1
            let pool = Int(workers[worker].lanes.standings[Int(standing)].pool)
            workers[worker].lanes.standings[Int(standing)].isInAhead = true
            pools[pool].ahead.members.append(member(worker, standing))
            serveAhead(pool, now, &actions)
        }
    }

    private func member(_ worker: Int, _ standing: Int32) -> WorkerPool.Member {
        WorkerPool.Member(worker: Int32(workers[worker].id.number), standing: standing)
    }

    /// Gives free slots to the classes that wait for them, one node each in turn.
    private mutating func serveFree(_ pool: Int, _ now: Instant, _ actions: inout [Action]) {
        while let waiter = pools[pool].free.waiters.first {
            let index = waiter.index
            guard classes.has(waiter) else {
                pools[pool].free.waiters.removeFirst()
                continue
            }
            guard let turn = nextTurn(of: index) else {
                // It has nothing ready: back among the pools that it asks by itself.
                pools[pool].free.waiters.removeFirst()
                classes[index].free.append(pools.ticket(of: pool))
                continue
            }
            guard let worker = nextFree(in: pool) else { return }
            dispatchNext(of: turn, index, to: worker, from: pool, now, &actions)
            if pools[pool].free.waiters.count > 1 {
                pools[pool].free.waiters.append(pools[pool].free.waiters.removeFirst())
            }
        }
    }

    /// Lets the classes that wait for it prefetch, one node each in turn.
    private mutating func serveAhead(_ pool: Int, _ now: Instant, _ actions: inout [Action]) {
        while let waiter = pools[pool].ahead.waiters.first {
            let index = waiter.index
            guard classes.has(waiter) else {
                pools[pool].ahead.waiters.removeFirst()
                continue
            }
            guard classes[index].prefetchPerSlot > 0, let turn = nextTurn(of: index) else {
                pools[pool].ahead.waiters.removeFirst()
                classes[index].ahead.append(pools.ticket(of: pool))
                continue
            }
            let worker = nextAhead(in: pool, index)
            if let worker {
                dispatchNext(of: turn, index, to: worker, from: pool, now, &actions)
            }
            if pools[pool].ahead.waiters.count > 1 {
                pools[pool].ahead.waiters.append(pools[pool].ahead.waiters.removeFirst())
            }
            if worker == nil { return }
        }
    }

    // MARK: - Dispatching

    private mutating func dispatch(
        _ node: NodeSlot,
        to first: Int,
        from pool: Int,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        // After a failure another worker is tried first, if one has a free slot.
        let worker =
            record(node).lastWorker == Int32(truncatingIfNeeded: workers[first].id.number)
            ? otherWorker(than: first, in: pool, for: node) : first
        dispatch(node, to: worker, now, &actions)
    }

    /// Sends a node to a worker that has room for it.
    mutating func dispatch(
        _ node: NodeSlot,
        to worker: Int,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        let id = workers[worker].id
        move(node, to: .leased(id))
        let gap = attemptGap
        update(node) {
            $0.countAttempt(gap: gap)
            $0.cancelReason = nil
            $0.lastWorker = Int32(truncatingIfNeeded: id.number)
        }
        assign(node, to: worker)
        if workers[worker].attempts.count > workers[worker].profile.slots {
            review(worker, now)
        }
        let (timeout, isRepeatable) = terms(of: node, on: worker)
        let attempt = currentAttempt(of: node)
        actions.append(
            .dispatch(attempt, to: id, timeout: timeout, isRepeatable: isRepeatable)
        )
    }

    private func otherWorker(than first: Int, in pool: Int, for node: NodeSlot) -> Int {
        if let other = firstFree(in: pool, besides: first) { return other }
        for ticket in classes[placement(of: node)].free where pools.has(ticket) {
            if let other = firstFree(in: ticket.index, besides: first) { return other }
        }
        return first
    }

    private func firstFree(in pool: Int, besides first: Int) -> Int? {
        for member in pools[pool].free.members {
            guard let worker = workers.slot(ofNumber: Int(member.worker)), worker != first,
                hasRoom(worker, in: pool)
            else { continue }
            return worker
        }
        return nil
    }

    /// Whether the worker may begin another node of the pool at once.
    func hasRoom(_ worker: Int, in pool: Int) -> Bool {
        workers[worker].mayTakeMore && workers[worker].hasFreeSlot
            && limitReached(worker, in: pool) == nil
    }
}
