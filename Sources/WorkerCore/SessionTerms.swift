// What a session agrees on.
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

    /// There is no session to come back to.
    mutating func forgetSession() { id = nil }

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
