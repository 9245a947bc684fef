// What workers say about attempts. The hot path of the coordinator: payloads pass through as raw
// bytes. How attempts are sent to workers is in CoordinatorMachine+Dispatching.swift.

internal import Core
internal import JSON
internal import Plans
internal import Runs
internal import Scheduling
internal import Wire

extension CoordinatorMachine {
    mutating func receive(
        _ message: Message,
        fromWorker worker: WorkerID,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        switch message {
        case .result(let result): finish(result, worker, id, in: &turn)
        case .started(let started): start(started.attempt, worker, in: &turn)
        case .chunk(let chunk): handleChunk(chunk, worker, id, in: &turn)
        case .reject(let reject): handleReject(reject, worker, in: &turn)
        case .progress(let progress): handleProgress(progress, worker, in: &turn)
        case .offer(let offer): changeOffer(offer, of: worker, id, in: &turn)
        case .pong(let pong): handlePong(pong, from: worker, in: &turn)
        case .ping(let ping): turn.append(.send(id, .pong(Pong(n: ping.n))))
        case .drain(let drain):
            self.drain(
                worker,
                reason: drain.reason,
                deadlineMilliseconds: nil,
                tellWorker: false,
                in: &turn
            )
        case .bye(let bye):
            if bye.isDrained { requeueUnanswered(worker, in: &turn) }
            dismiss(id, reason: "it said bye: \(bye.reason)", in: &turn)
        case .error(let error) where error.isFatal:
            dismiss(id, reason: "it reported \(error.code)", in: &turn)
        case .error, .window: break
        default:
            let error = WireError(
                code: .notReady,
                message: "\(message.kind.rawValue) is not expected now."
            )
            violate(id, error, in: &turn)
        }
    }

    /// A drained worker has answered every dispatch that it received.
    ///
    /// What it has not answered was sent while its bye was on the way, and never ran.
    private mutating func requeueUnanswered(_ worker: WorkerID, in turn: inout CoordinatorTurn) {
        for attempt in scheduler.attempts(on: worker) {
            schedule(.attemptRejected(attempt, worker, .returned(.undelivered)), in: &turn)
        }
    }

    // MARK: - From the worker

    private mutating func start(
        _ attempt: AttemptID,
        _ worker: WorkerID,
        in turn: inout CoordinatorTurn
    ) {
        guard scheduler.isCurrent(attempt, on: worker), let run = runs.slot(of: attempt.run) else {
            return
        }
        schedule(.attemptStarted(attempt, worker), in: &turn)
        guard scheduler.isRunning(attempt, on: worker) else { return }
        let change = RunChange.started(node: Int32(attempt.node), attempt: Int32(attempt.number))
        record(change, run, in: &turn)
    }

    private mutating func finish(
        _ result: ResultMessage,
        _ worker: WorkerID,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        let attempt = result.attempt
        forgetConsumed(by: attempt, worker)
        guard scheduler.isCurrent(attempt, on: worker), let run = runs.slot(of: attempt.run) else {
            acknowledge(attempt, worker, isStale: true)
            return
        }
        switch result.outcome {
        case .success where runs[run].state.results.intake != .open:
            acknowledge(attempt, worker, isStale: false)
            let failure = Failure(
                code: .limit,
                message: "its output was dropped: the run ends because of the bytes that it holds"
            )
            schedule(.attemptFailed(attempt, worker, failure), in: &turn)
        case .success(let payload):
            guard let output = output(payload, of: attempt, run, worker, id, in: &turn) else {
                return
            }
            acknowledge(attempt, worker, isStale: false)
            if let failure = output.depthFailure {
                return schedule(.attemptFailed(attempt, worker, failure), in: &turn)
            }
            let measured = result.durationMicroseconds
            dropIncoming(of: attempt.node, run)
            let change = RunChange.succeeded(
                node: Int32(attempt.node),
                output,
                microseconds: Int64(measured ?? elapsed(run, attempt.node, turn.now))
            )
            record(change, run, in: &turn)
            schedule(.attemptSucceeded(attempt, worker, microseconds: measured), in: &turn)
        case .failure(let failure):
            acknowledge(attempt, worker, isStale: false)
            let microseconds = result.durationMicroseconds ?? elapsed(run, attempt.node, turn.now)
            let change = RunChange.worked(
                node: Int32(attempt.node),
                microseconds: Int64(microseconds)
            )
            record(change, run, in: &turn)
            countFailedAttempt(attempt.node, run)
            // Clients are told in a line that has more in it than that of the worker.
            let clipped = failure.clipped(to: limits.announced.textBytes)
            schedule(.attemptFailed(attempt, worker, clipped), in: &turn)
        }
    }

    /// The output of a successful attempt in a buffer of its own.
    ///
    /// Nil when it cannot be had: the attempt has then failed, or the worker is dismissed.
    private mutating func output(
        _ payload: Payload,
        of attempt: AttemptID,
        _ run: Int,
        _ worker: WorkerID,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) -> RawJSON? {
        if case .inline(let value) = payload { return value.detached() }
        var assembler = runs[run].incoming.take(attempt, maximumBytes: limits.maxValue)
        do {
            return try assembler.finish(payload)
        } catch  where error.code == .badJSON {
            // All chunks are there: what is wrong is the value, and that concerns this attempt.
            acknowledge(attempt, worker, isStale: false)
            let failure = Failure(code: .badOutput, message: error.message)
            schedule(.attemptFailed(attempt, worker, failure), in: &turn)
            return nil
        } catch {
            violate(id, error, in: &turn)
            return nil
        }
    }

    private func elapsed(_ run: Int, _ node: Int, _ now: Instant) -> Int {
        let dispatchedAt = Int(runs[run].state.nodes[node].dispatchedAt)
        return runs[run].state.microseconds(at: now) - dispatchedAt
    }

    private mutating func handleChunk(
        _ chunk: Chunk,
        _ worker: WorkerID,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        guard case .attempt(let attempt) = chunk.about else { return }
        guard scheduler.isCurrent(attempt, on: worker), let run = runs.slot(of: attempt.run) else {
            // The chunk is dropped; its window is granted so that the worker can finish sending.
            let window = Window(attempt: attempt, bytes: chunk.windowBytes)
            if window.bytes > 0 { turn.append(.send(id, .window(window))) }
            return
        }
        grant(chunk.windowBytes, for: attempt, worker, id, in: &turn)
        switch chunk.stream {
        case .value where runs[run].state.results.intake != .open: break
        case .value:
            do {
                let most = limits.maxValue
                try runs[run].incoming.append(chunk, of: attempt, maximumBytes: most)
                runs.markUnbooked(run)
            } catch {
                violate(id, error, in: &turn)
            }
        case .standardOutput, .standardError:
            recordText(chunk, of: attempt, run, turn.now)
            if runs[run].watchers.highest == .all { passText(chunk, of: attempt, run, in: &turn) }
        case .arguments:
            let error = WireError(code: .badMessage, message: "A worker sends no arguments.")
            violate(id, error, in: &turn)
        }
    }

    /// Passes on what the tool wrote, in pieces if it filled a line: an event has more in it.
    private mutating func passText(
        _ chunk: Chunk,
        of attempt: AttemptID,
        _ run: Int,
        in turn: inout CoordinatorTurn
    ) {
        var rest = chunk.data
        var data = ToolOutput(stream: chunk.stream, bytes: rest).json
        let isLong = data.count > limits.maxLine - Self.roomForEventFields
        while !rest.isEmpty {
            let piece = isLong ? rest.prefix(limits.announced.textBytes) : rest
            if isLong { data = ToolOutput(stream: chunk.stream, bytes: piece).json }
            pass(.chunk, run, node: attempt.node, attempt: attempt, data: data, in: &turn)
            rest = rest.dropFirst(piece.count)
        }
    }

    /// The fields of an event beside its data have fewer bytes.
    private static let roomForEventFields = 512

    /// Grants the bytes of the chunk again; a `window` is sent for each quarter of the window.
    private mutating func grant(
        _ bytes: Int,
        for attempt: AttemptID,
        _ worker: WorkerID,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        let most = limits.window / 4
        let granted = fleet.inPlace(worker) { session in
            let consumed = session.consumed[attempt, default: 0] + bytes
            session.consumed[attempt] = consumed < most ? consumed : 0
            return consumed < most ? nil : consumed
        }
        guard let consumed = granted ?? nil else { return }
        turn.append(.send(id, .window(Window(attempt: attempt, bytes: consumed))))
    }

    /// Tells the worker, with the next dispatch or a little later, of a result that was stored, or
    /// that is not needed any more.
    private mutating func acknowledge(_ attempt: AttemptID, _ worker: WorkerID, isStale: Bool) {
        if configuration.keepsRecords, !isStale || !journal.isWritten {
            let connection = fleet.inPlace(worker) { $0.connection } ?? nil
            return journal.hold(attempt, of: worker, on: connection, isStale: isStale)
        }
        fleet.acknowledge(attempt, of: worker, isStale: isStale, batch: limits.ackBatch)
    }

    /// Forgets how many bytes of the attempt are still to be granted; it has ended.
    mutating func forgetConsumed(by attempt: AttemptID, _ worker: WorkerID) {
        fleet.inPlace(worker) { session in
            if !session.consumed.isEmpty { session.consumed[attempt] = nil }
        }
    }

    private mutating func handleReject(
        _ reject: Reject,
        _ worker: WorkerID,
        in turn: inout CoordinatorTurn
    ) {
        let attempt = reject.attempt
        guard scheduler.isCurrent(attempt, on: worker) else { return }
        let rejection: Rejection
        switch reject.code {
        case .busy where reject.isShortage:
            let reason = reject.message ?? "the worker lacked something to start the tool"
            let event = Scheduler.Event.attemptLackedResources(attempt, worker, reason: reason)
            return schedule(event, in: &turn)
        case .busy: rejection = .returned(.busy)
        case .draining: rejection = .draining
        case .unknownTool: rejection = .unknownTool
        case .recalled: rejection = .returned(.recalled)
        case .badArguments:
            let failure = Failure(
                code: .badArguments,
                message: reject.message ?? "the worker refused the arguments"
            )
            return schedule(.attemptFailed(attempt, worker, failure), in: &turn)
        }
        schedule(.attemptRejected(attempt, worker, rejection), in: &turn)
    }

    private mutating func handleProgress(
        _ progress: Progress,
        _ worker: WorkerID,
        in turn: inout CoordinatorTurn
    ) {
        guard scheduler.isCurrent(progress.attempt, on: worker),
            let run = runs.slot(of: progress.attempt.run)
        else { return }
        pass(
            .progress,
            run,
            node: progress.attempt.node,
            attempt: progress.attempt,
            data: AttemptProgress(
                fraction: progress.fraction,
                note: progress.note?.clipped(to: limits.announced.textBytes)
            ).json,
            in: &turn
        )
    }
}

extension Bye {
    /// Whether a worker leaves because it has nothing left to do: its reason begins with the word
    /// `drained`, however it is written.
    var isDrained: Bool { reason.lowercased().hasPrefix("drained") }
}
