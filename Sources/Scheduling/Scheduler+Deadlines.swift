// Time: one heap for backoffs, overdue attempts and unanswered cancels, and the review of workers
// that sit on prefetched attempts. Entries are not removed when they become pointless; they are
// recognised as such when they come up.

internal import DequeModule
internal import HeapModule
internal import Plans

/// Something to look at when its time comes, named by the attempt that it was meant for.
struct Deadline: Sendable, Comparable {
    var at: Instant
    var attempt: AttemptID
    var meaning: Meaning

    enum Meaning: Sendable {
        /// The next attempt may start.
        case backoff
        /// The worker should have ended the attempt by itself.
        case overdue
        /// The worker should have answered the cancel.
        case unanswered
    }

    static func < (left: Deadline, right: Deadline) -> Bool { left.at < right.at }
    static func == (left: Deadline, right: Deadline) -> Bool { left.at == right.at }
}

extension Scheduler {
    mutating func passDeadlines(_ now: Instant, _ actions: inout [Action]) {
        while let first = deadlines.min, first.at <= now {
            deadlines.removeMin()
            pass(first, now, &actions)
        }
        if let due = reviewAt, due <= now { reviewPrefetches(now, &actions) }
    }

    private mutating func pass(_ deadline: Deadline, _ now: Instant, _ actions: inout [Action]) {
        let attempt = deadline.attempt
        guard let node = slot(of: NodeReference(run: attempt.run, node: attempt.node)),
            Int(record(node).attempt) == attempt.number
        else { return }
        let record = record(node)
        switch (record.state, deadline.meaning) {
        case (.backingOff, .backoff):
            makeReady(node)
        case (.running(let worker), .overdue):
            callBack(node, from: worker, .timeout, now, &actions)
        case (.cancelling(let worker, let until), .unanswered) where until <= now:
            giveUp(node, on: worker, now, &actions)
        default:
            break
        }
    }

    /// The worker did not answer the cancel in time, though it is alive: the attempt is fenced.
    private mutating func giveUp(
        _ node: NodeSlot,
        on worker: WorkerID,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        let attempt = currentAttempt(of: node)
        switch record(node).cancelReason {
        case .timeout: fail(attempt, worker, timeoutFailure(node), now, &actions)
        default: loseAttempt(of: node, on: worker, now, &actions)
        }
    }

    // MARK: - Prefetched attempts that wait behind a long one

    private mutating func reviewPrefetches(_ now: Instant, _ actions: inout [Action]) {
        reviewAt = nil
        for worker in workerOrder {
            let hasStalled = workers[worker].endedSinceReview == 0
            workers[worker].endedSinceReview = 0
            guard workers[worker].attempts.count > workers[worker].profile.slots else { continue }
            reviewAt = now + limits.prefetchPatience
            if hasStalled { recall(from: worker, now, &actions) }
        }
    }

    /// Calls back what the worker has not begun, as far as other workers have free slots.
    private mutating func recall(from worker: Int, _ now: Instant, _ actions: inout [Action]) {
        let id = workers[worker].id
        for node in workers[worker].attempts.reversed() {
            let index = placement(of: node)
            // It may have begun by now, so only what may run twice is called back.
            guard case .leased = record(node).state,
                workers[worker].standings[index].mayPrefetch,
                hasFreeSlot(for: index, besides: worker)
            else { continue }
            callBack(node, from: id, .recalled, now, &actions)
        }
    }

    private func hasFreeSlot(for index: Int, besides worker: Int) -> Bool {
        classes[index].front.contains { other in
            other != worker && workers[other].hasRoom(in: classes[index], index)
        }
    }
}
