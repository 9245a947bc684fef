// A place where workers start: a host, a batch system, a container engine.
internal import Core

/// How far a site is.
struct Site: Sendable {
    enum State: Sendable, Equatable {
        /// Nothing was done there.
        case untouched
        case preparing(String)
        case ready
        /// It failed and is tried again.
        case pausing(until: Instant, reason: String)
        case failed(reason: String)
        case releasing
        /// Nothing of the launch is left there.
        case released
    }

    var state = State.untouched
    var retries = Retries()

    /// Whether `release` has to be called before the launch ends.
    var needsRelease: Bool {
        switch state {
        case .preparing, .ready: true
        case .untouched, .pausing, .failed, .releasing, .released: false
        }
    }

    var deadline: Instant? {
        if case .pausing(let until, _) = state { until } else { nil }
    }
}
