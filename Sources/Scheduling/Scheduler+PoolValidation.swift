// The cross-references of classes, pools, groups and demands, checked in one walk.

internal import Core
internal import DequeModule
internal import HeapModule

extension Scheduler {
    func validateClasses() throws(InvariantViolation) {
        var uses: [Int: Int] = [:]
        for run in runs.slotsInUse {
            for queue in runs[run].queues { uses[queue.placement, default: 0] += 1 }
        }
        let links = LinkCounts(self)
        let open = Set(classes.opened)
        var classCounts: [Int: Int] = [:]
        var idle = 0
        for index in classes.slots {
            let placement = classes[index]
            let name = "class \(index) (\(placement.tool))"
            guard placement.runCount == uses[index, default: 0] else {
                throw InvariantViolation(
                    "\(name) counts \(placement.runCount) runs and has \(uses[index, default: 0])"
                )
            }
            guard classes.index(of: placement.key) == index,
                demands[placement.demand].labels == placement.requires
            else { throw InvariantViolation("\(name) is not found by its tool and labels") }
            classCounts[placement.demand, default: 0] += 1
            if placement.runCount == 0 { idle += 1 }
            guard placement.isOpen == open.contains(classes.ticket(of: index)) else {
                throw InvariantViolation("\(name) is listed as open or not, wrongly")
            }
            try validateLinks(of: index, name, links)
        }
        guard classes.isIndexed, idle == classes.idleCount,
            idle <= limits.idleClasses + 1
        else { throw InvariantViolation("there are \(idle) classes without a run") }
        for demand in demands.slots
        where demands[demand].classCount != classCounts[demand, default: 0]
            || (demand != 0 && demands[demand].classCount == 0)
        {
            throw InvariantViolation("demand \(demand) counts its classes wrongly")
        }
        guard demands.isIndexed else {
            throw InvariantViolation("a demand is not found by its labels")
        }
    }

    /// A class is linked to exactly the pools that can run it, and each link waits in one place.
    private func validateLinks(
        of index: Int,
        _ name: String,
        _ links: LinkCounts
    ) throws(InvariantViolation) {
        let placement = classes[index]
        let linked = placement.pools.members.filter { pools.has($0) }
        let able = pools.slots.filter { pool in
            guard let offer = groups[pools[pool].group].tools[placement.tool] else { return false }
            return pools[pool].demand == placement.demand
                && pools[pool].limitedTool == (offer.concurrency == nil ? nil : placement.tool)
        }
        guard linked.map(\.index).sorted() == able, linked.count == placement.pools.count else {
            throw InvariantViolation("\(name) is not linked to all pools that can run it")
        }
        let active = able.filter { pools[$0].activeCount > 0 }
        guard active.count == placement.activePools else {
            throw InvariantViolation("\(name) counts \(placement.activePools) active pools")
        }
        for pool in able {
            let isIdempotent =
                groups[pools[pool].group].tools[placement.tool]?.isIdempotent == true
            let link = LinkCounts.Link(first: index, second: pool)
            let waits = links.waitsFree[link, default: 0]
            guard links.free[link, default: 0] + waits == 1,
                links.ahead[link, default: 0] == (isIdempotent ? 1 : 0)
            else {
                throw InvariantViolation("the link of \(name) and pool \(pool) is not in one place")
            }
            guard waits == 1, hasReady(index) else { continue }
            // What waits for a free slot must get it.
            for member in pools[pool].free.members {
                guard let worker = workers.slot(ofNumber: Int(member.worker)) else { continue }
                guard
                    !hasRoom(worker, in: pool) || workers[worker].isListed
                        || placement.isOpen
                else {
                    throw InvariantViolation(
                        "\(name) waits although \(workers[worker].id) has a free slot"
                    )
                }
            }
        }
    }

    /// Whether a run that may run more has a ready node of the class.
    private func hasReady(_ index: Int) -> Bool {
        classes[index].turns.contains { turn in
            guard isValid(turn), !isAtBound(turn.run) else { return false }
            return runs[turn.run].queues[turn.queue].heap.unordered.contains {
                runs[turn.run].nodes[Int($0.node)].state == .ready
            }
        }
    }

    func validatePools() throws(InvariantViolation) {
        let lanes = LaneCounts(self)
        let listed = Set(workers.listed)
        var memberCounts: [Int: Int] = [:]
        for worker in workers.connected {
            let record = workers[worker]
            guard groups[record.group].tools == record.profile.tools else {
                throw InvariantViolation("\(record.id) is in a group with other tools")
            }
            memberCounts[record.group, default: 0] += 1
            let met = Set(demands.met(by: record.profile))
            let standing = record.lanes.standings.filter { $0.pool >= 0 }.map { Int($0.pool) }
            let meant = met.flatMap { groups[record.group].pools[$0] ?? [] }
            guard standing.sorted() == meant.sorted() else {
                throw InvariantViolation("\(record.id) does not stand in the pools it belongs to")
            }
            try validateStandings(of: worker, lanes)
            guard record.isListed == listed.contains(record.id) else {
                throw InvariantViolation("\(record.id) is listed or not, wrongly")
            }
        }
        for group in groups.slots
        where groups[group].members.count != memberCounts[group, default: 0]
            || groups[group].members.count == 0
        {
            throw InvariantViolation("group \(group) counts its members wrongly")
        }
        for pool in pools.slots {
            let members = pools[pool].members.members.compactMap { member in
                workers.slot(ofNumber: Int(member.worker))
            }
            guard members.count == pools[pool].members.count,
                members.count(where: { !workers[$0].isDraining }) == pools[pool].activeCount,
                pools[pool].classes.members.count(where: { classes.has($0) })
                    == pools[pool].classes.count,
                pools[pool].isBase || (pools[pool].classes.count > 0 && !members.isEmpty)
            else { throw InvariantViolation("pool \(pool) counts its members or classes wrongly") }
        }
    }

    /// Each standing is in a lane or in the list of those that left it, in both ways.
    private func validateStandings(
        of worker: Int,
        _ lanes: LaneCounts
    ) throws(InvariantViolation) {
        let record = workers[worker]
        let outOfFree =
            Array(record.lanes.outOfFree) + record.lanes.limited.values.flatMap(\.outOfFree)
        let outOfAhead =
            Array(record.lanes.outOfAhead) + record.lanes.limited.values.flatMap(\.outOfAhead)
        for (position, standing) in record.lanes.standings.enumerated() where standing.pool >= 0 {
            let place = LinkCounts.Link(first: Int(number(of: worker)), second: position)
            let isFree = lanes.free[place] == [Int(standing.pool)]
            let isAhead = lanes.ahead[place] == [Int(standing.pool)]
            guard isFree == standing.isInFree, isFree || lanes.free[place] == nil,
                isAhead == standing.isInAhead, isAhead || lanes.ahead[place] == nil,
                outOfFree.count(where: { $0 == Int32(position) }) == (isFree ? 0 : 1),
                outOfAhead.count(where: { $0 == Int32(position) }) == (isAhead ? 0 : 1)
            else {
                throw InvariantViolation("\(record.id) stands in pool \(standing.pool) wrongly")
            }
        }
        guard
            !record.mayTakeMore || !record.hasFreeSlot || record.lanes.outOfFree.isEmpty
                || record.isListed
        else { throw InvariantViolation("\(record.id) has a free slot and is not checked") }
    }
}

/// Where the links of classes and pools are, counted in one walk.
private struct LinkCounts {
    struct Link: Hashable {
        var first: Int
        var second: Int
    }

    var free: [Link: Int] = [:]
    var waitsFree: [Link: Int] = [:]
    /// In the class's rotation or among the pool's waiters.
    var ahead: [Link: Int] = [:]

    init(_ scheduler: Scheduler) {
        let (classes, pools) = (scheduler.classes, scheduler.pools)
        for index in classes.slots {
            for ticket in classes[index].free where pools.has(ticket) {
                free[Link(first: index, second: ticket.index), default: 0] += 1
            }
            for ticket in classes[index].ahead where pools.has(ticket) {
                ahead[Link(first: index, second: ticket.index), default: 0] += 1
            }
        }
        for pool in pools.slots {
            for ticket in pools[pool].free.waiters where classes.has(ticket) {
                waitsFree[Link(first: ticket.index, second: pool), default: 0] += 1
            }
            for ticket in pools[pool].ahead.waiters where classes.has(ticket) {
                ahead[Link(first: ticket.index, second: pool), default: 0] += 1
            }
        }
    }
}

/// In which pools' lanes each standing of each worker is, in one walk.
private struct LaneCounts {
    var free: [LinkCounts.Link: [Int]] = [:]
    var ahead: [LinkCounts.Link: [Int]] = [:]

    init(_ scheduler: Scheduler) {
        for pool in scheduler.pools.slots {
            for member in scheduler.pools[pool].free.members {
                free[Self.place(member), default: []].append(pool)
            }
            for member in scheduler.pools[pool].ahead.members {
                ahead[Self.place(member), default: []].append(pool)
            }
        }
    }

    private static func place(_ member: WorkerPool.Member) -> LinkCounts.Link {
        LinkCounts.Link(first: Int(member.worker), second: Int(member.standing))
    }
}
