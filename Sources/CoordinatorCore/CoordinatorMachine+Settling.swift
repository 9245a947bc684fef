// The scheduler's actions carried out: nodes settle, runs end, events go out.

internal import DequeModule
internal import JSON
internal import Plans
internal import Scheduling
internal import Wire

extension CoordinatorMachine {
    /// Carries out what the scheduler asked for; what follows from that is appended behind it.
    mutating func carryOut(_ now: Instant, _ actions: inout [Action]) {
        // Actions may schedule more; the outermost call works the whole list off, in order.
        guard !isCarryingOut else { return }
        isCarryingOut = true
        var next = 0
        while next < schedulerActions.count {
            let action = schedulerActions[next]
            next += 1
            carryOut(action, now, &actions)
        }
        schedulerActions.removeAll(keepingCapacity: true)
        isCarryingOut = false
    }

    private mutating func carryOut(
        _ action: Scheduler.Action,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        switch action {
        case .dispatch(let attempt, let worker):
            dispatch(attempt, to: worker, now, &actions)
        case .settle(let node, let settlement):
            settle(node, settlement, now, &actions)
        case .publishReady(let node):
            guard let run = runSlots[node.run] else { return }
            runs[run].reports[node.node].readyAt = now.nanoseconds
            if runs[run].recordsNodes {
                publish(.nodeReady, run, node: node.node, now, &actions)
            }
        case .publishReturned(let attempt):
            takeBack(attempt, now, &actions)
        case .publishRetry(let attempt, let failure, let delay):
            retry(attempt, failure, delay, now, &actions)
        case .publishUnplaceable(let node):
            guard let run = runSlots[node.run] else { return }
            let tool = runs[run].plan[node.node].tool
            let withheld = withheld(tool)
            publish(
                .unplaceable,
                run,
                node: node.node,
                data: .object {
                    $0.field("tool", tool)
                    $0.field(
                        "message",
                        "no connected worker can run \(tool) for this node; it waits"
                            + (withheld.isEmpty ? "" : " (\(withheld))")
                    )
                },
                now,
                &actions
            )
        case .cancel(let attempt, let worker, let reason):
            if workers[worker]?.unsent.remove(attempt) == true {
                return schedule(.attemptRejected(attempt, worker, .undelivered), now, &actions)
            }
            guard let connection = workers[worker]?.connection else { return }
            sendCancel(attempt, reason: reason.rawValue, to: connection, &actions)
        case .finish(let id):
            finish(id, now, &actions)
        }
    }

    func sendCancel(
        _ attempt: AttemptID,
        reason: String,
        to connection: ConnectionID,
        _ actions: inout [Action]
    ) {
        let cancel = Cancel(
            attempt: attempt,
            reason: reason,
            graceMilliseconds: limits.cancelGraceMilliseconds
        )
        actions.append(.send(connection, .cancel(cancel)))
    }

    private mutating func takeBack(
        _ attempt: AttemptID,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        guard let run = runSlots[attempt.run] else { return }
        noteEnd(of: attempt.node, run, now)
        oweProgress(run, now)
        runs[run].reports[attempt.node].readyAt = now.nanoseconds
        if runs[run].recordsNodes {
            publish(.nodeReady, run, node: attempt.node, attempt: attempt, now, &actions)
        }
    }

    private mutating func retry(
        _ attempt: AttemptID,
        _ failure: Failure,
        _ delay: Duration,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        guard let run = runSlots[attempt.run] else { return }
        noteEnd(of: attempt.node, run, now)
        oweProgress(run, now)
        runs[run].reports[attempt.node].readyAt = (now + delay).nanoseconds
        guard runs[run].recordsNodes else { return }
        publish(
            .retrying,
            run,
            node: attempt.node,
            attempt: attempt,
            data: .object {
                $0.field("code", failure.code.rawValue)
                $0.field("message", failure.message)
                $0.field("after_ms", Int(delay / .milliseconds(1)))
            },
            now,
            &actions
        )
    }

    /// The node is on no worker any more.
    private mutating func noteEnd(of node: Int, _ run: Int, _ now: Instant) {
        guard runs[run].reports[node].dispatchedAt != 0 else { return }
        dropPieces(of: node, run)
        let taken = now.nanoseconds - runs[run].reports[node].dispatchedAt
        runs[run].reports[node].turnaroundMicroseconds = Int32(clamping: taken / 1_000)
        runs[run].reports[node].dispatchedAt = 0
        runs[run].counts.running -= 1
        dropIncoming(of: node, run)
    }

    /// Forgets what has arrived of an attempt in pieces, if its worker is still there.
    private mutating func dropPieces(of node: Int, _ run: Int) {
        let worker = WorkerID(Int(runs[run].reports[node].worker))
        guard workers.inPlace(worker, { $0.consumed.isEmpty }) == false else { return }
        let reference = NodeReference(run: runs[run].id, node: node)
        let number = scheduler.attempts(of: reference)
        let attempt = AttemptID(run: runs[run].id, node: node, number: number)
        workers[worker]?.consumed[attempt] = nil
    }

    // MARK: - Nodes

    private mutating func settle(
        _ reference: NodeReference,
        _ settlement: Scheduler.Settlement,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        guard let run = runSlots[reference.run] else { return }
        let node = reference.node
        noteEnd(of: node, run, now)
        settledCount += 1
        let state: NodeState
        switch settlement {
        case .succeeded:
            runs[run].counts.succeeded += 1
            state = .succeeded
        case .failed(let failure):
            runs[run].counts.failed += 1
            runs[run].keep(failure, of: node)
            book(run)
            state = .failed
        case .skipped(let cause):
            runs[run].counts.skipped += 1
            state = .skipped(because: cause)
        case .cancelled:
            runs[run].counts.cancelled += 1
            state = .cancelled
        }
        if runs[run].recordsNodes, let (kind, data) = latestEvent(of: node, run, state) {
            publishEnd(kind, run, node, data, now, &actions)
        }
        oweProgress(run, now)
        if runs[run].joinNode == node {
            settleJoin(run, now, &actions)
        } else {
            settleRoundIfDone(run, now, &actions)
        }
    }

    private mutating func publishEnd(
        _ kind: EventKind,
        _ run: Int,
        _ node: Int,
        _ data: RawJSON?,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        let reference = NodeReference(run: runs[run].id, node: node)
        let number = scheduler.attempts(of: reference)
        let attempt = AttemptID(run: runs[run].id, node: node, number: number)
        publish(
            kind,
            run,
            node: node,
            attempt: number > 0 ? attempt : nil,
            data: data,
            now,
            &actions
        )
    }

    // MARK: - Runs

    /// Every node has settled: the run ends, exactly once.
    private mutating func finish(_ id: RunID, _ now: Instant, _ actions: inout [Action]) {
        guard let run = runSlots[id], !runs[run].isEnded else { return }
        runs[run].endedAt = now
        runs[run].dropPresentAnswer()
        let counts = runs[run].counts
        let status: RunStatus
        if runs[run].failure != nil {
            status = .failed
        } else if runs[run].cancelReason != nil,
            counts.cancelled > 0 || runs[run].isCutShort
        {
            status = .cancelled
        } else {
            status =
                counts.failed + counts.skipped > 0 && !runs[run].isPlanned ? .failed : .succeeded
        }
        runs[run].status = status
        runs[run].owesProgress = false
        let kind: EventKind =
            switch status {
            case .succeeded: .runSucceeded
            case .cancelled: .runCancelled
            case .failed, .running: .runFailed
            }
        if status == .succeeded {
            let join = runs[run].join.rawValue
            let node = runs[run].joinNode
            let data = RawJSON.object { $0.field("join", join) }
            publish(.joined, run, node: node, data: data, now, &actions)
        }
        publish(kind, run, data: endData(run), now, &actions)
        let wall = Int((now - runs[run].acceptedAt) / .milliseconds(1))
        actions.append(
            .report(.runEnded(id, status: status.rawValue, milliseconds: wall))
        )
        retire(run)
    }

    /// What the last event tells.
    ///
    /// The answer goes along when it is small.
    private mutating func endData(_ run: Int) -> RawJSON {
        var answer: RawJSON?
        let bound = limits.maxLine / 16
        // A large answer is not even made before somebody asks for it.
        if runs[run].plan.count <= 1_000,
            runs[run].outputBytes + runs[run].failureBytes <= bound
        {
            var work = PageWork(turns: 8)
            if runs[run].answer == nil { _ = makeAnswer(of: run, &work) }
            answer = runs[run].answer?.joined
            if let size = answer?.count, size > bound { answer = nil }
        }
        let state = runs[run]
        return .object { writer in
            writer.field("answer", answer)
            if answer == nil { writer.field("answer_omitted", true) }
            if let failure = state.failure {
                writer.key("error")
                writer.raw(failure.document)
            }
            writer.field("reason", state.cancelReason)
            writer.key("counts")
            state.counts.encode(into: &writer)
            writer.key("timing")
            state.encodeTiming(into: &writer, at: state.endedAt ?? state.acceptedAt)
            writer.field("usage", state.usage.document)
        }
    }
}
