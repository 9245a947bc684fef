// Getting and keeping a connection: connecting, the handshake, silence, loss, and trying again.
// What a session agrees on is in Session.
internal import Core
internal import Wire

extension WorkerMachine {
    mutating func start(at now: Instant, into actions: inout [Action]) {
        guard case .idle = link else {
            preconditionFailure("startRequested comes once, but the link is \(link)")
        }
        offlineSince = now
        link = .connecting
        actions.append(.connect)
    }

    mutating func connected(
        nonce: [UInt8],
        at now: Instant,
        into actions: inout [Action]
    ) {
        guard case .connecting = link else {
            preconditionFailure("connected answers connect, but the link is \(link)")
        }
        let initiator = HandshakeInitiator(
            role: .worker,
            name: configuration.name,
            key: key,
            nonce: nonce,
            resume: session
        )
        link = .greeting(initiator, until: now + configuration.limits.handshake)
        unknownTypes = 0
        hasHeard = false
        actions.append(.send(.hello(initiator.hello())))
    }

    mutating func connectFailed(
        _ reason: String,
        at now: Instant,
        into actions: inout [Action]
    ) {
        guard case .connecting = link else {
            preconditionFailure("connectFailed answers connect, but the link is \(link)")
        }
        let pause = backoff.next()
        link = .waiting(until: now + pause)
        actions.append(.report(.connectFailed(reason: reason, retryIn: pause)))
        giveUpAfterLease(at: now, into: &actions)
    }

    mutating func disconnected(
        _ reason: String?,
        at now: Instant,
        into actions: inout [Action]
    ) {
        guard isConnected else {
            preconditionFailure("disconnected follows connected, but the link is \(link)")
        }
        loseConnection(
            reason ?? "The coordinator closed the connection.",
            isRefusal: !hasHeard,
            at: now,
            into: &actions
        )
    }

    /// Whether a connection is there, whatever is known of the other side.
    var isConnected: Bool {
        switch link {
        case .idle, .waiting, .connecting, .ended: false
        case .greeting, .authenticating, .registering, .ready: true
        }
    }

    mutating func answer(
        _ challenge: Challenge,
        at now: Instant,
        into actions: inout [Action]
    ) {
        guard case .greeting(var initiator, let deadline) = link else {
            return untimely(.challenge, at: now, into: &actions)
        }
        do {
            let auth = try initiator.answer(to: challenge)
            link = .authenticating(until: deadline)
            actions.append(.send(.auth(auth)))
        } catch {
            actions.append(.send(.error(ErrorMessage(error))))
            exit(.refused(error), into: &actions)
        }
    }

    /// The other side sent a line that is no message.
    mutating func violated(
        _ error: WireError,
        at now: Instant,
        into actions: inout [Action]
    ) {
        // A line may still be on its way through the shell when the connection is given up.
        guard isConnected else { return }
        hasHeard = true
        unknownTypes += error.code == .unknownType ? 1 : 0
        guard error.code == .unknownType, isWelcome,
            unknownTypes <= configuration.limits.unknownTypes
        else { return fault(error, at: now, into: &actions) }
        actions.append(.send(.error(ErrorMessage(error, isFatal: false))))
    }

    /// A message that is legal, but not now.
    mutating func untimely(
        _ kind: MessageKind,
        at now: Instant,
        into actions: inout [Action]
    ) {
        let error = WireError(
            code: .notReady,
            message: "This is not the time for \(kind.rawValue)."
        )
        fault(error, at: now, into: &actions)
    }

    /// Closes a connection whose other side breaks the protocol.
    mutating func fault(
        _ error: WireError,
        at now: Instant,
        into actions: inout [Action]
    ) {
        actions.append(.report(.violated(error)))
        actions.append(.send(.error(ErrorMessage(error))))
        disconnect("\(error)", isFault: true, at: now, into: &actions)
    }

    /// Closes the connection and connects again later.
    mutating func disconnect(
        _ reason: String,
        isFault: Bool,
        at now: Instant,
        into actions: inout [Action]
    ) {
        actions.append(.disconnect)
        loseConnection(reason, isFault: isFault, at: now, into: &actions)
    }

    /// A refusal is a connection that was closed by the other side before it said anything: what
    /// took it is a tunnel without a coordinator behind it.
    private mutating func loseConnection(
        _ reason: String,
        isFault: Bool = false,
        isRefusal: Bool = false,
        at now: Instant,
        into actions: inout [Action]
    ) {
        if isReady { offlineSince = now }
        // A coordinator that takes connections and says nothing may only be paused.
        if isReady || (lastSign != nil && !isRefusal) { lastSign = now }
        backoff.sessionEnded(byFault: isFault)
        let pause = backoff.next()
        link = .waiting(until: now + pause)
        forgetConnection()
        actions.append(.report(.connectionLost(reason: reason, retryIn: pause)))
        giveUpAfterLease(at: now, into: &actions)
    }

    /// Gives up the attempts if no connection could be made for a lease: the coordinator has gone or
    /// has given them up itself, so that others may run what they do.
    ///
    /// A worker that drains does not wait any longer than that for a coordinator that may be paused.
    private mutating func giveUpAfterLease(at now: Instant, into actions: inout [Action]) {
        guard let lastSign else { return }
        let since = draining == nil ? lastSign : offlineSince ?? lastSign
        if now - since >= lease { giveUpAttempts(into: &actions) }
    }

    /// Gives up all attempts: nobody will ask for their results.
    mutating func giveUpAttempts(into actions: inout [Action]) {
        lastSign = nil
        for index in attempts.inOrder() { abandon(at: index, into: &actions) }
    }

    /// The coordinator ends, and its runs end with it.
    ///
    /// A worker that drains has nothing to wait for then. Another one goes on for a lease.
    mutating func coordinatorEnds(
        _ reason: String,
        at now: Instant,
        into actions: inout [Action]
    ) {
        disconnect(reason, isFault: false, at: now, into: &actions)
        hasCoordinatorEnded = true
        if draining != nil { giveUpAttempts(into: &actions) }
    }

    /// Resets what belongs to one connection.
    private mutating func forgetConnection() {
        incoming.removeAll()
        sending = SendingOrder()
        for index in attempts.entries.indices {
            attempts[index].window = 0
            guard case .done(var finished) = attempts[index].state, finished.outgoing != nil
            else { continue }
            finished.outgoing = nil
            attempts[index].state = .done(finished)
        }
    }

    /// When the state of the connection changes by itself.
    var linkDeadline: Instant? {
        switch link {
        case .idle, .connecting, .ended: nil
        case .waiting(let instant): instant
        case .greeting(_, let instant): instant
        case .authenticating(let instant), .registering(let instant): instant
        case .ready: silenceEnds ?? probeIsDue
        }
    }

    /// When the coordinator counts as silent; nil before it was asked for a sign of life.
    ///
    /// It has a heartbeat's time to answer: a worker that was stopped itself asks first.
    private var silenceEnds: Instant? {
        guard let probedAt else { return nil }
        let limit = heartbeat * max(1, configuration.limits.missedHeartbeats)
        return max(lastHeard + limit, probedAt + heartbeat)
    }

    /// A coordinator that is about to count as silent is asked first: it may have nothing to say.
    private var probeIsDue: Instant {
        lastHeard + heartbeat * max(1, configuration.limits.missedHeartbeats - 1)
    }

    private mutating func extendHandshake(at now: Instant) {
        let until = now + configuration.limits.handshake
        switch link {
        case .greeting(let initiator, _): link = .greeting(initiator, until: until)
        case .authenticating: link = .authenticating(until: until)
        case .registering: link = .registering(until: until)
        case .idle, .waiting, .connecting, .ready, .ended: break
        }
    }

    mutating func linkDeadlineReached(at now: Instant, into actions: inout [Action]) {
        guard let deadline = linkDeadline, now >= deadline else { return }
        switch link {
        case .idle, .connecting, .ended:
            break
        case .waiting:
            link = .connecting
            actions.append(.connect)
        case .greeting, .authenticating, .registering:
            // A worker that was stopped itself gives the coordinator the whole time again.
            if now - deadline > heartbeat { return extendHandshake(at: now) }
            disconnect(
                "The handshake took too long.",
                isFault: false,
                at: now,
                into: &actions
            )
        case .ready where probedAt != nil:
            disconnect("The coordinator is silent.", isFault: false, at: now, into: &actions)
        case .ready:
            probedAt = now
            pings += 1
            actions.append(.send(.ping(Ping(n: pings))))
        }
    }
}

extension ErrorMessage {
    init(_ error: WireError, isFatal: Bool = true) {
        self.init(code: error.code, message: error.message, isFatal: isFatal)
    }
}
