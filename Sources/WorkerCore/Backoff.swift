// How long to wait before connecting again.

import Core

/// The pauses between tries to connect: doubling from 100 ms to 5 s, each cut by up to half.
struct Backoff: Sendable {
    static let first: Duration = .milliseconds(100)
    static let longest: Duration = .seconds(5)

    /// Tries in a row that led to no session.
    private var failures = 0
    /// Sessions in a row that ended by a fault of either side: without counting them, two programs
    /// that do not understand each other would connect twenty times a second for ever.
    private var faults = 0
    private var generator: SplitMix64

    init(seed: UInt64) {
        generator = SplitMix64(seed: seed)
    }

    /// The coordinator took the worker on.
    mutating func noteSession() {
        failures = 0
    }

    /// A coordinator stands by, so that another one leads or is about to: the pauses stay short.
    mutating func noteStandby() {
        failures = min(failures, 2)
    }

    /// The session ended by a fault, or without one.
    mutating func noteEnd(byFault isFault: Bool) {
        faults = isFault ? faults + 1 : 0
    }

    /// The pause before the next try; between half and the whole of what the past tries ask for.
    mutating func nextPause() -> Duration {
        let doublings = min(max(failures, faults - 1), 16)
        failures = min(failures + 1, 16)
        let whole = min(Self.first * (1 << doublings), Self.longest)
        let nanoseconds = whole.nanosecondsRoundedUp
        return .nanoseconds(Int64.random(in: nanoseconds / 2...nanoseconds, using: &generator))
    }
}
