// What a session agrees on, and what follows when there is none.
internal import Core
internal import Wire

/// The terms of the session under way or the last one.
struct SessionTerms: Sendable {
    /// The session, to come back to it; nil before the first one.
    private(set) var id: Hello.Resume?
    /// Whether the session was under way before this connection.
    private(set) var isResumed = false
    /// Name and version of the coordinator's software.
    private(set) var software = ""
    private(set) var limits: AnnouncedLimits
    /// The pause between the coordinator's messages.
    private(set) var heartbeat: Duration
    /// How long the coordinator keeps the attempts of a session that it gets no message of.
    private(set) var lease: Duration

    /// The terms to assume before the first session.
    init(_ limits: Limits) {
        self.limits = limits.announced
        heartbeat = limits.heartbeat
        lease = limits.lease
    }

    mutating func adopt(_ welcome: Welcome) {
        let id = Hello.Resume(session: welcome.session, epoch: welcome.epoch)
        isResumed = self.id == id
        self.id = id
        software = welcome.software
        limits = welcome.limits
        heartbeat = .milliseconds(max(1, welcome.heartbeatMilliseconds))
        lease = .milliseconds(max(1, welcome.leaseMilliseconds))
    }
}

/// Notices that the coordinator sends nothing.
///
/// A coordinator that is about to count as silent is asked first: it may have nothing to say. It
/// has a heartbeat's time to answer, because a worker that was stopped itself asks first, too.
struct SilenceWatch: Sendable {
    private let missedHeartbeats: Int
    private var lastMessage = Instant.zero
    /// The number of the last ping sent, and when one was sent since the last message.
    private var pings = 0
    private var askedAt: Instant?

    init(missedHeartbeats: Int) {
        self.missedHeartbeats = missedHeartbeats
    }

    /// Whether the coordinator was asked and has not answered.
    var hasAsked: Bool { askedAt != nil }

    mutating func noteMessage(at now: Instant) {
        lastMessage = now
        askedAt = nil
    }

    /// When to ask, or when a coordinator that was asked counts as silent.
    func deadline(heartbeat: Duration) -> Instant {
        guard let askedAt else { return lastMessage + heartbeat * max(1, missedHeartbeats - 1) }
        return max(lastMessage + heartbeat * max(1, missedHeartbeats), askedAt + heartbeat)
    }

    mutating func ask(in turn: inout WorkerTurn) {
        askedAt = turn.now
        pings += 1
        turn.send(.ping(Ping(n: pings)))
    }
}

/// How long there has been no session, and whether attempts are kept for the one before.
struct Outage: Sendable {
    /// Since when there is no session; nil while there is one.
    private(set) var since: Instant?
    /// When there was last a connection, as long as there is no session and attempts are kept.
    private var lastContact: Instant?
    /// Whether the coordinator of the last session has said that it ends.
    private(set) var hasCoordinatorEnded = false

    mutating func begin(at now: Instant) { since = now }

    mutating func end() { self = Outage() }

    mutating func noteCoordinatorEnd() { hasCoordinatorEnded = true }

    /// A connection was lost.
    ///
    /// A coordinator that takes connections and says nothing may only be paused. A connection that
    /// was refused was none: what accepted it may be a tunnel without a coordinator behind it.
    mutating func noteLoss(at now: Instant, hadSession: Bool, isRefusal: Bool) {
        if hadSession { since = now }
        if hadSession || (lastContact != nil && !isRefusal) { lastContact = now }
    }

    /// Whether there was no connection for a lease: the coordinator has gone, or has given the
    /// attempts up itself, so that others may run what they do.
    ///
    /// A worker that drains does not wait any longer than that for a coordinator that is paused.
    func outlasts(_ lease: Duration, at now: Instant, isDraining: Bool) -> Bool {
        guard let lastContact else { return false }
        return now - (isDraining ? since ?? lastContact : lastContact) >= lease
    }

    /// The attempts are not kept any longer.
    mutating func noteAttemptsGivenUp() { lastContact = nil }
}
