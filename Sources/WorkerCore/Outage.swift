// What follows from having no session.
internal import Core

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
