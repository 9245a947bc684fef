// What the coordinator says, and what a session agrees on: welcome, register, registered, upkeep.
internal import Core
internal import Wire

extension WorkerMachine {
    /// Takes a message of the coordinator.
    mutating func receive(
        _ message: Message,
        at now: Instant,
        into actions: inout [Action]
    ) {
        // Lines read before the connection was given up may still come in.
        guard isConnected else { return }
        lastHeard = now
        hasHeard = true
        probedAt = nil
        switch message {
        case .dispatch(let dispatch) where isReady:
            take(dispatch, at: now, into: &actions)
        case .ack(let ack) where isReady:
            acknowledged(ack, into: &actions)
        case .chunk(let chunk) where isReady:
            argumentsCame(chunk)
        case .window(let window) where isReady:
            granted(window, into: &actions)
        case .cancel(let cancel) where isReady:
            self.cancel(cancel, at: now, into: &actions)
        case .drain(let drain) where isReady:
            drainOrdered(drain, at: now, into: &actions)
        case .ping(let ping) where isWelcome:
            actions.append(.send(.pong(Pong(n: ping.n, inFlight: wanted))))
        case .pong where isWelcome:
            break
        case .challenge(let challenge):
            answer(challenge, at: now, into: &actions)
        case .welcome(let welcome):
            welcomed(welcome, at: now, into: &actions)
        case .registered(let registered):
            self.registered(registered, at: now, into: &actions)
        case .bye(let bye):
            coordinatorEnds("The coordinator said bye: \(bye.reason)", at: now, into: &actions)
        case .error(let error):
            complained(error, at: now, into: &actions)
        default:
            refuse(message.kind, at: now, into: &actions)
        }
    }

    /// Answers a message that the coordinator may not send, or not now.
    private mutating func refuse(
        _ kind: MessageKind,
        at now: Instant,
        into actions: inout [Action]
    ) {
        guard !kind.mayBeSent(by: .coordinator) else {
            return untimely(kind, at: now, into: &actions)
        }
        let error = WireError(
            code: .forbidden,
            message: "A coordinator does not send \(kind.rawValue)."
        )
        fault(error, at: now, into: &actions)
    }

    /// Whether the handshake is complete.
    var isWelcome: Bool {
        switch link {
        case .registering, .ready: true
        default: false
        }
    }

    private mutating func welcomed(
        _ welcome: Welcome,
        at now: Instant,
        into actions: inout [Action]
    ) {
        guard case .authenticating(let deadline) = link else {
            return untimely(.welcome, at: now, into: &actions)
        }
        announced = welcome.limits
        let room = announced.maxLine / 2
        guard announcementBytes <= room else {
            return exit(
                .unannounceable(bytes: announcementBytes, limit: room),
                into: &actions
            )
        }
        let resume = Hello.Resume(session: welcome.session, epoch: welcome.epoch)
        isResumed = session == resume
        session = resume
        software = welcome.software
        heartbeat = .milliseconds(max(1, welcome.heartbeatMilliseconds))
        lease = .milliseconds(max(1, welcome.leaseMilliseconds))
        link = .registering(until: deadline)
        actions.append(.send(.register(registration())))
    }

    private mutating func registration() -> Register {
        var inFlight: [InFlight] = []
        for index in attempts.inOrder().prefix(heldLimit) where !attempts[index].isAbandoned {
            let state: InFlight.State
            if case .done = attempts[index].state { state = .done } else { state = .running }
            inFlight.append(InFlight(attempt: attempts[index].id, state: state))
            // Being listed as running is as good as `started`.
            if attempts[index].isRunning { attempts[index].isAnnounced = true }
        }
        announcedWithheld = withheld
        return Register(
            slots: configuration.slots,
            queue: queueLimit,
            tools: offered,
            labels: configuration.labels,
            inFlight: inFlight,
            host: configuration.host,
            pid: configuration.pid,
            software: configuration.software,
            withheld: withheld,
            isReplacing: configuration.replaces && !wasRegistered
        )
    }

    /// The attempts that somebody may wait for, in the order they were taken on.
    private var wanted: [AttemptID] {
        attempts.inOrder().compactMap { index in
            attempts[index].isAbandoned ? nil : attempts[index].id
        }
    }

    private mutating func registered(
        _ registered: Registered,
        at now: Instant,
        into actions: inout [Action]
    ) {
        guard case .registering = link, let session else {
            return untimely(.registered, at: now, into: &actions)
        }
        link = .ready
        wasRegistered = true
        offlineSince = nil
        lastSign = nil
        hasCoordinatorEnded = false
        backoff.succeeded()
        actions.append(
            .report(
                .registered(
                    session: session.session,
                    epoch: session.epoch,
                    software: software,
                    isResumed: isResumed
                )
            )
        )
        for name in registered.conflicts {
            let known = registered.refused.first { $0.name == name }
            let tool =
                known
                ?? WithheldTool(
                    name: name,
                    reason: "the coordinator knows another schema, or cannot use this one"
                )
            actions.append(.report(.toolRefused(tool)))
        }
        abandon(registered, into: &actions)
        for index in attempts.inOrder() {
            attempts[index].window = announced.window
            if case .done = attempts[index].state { sendResult(at: index, into: &actions) }
        }
        if let draining {
            announceDrain(draining, at: now, into: &actions)
        }
        announceOffer(into: &actions)
        startQueued(at: now, into: &actions)
    }

    /// Drops the attempts nobody waits for.
    ///
    /// Those that a new session does not adopt are among them: its coordinator may use the same
    /// ids for something else.
    private mutating func abandon(_ registered: Registered, into actions: inout [Action]) {
        for id in registered.abandon {
            guard let index = attempts.index(of: id) else { continue }
            abandon(at: index, into: &actions)
        }
        guard !isResumed, !attempts.isEmpty else { return }
        let adopted = Set(registered.adopt)
        for index in attempts.inOrder() where !adopted.contains(attempts[index].id) {
            abandon(at: index, into: &actions)
        }
    }

    private mutating func complained(
        _ error: ErrorMessage,
        at now: Instant,
        into actions: inout [Action]
    ) {
        actions.append(.report(.complained(error)))
        switch error.code {
        case .authFailed, .unsupportedVersion:
            exit(
                .refused(WireError(code: error.code, message: error.message)),
                into: &actions
            )
        case .duplicateName:
            // Not registered yet: this worker is the newer one, and another worker has the name.
            exit(
                isReady ? .replaced(error.message) : .nameTaken(error.message),
                into: &actions
            )
        default:
            guard error.isFatal else { return }
            disconnect(
                "\(error.code): \(error.message)",
                isFault: error.code != .shuttingDown && error.code != .authTimeout,
                at: now,
                into: &actions
            )
        }
    }
}
