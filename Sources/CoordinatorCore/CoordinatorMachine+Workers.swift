// Worker sessions: registration, resuming, heartbeats, drain, loss.

internal import Core
internal import OrderedCollections
internal import Scheduling
internal import Wire

extension CoordinatorMachine {
    mutating func register(
        _ register: Register,
        _ name: String,
        _ session: String,
        _ resume: Hello.Resume?,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        if let error = excess(of: register.offer) { return violate(id, error, in: &turn) }
        if let known = workersByName[name], let latest = workers[known]?.latestConnection,
            id < latest
        {
            let error = WireError(
                code: .duplicateName,
                message: "A newer connection has taken over the name \(name)."
            )
            return violate(id, error, in: &turn)
        }
        if let known = workersByName[name], resume != nil,
            workers[known]?.session == session
        {
            return self.resume(known, register, id, in: &turn)
        }
        if !register.isReplacing, workersByName[name].flatMap({ workers[$0]?.connection }) != nil {
            return askAfterFirst(register, name, session, id, in: &turn)
        }
        fenceOlder(name, in: &turn)
        join(register, name, session, id, in: &turn)
    }

    /// Ends an earlier session of the name, if there is one.
    mutating func fenceOlder(_ name: String, in turn: inout CoordinatorTurn) {
        guard let older = workersByName[name] else { return }
        let reason = "another worker with the name \(name) connected"
        if let connection = workers[older]?.connection {
            let error = ErrorMessage(
                code: .duplicateName,
                message: "Fenced: \(reason).",
                isFatal: true
            )
            turn.append(.send(connection, .error(error)))
            dismiss(connection, reason: reason, in: &turn)
        } else {
            lose(older, reason: reason, in: &turn)
        }
    }

    mutating func join(
        _ register: Register,
        _ name: String,
        _ session: String,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        sessionCount += 1
        let worker = WorkerID(sessionCount)
        var record = WorkerSession(
            id: worker,
            name: name,
            session: session,
            connection: id,
            latestConnection: id,
            slots: register.slots,
            tools: [],
            labels: register.labels,
            joinedAt: turn.now
        )
        record.host = register.host
        record.processID = register.pid
        record.software = register.software
        record.withheld = register.withheld
        let admitted = admitTools(of: register.offer, by: worker, keeping: [])
        record.tools = admitted.names
        record.refusedTools = admitted.refused
        for tool in admitted.refused {
            turn.append(
                .report(.toolRefused(name: tool.name, worker: name, reason: tool.reason))
            )
        }
        let registered = Registered(
            adopt: [],
            abandon: register.inFlight.map(\.attempt),
            conflicts: record.refusedTools.map(\.name),
            refused: record.refusedTools
        )
        workers[worker] = record
        workerOrder.append(worker)
        workersByName[name] = worker
        peers[id]?.state = .worker(worker)
        turn.append(.send(id, .registered(registered)))
        let joined = Notice.workerJoined(
            name: name,
            slots: register.slots,
            tools: admitted.offers.count,
            isResumed: false
        )
        turn.append(.report(joined))
        let profile = WorkerProfile(
            name: name,
            slots: register.slots,
            tools: admitted.offers,
            labels: Dictionary(register.labels.map { ($0.key, $0.value) }) { $1 },
            queueLimit: register.queue
        )
        schedule(.workerJoined(worker, profile), in: &turn)
    }

    /// Resumes the session of a worker that has connected again.
    ///
    /// It keeps the attempts that both sides know. Attempts that never reached it go to other
    /// workers, and those that only it knows are abandoned.
    private mutating func resume(
        _ worker: WorkerID,
        _ register: Register,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        if let old = workers[worker]?.connection {
            forgetConnection(old)
            turn.append(.close(old))
        }
        _ = replaceOffer(of: worker, by: register.offer, in: &turn)
        peers[id]?.state = .worker(worker)
        workers[worker]?.connection = id
        workers[worker]?.latestConnection = id
        absences.remove(worker)
        workers[worker]?.isSilent = false
        workers[worker]?.isCongested = false
        workers[worker]?.heldAtPing = []
        workers[worker]?.acknowledged = []
        workers[worker]?.stale = []
        // Chunks are sent again from the first one, and every window is whole.
        for attempt in scheduler.attempts(on: worker) {
            if let run = runs.slot(of: attempt.run) { dropIncoming(of: attempt.node, run) }
        }
        workers[worker]?.consumed = [:]
        giveBackUnsent(of: worker, in: &turn)
        let listed = register.inFlight.map(\.attempt)
        let adopted = listed.filter { scheduler.isCurrent($0, on: worker) }
        let abandoned = listed.filter { !scheduler.isCurrent($0, on: worker) }
        let known = Set(adopted)
        let registered = Registered(
            adopt: adopted,
            abandon: abandoned,
            conflicts: workers[worker]?.refusedTools.map(\.name) ?? [],
            refused: workers[worker]?.refusedTools ?? []
        )
        turn.append(.send(id, .registered(registered)))
        let joined = Notice.workerJoined(
            name: workers[worker]?.name ?? "",
            slots: register.slots,
            tools: workers[worker]?.tools.count ?? 0,
            isResumed: true
        )
        turn.append(.report(joined))
        // Cancels and drains that were lost with the connection are sent again.
        for attempt in adopted {
            guard let reason = scheduler.cancelReason(of: attempt, on: worker) else { continue }
            sendCancel(attempt, reason: reason.rawValue, to: id, in: &turn)
        }
        if let drain = workers[worker]?.orderedDrain(at: turn.now) {
            turn.append(.send(id, .drain(drain)))
        }
        for attempt in scheduler.attempts(on: worker) where !known.contains(attempt) {
            schedule(.attemptRejected(attempt, worker, .undelivered), in: &turn)
        }
        schedule(.workerRecovered(worker), in: &turn)
    }

    private mutating func forgetConnection(_ id: ConnectionID) {
        forgetBacklog(of: id)
        peers[id] = nil
        peerOrder.remove(id)
    }

    // MARK: - Loss

    /// The connection broke: nothing new goes there, and the session waits to be resumed.
    mutating func awaitResume(of worker: WorkerID, in turn: inout CoordinatorTurn) {
        workers[worker]?.connection = nil
        let window =
            limits.resumeWindow + presence.recentAbsence(at: turn.now, within: limits.lease)
        absences.set(worker, at: presence.judgingTime(at: turn.now) + window)
        startHeartbeat(turn.now)
        // A worker that resumes lists results whose acknowledgements were lost, and is told then.
        workers[worker]?.acknowledged = []
        workers[worker]?.stale = []
        schedule(.workerSuspected(worker), in: &turn)
        giveBackUnsent(of: worker, in: &turn)
        if scheduler.attempts(on: worker).isEmpty {
            lose(worker, reason: "the connection closed", in: &turn)
        }
    }

    /// Ends a session: its attempts are fenced.
    mutating func lose(_ worker: WorkerID, reason: String, in turn: inout CoordinatorTurn) {
        guard let record = workers.removeValue(forKey: worker) else { return }
        workerOrder.remove(worker)
        absences.remove(worker)
        if workersByName[record.name] == worker {
            workersByName[record.name] = nil
        }
        let known = workers
        catalogue.removeWorker(tools: record.tools) { known[$0] != nil }
        for attempt in record.unsent.all {
            schedule(.attemptRejected(attempt, worker, .undelivered), in: &turn)
        }
        let held = scheduler.attempts(on: worker).count
        turn.append(.report(.workerLeft(name: record.name, reason: reason, attempts: held)))
        schedule(.workerLost(worker), in: &turn)
    }

    // MARK: - Silence

    /// A sign of life: a worker that had fallen silent gets work again.
    mutating func hear(_ worker: WorkerID, in turn: inout CoordinatorTurn) {
        guard workers.inPlace(worker, { $0.isSilent }) == true else { return }
        workers[worker]?.isSilent = false
        recoverIfReachable(worker, in: &turn)
    }

    mutating func recoverIfReachable(_ worker: WorkerID, in turn: inout CoordinatorTurn) {
        guard workers[worker]?.isReachable == true else { return }
        schedule(.workerRecovered(worker), in: &turn)
    }

    // MARK: - Drain

    mutating func drain(
        _ worker: WorkerID,
        reason: String?,
        deadlineMilliseconds: Int?,
        tellWorker: Bool,
        in turn: inout CoordinatorTurn
    ) {
        guard let record = workers[worker] else { return }
        workers[worker]?.isDraining = true
        if tellWorker {
            let drain = Drain(reason: reason, deadlineMilliseconds: deadlineMilliseconds)
            workers[worker]?.drainOrder = (drain, turn.now)
            if let connection = record.connection {
                turn.append(.send(connection, .drain(drain)))
            }
        }
        schedule(.workerDrained(worker), in: &turn)
        giveBackUnsent(of: worker, in: &turn)
    }

    // MARK: - Heartbeats

    /// Starts the heartbeat if it does not run and there are peers to check.
    mutating func startHeartbeat(_ now: Instant) {
        if nextHeartbeat == nil { nextHeartbeat = now + limits.heartbeat }
    }

    /// Pings every peer; a silent worker gets no new work, and one whose lease is over is lost.
    mutating func beat(in turn: inout CoordinatorTurn) {
        nextHeartbeat = peers.isEmpty && absences.isEmpty ? nil : turn.now + limits.heartbeat
        let time = presence.judgingTime(at: turn.now)
        for id in peerOrder {
            guard let peer = peers[id], peer.isAuthenticated else { continue }
            if peer.isOwed, checkStall(of: peer, in: &turn) { continue }
            // Its messages are not read while its question waits.
            let silence = peer.question == nil ? time - peer.lastHeard : .zero
            if silence >= limits.lease {
                let error = WireError(
                    code: .limit,
                    message: "Nothing was heard for \(silence.wholeMilliseconds) ms."
                )
                turn.append(.report(.peerDismissed(id, error)))
                dismiss(id, reason: "its lease ended", in: &turn)
                continue
            }
            var number = 1
            if case .worker(let worker) = peer.state {
                if silence > limits.heartbeat * limits.missedHeartbeats,
                    workers[worker]?.isSilent == false
                {
                    workers[worker]?.isSilent = true
                    schedule(.workerSuspected(worker), in: &turn)
                }
                workers[worker]?.pingNumber += 1
                let held = sentAttempts(of: worker)
                workers[worker]?.heldAtPing = held
                number = workers[worker]?.pingNumber ?? 1
            }
            turn.append(.send(id, .ping(Ping(n: number))))
        }
        makeRoom(in: &turn)
    }

    /// A pong lists what the worker has.
    ///
    /// Attempts that it had to know when the ping was sent, and that it neither lists nor has
    /// answered, never reached it. Attempts that it lists and that are no longer current are
    /// cancelled, because they take up slots.
    mutating func takePong(_ pong: Pong, from worker: WorkerID, in turn: inout CoordinatorTurn) {
        if !waitingTwins.isEmpty { refuseTwins(of: worker, afterPing: pong.n, in: &turn) }
        guard let listed = pong.inFlight else { return }
        if let connection = workers[worker]?.connection {
            for attempt in listed where !scheduler.isCurrent(attempt, on: worker) {
                sendCancel(attempt, reason: Cancel.fenced, to: connection, in: &turn)
            }
        }
        guard pong.n == workers[worker]?.pingNumber, let held = workers[worker]?.heldAtPing,
            !held.isEmpty
        else { return }
        workers[worker]?.heldAtPing = []
        let known = Set(listed)
        for attempt in held where !known.contains(attempt) {
            schedule(.attemptForgotten(attempt, worker), in: &turn)
        }
    }
}

extension ToolOffer {
    init(_ tool: ToolDescription) {
        self.init(
            isIdempotent: tool.mayBeRepeated,
            maxAttempts: tool.maxAttempts ?? 1,
            concurrency: tool.concurrency,
            timeout: tool.timeoutMilliseconds.map { .milliseconds($0) }
        )
    }
}
