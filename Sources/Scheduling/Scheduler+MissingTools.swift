// Nodes that no connected worker can run: their runs are told once, or the nodes fail.

internal import Core
internal import DequeModule

extension Scheduler {
    /// Says so once for each run that waits for the class, or fails the nodes of runs that want
    /// that.
    ///
    /// Turns that were dealt with stand in front and are not checked again.
    mutating func missTool(_ index: Int, _ actions: inout [Action]) {
        guard awaitsWorkersUntil == nil, !isOnlyPausing(index) else { return }
        let fresh = classes[index].turns.dropFirst(classes[index].toldCount)
        let turns = Array(fresh)
        classes[index].turns.removeLast(turns.count)
        for turn in turns where isValid(turn) {
            guard let node = runs[turn.run].firstReady(turn.queue) else {
                runs[turn.run].queues[turn.queue].hasTurn = false
                continue
            }
            if runs[turn.run].missingTool == .fail {
                runs[turn.run].queues[turn.queue].hasTurn = false
                failReady(turn, index, &actions)
            } else {
                classes[index].turns.append(turn)
                actions.append(
                    .publishUnplaceable(NodeReference(run: runs[turn.run].id, node: node))
                )
            }
        }
        classes[index].toldCount = classes[index].turns.count
        if classes[index].turns.count > 2 * classes[index].keptCount + 8 {
            dropSpentTurns(of: index)
        }
    }

    /// Takes out the turns of runs that have nothing ready; while nobody can run the class, no
    /// placement meets them.
    private mutating func dropSpentTurns(of index: Int) {
        var kept: Deque<PlacementClass.QueueTurn> = []
        for turn in classes[index].turns where isValid(turn) {
            if runs[turn.run].firstReady(turn.queue) != nil {
                kept.append(turn)
            } else {
                runs[turn.run].queues[turn.queue].hasTurn = false
            }
        }
        classes[index].turns = kept
        classes[index].toldCount = kept.count
        classes[index].keptCount = kept.count
    }

    /// What a node of a class that nobody can run fails with.
    func missingToolFailure(_ index: Int) -> Failure {
        let labels = classes[index].requires.sorted { $0.key < $1.key }
            .map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
        return Failure(
            code: .unknownTool,
            message: "no connected worker\(labels.isEmpty ? "" : " with \(labels)") has the tool "
                + classes[index].tool
        )
    }

    private mutating func failReady(
        _ turn: PlacementClass.QueueTurn,
        _ index: Int,
        _ actions: inout [Action]
    ) {
        let failure = missingToolFailure(index)
        // The run may end with one of them.
        while isValid(turn), let node = runs[turn.run].popReady(turn.queue) {
            settle(NodeSlot(run: turn.run, node: node), .failed(failure), &actions)
        }
    }
}
