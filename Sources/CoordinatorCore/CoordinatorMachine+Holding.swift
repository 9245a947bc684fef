// Held bytes: what every run holds is booked in the ledger, and what happens at a bound. A run that
// holds too much ends; finished runs make room for live ones; what does not fit is not accepted.

internal import Core
internal import DequeModule
internal import Plans
internal import Runs
internal import Scheduling
internal import Wire

extension CoordinatorMachine {
    /// The bound on the events that a run keeps.
    var logBound: RunLog.Bound {
        RunLog.Bound(entries: limits.eventLogEntries, bytes: limits.eventBytes)
    }

    private mutating func bookRuns() { runs.book(runBytes: limits.runBytes) }

    /// Drops what has arrived of the output of a node's attempt, which has ended.
    mutating func dropIncoming(of node: Int, _ run: Int) {
        guard !runs[run].incoming.isEmpty else { return }
        runs[run].incoming.remove(node)
        runs.markUnbooked(run)
    }

    // MARK: - Admission

    /// Why a submission is not accepted for the bytes that it brings, or nil; finished runs make
    /// room for it.
    mutating func admission(of run: HeldRun, about key: String) -> ErrorMessage? {
        bookRuns()
        let bytes = run.heldBytes
        guard bytes <= limits.runBytes else {
            return ErrorMessage(
                code: .limit,
                message: "The run would hold \(bytes) bytes, and a run may hold at most "
                    + "\(limits.runBytes). Split it into several runs, or raise run_bytes in the "
                    + "coordinator's configuration.",
                isFatal: false,
                about: key
            )
        }
        guard runs.ledger.active + bytes <= limits.heldBytes else {
            return ErrorMessage(
                code: .busy,
                message: "Unfinished runs hold \(runs.ledger.active) of the "
                    + "\(limits.heldBytes) bytes "
                    + "that there are for all runs, and this one needs \(bytes). Try again when "
                    + "one has ended, or raise held_bytes in the coordinator's configuration.",
                isFatal: false,
                about: key
            )
        }
        while runs.ledger.total + bytes > limits.heldBytes, forgetOldestRun() {}
        return nil
    }

    // MARK: - Bounds

    /// Ends runs that hold too much, and makes room when all runs together do.
    mutating func keepWithinBounds(in turn: inout CoordinatorTurn) {
        bookRuns()
        while let run = runs.nextOverfull() {
            guard runs.ledger.bytes(of: run) > limits.runBytes, isGoingOn(run) else { continue }
            let failure = Failure(
                code: .limit,
                message: "the run holds more than the \(limits.runBytes) bytes that it may "
                    + "(run_bytes): \(runs[run].heldBytesInWords)"
            )
            stopIntake(of: run, .intakeEnded, in: &turn)
            end(run, because: failure, in: &turn)
            bookRuns()
        }
        guard runs.ledger.total > limits.heldBytes else { return }
        giveBackBytes(in: &turn)
    }

    /// Gives back bytes until all runs together are within their bound: finished runs go first, the
    /// oldest before the others, then kept events and texts of tools, then the run that holds the most.
    private mutating func giveBackBytes(in turn: inout CoordinatorTurn) {
        while runs.ledger.total > limits.heldBytes, forgetOldestRun() {}
        for id in Array(runs.active) where runs.ledger.total > limits.heldBytes {
            guard let run = runs.slot(of: id) else { continue }
            runs[run].log.trim(to: RunLog.Bound(entries: 1, bytes: 0))
            runs[run].texts.dropKept()
            runs.markUnbooked(run)
            bookRuns()
        }
        while runs.ledger.total > limits.heldBytes, let run = largestRun {
            let failure = Failure(
                code: .limit,
                message: "all runs together held more than the \(limits.heldBytes) bytes that "
                    + "they may (held_bytes), and this run the most: "
                    + runs[run].heldBytesInWords
            )
            stopIntake(of: run, .outputsDropped, in: &turn)
            runs[run].answers.drop()
            if isGoingOn(run) { end(run, because: failure, in: &turn) }
            bookRuns()
        }
    }

    /// Outputs that still come are not kept, nor is what has arrived of them.
    private mutating func stopIntake(
        of run: Int,
        _ change: RunChange,
        in turn: inout CoordinatorTurn
    ) {
        runs[run].incoming.removeAll()
        record(change, run, in: &turn)
    }

    /// Whether nobody has ended the run yet, in whatever way.
    private func isGoingOn(_ run: Int) -> Bool { runs[run].state.phase.isGoingOn }

    /// The unfinished run that holds the most of those that have something to give.
    private var largestRun: Int? {
        var largest: Int?
        for id in runs.active {
            guard let run = runs.slot(of: id), runs[run].state.results.intake != .dropped else {
                continue
            }
            if largest.map({ runs.ledger.bytes(of: run) > runs.ledger.bytes(of: $0) }) ?? true {
                largest = run
            }
        }
        return largest
    }

    /// Why the outcomes of a run cannot be put together into one value, or nil.
    func joinShortage(_ run: Int) -> Failure? {
        let isWhole: Bool
        switch runs[run].state.acceptance.join {
        case .llm: isWhole = false
        case .concat, .json, .tool: isWhole = true
        }
        guard isWhole else { return nil }
        let results = runs[run].state.results
        let needed = results.outputBytes + results.failureBytes
        let most = min(limits.maxValue, limits.runBytes - runs[run].heldBytes)
        guard needed > most else { return nil }
        return Failure(
            code: .limit,
            message: "the outcomes have \(needed) bytes together; there is room for "
                + "\(max(most, 0)) to put them into one value (max_value, run_bytes)"
        )
    }

    // MARK: - Finished runs

    /// Keeps a finished run for questions, within the limits.
    mutating func retire(_ run: Int) {
        let id = runs[run].id
        runs.deadlines.ofRuns.remove(id)
        // Nothing more is planned; the answer is the run's.
        runs[run].dropPlanner()
        runs[run].log.trim(
            to: RunLog.Bound(entries: limits.finishedEvents, bytes: limits.eventBytes)
        )
        runs[run].log.shrink()
        runs.markUnbooked(run)
        bookRuns()
        runs[run].endPosition = journal.position
        runs.finish(run)
        makeRoomForFinished()
    }

    /// Forgets finished runs that are too many or too large together; with a journal they are on
    /// disk.
    mutating func makeRoomForFinished() {
        while runs.finished.count > limits.finishedRuns
            || (runs.finished.count > 1
                && (runs.counts.finishedNodes > limits.finishedNodes
                    || runs.ledger.finished > limits.finishedBytes))
        {
            guard forgetOldestRun() else { break }
        }
    }

    /// Forgets the run that ended first; false if none is kept.
    private mutating func forgetOldestRun() -> Bool {
        let written = configuration.keepsRecords ? journal.written : .max
        guard let oldest = runs.removeOldestFinished(written: written) else { return false }
        if configuration.keepsRecords { history.note(oldest.id, key: oldest.key) }
        scheduler.handle(.runReleased(oldest.id), at: .zero, into: &schedulerActions)
        return true
    }

    // MARK: - Checks

    /// The ledger says what the runs hold, and the runs hold what they count.
    func validateLedger() throws(InvariantViolation) {
        guard runs.ledger.isBalanced else {
            throw InvariantViolation("the sums of the ledger are not those of its accounts")
        }
        var active = 0
        for id in runs.active {
            guard let slot = runs.slot(of: id) else { continue }
            active += runs[slot].countedBytes
            guard runs.ledger.bytes(of: slot) == runs[slot].countedBytes else {
                throw InvariantViolation(
                    "run \(id) holds \(runs[slot].countedBytes) bytes, booked are "
                        + "\(runs.ledger.bytes(of: slot))"
                )
            }
        }
        var finished = 0
        for id in runs.finished {
            guard let slot = runs.slot(of: id) else { continue }
            finished += runs[slot].countedBytes
        }
        guard runs.ledger.active == active, runs.ledger.finished == finished else {
            throw InvariantViolation(
                "runs hold \(active) and \(finished) bytes, booked are \(runs.ledger.active) and "
                    + "\(runs.ledger.finished)"
            )
        }
    }
}
