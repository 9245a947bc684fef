// Attempts beyond a worker's slots: called back when they stall while another worker could begin
// them, and the pause of a worker that refuses what is one too many.

internal import Core
internal import DequeModule

/// When a worker that refused an attempt as one too many gets the next one at the latest.
struct WorkerPause: Sendable, Comparable {
    var at: Instant
    var worker: WorkerID

    static func < (left: WorkerPause, right: WorkerPause) -> Bool { left.at < right.at }
    static func == (left: WorkerPause, right: WorkerPause) -> Bool { left.at == right.at }
}

extension Scheduler {
    /// Has the reviews look at a worker that holds more attempts than slots.
    mutating func review(_ worker: Int, _ now: Instant) {
        if !workers[worker].isReviewed {
            workers[worker].isReviewed = true
            times.review(workers[worker].id)
        }
        times.scheduleReview(at: now + limits.prefetchPatience)
    }

    /// Checks workers that held more attempts than slots at the last review.
    mutating func review(_ reviewed: [WorkerID], _ now: Instant, _ actions: inout [Action]) {
        var stalled: [Int] = []
        for id in reviewed {
            guard let worker = slot(of: id) else { continue }
            let hasStalled = workers[worker].endedSinceReview == 0
            workers[worker].endedSinceReview = 0
            guard workers[worker].attempts.count > workers[worker].profile.slots else {
                workers[worker].isReviewed = false
                continue
            }
            times.review(id)
            times.scheduleReview(at: now + limits.prefetchPatience)
            if hasStalled { stalled.append(worker) }
        }
        guard !stalled.isEmpty else { return }
        var slots = FreeSlots()
        for worker in stalled { claimForRecalled(worker, &slots) }
        for worker in stalled { recall(from: worker, &slots, now, &actions) }
    }

    /// Attempts that are being called back from a worker will need slots elsewhere.
    private func claimForRecalled(_ worker: Int, _ slots: inout FreeSlots) {
        for held in workers[worker].attempts where record(held.node).cancelReason == .recalled {
            guard case .cancelling = record(held.node).state else { continue }
            _ = claim(for: placement(of: held.node), &slots)
        }
    }

    /// Calls back what the worker has not begun, the latest first, as far as other workers have
    /// free slots for it.
    private mutating func recall(
        from worker: Int,
        _ slots: inout FreeSlots,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        let id = workers[worker].id
        let count = workers[worker].attempts.count - workers[worker].profile.slots
        let latest = workers[worker].attempts.sorted { $0.order > $1.order }
        var remaining = count
        for held in latest where remaining > 0 {
            // It may have begun by now, so only what may run twice is called back.
            guard case .leased = record(held.node).state,
                offer(for: held.node, on: id).isIdempotent,
                claim(for: placement(of: held.node), &slots)
            else { continue }
            remaining -= 1
            callBack(held.node, from: id, .recalled, now, &actions)
        }
    }

    /// The free slots that a review has given away already.
    private struct FreeSlots {
        /// How many of a worker's.
        var claimed: [Int: Int] = [:]
        /// How many members of a pool's lane are known to have none left.
        var passed: [Int: Int] = [:]
    }

    /// Claims a slot that could begin a node of the class at once; no if there is none.
    private func claim(for index: Int, _ slots: inout FreeSlots) -> Bool {
        for ticket in classes[index].pools.members where pools.has(ticket) {
            let pool = ticket.index
            let members = pools[pool].free.members
            var next = slots.passed[pool] ?? 0
            while next < members.count {
                if let worker = slot(of: WorkerID(Int(members[next].worker))),
                    freeSlots(of: worker, in: pool) > slots.claimed[worker] ?? 0
                {
                    slots.claimed[worker, default: 0] += 1
                    slots.passed[pool] = next
                    return true
                }
                next += 1
            }
            slots.passed[pool] = next
        }
        return false
    }

    /// How many nodes of the pool the worker could begin at once.
    private func freeSlots(of worker: Int, in pool: Int) -> Int {
        guard hasRoom(worker, in: pool) else { return 0 }
        let free = workers[worker].profile.slots - workers[worker].attempts.count
        guard let tool = pools[pool].limitedTool,
            let limit = workers[worker].profile.tools[tool]?.concurrency
        else { return free }
        return min(free, limit - (workers[worker].lanes.limited[tool]?.held ?? 0))
    }

    // MARK: - One too many

    /// A worker refused an attempt as one too many: it gets nothing before one ends there or the
    /// pause is over, and no more than it holds now before the pause is over.
    mutating func pause(_ id: WorkerID, _ now: Instant) {
        guard let worker = slot(of: id) else { return }
        let beyond = workers[worker].attempts.count - workers[worker].profile.slots
        workers[worker].prefetchLimit = max(0, min(workers[worker].prefetchLimit, beyond))
        workers[worker].pause.isOn = true
        guard workers[worker].pause.end == nil else { return }
        let doublings = min(workers[worker].pause.count, 20)
        workers[worker].pause.count += 1
        let length = min(limits.firstPause * (1 << doublings), limits.longestBackoff)
        workers[worker].pause.end = now + length
        times.add(WorkerPause(at: now + length, worker: id))
    }

    mutating func endPauses(_ now: Instant) {
        while let pause = times.popPause(until: now) {
            guard let worker = slot(of: pause.worker) else { continue }
            workers[worker].pause.end = nil
            workers[worker].pause.isOn = false
            workers[worker].prefetchLimit = workers[worker].profile.prefetchLimit(limits)
            listWorker(worker)
        }
    }
}
