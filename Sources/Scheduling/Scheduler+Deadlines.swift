// Time: what happens when a backoff, an attempt or a cancel is due. The times are in
// Tables/SchedulerTimes; reviews of prefetched attempts and pauses of workers are in Prefetching,
// pauses of tools in Trouble.

internal import Core
internal import DequeModule

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
        /// The node need not keep away from other suspects any longer.
        case separated
        /// The worker should have answered the cancel.
        case unanswered
    }

    static func < (left: Deadline, right: Deadline) -> Bool { left.at < right.at }
    static func == (left: Deadline, right: Deadline) -> Bool { left.at == right.at }
}

extension Scheduler {
    mutating func passDeadlines(_ now: Instant, _ actions: inout [Action]) {
        while let due = times.popDeadline(until: now) { pass(due, now, &actions) }
        endWaitForWorkers(now)
        endPauses(now)
        endCoolings(now)
        if let reviewed = times.takeReview(until: now) { review(reviewed, now, &actions) }
    }

    private mutating func pass(_ deadline: Deadline, _ now: Instant, _ actions: inout [Action]) {
        let attempt = deadline.attempt
        guard let node = slot(of: NodeReference(run: attempt.run, node: attempt.node)),
            Int(record(node).attempt) == attempt.number
        else { return }
        let record = record(node)
        switch (record.state, deadline.meaning) {
        case (.backingOff, .backoff):
            actions.append(.publishPauseEnded(reference(node)))
            makeReady(node)
        case (.ready, .separated):
            endSeparation(of: node)
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
        default: loseAndRetry(node, on: worker, &actions)
        }
    }
}
