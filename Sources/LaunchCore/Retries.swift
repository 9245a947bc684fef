// When something that failed is tried again.
internal import Core

/// The failures in a row of one site or one worker.
///
/// What has never worked is tried five times: most likely the file is wrong. What has worked before
/// is tried for ever, because hosts and networks come back.
struct Retries: Sendable, Equatable {
    private static let tries = 5
    private static let longestPause = Duration.seconds(60)
    /// What worked for so long has recovered.
    private static let recovery = Duration.seconds(30)

    private var failures = 0
    /// Whether it ever worked.
    private(set) var hasWorked = false
    private var worksSince: Instant?

    mutating func noteWorking(at now: Instant) {
        hasWorked = true
        worksSince = worksSince ?? now
    }

    /// The pause before the next try; nil if there is none.
    mutating func noteFailure(isFinal: Bool, at now: Instant) -> Duration? {
        if let worksSince, now - worksSince >= Self.recovery { failures = 0 }
        worksSince = nil
        failures += 1
        guard !isFinal, hasWorked || failures < Self.tries else { return nil }
        return min(.seconds(1 << min(failures - 1, 6)), Self.longestPause)
    }
}
