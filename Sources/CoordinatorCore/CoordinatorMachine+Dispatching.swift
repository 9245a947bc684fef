// Attempts on their way to workers: small arguments leave at once, large ones when the worker has
// taken those before them. Until then an attempt is held by its worker in the books only.

internal import Core
internal import JSON
internal import Plans
internal import Runs
internal import Scheduling
internal import Wire

extension CoordinatorMachine {
    /// How many numbers of attempts each restart leaves out, at least: those of attempts that left
    /// before their records were on disk.
    ///
    /// Every attempt whose number is a multiple of half of it waits for its record.
    static let attemptGap = 100

    /// Sends an attempt off, or keeps it until its arguments can leave.
    mutating func dispatch(
        _ attempt: AttemptID,
        to worker: WorkerID,
        timeout: Duration?,
        isRepeatable: Bool,
        in turn: inout CoordinatorTurn
    ) {
        guard let run = runs.slot(of: attempt.run),
            let (connection, name) = fleet.inPlace(worker, { ($0.connection, $0.name) }),
            let connection
        else {
            return schedule(.attemptRejected(attempt, worker, .returned(.undelivered)), in: &turn)
        }
        if needsApproval(attempt.node, run) {
            return withhold(attempt, from: worker, run, in: &turn)
        }
        let isCheckpoint = attempt.number % (Self.attemptGap / 2) == 0
        guard isRepeatable && !isCheckpoint || !configuration.keepsRecords else {
            // Whether it may have run is known after a restart only if this is on disk before; and a
            // restart uses no number again if few attempts of a node leave without a record.
            noteDispatch(attempt, name, isRepeatable, run, in: &turn)
            journal.holdDispatch(to: worker)
            let position = journal.position
            fleet.inPlace(worker) { $0.unsent.append(attempt, untilWritten: position) }
            return
        }
        guard hasTimeForArguments(of: attempt.node, run) else {
            noteDispatch(attempt, name, isRepeatable, run, in: &turn)
            fleet.listUnsent(worker)
            fleet.inPlace(worker) { $0.unsent.append(attempt) }
            return
        }
        if isLarge(attempt.node, run), !hasRoomForLarge(worker) {
            noteDispatch(attempt, name, isRepeatable, run, in: &turn)
            fleet.listUnsent(worker)
            fleet.inPlace(worker) { $0.unsent.appendLarge(attempt) }
            return
        }
        let arguments = takeArguments(of: attempt.node, run)
        noteDispatch(attempt, name, isRepeatable, run, in: &turn)
        send(attempt, with: arguments, to: worker, connection, timeout, run, in: &turn)
    }

    /// Sends what waited for time or for room.
    mutating func sendUnsent(in turn: inout CoordinatorTurn) {
        guard !fleet.unsentWorkers.isEmpty else { return }
        for worker in fleet.takeUnsentWorkers() {
            while argumentBudget.hasTime,
                let attempt = fleet.inPlace(worker, { $0.unsent.nextFresh() }) ?? nil
            {
                sendLate(attempt, to: worker, in: &turn)
            }
            if hasRoomForLarge(worker), argumentBudget.hasTime,
                let attempt = fleet.inPlace(worker, { $0.unsent.nextLarge() }) ?? nil
            {
                sendLate(attempt, to: worker, in: &turn)
            }
            if fleet[worker]?.unsent.isEmpty == false { fleet.listUnsent(worker) }
        }
    }

    /// Whether attempts wait for nothing but a further turn.
    var hasUnfinishedWork: Bool {
        !runs.unmadeAnswers.isEmpty || audience.isRestating || argumentBudget.hasPostponed
            || fleet.unsentWorkers.contains { worker in
                guard let session = fleet[worker] else { return false }
                return session.unsent.hasFresh
                    || session.unsent.hasLarge && hasRoomForLarge(worker)
            }
    }

    /// Whether a worker may get large arguments: none are on their way to it, and not too much waits
    /// for all peers.
    private func hasRoomForLarge(_ worker: WorkerID) -> Bool {
        guard peers.unsentBytes < limits.allUnsentBytes else { return false }
        guard let connection = fleet[worker]?.connection else { return true }
        return peers[connection]?.values.isEmpty != false
    }

    /// Whether workers wait for nothing but room for their arguments.
    var isArgumentWaiting: Bool {
        fleet.unsentWorkers.contains { fleet[$0]?.unsent.isEmpty == false }
    }

    /// Whether the outputs that a node refers to are so long that its arguments surely, or nearly
    /// so, travel in chunks.
    private func isLarge(_ node: Int, _ run: Int) -> Bool {
        if case .pieces = runs[run].arguments[node] { return true }
        guard runs[run].state.results.outputBytes > limits.announced.largestInline,
            runs[run].state.plan[node].template.hasReferences
        else { return false }
        var bytes = 0
        for dependency in runs[run].state.plan.dependencies(of: node) {
            bytes += runs[run].state.results.outputs[dependency]?.count ?? 0
        }
        return bytes > limits.announced.largestInline
    }

    private mutating func sendLate(
        _ attempt: AttemptID,
        to worker: WorkerID,
        in turn: inout CoordinatorTurn
    ) {
        guard scheduler.isCurrent(attempt, on: worker), let run = runs.slot(of: attempt.run),
            let connection = fleet[worker]?.connection
        else { return }
        let arguments = takeArguments(of: attempt.node, run)
        let timeout = scheduler.timeout(of: attempt, on: worker)
        send(attempt, with: arguments, to: worker, connection, timeout, run, in: &turn)
    }

    private mutating func send(
        _ attempt: AttemptID,
        with made: ResolvedArguments,
        to worker: WorkerID,
        _ connection: ConnectionID,
        _ timeout: Duration?,
        _ run: Int,
        in turn: inout CoordinatorTurn
    ) {
        let arguments: ResolvedArguments
        do throws(Failure) {
            arguments = try checkedLate(made, of: attempt.node, run)
        } catch {
            return schedule(.attemptFailed(attempt, worker, error), in: &turn)
        }
        let payload: Payload
        let value: SentValue
        switch arguments {
        case .whole(let whole):
            payload = .inline(whole)
            value = SentValue(bytes: whole.count)
        case .pieces(let pieces):
            guard hasRoomForLarge(worker) else {
                // Made again when it is sent: what is large is cheap to make.
                fleet.listUnsent(worker)
                fleet.inPlace(worker) { $0.unsent.appendLarge(attempt) }
                return
            }
            payload = .pieces(pieces)
            value = SentValue(bytes: pieces.count, ownBytes: pieces.ownBytes)
        }
        if fleet.noteDispatch(to: worker) {
            // Noted before sending, so that the worker never holds an attempt that is not known here.
            sendAcknowledgements(to: worker, in: &turn)
        }
        let planned = runs[run].describe(attempt.node)
        let dispatch = Dispatch(
            attempt: attempt,
            run: attempt.run,
            node: planned.id,
            tool: planned.tool,
            arguments: payload,
            timeoutMilliseconds: timeout?.millisecondsRoundedUp,
            leaseMilliseconds: limits.leaseMilliseconds,
            maxOutput: limits.maxOutput,
            number: attempt.number,
            traceParent: traceParent(of: attempt, within: planned.traceParent)
        )
        send(.dispatch(dispatch), with: value, to: connection, in: &turn)
    }

    /// Takes back the attempts that were not sent to a worker yet, so that other workers get them.
    mutating func giveBackUnsent(of worker: WorkerID, in turn: inout CoordinatorTurn) {
        guard let attempts = fleet.inPlace(worker, { $0.unsent.removeAll() }) else { return }
        for attempt in attempts {
            schedule(.attemptRejected(attempt, worker, .returned(.undelivered)), in: &turn)
        }
    }

    /// The attempts that a worker holds and was sent.
    func sentAttempts(of worker: WorkerID) -> [AttemptID] {
        let held = scheduler.attempts(on: worker)
        guard let unsent = fleet[worker]?.unsent, !unsent.isEmpty else { return held }
        let left = Set(unsent.all)
        return held.filter { !left.contains($0) }
    }

    /// Sends a worker the acknowledgements that wait for it, if there are any.
    mutating func sendAcknowledgements(to worker: WorkerID, in turn: inout CoordinatorTurn) {
        if let (connection, ack) = fleet.takeAcknowledgements(of: worker) {
            turn.append(.send(connection, .ack(ack)))
        }
    }

    /// Sends the acknowledgements whose time has come.
    mutating func sendDueAcknowledgements(in turn: inout CoordinatorTurn) {
        for worker in fleet.takeDueAcknowledgements(at: turn.now) {
            sendAcknowledgements(to: worker, in: &turn)
        }
        fleet.setAcknowledgementTime(turn.now + limits.ackDelay)
    }

    private mutating func noteDispatch(
        _ attempt: AttemptID,
        _ worker: String,
        _ isRepeatable: Bool,
        _ run: Int,
        in turn: inout CoordinatorTurn
    ) {
        let change = RunChange.dispatched(
            node: Int32(attempt.node),
            attempt: Int32(attempt.number),
            worker: worker,
            isRepeatable: isRepeatable
        )
        record(change, run, in: &turn)
        markProgressDirty(run, turn.now)
    }
}
