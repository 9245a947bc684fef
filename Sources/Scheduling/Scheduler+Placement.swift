// Placement: ready nodes meet workers with room. One bounded pass a loop turn. Runs of a class
// take turns; workers with free slots come before workers that could only prefetch.

internal import DequeModule
internal import HeapModule
public import Plans

extension Scheduler {
    /// Whether ready nodes may find room since the last pass, such as a slot that was freed when a
    /// dispatch could not be made.
    public var hasOpenings: Bool { !openClasses.isEmpty }

    /// Dispatches ready nodes while workers have room.
    ///
    /// Called once a loop turn, after all input.
    public mutating func place(at now: Instant, into actions: inout [Action]) {
        guard !openClasses.isEmpty else { return }
        let open = openClasses
        openClasses.removeAll(keepingCapacity: true)
        for index in open { isClassOpen[index] = false }
        for index in open { placeClass(index, now, &actions) }
    }

    private mutating func placeClass(_ index: Int, _ now: Instant, _ actions: inout [Action]) {
        guard classes[index].workerCount > 0 else {
            missTool(index, &actions)
            return
        }
        while let turn = nextTurn(of: index) {
            guard let worker = nextWorker(of: index) else { return }
            guard let node = runs[turn.run].popReady(turn.queue) else { continue }
            classes[index].turns.removeFirst()
            if runs[turn.run].queues[turn.queue].heap.isEmpty {
                runs[turn.run].queues[turn.queue].hasTurn = false
            } else {
                classes[index].turns.append(turn)
            }
            dispatch(NodeSlot(run: turn.run, node: node), to: worker, index, now, &actions)
        }
    }

    /// The run whose turn it is; stays at the front until a node of it was placed.
    private mutating func nextTurn(of index: Int) -> PlacementClass.Turn? {
        while let turn = classes[index].turns.first {
            if isValid(turn) {
                if runs[turn.run].liveAttempts >= runs[turn.run].maxRunning {
                    runs[turn.run].parkedQueues.append(turn.queue)
                } else if runs[turn.run].firstReady(turn.queue) != nil {
                    return turn
                }
                runs[turn.run].queues[turn.queue].hasTurn = false
            }
            classes[index].turns.removeFirst()
        }
        return nil
    }

    /// Whether the run of a turn is still the one in that slot.
    private func isValid(_ turn: PlacementClass.Turn) -> Bool {
        runs[turn.run].generation == turn.generation
    }

    /// A worker with a free slot, else one that may prefetch, else none.
    ///
    /// Workers without room are moved away from the front and come back when an attempt ends.
    private mutating func nextWorker(of index: Int) -> Int? {
        while let worker = classes[index].front.popFirst() {
            guard workers[worker].standings[index].rotation == .front else { continue }
            if workers[worker].hasRoom(in: classes[index], index) {
                classes[index].front.append(worker)
                return worker
            }
            demote(worker, in: index)
        }
        while let worker = classes[index].prefetch.popFirst() {
            guard workers[worker].standings[index].rotation == .prefetch else { continue }
            if workers[worker].mayPrefetch(classes[index], index, limits: limits) {
                classes[index].prefetch.append(worker)
                return worker
            }
            workers[worker].standings[index].rotation = .none
        }
        return nil
    }

    private mutating func demote(_ worker: Int, in index: Int) {
        workers[worker].demoted.append(index)
        guard workers[worker].mayPrefetch(classes[index], index, limits: limits) else {
            workers[worker].standings[index].rotation = .none
            return
        }
        workers[worker].standings[index].rotation = .prefetch
        // Entries of earlier visits are dropped when they are met; this keeps them few.
        if classes[index].prefetch.count > 2 * workerOrder.count + 8 {
            classes[index].prefetch.removeAll(keepingCapacity: true)
            for other in workerOrder where workers[other].standings[index].rotation == .prefetch {
                classes[index].prefetch.append(other)
            }
        } else {
            classes[index].prefetch.append(worker)
        }
    }

    private mutating func dispatch(
        _ node: NodeSlot,
        to first: Int,
        _ index: Int,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        // After a failure another worker is tried first, if one has a free slot.
        let worker =
            record(node).lastWorker == Int32(truncatingIfNeeded: workers[first].id.number)
            ? otherWorker(than: first, index) : first
        let id = workers[worker].id
        move(node, to: .leased(id))
        update(node) {
            $0.attempt += 1
            $0.cancelReason = nil
            $0.lastWorker = Int32(truncatingIfNeeded: id.number)
        }
        assign(node, to: worker, index)
        if reviewAt == nil, workers[worker].attempts.count > workers[worker].profile.slots {
            reviewAt = now + limits.prefetchPatience
        }
        actions.append(.dispatch(currentAttempt(of: node), to: id))
    }

    private func otherWorker(than first: Int, _ index: Int) -> Int {
        classes[index].front.first { worker in
            worker != first && workers[worker].standings[index].rotation == .front
                && workers[worker].hasRoom(in: classes[index], index)
        } ?? first
    }

    // MARK: - Nobody can run it

    /// Says so once for each run that waits for the class, or fails the nodes of runs that want
    /// that.
    private mutating func missTool(_ index: Int, _ actions: inout [Action]) {
        for position in classes[index].turns.indices {
            let turn = classes[index].turns[position]
            guard isValid(turn), let node = runs[turn.run].firstReady(turn.queue) else { continue }
            if runs[turn.run].missingTool == .fail {
                failReady(turn, index, &actions)
            } else if !turn.isAnnounced {
                classes[index].turns[position].isAnnounced = true
                actions.append(
                    .publishUnplaceable(NodeReference(run: runs[turn.run].id, node: node))
                )
            }
        }
        dropSpentTurns(of: index)
    }

    /// Takes out the turns of runs that have nothing ready; while nobody can run the class, no
    /// placement meets them.
    private mutating func dropSpentTurns(of index: Int) {
        var kept: Deque<PlacementClass.Turn> = []
        for turn in classes[index].turns where isValid(turn) {
            if runs[turn.run].firstReady(turn.queue) != nil {
                kept.append(turn)
            } else {
                runs[turn.run].queues[turn.queue].hasTurn = false
            }
        }
        classes[index].turns = kept
    }

    private mutating func failReady(
        _ turn: PlacementClass.Turn,
        _ index: Int,
        _ actions: inout [Action]
    ) {
        let labels = classes[index].requires.sorted { $0.key < $1.key }
            .map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
        let failure = Failure(
            code: .unknownTool,
            message: "no connected worker\(labels.isEmpty ? "" : " with \(labels)") has the tool "
                + classes[index].tool
        )
        while let node = runs[turn.run].popReady(turn.queue) {
            settle(NodeSlot(run: turn.run, node: node), .failed(failure), &actions)
        }
    }
}
