// Events of runs: who gets which, the log for late watchers, progress. How they get to watchers is
// in CoordinatorMachine+Watching.swift.

internal import DequeModule
internal import JSON
internal import Plans
internal import Scheduling
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
        if level >= .nodes { runs[run].recordsNodes = true }
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
            data: progressData(run),
            atMicroseconds: microseconds(since: runs[run].acceptedAt, now)
        )
        actions.append(.send(id, .event(event)))
    }

    /// What a late watcher is told of a node that waits no more, unless it is told so anyway.
    func restated(
        _ node: Int,
        _ run: Int,
        besides told: Set<NodeID>,
        _ now: Instant
    ) -> EventMessage? {
        let reference = NodeReference(run: runs[run].id, node: node)
        guard let state = scheduler.state(of: reference), !told.contains(runs[run].plan[node].id),
            let (kind, data) = latestEvent(of: node, run, state)
        else { return nil }
        let attempts = scheduler.attempts(of: reference)
        return EventMessage(
            run: runs[run].id,
            sequence: max(runs[run].log.nextSequence - 1, 0),
            kind: kind,
            node: runs[run].plan[node].id,
            attempt: attempts > 0 ? attempts : nil,
            worker: attempts > 0 ? workerNames[Int(runs[run].reports[node].worker)] : nil,
            data: data,
            atMicroseconds: microseconds(since: runs[run].acceptedAt, now)
        )
    }

    /// The event that says where a node is; nil if it waits.
    func latestEvent(of node: Int, _ run: Int, _ state: NodeState) -> (EventKind, RawJSON?)? {
        switch state {
        case .succeeded:
            let micros = Int(runs[run].reports[node].runMicroseconds)
            return (.nodeSucceeded, .object { $0.field("run_ms", milliseconds(micros)) })
        case .failed: return (.nodeFailed, runs[run].failures[node]?.document)
        case .skipped(let cause):
            let because = runs[run].plan[cause].id.text
            return (.nodeSkipped, .object { $0.field("because", because) })
        case .cancelled: return (.nodeCancelled, nil)
        case .leased, .cancelling: return (.dispatched, nil)
        case .running: return (.started, nil)
        case .waiting, .ready, .backingOff: return nil
        }
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

    /// Records an event and sends it to those who want it.
    mutating func publish(
        _ kind: EventKind,
        _ run: Int,
        node: Int? = nil,
        attempt: AttemptID? = nil,
        data: RawJSON? = nil,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        var worker: String?
        if attempt != nil, let node {
            worker = workerNames[Int(runs[run].reports[node].worker)]
        }
        let event = EventMessage(
            run: runs[run].id,
            sequence: runs[run].log.nextSequence,
            kind: kind,
            node: node.map { runs[run].plan[$0].id },
            attempt: attempt?.number,
            worker: worker,
            data: data,
            atMicroseconds: microseconds(since: runs[run].acceptedAt, now)
        )
        runs[run].log.append(event, within: logBound)
        book(run)
        tellWatchers(of: run, event, &actions)
    }

    // MARK: - Progress

    /// Notes that the counts changed; watchers of progress hear of it ten times a second at most.
    mutating func oweProgress(_ run: Int, _ now: Instant) {
        guard !runs[run].owesProgress, let highest = runs[run].watchers.highest,
            highest >= .progress
        else { return }
        runs[run].owesProgress = true
        progressRuns.append(runs[run].id)
        if nextProgress == nil { nextProgress = now + .milliseconds(100) }
    }

    mutating func sendProgress(_ now: Instant, _ actions: inout [Action]) {
        nextProgress = nil
        for id in progressRuns {
            guard let run = runSlots[id], runs[run].owesProgress, !runs[run].isEnded else {
                continue
            }
            runs[run].owesProgress = false
            let event = EventMessage(
                run: id,
                sequence: max(runs[run].log.nextSequence - 1, 0),
                kind: .progress,
                data: progressData(run),
                atMicroseconds: microseconds(since: runs[run].acceptedAt, now)
            )
            for watcher in runs[run].watchers where watcher.level >= .progress {
                tellNow(event, to: watcher, &actions)
            }
        }
        progressRuns.removeAll(keepingCapacity: true)
    }

    private func progressData(_ run: Int) -> RawJSON {
        let counts = runs[run].counts
        let path = Int(runs[run].criticalPathMicroseconds)
        let usage = runs[run].usage.document
        return .object { writer in
            writer.key("counts")
            counts.encode(into: &writer)
            writer.field("critical_path_ms", milliseconds(path))
            writer.field("usage", usage)
        }
    }

    func microseconds(since start: Instant, _ now: Instant) -> Int {
        Int((now.nanoseconds - start.nanoseconds) / 1_000)
    }
}

extension EventMessage {
    /// Whether a watcher of this level gets the event.
    func reaches(_ level: WatchLevel) -> Bool {
        switch kind {
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
