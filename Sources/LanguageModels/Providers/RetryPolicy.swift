// When a failed request is sent again, by the rules of the providers' own clients.
internal import HTTP

/// Decides on retries; pure.
struct RetryPolicy: Sendable, Equatable {
    /// What to do after a failure.
    enum Decision: Equatable {
        /// Send the request again after that time.
        case retry(after: Duration)
        /// Do not retry.
        case giveUp
        /// Do not retry: the provider asks for a longer wait than is allowed.
        case waitTooLong(Duration)
    }

    /// How many times a request is sent again.
    var retries = 2
    /// The first wait; each further one is twice as long.
    var firstDelay = Duration.milliseconds(500)
    /// The longest wait without a provider's wish.
    var largestDelay = Duration.seconds(8)
    /// The longest wait that a provider may ask for.
    var longestWait = Duration.seconds(120)

    /// Whether a request with this status should be retried.
    static func isRetryable(status: Int) -> Bool {
        status == 408 || status == 409 || status == 429 || status >= 500
    }

    /// Decides after a failure.
    ///
    /// - Parameters:
    ///   - isRetryable: Whether the failure may be retried, unless the provider says otherwise.
    ///   - made: How many retries were made already.
    ///   - header: The response's header of that name, if there was a response.
    ///   - now: Seconds since 1970, for dates.
    ///   - generator: For the jitter, so that many clients do not retry at the same time.
    /// - Returns: Whether to send the request again, and when.
    func decide(
        isRetryable: Bool,
        made: Int,
        header: (String) -> String?,
        now: Int,
        using generator: inout some RandomNumberGenerator
    ) -> Decision {
        var isRetryable = isRetryable
        switch header("x-should-retry") {
        case "true": isRetryable = true
        case "false": isRetryable = false
        default: break
        }
        guard isRetryable, made < retries else { return .giveUp }
        if let asked = Self.askedWait(header: header, now: now) {
            return asked > longestWait ? .waitTooLong(asked) : .retry(after: asked)
        }
        var delay = firstDelay
        for _ in 0..<made where delay < largestDelay { delay = delay * 2 }
        let jitter = 1 - 0.25 * Double.random(in: 0..<1, using: &generator)
        return .retry(after: min(delay, largestDelay) * jitter)
    }

    /// The wait that the provider asks for; nil without one, or with one that is in the past.
    private static func askedWait(header: (String) -> String?, now: Int) -> Duration? {
        if let text = header("retry-after-ms"), let wait = wait(Double(text), unit: 0.001) {
            return wait
        }
        guard let text = header("retry-after") else { return nil }
        if let wait = wait(Double(text), unit: 1) { return wait }
        // The date is by the provider's clock.
        let here = header("date").flatMap(HTTPDate.seconds) ?? now
        return HTTPDate.seconds(text).flatMap { wait(Double($0 - here), unit: 1) }
    }

    private static func wait(_ amount: Double?, unit: Double) -> Duration? {
        guard let amount, amount.isFinite, amount >= 0 else { return nil }
        return .seconds(min(amount * unit, 1_000_000_000))
    }
}
