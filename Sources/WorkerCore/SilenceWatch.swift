// When the coordinator counts as silent.
internal import Core
internal import Wire

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
