// Placement classes: made when a run names them, found by hash, linked to the pools that can run
// them, counted by the unfinished runs that use them, and forgotten some time after the last one.

internal import Core
internal import DequeModule

extension Scheduler {
    /// The class of a tool and a set of labels; made when it is not there.
    mutating func placementClass(for spec: NodeSpec) -> Int {
        let demand = demands.demand(for: spec.requires)
        let key = PlacementClass.Key(tool: spec.tool, demand: demand)
        if let index = classes.index(of: key) { return index }
        let index = classes.insert(
            PlacementClass(tool: spec.tool, demand: demand, requires: spec.requires)
        )
        demands.countClass(of: demand)
        linkToPools(index)
        return index
    }

    /// An unfinished run less uses the class.
    mutating func disuseClass(_ index: Int) {
        classes.disuse(index)
        while let oldest = classes.popIdle(beyond: limits.idleClasses) { forgetClass(oldest) }
    }

    private mutating func forgetClass(_ index: Int) {
        let demand = classes[index].demand
        let linked = classes[index].pools.members.filter { pools.has($0) }
        classes.remove(index)
        for ticket in linked {
            pools[ticket.index].classes.removeOne { classes.has($0) }
            if pools[ticket.index].classes.count == 0, !pools[ticket.index].isBase {
                forgetPool(ticket.index)
            }
        }
        demands.uncountClass(of: demand)
    }

    // MARK: - Links

    /// Links a new class to every pool that can run it; makes those that are not there.
    private mutating func linkToPools(_ index: Int) {
        let tool = classes[index].tool
        let demand = classes[index].demand
        if demand == 0 {
            for group in groups.offering(tool) { linkToGroup(index, group) }
            return
        }
        var made: Set<Int> = []
        for worker in workers.meeting(demands[demand]) {
            let group = workers[worker].group
            guard let offer = groups[group].tools[tool] else { continue }
            let limitedTool = offer.concurrency == nil ? nil : tool
            if let pool = pool(of: group, demand, limitedTool) {
                if made.contains(pool) { enlist(worker, in: pool) }
                if !made.contains(pool), !isLinked(index, pool) { link(index, to: pool) }
            } else {
                let pool = makePool(of: group, demand, limitedTool)
                made.insert(pool)
                link(index, to: pool)
                enlist(worker, in: pool)
            }
        }
    }

    private mutating func linkToGroup(_ index: Int, _ group: Int) {
        let tool = classes[index].tool
        let limitedTool = groups[group].tools[tool]?.concurrency == nil ? nil : tool
        if let pool = pool(of: group, 0, limitedTool) { return link(index, to: pool) }
        let pool = makePool(of: group, 0, limitedTool)
        link(index, to: pool)
        for member in groups[group].members.members {
            guard let worker = workers.slot(ofNumber: Int(member)) else { continue }
            enlist(worker, in: pool)
        }
    }

    /// Whether the class was linked to the pool just now, by an earlier worker of the pool.
    private func isLinked(_ index: Int, _ pool: Int) -> Bool {
        pools[pool].classes.members.last == classes.ticket(of: index)
    }

    /// Makes a pool one of those that can run a class.
    mutating func link(_ index: Int, to pool: Int) {
        let ticket = pools.ticket(of: pool)
        classes[index].pools.add(ticket)
        classes[index].free.append(ticket)
        if groups[pools[pool].group].tools[classes[index].tool]?.isIdempotent == true {
            classes[index].ahead.append(ticket)
        }
        pools[pool].classes.add(classes.ticket(of: index))
        if pools[pool].activeCount > 0 { countActive(index) }
    }

    /// One more of the class's pools has workers that do not drain.
    mutating func countActive(_ index: Int) {
        classes[index].activePools += 1
        classes[index].toldCount = 0
        classes[index].keptCount = 0
        if !classes[index].turns.isEmpty { classes.open(index) }
    }

    /// One of the class's pools less has workers that do not drain.
    mutating func uncountActive(_ index: Int) {
        classes[index].activePools -= 1
        if classes[index].activePools == 0, !classes[index].turns.isEmpty { classes.open(index) }
    }
}
