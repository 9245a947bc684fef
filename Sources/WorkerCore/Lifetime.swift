// When a worker ends by itself: after a time without work, before its time is over, and when what
// started it has gone. How it ends then is in Draining.
internal import Core

/// The reasons for a worker to drain that lie in time alone.
struct Lifetime: Sendable {
    private let idleTimeout: Duration?
    private let timeLimit: Duration?
    /// Since when the worker is connected and has nothing to do; nil while it has.
    private var idleSince: Instant?
    /// When the worker has to have ended; nil before its start and without a limit.
    private var endsAt: Instant?

    /// What still runs gets this long when what started the worker has gone.
    static let orphanGrace = Duration.seconds(5)
    /// A worker whose starter has gone ends so soon, whatever it still does.
    static let orphanLimit = Duration.seconds(10)
    /// The longest time before the end in which nothing new is taken on.
    private static let longestMargin = Duration.seconds(60)

    init(_ configuration: WorkerConfiguration) {
        idleTimeout = configuration.idleTimeout
        timeLimit = configuration.timeLimit
    }

    mutating func start(at now: Instant) { endsAt = timeLimit.map { now + $0 } }

    /// Says whether the worker has nothing to do, at the end of a turn.
    mutating func note(isIdle: Bool, at now: Instant) {
        idleSince = isIdle ? idleSince ?? now : nil
    }

    /// When `endings` changes.
    var deadline: Instant? {
        let idleEnd = idleTimeout.flatMap { timeout in idleSince.map { $0 + timeout } }
        return idleEnd.orEarlier(drainsAt)
    }

    /// Why the worker drains because it has nothing to do; nil if it does not.
    func idleReason(at now: Instant) -> String? {
        guard let idleTimeout, let idleSince, now - idleSince >= idleTimeout else { return nil }
        return "The worker has run nothing for \(idleTimeout)."
    }

    /// How the worker keeps to its time limit: it stops what runs after a time, and ends.
    struct LastPhase: Sendable {
        var allowed: Duration
        var endsAt: Instant
    }

    /// The last phase, once: nil before it begins and after it was returned.
    mutating func takeLastPhase(at now: Instant) -> LastPhase? {
        guard let drainsAt, let endsAt, now >= drainsAt else { return nil }
        self.endsAt = nil
        // A third of what is left remains for tools that are asked to end, and their results.
        return LastPhase(allowed: max(.zero, endsAt - now) * 2 / 3, endsAt: endsAt)
    }

    /// The worker takes nothing new on in the last quarter of its time, a minute at most.
    private var drainsAt: Instant? {
        guard let endsAt, let timeLimit else { return nil }
        return endsAt - min(timeLimit / 4, Self.longestMargin)
    }
}
