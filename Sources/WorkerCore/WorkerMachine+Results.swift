// The outcome of an attempt on its way to the coordinator: kept until it is acknowledged, sent in
// the result itself or, if it is large, in chunks before it.
internal import Core
internal import DequeModule
internal import JSON
internal import Wire

/// The values in chunks that are being sent, each in its turn, and how much of them is on its way.
struct SendingOrder: Sendable {
    /// The bytes of values handed to the shell at once: what a heartbeat may have to wait for.
    static let burst = 1 << 20

    var turns: Deque<(index: Int, sequence: UInt64)> = []
    /// Bytes handed to the shell since `written`.
    var unwritten = 0
    /// Whether `written` is awaited.
    var isAwaited = false
}

extension WorkerMachine {
    /// Bytes of data in one chunk: doubled by escaping, it must fit into a line.
    var chunkBytes: Int {
        max(16, min(configuration.limits.chunkBytes, (announced.maxLine - 1024) / 2))
    }

    /// Bytes of a text for people that goes into a line with others; each may become six.
    var textLimit: Int { max(64, announced.maxLine / 32) }

    // MARK: - Keeping

    mutating func attemptFinished(
        _ id: AttemptID,
        _ finished: Attempt.Finished,
        at now: Instant,
        into actions: inout [Action]
    ) {
        let index = runningIndex(of: id)
        guard case .running(let stop) = attempts[index].state else { return }
        let finished = finished.withinDepth
        running -= 1
        queue.ended(tool: attempts[index].tool)
        if attempts[index].droppedBytes > 0 {
            actions.append(
                .report(.outputDropped(id, bytes: attempts[index].droppedBytes))
            )
        }
        if stop == .abandoned {
            attempts.remove(at: index)
        } else if let stop, case .failure(let failure) = finished.outcome,
            failure.code == .cancelled, stop == .timedOut
        {
            keep(
                Attempt.Finished(
                    outcome: .failure(timeoutFailure(at: index, failure)),
                    isTruncated: finished.isTruncated,
                    microseconds: finished.microseconds
                ),
                at: index,
                into: &actions
            )
        } else {
            keep(finished, at: index, into: &actions)
        }
        resumeStalled()
        startQueued(at: now, into: &actions)
    }

    /// The failure of an attempt that was stopped for taking too long; a tool that had its outcome
    /// by then reports that.
    private func timeoutFailure(at index: Int, _ failure: Failure) -> Failure {
        var timeout = failure
        timeout.code = .timeout
        timeout.message =
            attempts[index].timeout.map { "took longer than \($0.inWords)" }
            ?? "took longer than it may"
        // A tool with side effects must not run twice.
        timeout.isRetryable = configuration.tools[attempts[index].tool].mayBeRepeated
        return timeout
    }

    /// Keeps how an attempt ended until it is acknowledged, and sends it if there is a session.
    mutating func keep(
        _ finished: Attempt.Finished,
        at index: Int,
        into actions: inout [Action]
    ) {
        keptBytes += finished.keptBytes
        attempts[index].state = .done(finished)
        attempts[index].progress = nil
        if isReady { sendResult(at: index, into: &actions) }
    }

    mutating func acknowledged(_ ack: Ack, into actions: inout [Action]) {
        for id in ack.attempts {
            guard let index = attempts.index(of: id),
                case .done(let finished) = attempts[index].state
            else { continue }
            keptBytes -= finished.keptBytes
            attempts.remove(at: index)
        }
        for id in ack.stale {
            guard let index = attempts.index(of: id) else { continue }
            if case .done(let finished) = attempts[index].state {
                keptBytes -= finished.keptBytes
                attempts.remove(at: index)
            } else {
                abandon(at: index, into: &actions)
            }
        }
    }

    // MARK: - Sending

    mutating func sendResult(at index: Int, into actions: inout [Action]) {
        guard case .done(var finished) = attempts[index].state else { return }
        switch finished.outcome {
        case .failure(let failure):
            send(.failure(failure.clipped(to: textLimit)), finished, at: index, into: &actions)
        case .success(let value) where value.count <= announced.largestInline:
            send(.success(.inline(value)), finished, at: index, into: &actions)
        case .success(let value) where value.count > announced.maxValue:
            let failure = Failure(
                code: .outputTooLarge,
                message: "The output has \(value.count) bytes;"
                    + " the coordinator takes \(announced.maxValue)."
            )
            send(.failure(failure), finished, at: index, into: &actions)
        case .success(let value):
            finished.outgoing = OutgoingValue(value, of: attempts[index].id)
            attempts[index].state = .done(finished)
            takeTurn(at: index)
            sendChunks(into: &actions)
        }
    }

    private func send(
        _ outcome: AttemptOutcome,
        _ finished: Attempt.Finished,
        at index: Int,
        into actions: inout [Action]
    ) {
        actions.append(
            .send(
                .result(
                    ResultMessage(
                        attempt: attempts[index].id,
                        outcome: outcome,
                        isTruncated: finished.isTruncated,
                        durationMicroseconds: finished.microseconds
                    )
                )
            )
        )
    }

    mutating func granted(_ window: Window, into actions: inout [Action]) {
        guard let index = attempts.index(of: window.attempt), window.bytes > 0 else { return }
        let (sum, overflow) = attempts[index].window.addingReportingOverflow(window.bytes)
        attempts[index].window = overflow ? .max : sum
        takeTurn(at: index)
        sendChunks(into: &actions)
    }

    mutating func written(into actions: inout [Action]) {
        // It may answer an `awaitWritten` of an earlier connection.
        guard sending.isAwaited else { return }
        sending.isAwaited = false
        sending.unwritten = 0
        sendChunks(into: &actions)
    }

    /// Lines up a value that has chunks left, unless it stands in the line already.
    private mutating func takeTurn(at index: Int) {
        guard case .done(var finished) = attempts[index].state, var outgoing = finished.outgoing,
            !outgoing.isInTurn, outgoing.fits(into: attempts[index].window)
        else { return }
        outgoing.isInTurn = true
        finished.outgoing = outgoing
        attempts[index].state = .done(finished)
        sending.turns.append((index, attempts[index].sequence))
    }

    /// Sends a chunk of each value in turn until the network has enough to do, the windows are
    /// empty, or all is sent.
    private mutating func sendChunks(into actions: inout [Action]) {
        while sending.unwritten < SendingOrder.burst, let turn = sending.turns.popFirst() {
            let index = turn.index
            guard attempts.has(turn.sequence, at: index),
                case .done(var finished) = attempts[index].state,
                var outgoing = finished.outgoing
            else { continue }
            let room = min(attempts[index].window, chunkBytes)
            let chunk = outgoing.next(bytes: room)
            attempts[index].window -= chunk.data.count
            sending.unwritten += chunk.data.count
            actions.append(.send(.chunk(chunk)))
            if outgoing.isComplete {
                finished.outgoing = nil
                send(.success(outgoing.announcement), finished, at: index, into: &actions)
            } else {
                outgoing.isInTurn = outgoing.fits(into: attempts[index].window)
                if outgoing.isInTurn { sending.turns.append(turn) }
                finished.outgoing = outgoing
            }
            attempts[index].state = .done(finished)
        }
        if sending.unwritten > 0, !sending.isAwaited, !sending.turns.isEmpty {
            sending.isAwaited = true
            actions.append(.awaitWritten)
        }
    }
}

extension Duration {
    /// The duration for people: `10s`, or `1500ms` if it is not whole seconds.
    fileprivate var inWords: String {
        let milliseconds = millisecondsRoundedUp
        return milliseconds % 1000 == 0 ? "\(milliseconds / 1000)s" : "\(milliseconds)ms"
    }
}

extension String {
    /// The text, cut to at most that many bytes between two characters.
    func clipped(to bytes: Int) -> String {
        guard utf8.count > bytes else { return self }
        let end = utf8.index(utf8.startIndex, offsetBy: bytes)
        return String(self[..<index(atOrBefore: end)])
    }

    /// The end of the text, cut likewise.
    fileprivate func clippedTail(to bytes: Int) -> String {
        guard utf8.count > bytes else { return self }
        let start = utf8.index(utf8.endIndex, offsetBy: -bytes)
        let boundary = index(atOrBefore: start)
        return String(self[(boundary == start ? start : index(after: boundary))...])
    }

    private func index(atOrBefore position: Index) -> Index {
        var scalars = position
        while scalars.samePosition(in: unicodeScalars) == nil {
            scalars = utf8.index(before: scalars)
        }
        return scalars
    }
}

extension Failure {
    /// The failure with texts that fit into a line.
    fileprivate func clipped(to bytes: Int) -> Failure {
        guard message.utf8.count > bytes || (stderrTail?.utf8.count ?? 0) > bytes else {
            return self
        }
        var clipped = self
        clipped.message = message.clipped(to: bytes)
        clipped.stderrTail = stderrTail?.clippedTail(to: bytes)
        return clipped
    }
}
