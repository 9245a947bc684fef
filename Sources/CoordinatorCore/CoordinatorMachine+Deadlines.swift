// Time in the coordinator's core: handshakes, heartbeats, resume windows, budgets, progress; and
// the check of its own cross-references.

internal import DequeModule
internal import Plans
internal import Scheduling
internal import Wire

extension CoordinatorMachine {
    mutating func passDeadlines(_ now: Instant, _ actions: inout [Action]) {
        let time = presence.judgingTime(at: now)
        while let connection = handshakes.popDue(until: time) {
            let error = WireError(
                code: .authTimeout,
                message: "The handshake took longer than allowed."
            )
            violate(connection, error, now, &actions)
        }
        if let due = nextHeartbeat, due <= now { beat(now, &actions) }
        while let worker = absences.popDue(until: time) {
            lose(worker, reason: "it did not come back in time", now, &actions)
        }
        fenceSilentFirsts(now, &actions)
        while let id = timedRuns.popDue(until: now) {
            guard let run = runSlots[id], let due = runs[run].deadline else { continue }
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
        for id in Array(activeRuns) + Array(finishedRuns) {
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
        try validateLedger()
        guard runSlots.count == activeRuns.count + finishedRuns.count else {
            throw InvariantViolation("a run is neither active nor finished")
        }
        for worker in workerOrder {
            guard let record = workers[worker], workersByName[record.name] == worker else {
                throw InvariantViolation("\(worker) is not the worker of its name")
            }
            guard (record.connection == nil) == absences.contains(worker) else {
                throw InvariantViolation("\(worker) is absent but not awaited")
            }
        }
        try validateInterests()
    }

    /// The index of watchers and the runs name the same watchers and authors.
    private func validateInterests() throws(InvariantViolation) {
        var expected = 0
        for id in activeRuns {
            guard let slot = runSlots[id] else { continue }
            var observers = Set(runs[slot].watchers.map(\.connection))
            if let author = runs[slot].author { observers.insert(author) }
            expected += observers.count
            guard observers.allSatisfy({ interests[$0]?.contains(id) == true }) else {
                throw InvariantViolation("\(id) would not learn that an observer leaves")
            }
        }
        guard interests.values.reduce(0, { $0 + $1.count }) == expected else {
            throw InvariantViolation("observers are kept for runs that they do not watch")
        }
    }
}
