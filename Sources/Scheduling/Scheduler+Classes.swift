// Placement classes: made when a run names them, found by hash, linked to the pools that can run
// them, counted by the unfinished runs that use them, and forgotten some time after the last one.

internal import Core
internal import DequeModule

/// A class without a run.
struct IdleClass: Sendable {
    var ticket: Ticket
    var since: UInt64
}

extension Scheduler {
    /// The class of a tool and a set of labels; made when it is not there.
    mutating func placementClass(for spec: NodeSpec) -> Int {
        let demand = demandIndexes[spec.requires] ?? makeDemand(spec.requires)
        let key = PlacementClass.Key(tool: spec.tool, demand: demand)
        if let index = classIndexes[key] { return index }
        let index = classes.insert(
            PlacementClass(tool: spec.tool, demand: demand, requires: spec.requires)
        )
        classIndexes[key] = index
        demands[demand].classCount += 1
        linkToPools(index)
        // Until a run uses it; `useClass` follows.
        noteIdle(index)
        return index
    }

    mutating func useClass(_ index: Int) {
        if classes[index].runCount == 0 { idleClassCount -= 1 }
        classes[index].runCount += 1
    }

    /// An unfinished run less uses the class.
    mutating func disuseClass(_ index: Int) {
        classes[index].runCount -= 1
        guard classes[index].runCount == 0 else { return }
        classes[index].turns = []
        classes[index].toldCount = 0
        classes[index].keptCount = 0
        noteIdle(index)
        while idleClassCount > limits.idleClasses, let oldest = idleClasses.popFirst() {
            guard isIdle(oldest) else { continue }
            idleClassCount -= 1
            forgetClass(oldest.ticket.index)
        }
    }

    private mutating func noteIdle(_ index: Int) {
        idleClock += 1
        classes[index].idleSince = idleClock
        idleClassCount += 1
        idleClasses.append(IdleClass(ticket: classes.ticket(of: index), since: idleClock))
        if idleClasses.count > 2 * idleClassCount + 64 {
            idleClasses = Deque(idleClasses.filter { isIdle($0) })
        }
    }

    private func isIdle(_ idle: IdleClass) -> Bool {
        classes.has(idle.ticket) && classes[idle.ticket.index].runCount == 0
            && classes[idle.ticket.index].idleSince == idle.since
    }

    private mutating func forgetClass(_ index: Int) {
        let demand = classes[index].demand
        let linked = classes[index].pools.members.filter { pools.has($0) }
        classIndexes[classes[index].key] = nil
        classes.remove(index, leaving: .blank)
        for ticket in linked {
            pools[ticket.index].classes.removeOne { classes.has($0) }
            if pools[ticket.index].classes.count == 0, !pools[ticket.index].isBase {
                forgetPool(ticket.index)
            }
        }
        demands[demand].classCount -= 1
        if demand != 0, demands[demand].classCount == 0 { forgetDemand(demand) }
    }

    // MARK: - Demands

    private mutating func makeDemand(_ labels: [String: String]) -> Int {
        let demand = demands.insert(Demand(labels: labels))
        demandIndexes[labels] = demand
        if let label = demands[demand].firstLabel {
            demandsByLabel[label, default: []].append(demand)
        }
        return demand
    }

    private mutating func forgetDemand(_ demand: Int) {
        demandIndexes[demands[demand].labels] = nil
        if let label = demands[demand].firstLabel {
            demandsByLabel[label]?.removeAll { $0 == demand }
            if demandsByLabel[label]?.isEmpty == true { demandsByLabel[label] = nil }
        }
        demands.remove(demand, leaving: Demand(labels: [:]))
    }

    /// The demands that a worker meets, the empty one first.
    func demandsMet(by profile: WorkerProfile) -> [Int] {
        guard !demandsByLabel.isEmpty else { return [0] }
        var met = [0]
        for (key, value) in profile.labels.sorted(by: { $0.key < $1.key }) {
            for demand in demandsByLabel[Label(key, value)] ?? []
            where demands[demand].isMet(by: profile) {
                met.append(demand)
            }
        }
        return met
    }

    // MARK: - Links

    /// Links a new class to every pool that can run it; makes those that are not there.
    private mutating func linkToPools(_ index: Int) {
        let tool = classes[index].tool
        let demand = classes[index].demand
        if demand == 0 {
            for ticket in groupsByTool[tool]?.members ?? [] where groups.has(ticket) {
                linkToGroup(index, ticket.index)
            }
            return
        }
        var made: Set<Int> = []
        for worker in workersMeeting(demand) {
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
            guard let worker = slot(of: WorkerID(Int(member))) else { continue }
            enlist(worker, in: pool)
        }
    }

    /// The connected workers that carry all labels of a demand, in the order in which they joined.
    private func workersMeeting(_ demand: Int) -> [Int] {
        let rosters = demands[demand].labels.map { workersByLabel[Label($0.key, $0.value)] }
        // The shortest roster; the order of the labels decides nothing else.
        guard let shortest = rosters.min(by: { ($0?.count ?? 0) < ($1?.count ?? 0) }) else {
            return []
        }
        return (shortest?.members ?? []).compactMap { number in
            guard let worker = slot(of: WorkerID(Int(number))),
                demands[demand].isMet(by: workers[worker].profile)
            else { return nil }
            return worker
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
        if !classes[index].turns.isEmpty { openClass(index) }
    }

    /// One of the class's pools less has workers that do not drain.
    mutating func uncountActive(_ index: Int) {
        classes[index].activePools -= 1
        if classes[index].activePools == 0, !classes[index].turns.isEmpty { openClass(index) }
    }
}
