// How a worker that still has work comes to its end.
internal import Core
internal import Wire

/// Why and until when the worker drains: takes nothing new on and ends what it has.
struct Draining: Sendable {
    /// Why; nil until it drains.
    private(set) var reason: String?
    /// When what still runs is cancelled.
    private var cancelsAt: Instant?
    /// When the worker ends even though results are not acknowledged.
    private var endsAt: Instant?
    /// When the worker ends whatever it still does; nil if it may take its time.
    private var mustEndAt: Instant?

    var isUnderWay: Bool { reason != nil }

    /// When `shouldCancel` or `shouldEnd` changes.
    var deadline: Instant? { (cancelsAt ?? endsAt).orEarlier(mustEndAt) }

    /// Begins to drain; a worker that drains already keeps the earlier deadline of both.
    mutating func begin(_ reason: String, allowing allowed: Duration?, in turn: inout WorkerTurn) {
        let deadline = allowed.map { turn.now + $0 }
        if self.reason == nil {
            turn.report(.draining(reason: reason))
            self.reason = reason
            cancelsAt = deadline
        } else if let deadline, endsAt == nil {
            cancelsAt = min(cancelsAt ?? deadline, deadline)
        }
    }

    /// Bounds the time until the worker has ended, whatever it still does.
    mutating func mustEnd(by instant: Instant) {
        mustEndAt = mustEndAt.orEarlier(instant)
    }

    /// Tells the coordinator.
    func announce(in turn: inout WorkerTurn) {
        let left = cancelsAt.map { max(.zero, $0 - turn.now) }
        turn.send(
            .drain(Drain(reason: reason, deadlineMilliseconds: left.map(\.millisecondsRoundedUp)))
        )
    }

    /// Whether what runs is to be cancelled now; the worker ends that much later at the latest.
    mutating func shouldCancel(at now: Instant, endingAfter rest: Duration) -> Bool {
        guard let cancelsAt, now >= cancelsAt else { return false }
        self.cancelsAt = nil
        endsAt = now + rest
        return true
    }

    func shouldEnd(at now: Instant) -> Bool {
        endsAt.orEarlier(mustEndAt).map { now >= $0 } ?? false
    }
}
