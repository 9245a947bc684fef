// Placement of the few nodes that keep away from some workers: one look at the workers for each kind
// of restriction, once something has changed. Everything else is placed by classes and pools.

internal import Core
internal import DequeModule
internal import HeapModule

extension Scheduler {
    /// Puts a ready node with restrictions where `placeCareful` finds it.
    mutating func enqueueCareful(_ node: NodeSlot, opens: Bool = true) {
        let index = placement(of: node)
        let entry = CarefulQueue.Entry(
            node: node,
            generation: runs[Int(node.run)].generation
        )
        if opens { careful.open() }
        careful.enqueue(entry, index)
    }

    /// Whether an entry's node is still ready and belongs into the queue.
    func isWaiting(_ entry: CarefulQueue.Entry, in queue: CarefulQueue) -> Bool {
        let run = Int(entry.node.run)
        guard runs[run].generation == entry.generation, !runs[run].isCancelled,
            runs[run].nodes.indices.contains(Int(entry.node.node))
        else { return false }
        return record(entry.node).state == .ready
            && careful.trouble(of: entry.node)?.restrictions == queue.restrictions
            && placement(of: entry.node) == queue.placement
    }

    /// Dispatches nodes with restrictions while workers that they may go to have room.
    mutating func placeCareful(_ now: Instant, _ actions: inout [Action]) {
        for queue in careful.takeQueues() {
            var rest = queue
            rest.nodes = []
            // Found when the first node needs them: one look at all workers for each queue.
            var candidates: Heap<CarefulCandidate>?
            var isAnybodyLeft: Bool?
            for entry in queue.nodes where isWaiting(entry, in: queue) {
                let node = entry.node
                let run = Int(node.run)
                if isAtBound(run) {
                    rest.nodes.append(entry)
                    continue
                }
                var known = candidates ?? carefulCandidates(for: queue)
                if let best = known.popMax() {
                    dispatch(node, to: best.worker, now, &actions)
                    if let again = carefulCandidate(best.worker, best.position, for: queue) {
                        known.insert(again)
                    }
                } else {
                    let isLeft = isAnybodyLeft ?? mayRunSomewhere(node)
                    isAnybodyLeft = isLeft
                    if isLeft { rest.nodes.append(entry) } else { relax(node, &actions) }
                }
                candidates = known
            }
            careful.putBack(rest)
        }
    }

    private func carefulCandidates(for queue: CarefulQueue) -> Heap<CarefulCandidate> {
        Heap(
            workers.connected.enumerated().lazy.compactMap {
                carefulCandidate($0.element, $0.offset, for: queue)
            }
        )
    }

    /// The worker if it may get a node of the queue now.
    private func carefulCandidate(
        _ worker: Int,
        _ position: Int,
        for queue: CarefulQueue
    ) -> CarefulCandidate? {
        let index = queue.placement
        let perSlot = classes[index].prefetchPerSlot
        // Read in place, the cheapest first: a record is large, and there may be thousands.
        guard workers[worker].mayTakeMore,
            workers[worker].hasFreeSlot
                || workers[worker].attempts.count
                    < workers[worker].holdLimit(perSlot: perSlot),
            !queue.restrictions.excludes(workers[worker].id),
            isAble(worker, toRun: index),
            let offer = workers[worker].profile.tools[classes[index].tool],
            workers[worker].hasFreeSlot || offer.isIdempotent,
            workers[worker].isBelowConcurrency(classes[index].tool),
            !isApart(queue.restrictions, from: worker)
        else { return nil }
        return CarefulCandidate(
            worker: worker,
            position: position,
            holdsGroup: queue.restrictions.suspects != 0 && workers[worker].hosted != nil,
            room: workers[worker].profile.slots - workers[worker].attempts.count
        )
    }

    /// Whether the worker has the class's tool and labels, apart from pauses.
    func isAble(_ worker: Int, toRun index: Int) -> Bool {
        workers[worker].isConnected && !workers[worker].isDraining
            && workers[worker].tools.offered[classes[index].tool] != nil
            && demands[classes[index].demand].isMet(by: workers[worker].profile)
    }

    /// The connected workers that may still get the node, whether or not they have room.
    func workersAble(toRun node: NodeSlot) -> [WorkerID] {
        let index = placement(of: node)
        let restrictions = careful.restrictions(of: node)
        return workers.connected.filter {
            isAble($0, toRun: index) && !restrictions.excludes(workers[$0].id)
        }.map { workers[$0].id }
    }

    func mayRunSomewhere(_ node: NodeSlot) -> Bool {
        let index = placement(of: node)
        let restrictions = careful.restrictions(of: node)
        return workers.connected.contains {
            isAble($0, toRun: index) && !restrictions.excludes(workers[$0].id)
        }
    }
}

/// A worker that may get a node with restrictions.
///
/// The greatest gets it: the one with the most free slots, but one that holds suspects of the same
/// group before all others, which leaves those to other groups.
private struct CarefulCandidate: Comparable {
    let worker: Int
    /// Its place among the connected workers, the first one first.
    let position: Int
    let holdsGroup: Bool
    let room: Int

    static func < (left: CarefulCandidate, right: CarefulCandidate) -> Bool {
        if left.holdsGroup != right.holdsGroup { return right.holdsGroup }
        // Among those that hold the group, the first one gets all.
        if !left.holdsGroup, left.room != right.room { return left.room < right.room }
        return left.position > right.position
    }
}
