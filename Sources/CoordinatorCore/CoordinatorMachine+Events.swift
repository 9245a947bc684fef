// Events of runs: who gets which, the log for late watchers, progress. How they get to watchers is
// in CoordinatorMachine+Watching.swift.

internal import Core
internal import JSON
internal import Runs
internal import Wire

extension CoordinatorMachine {
    mutating func receive(
        _ message: Message,
        fromObserver role: Role,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        guard !waitsForHistory(message, id, in: &turn) else { return }
        answer(message, fromObserver: role, id, in: &turn)
    }

    /// Handles a message for which all that it needs is in memory.
    mutating func answer(
        _ message: Message,
        fromObserver role: Role,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        switch message {
        case .submit(let submit): self.submit(submit, id, in: &turn)
        case .nodes(let nodes): addNodes(nodes, id, in: &turn)
        case .cancelRun(let cancel): self.cancel(cancel, id, in: &turn)
        case .approve(let answer): self.answer(answer, id, in: &turn)
        case .watch(let request):
            guard let run = runs.slot(of: request.run) else {
                return unknownRun(request.run, request: request.request, id, in: &turn)
            }
            watch(run, request, id, in: &turn)
        case .remember(let request): remember(request, id, in: &turn)
        case .forget(let request): forget(request, id, in: &turn)
        case .launch(let report): note(report, id, in: &turn)
        case .get(let get): answer(get, id, in: &turn)
        case .drain(let drain): self.drain(drain, id, in: &turn)
        case .ping(let ping): turn.append(.send(id, .pong(Pong(n: ping.n))))
        case .bye(let bye):
            launches.end(of: id)
            dismiss(id, reason: bye.reason, in: &turn)
        case .pong, .error: break
        default:
            let error = WireError(
                code: .notReady,
                message: "\(message.kind.rawValue) is not expected now."
            )
            violate(id, error, in: &turn)
        }
    }

    private mutating func drain(
        _ request: Drain,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        guard let name = request.worker, let worker = fleet[name: name] else {
            let error = ErrorMessage(
                code: .unknownWorker,
                message: "No worker has the name \(request.worker ?? "(none)"); `weft workers` "
                    + "lists those that are connected.",
                isFatal: false,
                about: request.worker
            )
            turn.append(.send(id, .error(error)))
            return
        }
        drain(
            worker,
            reason: request.reason ?? "asked by a client",
            deadlineMilliseconds: request.deadlineMilliseconds,
            tellWorker: true,
            in: &turn
        )
    }

    // MARK: - Watching

    /// From now on the connection gets the run's events.
    mutating func addWatcher(_ id: ConnectionID, _ level: WatchLevel, of run: Int) {
        runs[run].watchers.append(Watcher(connection: id, level: level))
        audience.noteInterest(of: id, in: runs[run].id)
    }

    /// The connection does not watch the run any more, or has written all of it.
    mutating func dropInterest(of id: ConnectionID, in run: Int) {
        guard !runs[run].watchers.contains(id), runs[run].author != id else { return }
        audience.dropInterest(of: id, in: runs[run].id)
    }

    /// The plan is complete.
    mutating func forgetAuthor(of run: Int) {
        guard let author = runs[run].author else { return }
        runs[run].author = nil
        dropInterest(of: author, in: run)
    }

    mutating func sendSnapshot(_ run: Int, _ id: ConnectionID, in turn: inout CoordinatorTurn) {
        let event = EventMessage(
            run: runs[run].id,
            sequence: max(runs[run].log.nextSequence - 1, 0),
            kind: .snapshot,
            data: runs[run].state.progress.json,
            atMicroseconds: runs[run].state.microseconds(at: turn.now)
        )
        turn.append(.send(id, .event(event)))
    }

    /// An observer is gone.
    ///
    /// What it was still submitting can never be completed.
    mutating func leave(_ id: ConnectionID, in turn: inout CoordinatorTurn) {
        launches.lose(id, until: presence.judgingTime(at: turn.now) + Launches.afterlife)
        for name in audience.takeInterests(of: id) {
            guard let run = runs.slot(of: name) else { continue }
            runs[run].watchers.remove(id)
            if runs[run].author == id {
                let failure = Failure(
                    code: .badPlan,
                    message: "the plan broke off: the client left before it was complete"
                )
                end(run, because: failure, in: &turn)
            }
        }
    }

    // MARK: - Progress

    /// Notes that the counts changed; watchers of progress hear of it ten times a second at most.
    mutating func markProgressDirty(_ run: Int, _ now: Instant) {
        guard !runs[run].isProgressDirty, let highest = runs[run].watchers.highest,
            highest >= .progress
        else { return }
        runs[run].isProgressDirty = true
        audience.progress.note(runs[run].id, at: now)
    }

    mutating func sendProgress(in turn: inout CoordinatorTurn) {
        for id in audience.progress.takeAll() {
            guard let run = runs.slot(of: id), runs[run].isProgressDirty, !runs[run].state.isEnded
            else {
                continue
            }
            runs[run].isProgressDirty = false
            let event = EventMessage(
                run: id,
                sequence: max(runs[run].log.nextSequence - 1, 0),
                kind: .progress,
                data: runs[run].state.progress.json,
                atMicroseconds: runs[run].state.microseconds(at: turn.now)
            )
            for watcher in runs[run].watchers where watcher.level >= .progress {
                tellNow(event, to: watcher, in: &turn)
            }
        }
    }
}

extension EventMessage {
    /// Whether a watcher of this level gets the event.
    func reaches(_ level: WatchLevel) -> Bool { kind.reaches(level) }
}

extension EventKind {
    /// Whether a watcher of this level gets such events.
    func reaches(_ level: WatchLevel) -> Bool {
        switch self {
        case .runSucceeded, .runFailed, .runCancelled: true
        case .planned, .planProblems, .replanned, .answering, .snapshot, .unplaceable, .joined,
            .progress, .approvalAsked, .approved:
            level >= .progress
        case .chunk: level == .all
        case .nodeReady, .dispatched, .started, .nodeSucceeded, .nodeFailed, .nodeSkipped,
            .nodeCancelled, .retrying:
            level >= .nodes
        }
    }
}
