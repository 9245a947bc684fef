// The decisions of a worker: routes what happens to the parts that see to it. How each part does
// that is in Connection, HeldAttempts, ToolAvailability and Draining.
public import Core
public import Wire

/// A worker without sockets, processes and clocks: event in, actions out.
///
/// The shell hands every event to `handle`, carries out the actions in order, calls `endTurn` once
/// when all input of a loop's turn has been handled, and sends `deadlineReached` at
/// `nextDeadline()`. Actions that start something are answered by exactly one event, see `Action`.
/// After `exit` nothing has an effect any more.
///
/// An attempt is **queued** when its dispatch was taken on, **running** from `startAttempt` to
/// `attemptFinished`, and **done** until its result is acknowledged or nobody wants it. While there
/// is no session, running attempts go on and queued ones wait: whether they are still wanted is
/// not known before the coordinator has answered `register`.
public struct WorkerMachine: Sendable {
    private let configuration: WorkerConfiguration
    private(set) var connection: Connection
    private(set) var attempts: HeldAttempts
    private var tools: ToolAvailability
    private var draining = Draining()
    private var lifetime: Lifetime

    /// A worker that has not begun; `startRequested` begins.
    ///
    /// The seed decides the jitter of its pauses and nothing else.
    public init(configuration: WorkerConfiguration, key: HandshakeKey, seed: UInt64) {
        precondition(PeerName.isValid(configuration.name), "a name has \(PeerName.rule)")
        precondition(
            (1...Limits.largestSlots).contains(configuration.slots),
            "a worker has 1 to \(Limits.largestSlots) slots"
        )
        self.configuration = configuration
        connection = Connection(configuration, key: key, seed: seed)
        attempts = HeldAttempts(configuration)
        tools = ToolAvailability(configuration)
        lifetime = Lifetime(configuration)
    }

    /// Whether the coordinator has taken the worker on.
    public var isReady: Bool { connection.isReady }

    /// Whether there was an `exit`.
    public var hasEnded: Bool { connection.hasEnded }

    /// Which of the configured coordinators `connect` means, from 0.
    public var coordinator: Int { connection.coordinator }

    /// The longest line to accept from the coordinator now, in bytes; grows with `welcome`.
    public var maximumLine: Int { connection.maximumLine }

    /// How many attempts are queued, running and done.
    public var counts: (queued: Int, running: Int, done: Int) { attempts.counts }

    /// Whether no new attempts are taken on.
    var isDraining: Bool { draining.isUnderWay }

    // MARK: - Events

    /// Takes an event and appends what is to be done about it.
    public mutating func handle(_ event: Event, at now: Instant, into actions: inout [Action]) {
        if hasEnded { return }
        var turn = WorkerTurn(at: now, after: exchange(&actions, with: []))
        handle(event, in: &turn)
        actions = turn.actions
    }

    /// Ends a turn: tells the coordinator of attempts that have begun and still run, and of their
    /// progress; ends the worker if it drains and has nothing left.
    public mutating func endTurn(at now: Instant, into actions: inout [Action]) {
        if hasEnded { return }
        var turn = WorkerTurn(at: now, after: exchange(&actions, with: []))
        attempts.endTurn(over: channel, in: &turn)
        lifetime.note(isIdle: isReady && attempts.isEmpty && !isDraining, at: now)
        if isDraining, attempts.isEmpty { exit(.drained, in: &turn) }
        actions = turn.actions
    }

    private var channel: Channel { connection.channel }

    private mutating func handle(_ event: Event, in turn: inout WorkerTurn) {
        switch event {
        case .received(let message):
            receive(message, in: &turn)
        case .attemptFinished(let id, let result, let isTruncated, let microseconds):
            let outcome = ToolOutcome(
                result: result,
                isTruncated: isTruncated,
                microseconds: microseconds
            )
            attempts.handleFinished(id, outcome, over: channel, in: &turn)
        case .attemptOutput(let id, let stream, let bytes):
            attempts.handleOutput(id, stream, bytes, over: channel, in: &turn)
        case .attemptProgressed(let id, let fraction, let note):
            let note = note?.clipped(to: channel.limits.textBytes)
            attempts.handleProgress(Progress(attempt: id, fraction: fraction, note: note))
        case .attemptNotStarted(let id, let problem):
            handleNotStarted(id, problem, in: &turn)
        case .toolsChecked(let withheld):
            tools.handleChecked(withheld, over: channel, in: &turn)
        case .toolsChanged(let changed):
            let changes = tools.handleChanged(changed)
            connection.noteTools(changed)
            attempts.setTools(changes.tools, without: changes.gone, over: channel, in: &turn)
            tools.announceChanges(over: channel, in: &turn)
            tools.check(in: &turn)
        case .startRequested:
            tools.check(in: &turn)
            lifetime.start(at: turn.now)
            connection.start(in: &turn)
        case .connected(let nonce):
            connection.handleConnected(nonce: nonce, in: &turn)
        case .connectFailed(let reason):
            follow(connection.handleConnectFailed(reason, in: &turn), in: &turn)
        case .violated(let error):
            follow(connection.handleViolation(error, in: &turn), in: &turn)
        case .disconnected(let reason):
            follow(connection.handleDisconnected(reason, in: &turn), in: &turn)
        case .written:
            attempts.handleWritten(over: channel, in: &turn)
        case .drainRequested(let deadline):
            drain("The worker was asked to end.", allowing: deadline, in: &turn)
        case .starterGone:
            draining.mustEnd(by: turn.now + Lifetime.orphanLimit)
            let reason = "What started the worker has ended."
            drain(reason, allowing: Lifetime.orphanGrace, in: &turn)
        case .stopRequested:
            exit(.stopped, in: &turn)
        case .deadlineReached:
            handleDeadlines(in: &turn)
        }
    }

    private mutating func handleNotStarted(
        _ id: AttemptID,
        _ problem: StartProblem,
        in turn: inout WorkerTurn
    ) {
        if !problem.isShortage { tools.checkSoon(at: turn.now) }
        attempts.handleNotStarted(
            id,
            problem,
            drainReason: draining.reason,
            over: channel,
            in: &turn
        )
    }

    // MARK: - Messages

    /// Routes a message of the coordinator.
    private mutating func receive(_ message: Message, in turn: inout WorkerTurn) {
        guard connection.noteMessage(at: turn.now) else { return }
        let channel = channel
        switch message {
        case .dispatch(let dispatch) where channel.isOpen:
            attempts.handleDispatch(
                dispatch,
                tool: tools.index(of: dispatch.tool),
                drainReason: draining.reason,
                over: channel,
                in: &turn
            )
        case .ack(let ack) where channel.isOpen:
            attempts.handleAck(ack, in: &turn)
        case .chunk(let chunk) where channel.isOpen:
            attempts.handleChunk(chunk)
        case .window(let window) where channel.isOpen:
            attempts.handleWindow(window, over: channel, in: &turn)
        case .cancel(let cancel) where channel.isOpen:
            attempts.handleCancel(cancel, over: channel, in: &turn)
        case .drain(let drain) where channel.isOpen:
            handleDrain(drain, in: &turn)
        case .ping(let ping) where connection.isWelcome:
            turn.send(.pong(Pong(n: ping.n, inFlight: attempts.wanted)))
        case .pong where connection.isWelcome:
            break
        case .challenge(let challenge):
            follow(connection.handleChallenge(challenge, in: &turn), in: &turn)
        case .welcome(let welcome):
            follow(connection.handleWelcome(welcome, in: &turn), in: &turn)
        case .registered(let registered):
            follow(connection.handleRegistered(registered, in: &turn), in: &turn)
        case .bye(let bye):
            follow(connection.handleBye(bye, in: &turn), in: &turn)
        case .error(let error):
            follow(connection.handleError(error, in: &turn), in: &turn)
        default:
            follow(connection.refuse(message.kind, in: &turn), in: &turn)
        }
    }

    // MARK: - The connection

    /// Sees to what a change of the connection means for the other parts.
    private mutating func follow(_ change: Connection.Change?, in turn: inout WorkerTurn) {
        switch change {
        case nil:
            break
        case .unreachable:
            giveUpUnwantedAttempts(in: &turn)
        case .lost:
            attempts.forgetConnection()
            giveUpUnwantedAttempts(in: &turn)
        case .welcomed:
            register(in: &turn)
        case .registered(let registered):
            begin(registered, in: &turn)
        case .failed(let reason):
            exit(reason, in: &turn)
        }
    }

    private mutating func register(in turn: inout WorkerTurn) {
        tools.noteAnnounced()
        var register = configuration.registration(isReplacing: connection.isReplacing)
        register.queue = attempts.queueLimit(over: channel)
        register.tools = tools.offered
        register.withheld = tools.withheld
        register.inFlight = attempts.listInFlight(over: channel)
        turn.send(.register(register))
    }

    /// Begins or resumes a session.
    private mutating func begin(_ registered: Registered, in turn: inout WorkerTurn) {
        for name in registered.conflicts {
            let tool =
                registered.refused.first { $0.name == name }
                ?? WithheldTool(
                    name: name,
                    reason: "the coordinator knows another schema, or cannot use this one"
                )
            turn.report(.toolRefused(tool))
        }
        attempts.resume(registered, isResumed: connection.isResumed, over: channel, in: &turn)
        announceDrain(in: &turn)
        tools.announceChanges(over: channel, in: &turn)
        attempts.startQueued(over: channel, in: &turn)
    }

    /// Gives up all attempts if nobody waits for their results.
    ///
    /// A worker that drains has nothing to wait for when the coordinator has ended. Another one
    /// goes on for a lease.
    private mutating func giveUpUnwantedAttempts(in turn: inout WorkerTurn) {
        let isDraining = draining.isUnderWay
        guard
            isDraining && connection.hasCoordinatorEnded
                || connection.hasLeaseEnded(at: turn.now, isDraining: isDraining)
        else { return }
        connection.noteAttemptsGivenUp(hadAny: !attempts.isEmpty)
        attempts.abandonAll(in: &turn)
    }

    // MARK: - Ending

    private mutating func drain(
        _ reason: String,
        allowing allowed: Duration?,
        in turn: inout WorkerTurn
    ) {
        draining.begin(reason, allowing: allowed, in: &turn)
        if connection.hasCoordinatorEnded { giveUpUnwantedAttempts(in: &turn) }
        if isReady { announceDrain(in: &turn) }
    }

    private mutating func handleDrain(_ drain: Drain, in turn: inout WorkerTurn) {
        let reason = drain.reason ?? "The coordinator asked the worker to end."
        let allowed: Duration? = drain.deadlineMilliseconds.map { .milliseconds($0) }
        draining.begin(reason, allowing: allowed, in: &turn)
        rejectQueued(in: &turn)
    }

    /// Tells the coordinator, and gives back what has not begun.
    private mutating func announceDrain(in turn: inout WorkerTurn) {
        guard draining.isUnderWay else { return }
        draining.announce(in: &turn)
        rejectQueued(in: &turn)
    }

    private mutating func rejectQueued(in turn: inout WorkerTurn) {
        guard let reason = draining.reason else { return }
        attempts.rejectQueued(reason, in: &turn)
    }

    /// Ends the worker, whatever it does.
    private mutating func exit(_ reason: ExitReason, in turn: inout WorkerTurn) {
        if hasEnded { return }
        attempts.stop(in: &turn)
        connection.end(reason, in: &turn)
        turn.append(.exit(reason))
    }

    // MARK: - Time

    /// When `deadlineReached` is due; nil if time changes nothing.
    ///
    /// Valid after `endTurn`.
    public func nextDeadline() -> Instant? {
        if hasEnded { return nil }
        return connection.deadline
            .orEarlier(attempts.deadline)
            .orEarlier(tools.deadline)
            .orEarlier(draining.deadline)
            .orEarlier(connection.exitDeadline)
            .orEarlier(lifetime.deadline)
    }

    private mutating func handleDeadlines(in turn: inout WorkerTurn) {
        follow(connection.handleDeadline(in: &turn), in: &turn)
        attempts.handleDeadline(over: channel, in: &turn)
        tools.handleDeadline(in: &turn)
        handleEndOfLife(in: &turn)
        let limits = configuration.limits
        if draining.shouldCancel(at: turn.now, endingAfter: limits.cancelGrace + limits.lease) {
            attempts.cancelRunning(in: &turn)
        }
        if draining.shouldEnd(at: turn.now) { exit(.stopped, in: &turn) }
        if let deadline = connection.exitDeadline, turn.now >= deadline {
            exit(.noCoordinator, in: &turn)
        }
    }

    /// Drains when the worker has had nothing to do for long enough, or its time is nearly over.
    private mutating func handleEndOfLife(in turn: inout WorkerTurn) {
        if let last = lifetime.takeLastPhase(at: turn.now) {
            draining.mustEnd(by: last.endsAt)
            let reason = "The worker's time limit is near."
            return drain(reason, allowing: last.allowed, in: &turn)
        }
        if !isDraining, attempts.isEmpty, let reason = lifetime.idleReason(at: turn.now) {
            drain(reason, allowing: nil, in: &turn)
        }
    }
}
