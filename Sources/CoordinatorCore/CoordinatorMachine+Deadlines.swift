// Time in the coordinator's core: handshakes, heartbeats, resume windows, budgets, progress; and
// the check of its own cross-references.

internal import Core
internal import DequeModule
internal import Runs
internal import Scheduling
internal import Wire

extension CoordinatorMachine {
    mutating func passDeadlines(in turn: inout CoordinatorTurn) {
        let time = presence.judgingTime(at: turn.now)
        while let connection = peers.popLateHandshake(at: time) {
            let error = WireError(
                code: .authTimeout,
                message: "The handshake took longer than allowed."
            )
            violate(connection, error, in: &turn)
        }
        if let due = presence.nextHeartbeat, due <= turn.now { beat(in: &turn) }
        while let worker = fleet.popLost(at: time) {
            lose(worker, reason: "it did not come back in time", in: &turn)
        }
        launches.forgetGone(at: time)
        fenceSilentFirsts(in: &turn)
        while let id = runs.deadlines.ofRuns.popDue(until: turn.now) {
            guard let run = runs.slot(of: id),
                let limit = runs[run].state.acceptance.wallMilliseconds
            else { continue }
            let failure = Failure(
                code: .timeout,
                message: "the run took longer than the \(limit) ms that it may take"
            )
            end(run, because: failure, in: &turn)
        }
        endApprovals(in: &turn)
        closeCalls(in: &turn)
        endKeys(in: &turn)
        schedule(.deadlineReached, in: &turn)
        if let due = audience.progress.due, due <= turn.now { sendProgress(in: &turn) }
    }

    func validateRuns() throws(InvariantViolation) {
        for id in Array(runs.active) + Array(runs.finished) {
            guard let slot = runs.slot(of: id) else {
                throw InvariantViolation("run \(id) is listed but unknown")
            }
            guard runs[slot].id == id else {
                throw InvariantViolation("run \(id) is not in its slot")
            }
            try runs[slot].state.validate()
            try validateStates(of: slot)
        }
        try validateLedger()
        guard runs.count == runs.active.count + runs.finished.count else {
            throw InvariantViolation("a run is neither active nor finished")
        }
        try validateInterests()
    }

    /// A run and the scheduler say the same of each node.
    private func validateStates(of slot: Int) throws(InvariantViolation) {
        let run = runs[slot].state
        let states = scheduler.states(of: run.id)
        // One that was read from disk is not scheduled any more.
        if run.isEnded, states.isEmpty { return }
        guard states.count == run.nodes.count else {
            throw InvariantViolation("\(run.id) has other nodes for the scheduler")
        }
        for node in run.nodes.indices
        where run.nodes[node].status.scheduled != states[node].status {
            throw InvariantViolation(
                "\(run.id)/\(node) is \(run.nodes[node].status), but for the scheduler "
                    + "\(states[node])"
            )
        }
    }

    /// The index of watchers and the runs name the same watchers and authors.
    private func validateInterests() throws(InvariantViolation) {
        var expected: [RunID: Set<ConnectionID>] = [:]
        for id in runs.active {
            guard let slot = runs.slot(of: id) else { continue }
            var observers = Set(runs[slot].watchers.map(\.connection))
            if let author = runs[slot].author { observers.insert(author) }
            expected[id] = observers
        }
        try audience.validate(expected)
    }
}

extension NodeStatus {
    /// The same as the scheduler sees it, which knows no approvals.
    fileprivate var scheduled: NodeStatus { self == .awaitingApproval ? .waiting : self }
}

extension NodeState {
    /// The same in the words of the run.
    fileprivate var status: NodeStatus {
        switch self {
        case .waiting: .waiting
        case .ready: .ready
        case .backingOff: .backingOff
        case .leased: .sent
        case .running: .running
        case .cancelling: .cancelling
        case .succeeded: .succeeded
        case .failed: .failed
        case .cancelled: .cancelled
        case .skipped: .skipped
        }
    }
}
