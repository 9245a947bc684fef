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
        let known = fleet[name: name]
        if let known, let latest = fleet[known]?.link.latestConnection, id < latest {
            let error = WireError(
                code: .duplicateName,
                message: "A newer connection has taken over the name \(name)."
            )
            return violate(id, error, in: &turn)
        }
        let identity = peers[id]?.access?.identity.name
        if let known, fleet[known]?.about.identity != identity {
            let error = WireError(
                code: .duplicateName,
                message: "A worker of another identity has the name \(name); choose another --name."
            )
            return violate(id, error, in: &turn)
        }
        if let known, resume != nil, fleet[known]?.link.session == session {
            return self.resume(known, register, id, in: &turn)
        }
        if !register.isReplacing, known.flatMap({ fleet[$0]?.connection }) != nil {
            return askAfterFirst(register, name, session, id, in: &turn)
        }
        fenceOlder(name, in: &turn)
        join(register, name, session, id, in: &turn)
    }

    /// Ends an earlier session of the name, if there is one.
    mutating func fenceOlder(_ name: String, in turn: inout CoordinatorTurn) {
        guard let older = fleet[name: name] else { return }
        let reason = "another worker with the name \(name) connected"
        if let connection = fleet[older]?.connection {
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
        let worker = fleet.makeID()
        let admitted = fleet.admitTools(of: register.offer, by: worker)
        for tool in admitted.offered.refused {
            turn.append(
                .report(.toolRefused(name: tool.name, worker: name, reason: tool.reason))
            )
        }
        let registered = Registered(
            adopt: [],
            abandon: register.inFlight.map(\.attempt),
            conflicts: admitted.offered.refused.map(\.name),
            refused: admitted.offered.refused
        )
        fleet.add(
            WorkerSession(
                id: worker,
                name: name,
                about: WorkerSession.About(
                    register,
                    joinedAt: turn.now,
                    identity: peers[id]?.access?.identity.name
                ),
                offered: admitted.offered,
                link: WorkerSession.Link(session: session, connection: id)
            )
        )
        noteSession(of: worker)
        peers.inPlace(id) { $0.state = .worker(worker) }
        awaitJournal(id, in: &turn)
        turn.append(.send(id, .registered(registered)))
        let joined = Notice.workerJoined(
            name: name,
            slots: register.slots,
            tools: admitted.profiles.count,
            isResumed: false
        )
        turn.append(.report(joined))
        let profile = WorkerProfile(
            name: name,
            slots: register.slots,
            tools: admitted.profiles,
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
        if let old = fleet[worker]?.connection {
            peers.remove(old)
            turn.append(.close(old))
        }
        _ = replaceOffer(of: worker, by: register.offer, in: &turn)
        fleet.inPlace(worker) { $0.about.update(by: register) }
        peers.inPlace(id) { $0.state = .worker(worker) }
        fleet.connect(worker, to: id)
        // Chunks are sent again from the first one, and every window is whole.
        for attempt in scheduler.attempts(on: worker) {
            if let run = runs.slot(of: attempt.run) { dropIncoming(of: attempt.node, run) }
        }
        giveBackUnsent(of: worker, in: &turn)
        let listed = register.inFlight.map(\.attempt)
        let adopted = listed.filter { scheduler.isCurrent($0, on: worker) }
        let abandoned = listed.filter { !scheduler.isCurrent($0, on: worker) }
        let known = Set(adopted)
        let registered = Registered(
            adopt: adopted,
            abandon: abandoned,
            conflicts: fleet[worker]?.offered.refused.map(\.name) ?? [],
            refused: fleet[worker]?.offered.refused ?? []
        )
        // What it gives up because of this must be settled for good.
        awaitJournal(id, in: &turn)
        turn.append(.send(id, .registered(registered)))
        let joined = Notice.workerJoined(
            name: fleet[worker]?.name ?? "",
            slots: register.slots,
            tools: fleet[worker]?.offered.names.count ?? 0,
            isResumed: true
        )
        turn.append(.report(joined))
        // Cancels and drains that were lost with the connection are sent again.
        for attempt in adopted {
            guard let reason = scheduler.cancelReason(of: attempt, on: worker) else { continue }
            sendCancel(attempt, reason: reason.rawValue, to: id, in: &turn)
        }
        if let drain = fleet[worker]?.drain.order(at: turn.now) {
            turn.append(.send(id, .drain(drain)))
        }
        for attempt in scheduler.attempts(on: worker) where !known.contains(attempt) {
            schedule(.attemptRejected(attempt, worker, .returned(.undelivered)), in: &turn)
        }
        schedule(.workerRecovered(worker), in: &turn)
    }

    // MARK: - Loss

    /// The connection broke: nothing new goes there, and the session waits to be resumed.
    mutating func awaitResume(of worker: WorkerID, in turn: inout CoordinatorTurn) {
        let window =
            limits.resumeWindow + presence.recentAbsence(at: turn.now, within: limits.lease)
        let time = presence.judgingTime(at: turn.now)
        fleet.disconnect(worker, resumableUntil: time + window)
        startHeartbeat(turn.now)
        schedule(.workerSuspected(worker), in: &turn)
        giveBackUnsent(of: worker, in: &turn)
        if scheduler.attempts(on: worker).isEmpty {
            lose(worker, reason: "the connection closed", in: &turn)
        }
    }

    /// Ends a session: its attempts are fenced.
    mutating func lose(_ worker: WorkerID, reason: String, in turn: inout CoordinatorTurn) {
        guard let session = fleet.remove(worker) else { return }
        if configuration.keepsRecords { journal.append(.workerLeft(name: session.name)) }
        for attempt in session.unsent.all {
            schedule(.attemptRejected(attempt, worker, .returned(.undelivered)), in: &turn)
        }
        let held = scheduler.attempts(on: worker).count
        turn.append(.report(.workerLeft(name: session.name, reason: reason, attempts: held)))
        schedule(.workerLost(worker), in: &turn)
    }

    // MARK: - Silence

    /// A message came: a worker that had fallen silent gets work again.
    mutating func hear(_ worker: WorkerID, in turn: inout CoordinatorTurn) {
        let wasSilent = fleet.inPlace(worker) { exchange(&$0.link.isSilent, with: false) }
        guard wasSilent == true else { return }
        recoverIfReachable(worker, in: &turn)
    }

    mutating func recoverIfReachable(_ worker: WorkerID, in turn: inout CoordinatorTurn) {
        guard fleet[worker]?.isReachable == true else { return }
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
        let drain = Drain(reason: reason, deadlineMilliseconds: deadlineMilliseconds)
        let connection = fleet.inPlace(worker) { session in
            session.drain.begin(order: tellWorker ? drain : nil, at: turn.now)
            return session.connection
        }
        guard let connection else { return }
        if tellWorker, let connection { turn.append(.send(connection, .drain(drain))) }
        schedule(.workerDrained(worker), in: &turn)
        giveBackUnsent(of: worker, in: &turn)
    }

    // MARK: - Heartbeats

    /// Starts the heartbeat if it does not run and there are peers to check.
    mutating func startHeartbeat(_ now: Instant) {
        if presence.nextHeartbeat == nil { presence.nextHeartbeat = now + limits.heartbeat }
    }

    /// Pings every peer; a silent worker gets no new work, and one whose lease is over is lost.
    mutating func beat(in turn: inout CoordinatorTurn) {
        let isAlone = peers.isEmpty && fleet.isComplete
        presence.nextHeartbeat = isAlone ? nil : turn.now + limits.heartbeat
        let time = presence.judgingTime(at: turn.now)
        for id in peers.ids {
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
            var ping = Ping(n: 1)
            if case .worker(let worker) = peer.state {
                if silence > limits.heartbeat * limits.missedHeartbeats {
                    suspect(worker, in: &turn)
                }
                let held = sentAttempts(of: worker)
                ping = fleet.inPlace(worker) { $0.pings.next(held: held) } ?? ping
            }
            turn.append(.send(id, .ping(ping)))
        }
        makeRoom(in: &turn)
    }

    private mutating func suspect(_ worker: WorkerID, in turn: inout CoordinatorTurn) {
        let wasSilent = fleet.inPlace(worker) { exchange(&$0.link.isSilent, with: true) }
        if wasSilent == false { schedule(.workerSuspected(worker), in: &turn) }
    }

    /// A pong lists what the worker has.
    ///
    /// Attempts that it had to know when the ping was sent, and that it neither lists nor has
    /// answered, never reached it. Attempts that it lists and that are no longer current are
    /// cancelled, because they take up slots.
    mutating func handlePong(_ pong: Pong, from worker: WorkerID, in turn: inout CoordinatorTurn) {
        if !fleet.twins.isEmpty { refuseTwins(of: worker, afterPing: pong.n, in: &turn) }
        guard let listed = pong.inFlight else { return }
        if let connection = fleet[worker]?.connection {
            for attempt in listed where !scheduler.isCurrent(attempt, on: worker) {
                sendCancel(attempt, reason: Cancel.fenced, to: connection, in: &turn)
            }
        }
        for attempt in fleet.inPlace(worker, { $0.pings.missing(in: pong) }) ?? [] {
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
