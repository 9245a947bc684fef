// The decisions of a worker: what it holds, and the doors in and out of the machine. How each event
// is handled is in the extensions: Connection, Session, Attempts, Results, Ending.
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
    let configuration: WorkerConfiguration
    let key: HandshakeKey
    let toolIndexes: [String: Int]
    let announcementBytes: Int

    // The connection.
    var link = Link.idle
    var backoff: Backoff
    /// The last session, to come back to.
    var session: Hello.Resume?
    /// Whether the session under way is the last one resumed.
    var isResumed = false
    /// Name and version of the coordinator's software.
    var software = ""
    /// The limits of the session under way or the last one.
    var announced: AnnouncedLimits
    /// The pause between the coordinator's signs of life.
    var heartbeat: Duration
    var lastHeard = Instant.zero
    /// The number of the last ping sent, and when one was sent since the last sign of life.
    var pings = 0
    var probedAt: Instant?
    /// Lines of unknown type on this connection.
    var unknownTypes = 0
    /// Since when there is no session; nil while there is one.
    var offlineSince: Instant?
    /// How long the coordinator keeps the attempts of a session that it hears nothing of.
    var lease: Duration
    /// When there was last a connection, as long as there is no session and attempts are kept for
    /// the one before.
    var lastSign: Instant?
    /// Whether anything was heard on the connection under way or the last one.
    var hasHeard = false
    /// Whether the coordinator of the last session has said that it ends.
    var hasCoordinatorEnded = false

    // The attempts.
    var attempts = AttemptTable()
    var queue: StartQueue
    var timeouts = TimeoutQueue()
    var incoming: IncomingArguments
    var running = 0
    var queued = 0
    /// Attempts started or heard of since the last turn's end.
    var fresh: [Touched] = []

    // What cannot be started for now.
    var stalls = Stalls()
    /// Tools that are not offered because they cannot run for now.
    var withheld: [WithheldTool] = []
    /// What the coordinator was told of that.
    var announcedWithheld: [WithheldTool] = []
    var lastToolCheck: Instant?
    var nextToolCheck: Instant?
    /// Whether the coordinator has taken this process on before; it then replaces nobody any more.
    var wasRegistered = false

    // The results.
    var keptBytes = 0
    /// Values in chunks that have a turn to send; outdated entries are skipped.
    var sending = SendingOrder()

    /// Nil until no new attempts are taken on.
    var draining: Draining?

    /// How far the connection is.
    enum Link: Sendable {
        /// Not begun.
        case idle
        case waiting(until: Instant)
        case connecting
        /// Hello is sent; the challenge is awaited.
        case greeting(HandshakeInitiator, until: Instant)
        /// Auth is sent; the welcome is awaited.
        case authenticating(until: Instant)
        /// Register is sent; the answer is awaited.
        case registering(until: Instant)
        /// The worker is taken on.
        case ready
        /// After `exit`.
        case ended
    }

    /// An attempt to look at when the turn ends.
    struct Touched: Sendable {
        let index: Int
        let sequence: UInt64
        /// When it was started, if that was in this turn.
        let started: Instant?
    }

    /// The end of a worker that still has work.
    struct Draining: Sendable {
        var reason: String
        /// When what still runs is cancelled.
        var deadline: Instant?
        /// When the worker ends even though results are not acknowledged.
        var end: Instant?
    }

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
        self.key = key
        var indexes: [String: Int] = [:]
        for (index, tool) in configuration.tools.enumerated() {
            let earlier = indexes.updateValue(index, forKey: tool.name)
            precondition(earlier == nil, "the tool \(tool.name) is there once")
        }
        toolIndexes = indexes
        announcementBytes = configuration.announcementBytes
        backoff = Backoff(seed: seed)
        announced = configuration.limits.announced
        heartbeat = configuration.limits.heartbeat
        lease = configuration.limits.lease
        queue = StartQueue(limits: configuration.tools.map { $0.concurrency.map { max(1, $0) } })
        incoming = IncomingArguments(
            maximumBytes: configuration.limits.maxValue,
            maximumCount: configuration.slots + configuration.queueLimit
        )
    }

    /// Whether the coordinator has taken the worker on.
    public var isReady: Bool {
        if case .ready = link { true } else { false }
    }

    /// Whether there was an `exit`.
    public var hasEnded: Bool {
        if case .ended = link { true } else { false }
    }

    /// The longest line to accept from the coordinator now, in bytes; grows with `welcome`.
    public var maximumLine: Int {
        isWelcome ? announced.maxLine : configuration.limits.maxLineBeforeAuthentication
    }

    /// How many attempts are queued, running and done.
    public var counts: (queued: Int, running: Int, done: Int) {
        (queued, running, attempts.count - queued - running)
    }

    /// Takes an event and appends what is to be done about it.
    public mutating func handle(
        _ event: Event,
        at now: Instant,
        into actions: inout [Action]
    ) {
        if hasEnded { return }
        switch event {
        case .received(let message):
            receive(message, at: now, into: &actions)
        case .attemptFinished(let id, let outcome, let isTruncated, let microseconds):
            let finished = Attempt.Finished(
                outcome: outcome,
                isTruncated: isTruncated,
                microseconds: microseconds
            )
            attemptFinished(id, finished, at: now, into: &actions)
        case .attemptOutput(let id, let stream, let bytes):
            attemptOutput(id, stream, bytes, into: &actions)
        case .attemptProgressed(let id, let fraction, let note):
            attemptProgressed(id, fraction: fraction, note: note)
        case .attemptNotStarted(let id, let problem):
            attemptNotStarted(id, problem, at: now, into: &actions)
        case .toolsChecked(let withheld):
            toolsChecked(withheld, at: now, into: &actions)
        case .startRequested:
            checkTools(at: now, into: &actions)
            start(at: now, into: &actions)
        case .connected(let nonce):
            connected(nonce: nonce, at: now, into: &actions)
        case .connectFailed(let reason):
            connectFailed(reason, at: now, into: &actions)
        case .violated(let error):
            violated(error, at: now, into: &actions)
        case .disconnected(let reason):
            disconnected(reason, at: now, into: &actions)
        case .written:
            written(into: &actions)
        case .drainRequested(let deadline):
            drainRequested(deadline: deadline, at: now, into: &actions)
        case .stopRequested:
            exit(.stopped, into: &actions)
        case .deadlineReached:
            deadlineReached(at: now, into: &actions)
        }
    }

    /// Ends a turn: tells the coordinator of attempts that have begun and still run, and of their
    /// progress; ends the worker if it drains and has nothing left.
    public mutating func endTurn(at now: Instant, into actions: inout [Action]) {
        if hasEnded { return }
        if !fresh.isEmpty { settleFresh(into: &actions) }
        timeouts.prune(attempts, running: running)
        exitIfDrained(into: &actions)
    }

    /// When `deadlineReached` is due; nil if time changes nothing.
    ///
    /// Valid after `endTurn`.
    public func nextDeadline() -> Instant? {
        if hasEnded { return nil }
        var next = linkDeadline
        if let instant = timeouts.earliest { next = min(next ?? instant, instant) }
        if let instant = stalls.earliest { next = min(next ?? instant, instant) }
        if let instant = nextToolCheck { next = min(next ?? instant, instant) }
        if let instant = exitDeadline { next = min(next ?? instant, instant) }
        if let instant = draining?.deadline ?? draining?.end {
            next = min(next ?? instant, instant)
        }
        return next
    }

    private mutating func deadlineReached(at now: Instant, into actions: inout [Action]) {
        linkDeadlineReached(at: now, into: &actions)
        while let index = timeouts.next(until: now, attempts) {
            timedOut(at: index, into: &actions)
        }
        retryStalled(at: now, into: &actions)
        if let due = nextToolCheck, now >= due { checkTools(at: now, into: &actions) }
        drainDeadlineReached(at: now, into: &actions)
        if let deadline = exitDeadline, now >= deadline {
            exit(.noCoordinator, into: &actions)
        }
    }

    private var exitDeadline: Instant? {
        guard let exitAfter = configuration.exitAfter, let offlineSince else { return nil }
        return offlineSince + exitAfter
    }
}
