// Events of runs: who gets which, the log for late watchers, progress. How they get to watchers is
// in CoordinatorMachine+Watching.swift.

internal import Core
internal import DequeModule
internal import JSON
internal import Runs
internal import Wire

extension CoordinatorMachine {
    mutating func receive(
        _ message: Message,
        fromObserver role: Role,
        _ id: ConnectionID,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        switch message {
        case .submit(let submit): self.submit(submit, id, now, &actions)
        case .nodes(let nodes): addNodes(nodes, id, now, &actions)
        case .cancelRun(let cancel): self.cancel(cancel, id, now, &actions)
        case .watch(let request):
            guard let run = runSlots[request.run] else {
                return unknownRun(request.run, request: request.request, id, &actions)
            }
            watch(run, request, id, now, &actions)
        case .get(let get): answer(get, id, now, &actions)
        case .drain(let drain): self.drain(drain, id, now, &actions)
        case .ping(let ping): actions.append(.send(id, .pong(Pong(n: ping.n))))
        case .bye(let bye): dismiss(id, reason: bye.reason, now, &actions)
        case .pong, .error: break
        default:
            let error = WireError(
                code: .notReady,
                message: "\(message.kind.rawValue) is not expected now."
            )
            violate(id, error, now, &actions)
        }
    }

    private mutating func drain(
        _ request: Drain,
        _ id: ConnectionID,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        guard let name = request.worker, let worker = workersByName[name] else {
            let error = ErrorMessage(
                code: .unknownWorker,
                message: "No worker has the name \(request.worker ?? "(none)"); `weft workers` "
                    + "lists those that are connected.",
                isFatal: false,
                about: request.worker
            )
            actions.append(.send(id, .error(error)))
            return
        }
        drain(
            worker,
            reason: request.reason ?? "asked by a client",
            deadlineMilliseconds: request.deadlineMilliseconds,
            tellWorker: true,
            now,
            &actions
        )
    }

    // MARK: - Watching

    /// From now on the connection gets the run's events.
    mutating func addWatcher(_ id: ConnectionID, _ level: WatchLevel, of run: Int) {
        runs[run].watchers.append(Watcher(connection: id, level: level))
        noteInterest(of: id, in: run)
    }

    /// The run has to learn when this connection leaves.
    mutating func noteInterest(of id: ConnectionID, in run: Int) {
        interests[id, default: ArrivalOrder()].append(runs[run].id)
    }

    /// The connection does not watch the run any more, or has written all of it.
    mutating func dropInterest(of id: ConnectionID, in run: Int) {
        guard !runs[run].watchers.contains(id), runs[run].author != id else { return }
        interests[id]?.remove(runs[run].id)
        if interests[id]?.isEmpty == true { interests[id] = nil }
    }

    /// The plan is complete.
    mutating func forgetAuthor(of run: Int) {
        guard let author = runs[run].author else { return }
        runs[run].author = nil
        dropInterest(of: author, in: run)
    }

    mutating func sendSnapshot(
        _ run: Int,
        _ id: ConnectionID,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        let event = EventMessage(
            run: runs[run].id,
            sequence: max(runs[run].log.nextSequence - 1, 0),
            kind: .snapshot,
            data: runs[run].state.progressDocument,
            atMicroseconds: runs[run].state.microseconds(at: now)
        )
        actions.append(.send(id, .event(event)))
    }

    /// An observer is gone.
    ///
    /// What it was still submitting can never be completed.
    mutating func leave(_ id: ConnectionID, _ now: Instant, _ actions: inout [Action]) {
        for name in interests.removeValue(forKey: id) ?? ArrivalOrder() {
            guard let run = runSlots[name] else { continue }
            runs[run].watchers.remove(id)
            if runs[run].author == id {
                let failure = Failure(
                    code: .badPlan,
                    message: "the plan broke off: the client left before it was complete"
                )
                end(run, because: failure, now, &actions)
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
        progressRuns.append(runs[run].id)
        if nextProgress == nil { nextProgress = now + .milliseconds(100) }
    }

    mutating func sendProgress(_ now: Instant, _ actions: inout [Action]) {
        nextProgress = nil
        for id in progressRuns {
            guard let run = runSlots[id], runs[run].isProgressDirty, !runs[run].state.isEnded else {
                continue
            }
            runs[run].isProgressDirty = false
            let event = EventMessage(
                run: id,
                sequence: max(runs[run].log.nextSequence - 1, 0),
                kind: .progress,
                data: runs[run].state.progressDocument,
                atMicroseconds: runs[run].state.microseconds(at: now)
            )
            for watcher in runs[run].watchers where watcher.level >= .progress {
                tellNow(event, to: watcher, &actions)
            }
        }
        progressRuns.removeAll(keepingCapacity: true)
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
            .progress:
            level >= .progress
        case .chunk: level == .all
        case .nodeReady, .dispatched, .started, .nodeSucceeded, .nodeFailed, .nodeSkipped,
            .nodeCancelled, .retrying:
            level >= .nodes
        }
    }
}
