// Groups and pools of workers: who joins them, who leaves them, and when they are made and forgotten.

internal import Core
internal import DequeModule

extension Scheduler {
    /// The pool of a group for a demand and for a tool with a limit, or for all without one.
    func pool(of group: Int, _ demand: Int, _ limitedTool: String?) -> Int? {
        groups[group].pools[demand]?.first { pools[$0].limitedTool == limitedTool }
    }

    /// Makes a pool without members and classes.
    mutating func makePool(of group: Int, _ demand: Int, _ limitedTool: String?) -> Int {
        let pool = pools.insert(
            WorkerPool(group: group, demand: demand, limitedTool: limitedTool)
        )
        groups[group].pools[demand, default: []].append(pool)
        return pool
    }

    /// Puts a worker into the group of its tools and into the pools whose demands it meets.
    ///
    /// As many steps as it has labels and pools; those of its tools only when its group or a pool
    /// is new.
    mutating func enterPools(_ worker: Int) {
        let tools = workers[worker].profile.tools
        let group = groups.index(of: tools) ?? makeGroup(tools)
        workers[worker].group = group
        // The same tools are kept once.
        workers[worker].profile.tools = groups[group].tools
        groups[group].members.add(number(of: worker))
        for demand in demands.met(by: workers[worker].profile) {
            if groups[group].pools[demand] == nil { makePools(of: group, demand) }
            for pool in groups[group].pools[demand] ?? [] { enlist(worker, in: pool) }
        }
    }

    private mutating func makeGroup(_ tools: [String: ToolOffer]) -> Int {
        let group = groups.insert(tools)
        _ = makePool(of: group, 0, nil)
        makePools(of: group, 0)
        return group
    }

    /// Makes the pools that a group needs for the classes of a demand.
    private mutating func makePools(of group: Int, _ demand: Int) {
        for (tool, offer) in groups[group].tools.sorted(by: { $0.key < $1.key }) {
            let key = PlacementClass.Key(tool: tool, demand: demand)
            guard let index = classes.index(of: key) else { continue }
            let limitedTool = offer.concurrency == nil ? nil : tool
            let pool =
                pool(of: group, demand, limitedTool) ?? makePool(of: group, demand, limitedTool)
            link(index, to: pool)
        }
    }

    /// Makes a worker a member of a pool, in both lanes as soon as the next pass has checked it.
    mutating func enlist(_ worker: Int, in pool: Int) {
        let standing = ScheduledWorker.Standing(pool: Int32(pool))
        let position: Int32
        if let vacant = workers[worker].lanes.vacancies.popLast() {
            position = vacant
            workers[worker].lanes.standings[Int(vacant)] = standing
        } else {
            position = Int32(workers[worker].lanes.standings.count)
            workers[worker].lanes.standings.append(standing)
        }
        pools[pool].members.add(
            WorkerPool.Member(worker: number(of: worker), standing: position)
        )
        workers[worker].lanes.outOfFree.append(position)
        workers[worker].lanes.outOfAhead.append(position)
        if !workers[worker].isDraining { countActiveMember(of: pool) }
        listWorker(worker)
    }

    private mutating func countActiveMember(of pool: Int) {
        pools[pool].activeCount += 1
        guard pools[pool].activeCount == 1 else { return }
        for ticket in pools[pool].classes.members where classes.has(ticket) {
            countActive(ticket.index)
        }
    }

    /// The worker no longer counts as one that can run anything.
    mutating func uncountActiveMember(_ worker: Int) {
        for standing in workers[worker].lanes.standings where standing.pool >= 0 {
            let pool = Int(standing.pool)
            pools[pool].activeCount -= 1
            guard pools[pool].activeCount == 0 else { continue }
            for ticket in pools[pool].classes.members where classes.has(ticket) {
                uncountActive(ticket.index)
            }
        }
    }

    /// Takes a worker that is gone, and whose number is known no more, out of its pools and group.
    mutating func leavePools(_ worker: Int) {
        let slots = workers.slotsByNumber
        let isThere = { (number: Int32) in slots[Int(number)] >= 0 }
        for standing in workers[worker].lanes.standings where standing.pool >= 0 {
            let pool = Int(standing.pool)
            pools[pool].members.removeOne { isThere($0.worker) }
            if pools[pool].members.count == 0, !pools[pool].isBase {
                detach(pool)
                unlink(pool)
                continue
            }
            let limit = 2 * pools[pool].members.count + 8
            if pools[pool].free.members.count > limit {
                pools[pool].free.members.removeAll { !isThere($0.worker) }
            }
            if pools[pool].ahead.members.count > limit {
                pools[pool].ahead.members.removeAll { !isThere($0.worker) }
            }
        }
        let group = workers[worker].group
        groups[group].members.removeOne(where: isThere)
        if groups[group].members.count == 0 { forgetGroup(group) }
    }

    private mutating func forgetGroup(_ group: Int) {
        for demand in groups[group].pools.keys.sorted() {
            for pool in groups[group].pools[demand] ?? [] { unlink(pool) }
        }
        groups.remove(group)
    }

    /// Takes a pool out of its group.
    private mutating func detach(_ pool: Int) {
        let group = pools[pool].group
        let demand = pools[pool].demand
        groups[group].pools[demand]?.removeAll { $0 == pool }
        if groups[group].pools[demand]?.isEmpty == true { groups[group].pools[demand] = nil }
    }

    /// Forgets a pool without members.
    private mutating func unlink(_ pool: Int) {
        let linked = pools[pool].classes.members.filter { classes.has($0) }
        pools.remove(pool, leaving: .blank)
        for ticket in linked {
            classes[ticket.index].pools.removeOne { pools.has($0) }
            let limit = 2 * classes[ticket.index].pools.count + 8
            if classes[ticket.index].free.count > limit {
                classes[ticket.index].free.removeAll { !pools.has($0) }
            }
            if classes[ticket.index].ahead.count > limit {
                classes[ticket.index].ahead.removeAll { !pools.has($0) }
            }
        }
    }

    /// Forgets a pool that has no class left.
    mutating func forgetPool(_ pool: Int) {
        for member in pools[pool].members.members {
            guard let worker = workers.slot(ofNumber: Int(member.worker)) else { continue }
            let position = member.standing
            workers[worker].lanes.standings[Int(position)] = ScheduledWorker.Standing(pool: -1)
            workers[worker].lanes.vacancies.append(position)
            workers[worker].lanes.outOfFree.removeAll { $0 == position }
            workers[worker].lanes.outOfAhead.removeAll { $0 == position }
            if let tool = pools[pool].limitedTool {
                workers[worker].lanes.limited[tool]?.outOfFree.removeAll { $0 == position }
                workers[worker].lanes.limited[tool]?.outOfAhead.removeAll { $0 == position }
            }
        }
        detach(pool)
        pools.remove(pool, leaving: .blank)
    }

    /// Moves a worker, with what it holds, into the group of other tools.
    mutating func changeGroup(of worker: Int, to tools: [String: ToolOffer]) {
        let number = number(of: worker)
        if !workers[worker].isDraining { uncountActiveMember(worker) }
        // Nothing may meet it by its old standings: it comes back under the same number.
        for standing in workers[worker].lanes.standings where standing.pool >= 0 {
            let pool = Int(standing.pool)
            pools[pool].free.members.removeAll { $0.worker == number }
            pools[pool].ahead.members.removeAll { $0.worker == number }
            pools[pool].members.drop { $0.worker == number }
        }
        let group = workers[worker].group
        groups[group].members.drop { $0 == number }
        workers.setKnown(worker, false)
        leavePools(worker)
        workers.setKnown(worker, true)
        workers[worker].lanes = ScheduledWorker.Lanes()
        workers[worker].profile.tools = tools
        enterPools(worker)
        if !careful.queues.isEmpty { careful.open() }
        for held in workers[worker].attempts {
            let tool = classes[placement(of: held.node)].tool
            guard workers[worker].profile.tools[tool]?.concurrency != nil else { continue }
            workers[worker].lanes.limited[tool, default: .init()].held += 1
        }
    }

    func number(of worker: Int) -> Int32 { Int32(workers[worker].id.number) }
}
