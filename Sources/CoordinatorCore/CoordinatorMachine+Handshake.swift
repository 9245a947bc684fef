// Connections: arrival, handshake, who may say what, violations, departure.

internal import Core
internal import Wire

extension CoordinatorMachine {
    mutating func connect(_ id: ConnectionID, _ nonce: [UInt8], in turn: inout CoordinatorTurn) {
        evictOldest(in: &turn)
        guard !isShuttingDown, peers.count < limits.connections else {
            let error = ErrorMessage(
                code: isShuttingDown ? .shuttingDown : .busy,
                message: isShuttingDown
                    ? "The coordinator is shutting down." : "Too many connections.",
                isFatal: true
            )
            turn.append(.send(id, .error(error)))
            turn.append(.close(id))
            return
        }
        let responder = HandshakeResponder(
            nonce: nonce,
            session: makeName(),
            decoy: configuration.decoy
        )
        let time = presence.judgingTime(at: turn.now)
        let peer = Peer(id: id, state: .handshaking(responder), lastHeard: time)
        peers.add(peer, handshakeDeadline: time + limits.handshake)
        startHeartbeat(turn.now)
    }

    /// Closes the oldest connection without a complete handshake when there are too many, so that a
    /// peer that only opens connections cannot keep others out.
    private mutating func evictOldest(in turn: inout CoordinatorTurn) {
        guard !isShuttingDown, let oldest = peers.oldestHandshake,
            peers.handshakeCount >= limits.unauthenticatedConnections
                || peers.count >= limits.connections
        else { return }
        let error = WireError(
            code: .busy,
            message: "Another connection needed the room before this one had proved itself."
        )
        violate(oldest, error, in: &turn)
    }

    /// Notes that lines of the peer have arrived and are read later: it is not silent.
    mutating func noteArrival(from id: ConnectionID, in turn: inout CoordinatorTurn) {
        let time = presence.judgingTime(at: turn.now)
        let state = peers.inPlace(id) { peer in
            peer.lastHeard = time
            return peer.state
        }
        if case .worker(let worker) = state {
            hear(worker, in: &turn)
        }
    }

    mutating func receive(
        _ message: Message,
        from id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        // Only the state is copied: a peer is large, and this is done for each message.
        let time = presence.judgingTime(at: turn.now)
        let known = peers.inPlace(id) { peer in
            peer.lastHeard = time
            return peer.state
        }
        guard let state = known else { return }
        guard check(message, from: id, in: state, in: &turn) else { return }
        switch state {
        case .handshaking(let responder):
            shakeHands(message, responder, id, in: &turn)
        case .registering(let name, let session, let resume):
            switch message {
            case .register(let register):
                self.register(register, name, session, resume, id, in: &turn)
            case .ping(let ping): turn.append(.send(id, .pong(Pong(n: ping.n))))
            case .pong: break
            case .bye: dismiss(id, reason: "left before it registered", in: &turn)
            default:
                violate(id, WireError(code: .notReady, message: "Register first."), in: &turn)
            }
        case .worker(let worker):
            hear(worker, in: &turn)
            receive(message, fromWorker: worker, id, in: &turn)
        case .observer(let role, _):
            receive(message, fromObserver: role, id, in: &turn)
        }
    }

    /// Whether the peer's role may send the message; if not, the connection ends.
    private mutating func check(
        _ message: Message,
        from id: ConnectionID,
        in state: Peer.State,
        in turn: inout CoordinatorTurn
    ) -> Bool {
        if case .handshaking = state { return true }
        if message.kind.mayBeSent(by: state.sender) { return true }
        let error = WireError(
            code: .forbidden,
            message: "A \(state.sender.rawValue) may not send \(message.kind.rawValue)."
        )
        violate(id, error, in: &turn)
        return false
    }

    // MARK: - Handshake

    private mutating func shakeHands(
        _ message: Message,
        _ responder: HandshakeResponder,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        var responder = responder
        do throws(WireError) {
            switch message {
            case .hello(let hello):
                let challenge = try responder.receive(
                    hello,
                    keyring: keyring,
                    at: calendarTime(at: turn.now)
                )
                peers.inPlace(id) { $0.state = .handshaking(responder) }
                turn.append(.send(id, .challenge(challenge)))
            case .auth(let auth):
                let proved = try responder.receive(auth)
                // It may have been revoked since the challenge.
                let time = calendarTime(at: turn.now)
                guard let access = keyring.entry(of: proved.entry.key, at: time) else {
                    throw WireError.authFailed
                }
                welcome(id, proved, access, in: &turn)
            default:
                throw WireError(
                    code: .notReady,
                    message: "\(message.kind.rawValue) before the handshake is complete."
                )
            }
        } catch {
            violate(id, error, in: &turn)
        }
    }

    private mutating func welcome(
        _ id: ConnectionID,
        _ proved: HandshakeResponder.Proved,
        _ access: Keyring.Entry,
        in turn: inout CoordinatorTurn
    ) {
        peers.endHandshake(of: id)
        guard !configuration.standsBy else { return refuseToLead(id, in: &turn) }
        peers.inPlace(id) { $0.access = access }
        var session = proved.session
        let name = proved.name
        if proved.role == .worker {
            let valid = resumable(proved.resume, name)
            if let valid { session = valid.session }
            peers.inPlace(id) { [session] in
                $0.state = .registering(name: name, session: session, resume: valid)
            }
        } else {
            peers.inPlace(id) { $0.state = .observer(proved.role, name: name) }
            turn.append(.letOthersGoFirst(id))
        }
        turn.append(.raiseLineLimit(id, bytes: limits.maxLine))
        let welcome = Welcome(
            session: session,
            epoch: configuration.epoch,
            software: configuration.software,
            limits: limits.announced,
            heartbeatMilliseconds: limits.heartbeatMilliseconds,
            leaseMilliseconds: limits.leaseMilliseconds
        )
        turn.append(.send(id, .welcome(welcome)))
    }

    /// A resume is honoured only with the same name and session while the session lives.
    private func resumable(_ resume: Hello.Resume?, _ name: String) -> Hello.Resume? {
        // Sessions have names that are not used again, so one of an earlier epoch is the one that
        // was restored.
        guard let resume, resume.epoch <= configuration.epoch, let worker = fleet[name: name],
            fleet[worker]?.link.session == resume.session
        else { return nil }
        return resume
    }

    // MARK: - Endings

    /// The peer broke the protocol.
    ///
    /// An unknown type is tolerated a number of times; everything else ends the connection after an
    /// error that says why, and when the peer has ended its side or had time for that.
    mutating func violate(
        _ id: ConnectionID,
        _ error: WireError,
        waitsForEnd: Bool = true,
        in turn: inout CoordinatorTurn
    ) {
        guard let peer = peers[id] else { return }
        let time = presence.judgingTime(at: turn.now)
        peers.inPlace(id) { $0.lastHeard = time }
        let isTolerable =
            error.code == .unknownType && peer.isAuthenticated
            && peer.unknownTypes < limits.unknownTypes
        let message = ErrorMessage(
            code: error.code,
            message: error.message,
            isFatal: !isTolerable
        )
        turn.append(.send(id, .error(message)))
        if isTolerable {
            peers.inPlace(id) { $0.unknownTypes += 1 }
        } else {
            counters.countRefusal(error.code)
            turn.append(.report(.peerDismissed(id, error)))
            dismiss(id, reason: error.description, waitsForEnd: waitsForEnd, in: &turn)
        }
    }

    /// Closes a connection from this side.
    ///
    /// A worker loses its session.
    mutating func dismiss(
        _ id: ConnectionID,
        reason: String,
        waitsForEnd: Bool = true,
        in turn: inout CoordinatorTurn
    ) {
        guard let peer = peers[id] else { return }
        forget(id)
        turn.append(waitsForEnd ? .close(id) : .closeAtOnce(id))
        switch peer.state {
        case .worker(let worker): lose(worker, reason: reason, in: &turn)
        case .observer: leave(id, in: &turn)
        case .handshaking, .registering: break
        }
    }

    /// The connection broke.
    ///
    /// A worker may come back to its session for a while.
    mutating func disconnect(_ id: ConnectionID, in turn: inout CoordinatorTurn) {
        guard let peer = peers[id] else { return }
        forget(id)
        switch peer.state {
        case .worker(let worker): awaitResume(of: worker, in: &turn)
        case .observer: leave(id, in: &turn)
        case .handshaking, .registering: break
        }
    }

    private mutating func forget(_ id: ConnectionID) {
        peers.remove(id)
        fleet.twins.remove(id)
    }

    mutating func shutDown(in turn: inout CoordinatorTurn) {
        isShuttingDown = true
        guard !configuration.standsBy else { return leaveStandby(in: &turn) }
        for worker in fleet.ids { sendAcknowledgements(to: worker, in: &turn) }
        let bye = Bye(
            reason: ErrorCode.shuttingDown.rawValue,
            keepsRuns: configuration.keepsRecords
        )
        for id in peers.ids {
            turn.append(.send(id, .bye(bye)))
            turn.append(.close(id))
        }
        peers = Peers()
        fleet.twins = WaitingTwins()
        presence.nextHeartbeat = nil
    }
}
