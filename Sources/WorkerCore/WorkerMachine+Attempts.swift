// The life of an attempt up to its end: dispatch, queue, start, output, progress, cancelling, time
// limits. What becomes of its result is in Results.
internal import Core
internal import JSON
internal import Wire

extension WorkerMachine {
    /// How many attempts may be held: as many as `register` can list in the other half of its line,
    /// but no fewer than the slots.
    var heldLimit: Int { max(configuration.slots, announced.maxLine / 2 / Self.inFlightBytes) }

    /// The longest entry of `in_flight`: `{"attempt":"…","state":"running"},`.
    private static let inFlightBytes = 72

    // MARK: - Taking on

    mutating func take(
        _ dispatch: Dispatch,
        at now: Instant,
        into actions: inout [Action]
    ) {
        if let index = attempts.index(of: dispatch.attempt) {
            // Sent twice; but an abandoned attempt of this id may belong to an earlier coordinator.
            guard attempts[index].isAbandoned else { return }
            incoming.remove(dispatch.attempt)
            return reject(
                dispatch.attempt,
                .busy,
                "An earlier attempt of this id still ends.",
                into: &actions
            )
        }
        let arguments: RawJSON
        do {
            arguments = try incoming.finish(dispatch.arguments, of: dispatch.attempt)
        } catch {
            return reject(dispatch.attempt, error.code, error.message, into: &actions)
        }
        if let draining {
            return reject(dispatch.attempt, .draining, draining.reason, into: &actions)
        }
        guard let tool = toolIndexes[dispatch.tool] else {
            return reject(
                dispatch.attempt,
                .unknownTool,
                "There is no tool \(dispatch.tool) here.",
                into: &actions
            )
        }
        guard hasRoom else {
            return reject(
                dispatch.attempt,
                .busy,
                "As many attempts as possible are held.",
                into: &actions
            )
        }
        let milliseconds =
            dispatch.timeoutMilliseconds ?? configuration.tools[tool].timeoutMilliseconds
        let index = attempts.insert(
            dispatch,
            arguments,
            tool: tool,
            timeout: milliseconds.map { .milliseconds($0) }
        )
        attempts[index].window = announced.window
        queue.add(
            StartQueue.Ticket(sequence: attempts[index].sequence, index: index, tool: tool)
        )
        queued += 1
        startQueued(at: now, into: &actions)
    }

    /// How many attempts beyond its slots it takes on: as `register` says.
    var queueLimit: Int { min(configuration.queueLimit, heldLimit - configuration.slots) }

    private var hasRoom: Bool {
        queued + running < configuration.slots + queueLimit
            && attempts.count < heldLimit
            && keptBytes < configuration.limits.maxValue
    }

    mutating func reject(
        _ id: AttemptID,
        _ code: RejectCode,
        isShortage: Bool = false,
        _ message: String? = nil,
        into actions: inout [Action]
    ) {
        let reject = Reject(attempt: id, code: code, isShortage: isShortage, message: message)
        actions.append(.send(.reject(reject)))
        actions.append(.report(.rejected(id, code)))
    }

    mutating func argumentsCame(_ chunk: Chunk) {
        guard case .attempt(let id) = chunk.about, chunk.stream == .arguments,
            attempts.index(of: id) == nil
        else { return }
        incoming.append(chunk, of: id)
    }

    // MARK: - Starting

    mutating func startQueued(at now: Instant, into actions: inout [Action]) {
        guard isReady else { return }
        while running < configuration.slots, let ticket = queue.next() {
            start(ticket, at: now, into: &actions)
        }
    }

    private mutating func start(
        _ ticket: StartQueue.Ticket,
        at now: Instant,
        into actions: inout [Action]
    ) {
        let attempt = attempts[ticket.index]
        attempts[ticket.index].state = .running(nil)
        attempts[ticket.index].arguments = .null
        queued -= 1
        running += 1
        fresh.append(
            Touched(index: ticket.index, sequence: ticket.sequence, started: now)
        )
        actions.append(
            .startAttempt(
                AttemptStart(
                    attempt: attempt.id,
                    node: attempt.node,
                    tool: configuration.tools[attempt.tool].name,
                    arguments: attempt.arguments,
                    number: attempt.id.number,
                    timeout: attempt.timeout,
                    maxOutput: attempt.maxOutput
                )
            )
        )
    }

    /// Tells of the attempts that were started in this turn and still run, begins their time, and
    /// passes on what running ones said of themselves.
    mutating func settleFresh(into actions: inout [Action]) {
        for touched in fresh {
            let index = touched.index
            guard attempts.has(touched.sequence, at: index), attempts[index].isRunning else {
                continue
            }
            if let started = touched.started {
                stalls.succeeded(tool: attempts[index].tool)
                announceStart(at: index, into: &actions)
                if let timeout = attempts[index].timeout {
                    timeouts.add(started + timeout, touched.sequence, at: index)
                }
            }
            if let progress = attempts[index].progress {
                attempts[index].progress = nil
                if isReady { actions.append(.send(.progress(progress))) }
            }
        }
        fresh.removeAll(keepingCapacity: true)
    }

    private mutating func announceStart(at index: Int, into actions: inout [Action]) {
        guard isReady, !attempts[index].isAnnounced, !attempts[index].isAbandoned else { return }
        attempts[index].isAnnounced = true
        actions.append(.send(.started(Started(attempt: attempts[index].id))))
    }

    // MARK: - Running

    /// The index of an attempt that its tool says something of.
    func runningIndex(of id: AttemptID) -> Int {
        guard let index = attempts.index(of: id), attempts[index].isRunning else {
            preconditionFailure("the tool of \(id), which does not run, reported something")
        }
        return index
    }

    mutating func attemptOutput(
        _ id: AttemptID,
        _ stream: ChunkStream,
        _ bytes: [UInt8],
        into actions: inout [Action]
    ) {
        let index = runningIndex(of: id)
        announceStart(at: index, into: &actions)
        var start = 0
        while start < bytes.count {
            let end = min(start + chunkBytes, bytes.count)
            let sequence: Int
            // A piece that is dropped takes its number with it, so that the gap shows.
            if stream == .standardError {
                sequence = attempts[index].nextError
                attempts[index].nextError += 1
            } else {
                sequence = attempts[index].nextOutput
                attempts[index].nextOutput += 1
            }
            if isReady, !attempts[index].isAbandoned, end - start <= attempts[index].window {
                attempts[index].window -= end - start
                let data = end - start == bytes.count ? bytes : Array(bytes[start..<end])
                actions.append(
                    .send(
                        .chunk(
                            Chunk(
                                about: .attempt(id),
                                sequence: sequence,
                                stream: stream,
                                data: data
                            )
                        )
                    )
                )
            } else {
                attempts[index].droppedBytes += end - start
            }
            start = end
        }
    }

    mutating func attemptProgressed(_ id: AttemptID, fraction: Double?, note: String?) {
        let index = runningIndex(of: id)
        if attempts[index].progress == nil {
            fresh.append(
                Touched(index: index, sequence: attempts[index].sequence, started: nil)
            )
        }
        attempts[index].progress = Progress(
            attempt: id,
            fraction: fraction,
            note: note?.clipped(to: textLimit)
        )
    }

    // MARK: - Stopping

    mutating func cancel(
        _ cancel: Cancel,
        at now: Instant,
        into actions: inout [Action]
    ) {
        guard let index = attempts.index(of: cancel.attempt) else {
            return incoming.remove(cancel.attempt)
        }
        switch attempts[index].state {
        case .queued:
            unqueue(at: index)
            if cancel.reason == Cancel.recalled {
                attempts.remove(at: index)
                reject(cancel.attempt, .recalled, into: &actions)
            } else {
                let failure = Failure(
                    code: .cancelled,
                    message: "It was cancelled before it began."
                )
                keep(
                    Attempt.Finished(
                        outcome: .failure(failure),
                        isTruncated: false,
                        microseconds: 0
                    ),
                    at: index,
                    into: &actions
                )
            }
            startQueued(at: now, into: &actions)
        case .running(let stop):
            // Whoever recalls an attempt wants it to run elsewhere; it runs already.
            guard cancel.reason != Cancel.recalled, stop != .abandoned else { return }
            if stop == nil {
                let isLate = cancel.reason == Cancel.timeout
                attempts[index].state = .running(isLate ? .timedOut : .cancelled)
            }
            actions.append(
                .cancelAttempt(
                    cancel.attempt,
                    grace: .milliseconds(max(0, cancel.graceMilliseconds))
                )
            )
        case .done, .vacant:
            // The result is on its way already.
            break
        }
    }

    mutating func timedOut(at index: Int, into actions: inout [Action]) {
        guard case .running(nil) = attempts[index].state else { return }
        attempts[index].state = .running(.timedOut)
        actions.append(.report(.timedOut(attempts[index].id)))
        actions.append(
            .cancelAttempt(attempts[index].id, grace: configuration.limits.cancelGrace)
        )
    }

    /// Gives up an attempt whose outcome nobody wants.
    mutating func abandon(at index: Int, into actions: inout [Action]) {
        let id = attempts[index].id
        switch attempts[index].state {
        case .queued:
            unqueue(at: index)
            attempts.remove(at: index)
        case .running(let stop):
            if stop == .abandoned { return }
            attempts[index].state = .running(.abandoned)
            actions.append(.cancelAttempt(id, grace: configuration.limits.cancelGrace))
        case .done(let finished):
            keptBytes -= finished.keptBytes
            attempts.remove(at: index)
        case .vacant:
            return
        }
        actions.append(.report(.abandoned(id)))
    }

    mutating func unqueue(at index: Int) {
        queue.remove(attempts[index].sequence, tool: attempts[index].tool)
        queued -= 1
    }
}
