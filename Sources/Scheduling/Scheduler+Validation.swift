// Every cross-reference of the scheduler, checked in one walk. Tests, the simulator and debug
// builds call it after each step; it finds the bug where it happens, not where it shows.

public import Core
internal import DequeModule
internal import HeapModule

extension Scheduler {
    /// Walks everything; throws the first violation found.
    ///
    /// O(nodes + edges + workers).
    public func validate() throws(InvariantViolation) {
        for slot in runs.slotsInUse { try validate(slot) }
        try validateOwners()
        for worker in workers.connected { try validate(workers[worker]) }
        guard workers.isOrdered else {
            throw InvariantViolation("the order of workers does not name every worker once")
        }
        try validateClasses()
        try validatePools()
    }

    private func validateOwners() throws(InvariantViolation) {
        for slot in owners.slotsInUse {
            let owner = owners[slot]
            let ofIt = runs.slotsInUse.filter { runs[$0].owner == slot }
            guard ofIt.count == owner.runCount,
                ofIt.reduce(0, { $0 + runs[$1].liveAttempts }) == owner.liveAttempts
            else { throw InvariantViolation("\(owner.name) counts its runs or attempts wrongly") }
            let waiting = owner.waiting.filter(runs.has).map(\.run).sorted()
            guard waiting == ofIt.filter({ runs[$0].waitsForOwner && !runs[$0].isFinished }) else {
                throw InvariantViolation("the runs that wait for \(owner.name) are others")
            }
            guard waiting.isEmpty || owners.isAtBound(slot) || owner.isListed else {
                throw InvariantViolation("\(owner.name) has room for the runs that wait for it")
            }
        }
    }

    private func validate(_ slot: Int) throws(InvariantViolation) {
        let run = runs[slot]
        var open = [Int32](repeating: 0, count: run.nodes.count)
        var settled = 0
        // What is ready must be found by placement: in its queue's heap, and the run in the turns.
        var isFound = [Bool](repeating: false, count: run.nodes.count)
        for queue in run.queues.indices {
            let turns = classes[run.queues[queue].placement].turns
            let hasTurn = turns.contains {
                $0.run == slot && $0.generation == run.generation && $0.queue == queue
            }
            guard hasTurn || run.parkedQueues.contains(queue) else { continue }
            for entry in run.queues[queue].heap.unordered
            where Int(run.nodes[Int(entry.node)].placement) == queue {
                isFound[Int(entry.node)] = true
            }
        }
        for queue in careful.queues {
            for entry in queue.nodes where entry.node.run == Int32(slot) {
                if isWaiting(entry, in: queue) { isFound[Int(entry.node.node)] = true }
            }
        }
        let live = run.nodes.count { $0.attemptPosition >= 0 }
        guard live == run.liveAttempts, live <= run.maxRunning else {
            throw InvariantViolation(
                "run \(run.id) counts \(run.liveAttempts) attempts of \(run.maxRunning) and has "
                    + "\(live)"
            )
        }
        for queue in run.queues.indices
        where run.queues[queue].isParked != run.parkedQueues.contains(queue)
            || (run.queues[queue].isParked && run.queues[queue].hasTurn)
        {
            throw InvariantViolation("queue \(queue) of run \(run.id) is parked or not, wrongly")
        }
        guard run.parkedQueues.isEmpty || isAtOwnBound(slot) || run.isListed || run.waitsForOwner
        else {
            throw InvariantViolation("run \(run.id) has room for attempts and takes no turns")
        }
        let isSwept = sweeps.concern(ScheduledRun.Use(run: slot, generation: run.generation))
        for index in run.nodes.indices where run.nodes[index].state == .ready && !isFound[index] {
            if run.isCancelled && isSwept { continue }
            throw InvariantViolation("ready node \(run.id)/\(index) is not where placement looks")
        }
        for index in run.nodes.indices {
            let node = run.nodes[index]
            if node.state.kind.isTerminal { settled += 1 }
            if node.state != .succeeded {
                run.forEachDependent(of: index) { open[$0] += 1 }
            }
            try validate(node, at: NodeSlot(run: slot, node: index))
        }
        for index in run.nodes.indices where run.nodes[index].inDegree < open[index] {
            throw InvariantViolation(
                "node \(run.id)/\(index) counts \(run.nodes[index].inDegree) unfinished "
                    + "dependencies but has \(open[index])"
            )
        }
        guard settled == run.settledCount else {
            throw InvariantViolation(
                "run \(run.id) counts \(run.settledCount) settled nodes but has \(settled)"
            )
        }
        guard run.isFinished == (run.isClosed && settled == run.nodes.count) else {
            throw InvariantViolation("run \(run.id) is finished or not, wrongly")
        }
    }

    private func validate(
        _ node: ScheduledNode,
        at slot: NodeSlot
    ) throws(InvariantViolation) {
        let reference = reference(slot)
        let isBooked = node.attemptPosition >= 0
        guard isBooked == (node.state.worker != nil) else {
            throw InvariantViolation("node \(reference) in \(node.state) is booked wrongly")
        }
        switch node.state {
        case .waiting where node.inDegree <= 0 && !node.lacksArguments:
            throw InvariantViolation("node \(reference) waits for nothing")
        case .ready, .leased, .running:
            guard node.inDegree == 0, !node.lacksArguments else {
                throw InvariantViolation("node \(reference) runs before its dependencies")
            }
        default: break
        }
        if let worker = node.state.worker {
            guard let record = self.slot(of: worker).map({ workers[$0] }),
                record.attempts.indices.contains(Int(node.attemptPosition)),
                record.attempts[Int(node.attemptPosition)].node == slot
            else { throw InvariantViolation("node \(reference) is not where \(worker) has it") }
        }
    }

    private func validate(_ worker: ScheduledWorker) throws(InvariantViolation) {
        let id = worker.id
        var held: [String: Int] = [:]
        for node in worker.attempts.map(\.node) {
            guard record(node).state.worker == id else {
                throw InvariantViolation("\(id) holds \(reference(node)), which it does not lease")
            }
            held[classes[placement(of: node)].tool, default: 0] += 1
        }
        let limit = worker.profile.slots + worker.profile.prefetchLimit(limits)
        guard worker.attempts.count <= limit else {
            throw InvariantViolation("\(id) holds \(worker.attempts.count) attempts, over \(limit)")
        }
        for tool in worker.profile.tools.keys.sorted() {
            guard let concurrency = worker.profile.tools[tool]?.concurrency else { continue }
            guard held[tool, default: 0] == (worker.lanes.limited[tool]?.held ?? 0),
                held[tool, default: 0] <= concurrency || worker.tools.cooling[tool] != nil
            else { throw InvariantViolation("\(id) counts the attempts of \(tool) wrongly") }
        }
    }
}
