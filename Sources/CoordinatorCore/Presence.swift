// How long the coordinator itself was away: stopped, or held up by its host or by its own work.
// Nobody else can be blamed for that time.

import Core

/// The clock by which others are judged: it stands still while a heartbeat is overdue.
///
/// Leases, handshakes, resume windows, the ends of model calls and all of the scheduler's deadlines
/// are kept on it. So whatever a gap between two heartbeats is longer than it should be is added to
/// each of them. What was promised to people in real time, a run's budget above all, is not.
struct Presence: Sendable {
    private var absence = Duration.zero
    /// When anything was done last.
    private var lastSeen = Instant.zero
    /// How long the latest absence was, and when it ended.
    private var latest = Duration.zero
    private var latestEnd = Instant.zero
    /// When peers are pinged next; nil while there are no peers.
    var nextHeartbeat: Instant?

    /// Counts the time for which a heartbeat is overdue.
    ///
    /// Called before everything that is done at an instant. If the heartbeat is late by as much as
    /// the half of its pause, nothing is known of the time before it was due either: then all the
    /// time since anything was done counts.
    mutating func note(_ now: Instant, pause: Duration) {
        defer { lastSeen = max(lastSeen, now) }
        guard let due = nextHeartbeat, due < now, lastSeen < now else { return }
        let isStopped = now - max(due, lastSeen) > pause / 2
        let missed = now - (isStopped ? lastSeen : max(due, lastSeen))
        absence += missed
        latest = (latestEnd == lastSeen ? latest : .zero) + missed
        latestEnd = now
    }

    /// How long the latest absence was, if it ended a short while ago: peers that closed their
    /// connections meanwhile may need as long to come back.
    func recentAbsence(at now: Instant, within limit: Duration) -> Duration {
        now - latestEnd <= limit ? min(latest, limit) : .zero
    }

    /// The judging clock's reading at a real instant.
    func judgingTime(at now: Instant) -> Instant { now - absence }

    /// The real instant at which the judging clock reads this, unless we are away before.
    func realTime(of instant: Instant) -> Instant { instant + absence }
}
