// After a restart: the runs of the coordinator before are made again from their records and go on.
// Workers that held attempts get the time of a lease to come back to their sessions, with what they
// still run; what none of them claims then is lost, as with any worker that is lost.

public import Core
public import JSON
internal import OrderedCollections
internal import PlannerCore
internal import Plans
public import Runs
internal import Scheduling
internal import Wire

extension CoordinatorMachine {
    /// Takes up the unfinished runs of an earlier coordinator.
    ///
    /// Called once, before the first event.
    /// `runs` are the records of each, in order; `workers` the last document of each worker whose
    /// session did not end. Returns the runs whose records cannot be read; they are left out.
    public mutating func restore(
        runs histories: [(run: RunID, records: [RunRecord])],
        workers: [String: RawJSON],
        at now: Instant,
        into actions: inout [Action]
    ) -> [RunID] {
        var turn = CoordinatorTurn(at: now, after: exchange(&actions, with: []))
        defer { actions = turn.actions }
        presence.note(now, pause: limits.heartbeat)
        var unreadable: [RunID] = []
        var restored: [HeldRun] = []
        for (id, records) in histories {
            let calendar = unixMilliseconds(at: now)
            if let run = HeldRun(restoring: records, at: now, calendar: calendar) {
                restored.append(run)
            } else {
                unreadable.append(id)
            }
        }
        let names = restoreWorkers(of: restored, workers, now)
        scheduler.prepareRestoring(
            awaitingWorkersUntil: presence.judgingTime(at: now) + limits.lease,
            gap: Int32(clamping: Self.attemptGap * min(configuration.epoch, 1_000_000))
        )
        for run in restored where !run.state.isEnded {
            takeUp(run, names, in: &turn)
        }
        keepWithinBounds(in: &turn)
        journal.endEvent()
        return unreadable
    }

    // MARK: - Workers

    /// What is kept of a session, for `restore`.
    mutating func noteSession(of worker: WorkerID) {
        guard configuration.keepsRecords, let session = fleet[worker] else { return }
        let document = RawJSON.object { writer in
            writer.field("session", session.link.session)
            writer.field("identity", session.about.identity)
            writer.key("labels")
            writer.beginObject()
            for (name, value) in session.about.labels {
                writer.key(escaping: name)
                writer.string(value)
            }
            writer.endObject()
        }
        journal.append(.worker(name: session.name, document))
    }

    /// Makes sessions without a connection for the workers that hold attempts.
    private mutating func restoreWorkers(
        of runs: [HeldRun],
        _ documents: [String: RawJSON],
        _ now: Instant
    ) -> [String: WorkerID] {
        var tools: OrderedDictionary<String, [String: ToolOffer]> = [:]
        var counts: [String: Int] = [:]
        for run in runs {
            for node in run.state.nodes.indices where run.state.nodes[node].status.isHeld {
                let name = run.state.workers[run.state.nodes[node].worker]
                let tool = run.state.plan[node].tool
                let known = tools[name, default: [:]][tool]?.isIdempotent ?? true
                let isRepeatable = known && run.state.nodes[node].isRepeatable
                tools[name, default: [:]][tool] = ToolOffer(isIdempotent: isRepeatable)
                counts[name, default: 0] += 1
            }
        }
        var ids: [String: WorkerID] = [:]
        for (name, offers) in tools {
            let worker = fleet.makeID()
            ids[name] = worker
            let slots = max(counts[name] ?? 1, 1)
            let session = restoredSession(worker, name, documents[name], slots, now)
            let labels = Dictionary(session.about.labels.map { ($0.key, $0.value) }) { $1 }
            fleet.add(session)
            let time = presence.judgingTime(at: now)
            fleet.disconnect(worker, resumableUntil: time + limits.lease)
            let profile = WorkerProfile(name: name, slots: slots, tools: offers, labels: labels)
            scheduler.handle(.workerJoined(worker, profile), at: time, into: &schedulerActions)
            scheduler.handle(.workerSuspected(worker), at: time, into: &schedulerActions)
        }
        return ids
    }

    private mutating func restoredSession(
        _ worker: WorkerID,
        _ name: String,
        _ document: RawJSON?,
        _ slots: Int,
        _ now: Instant
    ) -> WorkerSession {
        let value = document.map { JSONValue($0) }
        var labels: OrderedDictionary<String, String> = [:]
        for (label, text) in value?["labels"]?.objectValue ?? [:] {
            labels[label] = text.stringValue
        }
        return WorkerSession(
            id: worker,
            name: name,
            about: WorkerSession.About(
                labels: labels,
                joinedAt: now,
                identity: value?["identity"]?.stringValue
            ),
            offered: SessionTools(slots: slots),
            // Without a document the session gets a new name, so that no worker can resume it.
            link: WorkerSession.Link(restored: value?["session"]?.stringValue ?? makeName())
        )
    }

    // MARK: - Runs

    private mutating func takeUp(
        _ run: HeldRun,
        _ workers: [String: WorkerID],
        in turn: inout CoordinatorTurn
    ) {
        let slot = runs.insert(run)
        runs.markUnbooked(slot)
        runs[slot].log.begin(at: configuration.firstSequence)
        askAgain(slot)
        noteUnchecked(slot)
        let state = runs[slot].state
        if let wall = state.acceptance.wallMilliseconds, state.phase.isGoingOn {
            runs.deadlines.ofRuns.set(state.id, at: state.acceptedAt + .milliseconds(wall))
        }
        // What goes on from here may end a round and call a model: that call is not lost.
        let hasLostCall = runs[slot].isCallingModel
        schedule(.runRestored(restoredRun(slot, workers, turn.now)), in: &turn)
        guard !runs[slot].state.isEnded else { return }
        if runs[slot].state.phase == .growing {
            let failure = Failure(
                code: .badPlan,
                message: "the plan broke off: the coordinator was restarted before it was complete"
            )
            end(slot, because: failure, in: &turn)
            schedule(.runClosed(state.id), in: &turn)
        } else if hasLostCall {
            advance(slot, .callLost, told: .callLost, in: &turn)
        } else {
            settleRoundIfDone(slot, in: &turn)
        }
    }

    /// Whether the arguments of ready nodes were checked is in no record: no worker may have had their
    /// tools.
    private mutating func noteUnchecked(_ slot: Int) {
        for node in runs[slot].state.nodes.indices
        where runs[slot].state.nodes[node].status == .ready {
            runs[slot].arguments.noteUnchecked(runs[slot].state.plan[node].tool)
        }
    }

    /// A run for the scheduler, each node as the run says that it stands.
    func restoredRun(
        _ slot: Int,
        _ workers: [String: WorkerID],
        _ now: Instant
    ) -> RestoredRun {
        let run = runs[slot].state
        let isClosed: Bool
        switch run.phase {
        case .growing, .planning, .joining: isClosed = false
        case .running: isClosed = !runs[slot].hasPlanner
        case .answered, .ending, .ended: isClosed = true
        }
        var isCancelled = false
        if case .ending = run.phase { isCancelled = true }
        var restored = RestoredRun(
            id: run.id,
            onMissingTool: run.acceptance.onMissingTool,
            maxRunning: run.acceptance.maxRunning,
            owner: run.acceptance.submitter.flatMap(keyring.identity(named:))?.runOwner,
            isClosed: isClosed,
            isCancelled: isCancelled
        )
        restored.specs = (0..<run.plan.count).map { spec(of: $0, slot) }
        restored.edges = run.plan.edges
        restored.held = run.plan.held
        let grace = scheduler.answerTime
        restored.nodes = run.nodes.map { node in
            RestoredNode(
                state: state(of: node, run, workers[run.workers[node.worker]], now, grace),
                attempt: node.attempt,
                neverRan: node.neverRan,
                failures: node.failures,
                workersLost: node.workersLost,
                cancelReason: node.calledBack
            )
        }
        return restored
    }

    private func state(
        of node: RunNode,
        _ run: Run,
        _ worker: WorkerID?,
        _ now: Instant,
        _ grace: Duration
    ) -> NodeState {
        let time = presence.judgingTime(at: now)
        switch (node.status, worker) {
        case (.waiting, _), (.awaitingApproval, _): return .waiting
        case (.ready, _): return .ready
        case (.backingOff, _):
            let left = max(Int(node.readyAt) - run.microseconds(at: now), 0)
            return .backingOff(until: time + .microseconds(left))
        case (.sent, let worker?): return .leased(worker)
        case (.running, let worker?): return .running(worker)
        case (.cancelling, let worker?):
            // Its worker may come back as late as the end of a lease.
            return .cancelling(worker, until: time + limits.lease + grace)
        case (.succeeded, _): return .succeeded
        case (.failed, _): return .failed
        case (.cancelled, _): return .cancelled
        case (.skipped, _): return .skipped(because: Int(node.cause))
        case (.sent, nil), (.running, nil), (.cancelling, nil):
            preconditionFailure("a node of \(run.id) is held by a worker without a name")
        }
    }
}
