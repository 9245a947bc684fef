// Durations as the numbers that the wire and the clock of the loop use.

extension Duration {
    /// Whole milliseconds, a fraction counted as one more.
    var wholeMilliseconds: Int {
        let (seconds, attoseconds) = components
        let (part, rest) = attoseconds.quotientAndRemainder(dividingBy: 1_000_000_000_000_000)
        return Int(seconds) * 1000 + Int(part) + (rest > 0 ? 1 : 0)
    }

    /// Nanoseconds, at most a century.
    var nanosecondsClamped: Int64 {
        let (seconds, attoseconds) = components
        let century: Int64 = 3_155_760_000
        guard abs(seconds) < century else {
            return (seconds < 0 ? -century : century) * 1_000_000_000
        }
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
