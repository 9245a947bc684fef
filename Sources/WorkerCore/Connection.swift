// The connection to the coordinator: connecting, the handshake, silence, loss, and trying again.
internal import Core
internal import Wire

/// How far the connection is, and what was agreed on it.
///
/// What happens to the connection is decided here; what follows for the rest of the machine is
/// returned as a `Change`.
struct Connection: Sendable {
    /// What the machine must see to.
    enum Change: Sendable {
        /// No connection could be made.
        case unreachable
        /// The connection is gone: what was under way on it begins again on the next one.
        case lost
        /// The terms of the session are known; the coordinator awaits `register`.
        case welcomed
        /// The coordinator has taken the worker on.
        case registered(Registered)
        /// Trying again will not help.
        case failed(WorkerMachine.ExitReason)
    }

    private let configuration: WorkerConfiguration
    private let key: HandshakeKey
    private var announcementBytes: Int
    private var link = Link.idle
    private var backoff: Backoff
    private var terms: SessionTerms
    private var silence: SilenceWatch
    private var outage = Outage()
    /// Which coordinator the connection goes to, from 0.
    private(set) var coordinator = 0
    /// Whether one stood by since the last session.
    private var hasStandby = false
    /// The one that was tried last and did not answer.
    private var silentCoordinator: Int?
    /// Lines of unknown type on this connection.
    private var unknownTypes = 0
    /// Whether a message came on the connection under way or the last one.
    private var hasMessage = false
    /// Whether the coordinator has taken this process on before.
    private var wasRegistered = false

    init(_ configuration: WorkerConfiguration, key: HandshakeKey, seed: UInt64) {
        self.configuration = configuration
        self.key = key
        announcementBytes = configuration.tools.announcementBytes
        backoff = Backoff(seed: seed)
        terms = SessionTerms(configuration.limits)
        silence = SilenceWatch(missedHeartbeats: configuration.limits.missedHeartbeats)
    }

    var isReady: Bool { link.isReady }
    var isWelcome: Bool { link.isWelcome }
    var isConnected: Bool { link.isConnected }
    var hasEnded: Bool { link.hasEnded }

    /// The tools to announce are others now.
    mutating func noteTools(_ tools: [ToolDescription]) {
        announcementBytes = tools.announcementBytes
    }

    /// Whether the session was under way before this connection.
    var isResumed: Bool { terms.isResumed }

    /// Whether the coordinator of the last session has said that it ends.
    var hasCoordinatorEnded: Bool { outage.hasCoordinatorEnded }

    /// The way to the coordinator as the other parts see it.
    var channel: Channel {
        Channel(isOpen: isReady, limits: terms.limits, chunkBytes: configuration.limits.chunkBytes)
    }

    /// The longest line to accept now.
    var maximumLine: Int {
        isWelcome ? terms.limits.maxLine : configuration.limits.maxLineBeforeAuthentication
    }

    /// Whether `register` takes the name over from another worker; from itself it never does.
    var isReplacing: Bool { configuration.replaces && !wasRegistered }

    // MARK: - Connecting

    mutating func start(in turn: inout WorkerTurn) {
        guard case .idle = link else {
            preconditionFailure("startRequested comes once, but the link is \(link)")
        }
        outage.begin(at: turn.now)
        link = .connecting
        turn.append(.connect)
    }

    mutating func handleConnected(nonce: [UInt8], in turn: inout WorkerTurn) {
        guard case .connecting = link else {
            preconditionFailure("connected answers connect, but the link is \(link)")
        }
        let initiator = HandshakeInitiator(
            role: .worker,
            name: configuration.name,
            key: key,
            nonce: nonce,
            resume: terms.id
        )
        link = .greeting(initiator, until: turn.now + configuration.answerTime)
        unknownTypes = 0
        hasMessage = false
        turn.send(.hello(initiator.hello()))
    }

    mutating func handleConnectFailed(_ reason: String, in turn: inout WorkerTurn) -> Change {
        guard case .connecting = link else {
            preconditionFailure("connectFailed answers connect, but the link is \(link)")
        }
        if hasStandby { backoff.noteStandby() }
        let pause = backoff.nextPause()
        silentCoordinator = coordinator
        moveOn()
        link = .waiting(until: turn.now + pause)
        turn.report(.connectFailed(reason: reason, retryIn: pause))
        return .unreachable
    }

    // MARK: - Messages

    /// A message has come; returns whether it counts.
    ///
    /// Lines read before the connection was given up may still come in.
    mutating func noteMessage(at now: Instant) -> Bool {
        guard isConnected else { return false }
        silence.noteMessage(at: now)
        hasMessage = true
        return true
    }

    mutating func handleChallenge(_ challenge: Challenge, in turn: inout WorkerTurn) -> Change? {
        guard case .greeting(var initiator, let deadline) = link else {
            return refuse(.challenge, in: &turn)
        }
        do {
            let auth = try initiator.answer(to: challenge)
            link = .authenticating(until: deadline)
            turn.send(.auth(auth))
            return nil
        } catch {
            turn.send(.error(ErrorMessage(error)))
            return .failed(.refused(error))
        }
    }

    mutating func handleWelcome(_ welcome: Welcome, in turn: inout WorkerTurn) -> Change {
        guard case .authenticating(let deadline) = link else {
            return refuse(.welcome, in: &turn)
        }
        let room = welcome.limits.maxLine / 2
        guard announcementBytes <= room else {
            return .failed(.unannounceable(bytes: announcementBytes, limit: room))
        }
        terms.adopt(welcome)
        // What it says of the session may wait for its journal.
        let rest = configuration.limits.handshake - configuration.answerTime
        link = .registering(until: deadline + rest)
        return .welcomed
    }

    mutating func handleRegistered(_ registered: Registered, in turn: inout WorkerTurn) -> Change {
        guard case .registering = link, let session = terms.id else {
            return refuse(.registered, in: &turn)
        }
        link = .ready
        wasRegistered = true
        silentCoordinator = nil
        hasStandby = false
        outage.end()
        backoff.noteSession()
        turn.report(
            .registered(
                session: session.session,
                epoch: session.epoch,
                software: terms.software,
                isResumed: terms.isResumed
            )
        )
        return .registered(registered)
    }

    mutating func handleError(_ error: ErrorMessage, in turn: inout WorkerTurn) -> Change? {
        turn.report(.complained(error))
        switch error.code {
        case .encryption:
            return handleMismatch(WireError(code: error.code, message: error.message), in: &turn)
        case .authFailed, .unsupportedVersion:
            return .failed(.refused(WireError(code: error.code, message: error.message)))
        case .duplicateName:
            // Not registered yet: this worker is the newer one, and another worker has the name.
            return .failed(isReady ? .replaced(error.message) : .nameTaken(error.message))
        case .notLeader:
            return handleStandby(error, in: &turn)
        default:
            guard error.isFatal else { return nil }
            return close(
                "\(error.code): \(error.message)",
                isFault: error.code != .shuttingDown && error.code != .authTimeout,
                in: &turn
            )
        }
    }

    /// The coordinator ends, and its runs end with it.
    mutating func handleBye(_ bye: Bye, in turn: inout WorkerTurn) -> Change {
        // A coordinator that ends has no session to come back to.
        if isReady { moveOn() }
        let change = close("The coordinator said bye: \(bye.reason)", isFault: false, in: &turn)
        outage.noteCoordinatorEnd()
        return change
    }

    /// The other side sent a line that is no message.
    mutating func handleViolation(_ error: WireError, in turn: inout WorkerTurn) -> Change? {
        // A line may still be on its way through the shell when the connection is given up.
        guard isConnected else { return nil }
        hasMessage = true
        if error.code == .authFailed || error.code == .encryption, !isWelcome {
            return handleMismatch(error, in: &turn)
        }
        unknownTypes += error.code == .unknownType ? 1 : 0
        guard error.code == .unknownType, isWelcome,
            unknownTypes <= configuration.limits.unknownTypes
        else { return close(dueTo: error, in: &turn) }
        turn.send(.error(ErrorMessage(error, isFatal: false)))
        return nil
    }

    /// The key, or the encryption, does not fit what answers.
    ///
    /// Nobody has proved to be the coordinator, so a worker that was taken on before, or that knows
    /// other coordinators, tries again; one at its start ends, because it was probably given the
    /// wrong key.
    private mutating func handleMismatch(
        _ error: WireError,
        in turn: inout WorkerTurn
    ) -> Change {
        guard wasRegistered || configuration.coordinators > 1 else {
            return .failed(.refused(error))
        }
        return close(dueTo: error, in: &turn)
    }

    /// Another coordinator leads: it is next, if it is known and was not silent just now.
    private mutating func handleStandby(
        _ error: ErrorMessage,
        in turn: inout WorkerTurn
    ) -> Change {
        hasStandby = configuration.coordinators > 1
        if hasStandby { backoff.noteStandby() }
        let change = close("\(error.code): \(error.message)", isFault: false, in: &turn)
        let named = configuration.coordinatorAddresses.firstIndex { $0 == error.leader }
        if let named, named != silentCoordinator, named < configuration.coordinators {
            coordinator = named
        }
        return change
    }

    /// Closes the connection because of a message that the coordinator may not send, or not now.
    mutating func refuse(_ kind: MessageKind, in turn: inout WorkerTurn) -> Change {
        let isUntimely = kind.mayBeSent(by: .coordinator)
        let error = WireError(
            code: isUntimely ? .notReady : .forbidden,
            message: isUntimely
                ? "This is not the time for \(kind.rawValue)."
                : "A coordinator does not send \(kind.rawValue)."
        )
        return close(dueTo: error, in: &turn)
    }

    // MARK: - Losing the connection

    mutating func handleDisconnected(_ reason: String?, in turn: inout WorkerTurn) -> Change {
        guard isConnected else {
            preconditionFailure("disconnected follows connected, but the link is \(link)")
        }
        // What accepted the connection and closed it without a message refused it.
        return lose(
            reason ?? "The coordinator closed the connection.",
            isRefusal: !hasMessage,
            in: &turn
        )
    }

    /// Closes a connection whose other side breaks the protocol.
    private mutating func close(dueTo error: WireError, in turn: inout WorkerTurn) -> Change {
        turn.report(.violated(error))
        turn.send(.error(ErrorMessage(error)))
        return close("\(error)", isFault: true, in: &turn)
    }

    /// Closes the connection and connects again later.
    private mutating func close(
        _ reason: String,
        isFault: Bool,
        in turn: inout WorkerTurn
    ) -> Change {
        turn.append(.disconnect)
        return lose(reason, isFault: isFault, in: &turn)
    }

    private mutating func lose(
        _ reason: String,
        isFault: Bool = false,
        isRefusal: Bool = false,
        in turn: inout WorkerTurn
    ) -> Change {
        // After a session its coordinator comes first: it keeps the attempts for a while.
        if !isReady { moveOn() }
        outage.noteLoss(at: turn.now, hadSession: isReady, isRefusal: isRefusal)
        backoff.noteEnd(byFault: isFault)
        let pause = backoff.nextPause()
        link = .waiting(until: turn.now + pause)
        turn.report(.connectionLost(reason: reason, retryIn: pause))
        return .lost
    }

    /// Takes the next coordinator of the list.
    private mutating func moveOn() {
        coordinator = (coordinator + 1) % configuration.coordinators
    }

    /// Whether there was no connection for as long as the coordinator keeps the attempts.
    func hasLeaseEnded(at now: Instant, isDraining: Bool) -> Bool {
        outage.outlasts(terms.lease, at: now, isDraining: isDraining)
    }

    /// The attempts are not kept for the last session any longer.
    ///
    /// If there were any, the session is not resumed: its coordinator would take what is not listed
    /// for what never arrived, and have tools started again that must not be.
    mutating func noteAttemptsGivenUp(hadAny: Bool) {
        outage.noteAttemptsGivenUp()
        if hadAny { terms.forgetSession() }
    }

    /// Closes the connection for good; says why to a coordinator that does not know it.
    mutating func end(_ reason: WorkerMachine.ExitReason, in turn: inout WorkerTurn) {
        if isConnected {
            switch reason {
            case .refused, .replaced, .nameTaken: break
            case .unannounceable, .noCoordinator, .drained, .stopped:
                turn.send(.bye(Bye(reason: "\(reason)")))
            }
            turn.append(.disconnect)
        }
        link = .ended
    }

    // MARK: - Time

    /// When the state of the connection changes by itself.
    var deadline: Instant? {
        isReady ? silence.deadline(heartbeat: terms.heartbeat) : link.deadline
    }

    /// When the worker gives up for want of a coordinator.
    var exitDeadline: Instant? {
        guard let exitAfter = configuration.exitAfter, let since = outage.since else { return nil }
        return since + exitAfter
    }

    mutating func handleDeadline(in turn: inout WorkerTurn) -> Change? {
        guard let deadline, turn.now >= deadline else { return nil }
        switch link {
        case .idle, .connecting, .ended:
            return nil
        case .waiting:
            link = .connecting
            turn.append(.connect)
            return nil
        case .greeting, .authenticating, .registering:
            // A worker that was stopped itself gives the coordinator the whole time again.
            if turn.now - deadline > terms.heartbeat {
                link.extendHandshake(until: turn.now + configuration.limits.handshake)
                return nil
            }
            silentCoordinator = coordinator
            return close("The handshake took too long.", isFault: false, in: &turn)
        case .ready where silence.hasAsked:
            // Another one may lead by now.
            silentCoordinator = coordinator
            moveOn()
            return close("The coordinator is silent.", isFault: false, in: &turn)
        case .ready:
            silence.ask(in: &turn)
            return nil
        }
    }

    /// What is wrong with the connection; nil if nothing is.
    func flaw() -> String? {
        if case .idle = link { return nil }
        return isReady == (outage.since == nil)
            ? nil : "since when there is no session is known while there is one, or not known"
    }

    /// The state of the connection, for people who look for a fault.
    var stateDescription: String { "\(link)" }
}

extension ErrorMessage {
    fileprivate init(_ error: WireError, isFatal: Bool = true) {
        self.init(code: error.code, message: error.message, isFatal: isFatal)
    }
}
