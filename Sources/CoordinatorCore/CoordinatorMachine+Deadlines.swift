// Time in the coordinator's core: handshakes, heartbeats, resume windows, budgets, progress; and
// the check of its own cross-references.

internal import DequeModule
internal import Plans
internal import Scheduling
internal import Wire

extension CoordinatorMachine {
    /// The earliest end of a run's time budget.
    var nextRunDeadline: Instant? {
        timedRuns.compactMap { runSlots[$0].flatMap { runs[$0].deadline } }.min()
    }

    /// When the first session without connection is given up.
    var nextGivenUp: Instant? {
        // All are awaited equally long, so the first one that left is the first to be given up.
        absentWorkers.first.flatMap { workers[$0]?.givenUpAt }
    }

    mutating func passDeadlines(_ now: Instant, _ actions: inout [Action]) {
        while let first = handshakeDeadlines.first, first.at <= now {
            handshakeDeadlines.removeFirst()
            guard let peer = peers[first.connection], !peer.isAuthenticated else { continue }
            let error = WireError(
                code: .authTimeout,
                message: "The handshake took longer than allowed."
            )
            violate(first.connection, error, now, &actions)
        }
        if let due = nextHeartbeat, due <= now { beat(now, &actions) }
        for worker in absentWorkers {
            guard let due = workers[worker]?.givenUpAt, due <= now else { continue }
            lose(worker, reason: "it did not come back in time", now, &actions)
        }
        fenceSilentFirsts(now, &actions)
        for id in timedRuns {
            guard let run = runSlots[id], let due = runs[run].deadline, due <= now else {
                continue
            }
            let limit = (due - runs[run].acceptedAt) / .milliseconds(1)
            let failure = Failure(
                code: .timeout,
                message: "the run took longer than the \(Int(limit)) ms that it may take"
            )
            end(run, because: failure, now, &actions)
        }
        closeCalls(now, &actions)
        schedule(.deadlineReached, now, &actions)
        if let due = nextProgress, due <= now { sendProgress(now, &actions) }
    }

    func validateRuns() throws(InvariantViolation) {
        for id in activeRuns + Array(finishedRuns) {
            guard let slot = runSlots[id] else {
                throw InvariantViolation("run \(id) is listed but unknown")
            }
            let run = runs[slot]
            guard run.id == id, run.outputs.count == run.plan.count,
                run.reports.count == run.plan.count, run.counts.total == run.plan.count
            else { throw InvariantViolation("run \(id) counts its nodes wrongly") }
            guard run.isEnded == (run.status != .running) else {
                throw InvariantViolation("run \(id) ended without a status")
            }
            if run.isEnded, run.counts.settled != run.plan.count || run.counts.running != 0 {
                throw InvariantViolation("run \(id) ended with unsettled nodes")
            }
        }
        guard runSlots.count == activeRuns.count + finishedRuns.count else {
            throw InvariantViolation("a run is neither active nor finished")
        }
        for worker in workerOrder {
            guard let record = workers[worker], workersByName[record.name] == worker else {
                throw InvariantViolation("\(worker) is not the worker of its name")
            }
            guard (record.connection == nil) == (record.givenUpAt != nil) else {
                throw InvariantViolation("\(worker) is absent but not awaited")
            }
        }
    }
}
