// Durations as numbers, for messages, documents and clocks; here and nowhere else.
//
// There are two rules. What was measured is rounded to the nearest unit, a half upwards. What limits
// something, such as a timeout or the time of a timer, is rounded up: it never ends early, and a
// limit above zero never becomes zero. What does not fit into 64 bits stays at their end.

extension Duration {
    /// Whole nanoseconds, rounded up.
    public var nanosecondsRoundedUp: Int64 {
        let (seconds, attoseconds) = components
        let (whole, tooMany) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if tooMany { return seconds < 0 ? .min : .max }
        let (part, rest) = attoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        let (sum, overflow) = whole.addingReportingOverflow(rest > 0 ? part + 1 : part)
        return overflow ? (seconds < 0 ? .min : .max) : sum
    }

    /// Whole milliseconds of a limit, rounded up.
    public var millisecondsRoundedUp: Int {
        let (whole, rest) = nanosecondsRoundedUp.quotientAndRemainder(dividingBy: 1_000_000)
        return Int(rest > 0 ? whole + 1 : whole)
    }

    /// Whole milliseconds of a measured time, the nearest.
    public var wholeMilliseconds: Int { nearest(nanosecondsRoundedUp, per: 1_000_000) }

    /// Whole microseconds of a measured time, the nearest.
    public var wholeMicroseconds: Int { nearest(nanosecondsRoundedUp, per: 1_000) }
}

extension Instant {
    /// Whole microseconds since an earlier instant, the nearest.
    public func microseconds(since earlier: Instant) -> Int {
        let (gap, overflow) = nanoseconds.subtractingReportingOverflow(earlier.nanoseconds)
        return nearest(overflow ? (nanoseconds < 0 ? .min : .max) : gap, per: 1_000)
    }
}

/// Whole microseconds as milliseconds with three digits.
public func milliseconds(_ microseconds: Int) -> Double {
    Double(microseconds) / 1_000
}

/// So many nanoseconds in a larger unit, a half rounded up.
private func nearest(_ nanoseconds: Int64, per unit: Int64) -> Int {
    let (whole, rest) = nanoseconds.quotientAndRemainder(dividingBy: unit)
    if rest >= unit / 2 { return Int(whole + 1) }
    return Int(rest < -unit / 2 ? whole - 1 : whole)
}
