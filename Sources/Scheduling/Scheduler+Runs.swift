// Runs and their nodes: growth, settling, cancelling. How many nodes at once are skipped or cancelled
// is in Scheduler+Sweeps.

public import Core
internal import DequeModule
internal import HeapModule
internal import Plans

extension Scheduler {
    mutating func addNodes(
        _ id: RunID,
        _ specs: [NodeSpec],
        _ edges: [Plan.Edge],
        _ held: [Int],
        _ actions: inout [Action]
    ) {
        guard let run = runs.slot(of: id) else { return }
        let first = runs[run].nodes.count
        append(specs, to: run)
        for node in held { runs[run].nodes[node].inDegree += 1 }
        for edge in edges { runs[run].connect(edge) }
        runs[run].updateRanks(newEdges: edges)
        skipBehindFailures(run, edges, &actions)
        for node in first..<(first + specs.count) {
            readyIfFree(NodeSlot(run: run, node: node), &actions)
        }
        if runs[run].isCancelled { cancelNodes(run, from: first, &actions) }
    }

    /// Appends nodes that wait for nothing yet.
    mutating func append(_ specs: [NodeSpec], to run: Int) {
        var queue: (spec: NodeSpec, index: Int)?
        for spec in specs {
            // Neighbours mostly name the same tool; one comparison saves two look-ups.
            if queue?.spec.tool != spec.tool || queue?.spec.requires != spec.requires {
                queue = (spec, readyQueue(for: spec, in: run))
            }
            var record = ScheduledNode(placement: Int32(queue?.index ?? 0))
            record.maxAttempts = Int16(clamping: spec.maxAttempts ?? 0)
            let timeout = spec.timeout?.millisecondsRoundedUp ?? 0
            record.timeoutMilliseconds = Int32(clamping: timeout)
            record.lacksArguments = spec.needsArguments
            // Another node may have been at its place that is in no record.
            record.isRestored = runs[run].isRestored
            runs[run].nodes.append(record)
        }
    }

    private mutating func readyQueue(for spec: NodeSpec, in run: Int) -> Int {
        let placement = placementClass(for: spec)
        if let index = runs[run].queueIndexes[placement] { return index }
        classes.use(placement)
        let index = runs[run].queues.count
        runs[run].queues.append(ReadyQueue(placement: placement))
        runs[run].queueIndexes[placement] = index
        return index
    }

    /// A new edge may come from a node that has failed already.
    mutating func skipBehindFailures(
        _ run: Int,
        _ edges: [Plan.Edge],
        _ actions: inout [Action]
    ) {
        for edge in edges {
            switch runs[run].nodes[edge.dependency].state {
            case .failed, .cancelled: skip(run, edge.dependent, edge.dependency, &actions)
            case .skipped(let cause): skip(run, edge.dependent, cause, &actions)
            default: break
            }
        }
    }

    mutating func release(_ id: RunID, _ nodes: [Int], _ actions: inout [Action]) {
        guard let run = runs.slot(of: id) else { return }
        for node in nodes {
            runs[run].nodes[node].inDegree -= 1
            readyIfFree(NodeSlot(run: run, node: node), &actions)
        }
    }

    mutating func close(_ id: RunID, _ actions: inout [Action]) {
        guard let run = runs.slot(of: id) else { return }
        runs[run].isClosed = true
        finishIfSettled(run, &actions)
    }

    mutating func readyIfFree(_ node: NodeSlot, _ actions: inout [Action]) {
        guard record(node).inDegree == 0, record(node).state == .waiting else { return }
        guard !record(node).lacksArguments else {
            return actions.append(.makeArguments(reference(node)))
        }
        actions.append(.publishReady(reference(node)))
        makeReady(node)
    }

    mutating func noteArguments(of node: NodeReference, _ actions: inout [Action]) {
        guard let node = slot(of: node), isWaitingForArguments(node) else { return }
        update(node) { $0.lacksArguments = false }
        readyIfFree(node, &actions)
    }

    mutating func failForArguments(
        _ node: NodeReference,
        _ failure: Failure,
        _ actions: inout [Action]
    ) {
        guard let node = slot(of: node), isWaitingForArguments(node) else { return }
        settle(node, .failed(failure), &actions)
    }

    /// Whether a node waits for nothing but its arguments, and its run goes on.
    public func awaitsArguments(_ node: NodeReference) -> Bool {
        guard let slot = slot(of: node), !runs[Int(slot.run)].isCancelled else { return false }
        return isWaitingForArguments(slot)
    }

    func isWaitingForArguments(_ node: NodeSlot) -> Bool {
        record(node).state == .waiting && record(node).inDegree == 0 && record(node).lacksArguments
    }

    /// Puts a node where placement finds it.
    mutating func makeReady(_ node: NodeSlot) {
        move(node, to: .ready)
        enqueue(node)
    }

    /// Puts a ready node where placement finds it.
    mutating func enqueue(_ node: NodeSlot) {
        // Nodes of a cancelled run are about to be settled.
        if runs[Int(node.run)].isCancelled { return }
        if record(node).isTroubled { return enqueueCareful(node) }
        let run = Int(node.run)
        let queue = Int(record(node).placement)
        let placement = runs[run].queues[queue].placement
        runs[run].pushReady(Int(node.node))
        guard !runs[run].queues[queue].isParked else { return }
        if !runs[run].queues[queue].hasTurn { addTurn(of: run, queue) }
        classes.open(placement)
    }

    mutating func addTurn(of run: Int, _ queue: Int) {
        runs[run].queues[queue].hasTurn = true
        classes[runs[run].queues[queue].placement].turns.append(
            PlacementClass.QueueTurn(run: run, generation: runs[run].generation, queue: queue)
        )
    }

    // MARK: - Settling

    mutating func settle(_ node: NodeSlot, _ settlement: Settlement, _ actions: inout [Action]) {
        let run = Int(node.run)
        runs[run].settledCount += 1
        if record(node).isTroubled {
            careful.forget(node)
            update(node) { $0.isTroubled = false }
        }
        actions.append(.settle(reference(node), settlement))
        switch settlement {
        case .succeeded:
            move(node, to: .succeeded)
            for dependent in runs.dependents(of: node) {
                runs[run].nodes[dependent].inDegree -= 1
                readyIfFree(NodeSlot(run: run, node: dependent), &actions)
            }
        case .failed:
            move(node, to: .failed)
            skipDependents(of: Int(node.node), because: Int(node.node), in: run, &actions)
        case .cancelled:
            move(node, to: .cancelled)
        case .skipped(let cause):
            move(node, to: .skipped(because: cause))
            skipDependents(of: Int(node.node), because: cause, in: run, &actions)
        }
        finishIfSettled(run, &actions)
    }

    private mutating func skip(
        _ run: Int,
        _ node: Int,
        _ cause: Int,
        _ actions: inout [Action]
    ) {
        guard runs[run].nodes[node].state == .waiting else { return }
        settle(NodeSlot(run: run, node: node), .skipped(because: cause), &actions)
    }

    mutating func finishIfSettled(_ run: Int, _ actions: inout [Action]) {
        guard runs[run].isSettled, !runs[run].isFinished else { return }
        runs[run].isFinished = true
        leaveClasses(run)
        actions.append(.finish(runs[run].id))
    }

    /// A finished run needs no placement: its turns are void, and its classes may be forgotten.
    private mutating func leaveClasses(_ run: Int) {
        runs.renew(run)
        for queue in runs[run].queues { disuseClass(queue.placement) }
        runs[run].queues = []
        runs[run].queueIndexes = [:]
        runs[run].parkedQueues = []
    }

    // MARK: - Cancelling

    mutating func cancel(_ id: RunID, _ now: Instant, _ actions: inout [Action]) {
        guard let run = runs.slot(of: id), !runs[run].isFinished, !runs[run].isCancelled else {
            return
        }
        runs[run].isCancelled = true
        for node in runs[run].nodes.indices {
            guard let worker = runs[run].nodes[node].state.worker else { continue }
            callBack(NodeSlot(run: run, node: node), from: worker, .cancelled, now, &actions)
        }
        for queue in runs[run].queues.indices { runs[run].queues[queue].heap = Heap() }
        cancelNodes(run, from: 0, &actions)
        finishIfSettled(run, &actions)
    }

    /// Asks the worker to end an attempt; until its answer the attempt counts against the worker.
    mutating func callBack(
        _ node: NodeSlot,
        from worker: WorkerID,
        _ reason: CancelReason,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        let attempt = currentAttempt(of: node)
        let until = now + limits.cancelGrace + limits.answerMargin
        if case .cancelling = record(node).state {
            // A recalled attempt may have begun by now; the cancel of its run ends it.
            guard record(node).cancelReason == .recalled else { return }
            update(node) { $0.state = .cancelling(worker, until: until) }
        } else {
            move(node, to: .cancelling(worker, until: until))
        }
        times.add(Deadline(at: until, attempt: attempt, meaning: .unanswered))
        update(node) { $0.cancelReason = reason }
        actions.append(.cancel(attempt, on: worker, reason))
    }
}
