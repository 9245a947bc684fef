// Trouble that lies with workers: what they cannot start, where a retry goes, and nodes that were
// on a worker when it was lost. None of it uses up an attempt of a node that never ran.

public import Core

extension Scheduler {
    // MARK: - Refusals

    /// The worker could not start the attempt: it surely never ran, whatever its tool is.
    ///
    /// The node goes to another worker, and fails if there is none that might run it.
    mutating func refuseStart(
        _ attempt: AttemptID,
        _ node: NodeSlot,
        _ worker: WorkerID,
        _ failure: Failure,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        unassign(node, from: worker)
        guard !runs[Int(node.run)].isCancelled else {
            return settle(node, .cancelled, &actions)
        }
        let name = slot(of: worker).map { workers[$0].profile.name } ?? worker.description
        let tool = classes[placement(of: node)].tool
        coolDown(tool, on: worker, failure.message, isShortage: false, now)
        update(node) { $0.neverRan += 1 }
        restrict(node) { trouble in
            trouble.refusal = failure
            trouble.refusers.append(name)
            trouble.restrictions.refused.append(worker)
            trouble.restrictions.avoided.removeAll { $0 == worker }
        }
        if !mayRunSomewhere(node) { restrict(node) { $0.restrictions.avoided = [] } }
        if mayRunSomewhere(node) {
            actions.append(.publishRetry(attempt, failure, after: .zero, .neverRan))
            makeReady(node)
        } else {
            settle(node, .failed(refusalFailure(of: node)), &actions)
        }
    }

    /// The worker lacked descriptors, processes or memory to start the attempt, which never ran.
    ///
    /// Its tool pauses there, and the node goes wherever the tool does not pause. It keeps away
    /// from no worker, because what was lacking comes back; so a shortage alone fails no node.
    mutating func returnForShortage(
        _ attempt: AttemptID,
        _ worker: WorkerID,
        _ reason: String,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        guard let node = locate(attempt, on: worker) else { return }
        unassign(node, from: worker)
        guard !runs[Int(node.run)].isCancelled else {
            return settle(node, .cancelled, &actions)
        }
        let tool = classes[placement(of: node)].tool
        coolDown(tool, on: worker, reason, isShortage: true, now)
        update(node) { $0.neverRan += 1 }
        let failure = Failure(code: .spawnFailed, message: reason, isRetryable: true)
        actions.append(.publishRetry(attempt, failure, after: .zero, .neverRan))
        makeReady(node)
    }

    private func refusalFailure(of node: NodeSlot) -> Failure {
        (careful.trouble(of: node) ?? Trouble()).failure(of: classes[placement(of: node)].tool)
    }

    /// The next attempt of a node that failed retryably goes to a worker on which it has not
    /// failed, if there is one: a sick worker fails fastest and is always free.
    mutating func avoid(_ worker: WorkerID, for node: NodeSlot) {
        guard workersAble(toRun: node).contains(where: { $0 != worker }) else {
            if record(node).isTroubled {
                restrict(node) {
                    $0.restrictions.avoided = []
                    $0.restrictions.suspects = 0
                }
            }
            return
        }
        let most = limits.avoidedWorkersPerNode
        restrict(node) { trouble in
            // A node that answers has not taken its worker down.
            trouble.restrictions.suspects = 0
            trouble.restrictions.avoided.append(worker)
            if trouble.restrictions.avoided.count > most {
                trouble.restrictions.avoided.removeFirst()
            }
        }
    }

    // MARK: - Restrictions

    /// Changes what a node keeps away from; the caller enqueues a ready node again.
    mutating func restrict(_ node: NodeSlot, _ change: (inout Trouble) -> Void) {
        let isTroubled = careful.change(node, change)
        update(node) { $0.isTroubled = isTroubled }
    }

    /// Nobody is left who may run the ready node: what only steers it is given up, and if workers
    /// that are still there refused it, it fails.
    mutating func relax(_ node: NodeSlot, _ actions: inout [Action]) {
        let restrictions = careful.restrictions(of: node)
        if !restrictions.avoided.isEmpty {
            restrict(node) { $0.restrictions.avoided = [] }
        } else if restrictions.refused.contains(where: { slot(of: $0) != nil }) {
            return settle(node, .failed(refusalFailure(of: node)), &actions)
        } else if !restrictions.refused.isEmpty {
            restrict(node) { $0.restrictions.refused = [] }
        } else {
            return missTool(for: node, &actions)
        }
        enqueue(node)
    }

    /// No worker at all can run the node, which has to keep apart from others once there is one.
    private mutating func missTool(for node: NodeSlot, _ actions: inout [Action]) {
        let run = Int(node.run)
        guard awaitsWorkersUntil == nil else { return enqueueCareful(node, opens: false) }
        guard runs[run].missingTool == .wait else {
            return settle(node, .failed(missingToolFailure(placement(of: node))), &actions)
        }
        if careful.announce(node) { actions.append(.publishUnplaceable(reference(node))) }
        enqueueCareful(node, opens: false)
    }

    // MARK: - Pauses of a tool on a worker

    /// The tool could not be started there: others get its nodes for a while, which doubles with
    /// each refusal that follows.
    private mutating func coolDown(
        _ tool: String,
        on id: WorkerID,
        _ reason: String,
        isShortage: Bool,
        _ now: Instant
    ) {
        guard let worker = slot(of: id) else { return }
        var cooling = workers[worker].tools.cooling[tool] ?? Cooling()
        cooling.reason = reason
        cooling.isShortage = isShortage
        // What was under way together counts once.
        if !cooling.isActive {
            cooling.refusals += 1
            cooling.isAlone = isShortage && !isElsewhere(tool, than: worker)
            let full = limits.firstCooling * (1 << min(cooling.refusals - 1, 20))
            let longest = cooling.isAlone ? limits.longestCoolingAlone : limits.longestCooling
            cooling.until = now + min(full, longest)
            cooling.isActive = true
            times.add(CoolingEnd(at: cooling.until, worker: id, tool: tool))
        }
        workers[worker].tools.cooling[tool] = cooling
        times.noteCooling(id)
        reconsiderCoolings()
    }

    /// A tool began on the worker.
    mutating func warmUp(_ tool: String, on worker: Int) {
        guard workers[worker].tools.cooling.removeValue(forKey: tool) != nil else { return }
        if workers[worker].tools.cooling.isEmpty { times.forgetCooling(workers[worker].id) }
        regroup(worker)
        reconsiderCoolings()
    }

    mutating func endCoolings(_ now: Instant) {
        while let first = times.popCooling(until: now) {
            guard let worker = slot(of: first.worker),
                workers[worker].tools.cooling[first.tool]?.until == first.at
            else { continue }
            workers[worker].tools.cooling[first.tool]?.isActive = false
            regroup(worker)
            careful.open()
        }
    }

    /// Workers that could take the nodes of a pausing tool instead may have come or left.
    mutating func reconsiderCoolings() {
        for id in times.coolingWorkers {
            guard let worker = slot(of: id) else { continue }
            regroup(worker)
        }
    }

    /// Puts a worker into the group of the tools that it may get nodes of now.
    mutating func regroup(_ worker: Int) {
        var tools = workers[worker].tools.offered
        for (tool, cooling) in workers[worker].tools.cooling {
            let isElsewhere = isElsewhere(tool, than: worker)
            // Without another worker a broken tool fails its nodes at once; after a shortage they
            // wait, and one attempt at a time shows whether it is over.
            guard isElsewhere || cooling.isShortage else { continue }
            if cooling.isActive, isElsewhere || cooling.isAlone {
                tools[tool] = nil
            } else {
                tools[tool]?.concurrency = 1
            }
        }
        guard tools != workers[worker].profile.tools else { return }
        changeGroup(of: worker, to: tools)
    }

    /// Whether another worker that can be asked offers the tool and is well.
    private func isElsewhere(_ tool: String, than worker: Int) -> Bool {
        workers.connected.contains { other in
            other != worker && workers[other].isConnected && !workers[other].isDraining
                && workers[other].tools.offered[tool] != nil
                && workers[other].tools.cooling[tool] == nil
        }
    }

    /// Whether workers that could run the class are there, and its tool pauses on all of them.
    func isOnlyPausing(_ index: Int) -> Bool {
        times.coolingWorkers.contains { id in
            guard let worker = slot(of: id) else { return false }
            return workers[worker].tools.cooling[classes[index].tool]?.isActive == true
                && isAble(worker, toRun: index)
        }
    }

    /// Whether a worker with a free slot may not get the node for now, because of what happened
    /// to the node, or to its tool on the worker, before, because the worker said it was busy, or
    /// because the run is cancelled.
    public func isKept(_ node: NodeReference, from worker: WorkerID) -> Bool {
        guard let node = slot(of: node), let worker = slot(of: worker) else { return false }
        // Nodes of a cancelled run are about to be settled, in this turn or a later one.
        if runs[Int(node.run)].isCancelled || workers[worker].pause.isOn { return true }
        let tool = classes[placement(of: node)].tool
        if workers[worker].profile.tools[tool] == nil {
            return workers[worker].tools.cooling[tool] != nil
        }
        if workers[worker].tools.cooling[tool] != nil, !workers[worker].isBelowConcurrency(tool) {
            return true
        }
        guard let restrictions = careful.trouble(of: node)?.restrictions else { return false }
        return restrictions.excludes(workers[worker].id) || isApart(restrictions, from: worker)
    }

    /// The tools that a worker could not start lately, in alphabetical order.
    public func coolingTools(on worker: WorkerID, at now: Instant) -> [CoolingTool] {
        guard let worker = slot(of: worker) else { return [] }
        return workers[worker].tools.cooling.sorted { $0.key < $1.key }.map { tool, cooling in
            CoolingTool(
                tool: tool,
                refusals: cooling.refusals,
                pause: cooling.isActive ? max(cooling.until.duration(since: now), .zero) : .zero,
                reason: cooling.reason
            )
        }
    }

    // MARK: - Suspects

    /// The node that is to blame for the loss of a worker more than all others that were on it:
    /// the only one, or the one that more workers were lost with than any other.
    func mainSuspect(of attempts: [NodeSlot]) -> NodeSlot? {
        var main: NodeSlot?
        var most = -1
        for node in attempts {
            let losses = Int(record(node).workersLost)
            if losses > most { (main, most) = (node, losses) } else if losses == most { main = nil }
        }
        return main
    }

    /// Sees to it that nodes that were on the same lost worker run apart from each other: each
    /// further loss has fewer suspects, until only the one that causes them is left.
    ///
    /// They are dealt into groups, and a worker holds suspects of one group at a time; a group is
    /// as large as it takes for all to run at once on the workers that there are, but never all.
    /// So a suspect waits for other suspects at most, and nobody else waits for it.
    ///
    /// After one loss, which says little, a suspect waits for a while only: most workers are lost
    /// for reasons of their own.
    mutating func separate(_ suspects: [NodeSlot], isShared: Bool, _ now: Instant) {
        guard !suspects.isEmpty,
            isShared || suspects.contains(where: { record($0).isTroubled })
        else { return }
        let ranked = suspects.enumerated().sorted { left, right in
            let (first, second) = (record(left.element), record(right.element))
            return first.workersLost != second.workersLost
                ? first.workersLost > second.workersLost : left.offset < right.offset
        }
        let able = workers.connected.count { workers[$0].mayTakeMore }
        let groups = min(max(2, able), limits.groupsOfSuspects, suspects.count)
        let isAlone = mainSuspect(of: suspects) != nil && suspects.count > 1
        let first = careful.makeGroups(groups)
        for (position, suspect) in ranked.enumerated() {
            // A main suspect has a group to itself; the others are dealt into those that are left.
            let group =
                isAlone && position > 0
                ? 1 + (position - 1) % max(groups - 1, 1) : position % groups
            let number = first + group
            restrict(suspect.element) { $0.restrictions.suspects = number }
            guard record(suspect.element).workersLost == 1 else { continue }
            times.add(
                Deadline(
                    at: now + limits.separation,
                    attempt: currentAttempt(of: suspect.element),
                    meaning: .separated
                )
            )
        }
    }

    /// A ready node has been kept apart from other suspects for long enough.
    mutating func endSeparation(of node: NodeSlot) {
        guard record(node).isTroubled else { return }
        restrict(node) { $0.restrictions.suspects = 0 }
        enqueue(node)
    }

    /// Books or ends the booking of a suspect on its worker.
    mutating func host(_ node: NodeSlot, on worker: Int, _ change: Int) {
        guard let group = careful.trouble(of: node)?.restrictions.suspects, group != 0 else {
            return
        }
        var hosted = workers[worker].hosted ?? HostedSuspects(group: group, count: 0)
        hosted.count += change
        workers[worker].hosted = hosted.count > 0 ? hosted : nil
    }

    /// Whether the worker holds suspects of another group.
    func isApart(_ restrictions: Restrictions, from worker: Int) -> Bool {
        restrictions.suspects != 0 && workers[worker].hosted != nil
            && workers[worker].hosted?.group != restrictions.suspects
    }
}
