// The scheduler's actions carried out: nodes settle, runs end, events go out.

internal import Core
internal import DequeModule
internal import JSON
internal import PlannerCore
internal import Plans
internal import Runs
internal import Scheduling
internal import Wire

extension CoordinatorMachine {
    /// Carries out what the scheduler asked for; what follows from that is appended behind it.
    mutating func carryOut(in turn: inout CoordinatorTurn) {
        // Actions may schedule more; the outermost call works the whole list off, in order.
        guard !isCarryingOut else { return }
        isCarryingOut = true
        var next = 0
        while next < schedulerActions.count {
            let action = schedulerActions[next]
            next += 1
            carryOut(action, in: &turn)
        }
        schedulerActions.removeAll(keepingCapacity: true)
        isCarryingOut = false
    }

    private mutating func carryOut(_ action: Scheduler.Action, in turn: inout CoordinatorTurn) {
        switch action {
        case .dispatch(let attempt, let worker, let timeout, let isRepeatable):
            dispatch(
                attempt,
                to: worker,
                timeout: timeout,
                isRepeatable: isRepeatable,
                in: &turn
            )
        case .makeArguments(let node):
            makeArguments(of: node, in: &turn)
        case .settle(let node, let settlement):
            settle(node, settlement, in: &turn)
        case .publishReady(let node):
            record(.nodeReady(Int32(node.node)), of: node.run, in: &turn)
        case .publishReturned(let attempt, let reason):
            counters.count(reason)
            dropPieces(of: attempt)
            let change = RunChange.returned(
                node: Int32(attempt.node),
                attempt: Int32(attempt.number),
                reason
            )
            record(change, of: attempt.run, in: &turn)
        case .publishRetry(let attempt, let failure, let delay, let cause):
            counters.count(cause)
            if configuration.tracesRuns { noteEarlier(attempt, failure, at: turn.now) }
            dropPieces(of: attempt)
            let change = RunChange.retrying(
                node: Int32(attempt.node),
                attempt: Int32(attempt.number),
                failure,
                afterMicroseconds: Int64(delay.wholeMicroseconds),
                cause: cause
            )
            record(change, of: attempt.run, in: &turn)
        case .publishPauseEnded(let node):
            record(.pauseEnded(Int32(node.node)), of: node.run, in: &turn)
        case .publishUnplaceable(let node):
            noteUnplaceable(node, in: &turn)
        case .cancel(let attempt, let worker, let reason):
            // It may have been withheld since.
            guard scheduler.isCurrent(attempt, on: worker) else { return }
            let change = RunChange.calledBack(
                node: Int32(attempt.node),
                attempt: Int32(attempt.number),
                reason
            )
            record(change, of: attempt.run, in: &turn)
            if fleet.inPlace(worker, { $0.unsent.remove(attempt) }) == true {
                return schedule(
                    .attemptRejected(attempt, worker, .returned(.undelivered)),
                    in: &turn
                )
            }
            guard let connection = fleet[worker]?.connection else { return }
            sendCancel(attempt, reason: reason.rawValue, to: connection, in: &turn)
        case .finish(let id):
            finish(id, in: &turn)
        }
    }

    func sendCancel(
        _ attempt: AttemptID,
        reason: String,
        to connection: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        let cancel = Cancel(
            attempt: attempt,
            reason: reason,
            graceMilliseconds: limits.cancelGraceMilliseconds
        )
        turn.append(.send(connection, .cancel(cancel)))
    }

    /// Changes a run, if it is still known.
    private mutating func record(
        _ change: RunChange,
        of id: RunID,
        in turn: inout CoordinatorTurn
    ) {
        guard let run = runs.slot(of: id) else { return }
        record(change, run, in: &turn)
        markProgressDirty(run, turn.now)
    }

    private mutating func noteUnplaceable(_ node: NodeReference, in turn: inout CoordinatorTurn) {
        guard let run = runs.slot(of: node.run) else { return }
        let tool = runs[run].state.plan[node.node].tool
        let withheld = fleet.withheld(tool)
        let message =
            "no connected worker can run \(tool) for this node; it waits"
            + (withheld.isEmpty ? "" : " (\(withheld))")
        record(.unplaceable(node: Int32(node.node), message: message), run, in: &turn)
    }

    /// Forgets what has arrived of the output of an attempt that has ended.
    private mutating func dropPieces(of attempt: AttemptID) {
        guard let run = runs.slot(of: attempt.run) else { return }
        dropPieces(of: attempt.node, run)
    }

    private mutating func dropPieces(of node: Int, _ run: Int) {
        guard runs[run].state.nodes[node].status.isHeld else { return }
        dropIncoming(of: node, run)
        let number = Int(runs[run].state.nodes[node].attempt)
        let attempt = AttemptID(run: runs[run].id, node: node, number: number)
        let name = runs[run].state.workers[runs[run].state.nodes[node].worker]
        guard let worker = fleet[name: name] else { return }
        forgetConsumed(by: attempt, worker)
    }

    // MARK: - Nodes

    private mutating func settle(
        _ reference: NodeReference,
        _ settlement: Scheduler.Settlement,
        in turn: inout CoordinatorTurn
    ) {
        guard let run = runs.slot(of: reference.run) else { return }
        let node = reference.node
        runs.noteSettledNode()
        runs.deadlines.ofApprovals.remove(reference)
        dropArguments(of: node, run)
        dropPieces(of: node, run)
        let index = Int32(node)
        switch settlement {
        // Recorded with its output when it arrived.
        case .succeeded: break
        case .failed(let failure):
            record(.failed(node: index, failure), run, in: &turn)
        case .skipped(let cause):
            record(.skipped(node: index, because: Int32(cause)), run, in: &turn)
        case .cancelled:
            record(.cancelled(index), run, in: &turn)
        }
        countNode(node, run)
        markProgressDirty(run, turn.now)
        if runs[run].state.joiner == node {
            settleJoin(run, in: &turn)
        } else {
            if runs[run].isGrowingByOutputs, !runs[run].state.isEnded {
                let part = runs[run].state.joinPart(of: node)
                advance(run, .nodeSettled(part), told: .nodeSettled(index), in: &turn)
            }
            settleRoundIfDone(run, in: &turn)
        }
    }

    // MARK: - Runs

    /// Every node has settled: the run ends, exactly once.
    private mutating func finish(_ id: RunID, in turn: inout CoordinatorTurn) {
        guard let run = runs.slot(of: id), !runs[run].state.isEnded else { return }
        let status = runs[run].state.finalStatus
        runs[run].isProgressDirty = false
        if status == .succeeded { record(.joined, run, in: &turn) }
        let end = RunRecord(at: runs[run].state.microseconds(at: turn.now), .ended(status))
        runs[run].apply(end)
        runs[run].answers.dropPresent()
        note(end, answer: smallAnswer(of: run), run, in: &turn)
        counters.countEnd(of: status, microseconds: end.at)
        let wall = (turn.now - runs[run].state.acceptedAt).wholeMilliseconds
        let planning = runs[run].state.planning
        turn.append(
            .report(.runEnded(id, status: status.rawValue, milliseconds: wall, planning))
        )
        if configuration.tracesRuns {
            let earlier = exchange(&runs[run].earlierAttempts, with: [])
            turn.append(.exportRun(runs[run].state, earlier))
        }
        noteSummary(of: run, turn.now)
        noteTools(of: run)
        rememberIfGood(run, in: &turn)
        retire(run)
    }

    /// The answer, if it is small enough to go along with the last event.
    private mutating func smallAnswer(of run: Int) -> RawJSON? {
        let bound = limits.maxLine / 16
        let results = runs[run].state.results
        // A large answer is not even made before a client asks for it.
        guard runs[run].state.plan.count <= 1_000,
            results.outputBytes + results.failureBytes <= bound
        else { return nil }
        var work = PageWork(turns: 8)
        if runs[run].answer == nil { _ = makeAnswer(of: run, &work) }
        guard let answer = runs[run].answer, answer.count <= bound else { return nil }
        return answer.joined
    }
}
