// When a failed request is sent again, by the rules of the providers' own clients.
// Not here: waiting.

/// Decides on retries; pure.
struct RetryPolicy: Sendable, Equatable {
    /// What to do after a failure.
    enum Decision: Equatable {
        /// Send the request again after that time.
        case retry(after: Duration)
        /// Leave it at the failure.
        case giveUp
        /// Leave it at the failure: the provider asks for a longer wait than is bearable.
        case waitTooLong(Duration)
    }

    /// How many times a request is sent again.
    var retries = 2
    /// The first wait; each further one is twice as long.
    var firstDelay = Duration.milliseconds(500)
    /// The longest wait that is chosen here.
    var largestDelay = Duration.seconds(8)
    /// The longest wait that a provider may ask for.
    var longestWait = Duration.seconds(120)

    /// Whether a status is worth another try.
    static func isRetryable(status: Int) -> Bool {
        status == 408 || status == 409 || status == 429 || status >= 500
    }

    /// Decides after a failure.
    ///
    /// - Parameters:
    ///   - isRetryable: Whether the failure is worth another try, unless the provider says it.
    ///   - made: How many retries were made already.
    ///   - header: The response's header of that name, if there was a response.
    ///   - now: Seconds since 1970, for dates.
    ///   - generator: For the jitter, so that many clients do not come back at once.
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
        // Whoever gives a date means his own clock.
        let here = header("date").flatMap(HTTPDate.seconds) ?? now
        return HTTPDate.seconds(text).flatMap { wait(Double($0 - here), unit: 1) }
    }

    private static func wait(_ amount: Double?, unit: Double) -> Duration? {
        guard let amount, amount.isFinite, amount >= 0 else { return nil }
        return .seconds(min(amount * unit, 1_000_000_000))
    }
}

/// Dates as HTTP writes them: `Sun, 06 Nov 1994 08:49:37 GMT`.
enum HTTPDate {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Seconds since 1970; nil for anything else.
    static func seconds(_ text: String) -> Int? {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT", let day = Int(parts[1]),
            let month = months.firstIndex(of: String(parts[2])), let year = Int(parts[3]),
            (1...31).contains(day), (1970...9999).contains(year)
        else { return nil }
        let clock = parts[4].split(separator: ":").map { Int($0) ?? -1 }
        guard clock.count == 3, (0...23).contains(clock[0]), (0...59).contains(clock[1]),
            (0...60).contains(clock[2])
        else { return nil }
        let days = daysBefore(year: year, month: month + 1) + day - 1
        return ((days * 24 + clock[0]) * 60 + clock[1]) * 60 + clock[2]
    }

    /// Days from 1970 to the first of a month, with years that start in March, so that the leap day
    /// is their last.
    private static func daysBefore(year: Int, month: Int) -> Int {
        let shifted = month > 2 ? year : year - 1
        let monthsSinceMarch = (month + 9) % 12
        let daysOfYear = (153 * monthsSinceMarch + 2) / 5
        return shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + daysOfYear - 719_468
    }
}
