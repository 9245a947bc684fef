// A point in time for the pure cores: always a parameter, never read from a clock here.

/// A point on a monotonic clock.
///
/// Counted in nanoseconds from an arbitrary start, so instants of two processes are never compared.
/// All arithmetic saturates at the ends of the range instead of trapping.
public struct Instant: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Nanoseconds since the arbitrary start.
    public var nanoseconds: Int64

    /// The start of the clock.
    public static let zero = Instant(nanoseconds: 0)

    /// An instant that many nanoseconds after the start.
    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// An instant that many milliseconds after the start.
    public init(milliseconds: Int64) {
        let (product, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        nanoseconds = overflow ? (milliseconds < 0 ? .min : .max) : product
    }

    /// Whole milliseconds since the start, rounded down.
    public var milliseconds: Int64 {
        let quotient = nanoseconds / 1_000_000
        return nanoseconds % 1_000_000 < 0 ? quotient - 1 : quotient
    }

    /// The instant that lies `duration` later (earlier if it is negative).
    public func advanced(by duration: Duration) -> Instant {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(duration.nanosecondsRoundedUp)
        guard overflow else { return Instant(nanoseconds: sum) }
        return Instant(nanoseconds: nanoseconds < 0 ? .min : .max)
    }

    /// The time from `earlier` to this instant; negative if `earlier` is in fact later.
    public func duration(since earlier: Instant) -> Duration {
        let (gap, overflow) = nanoseconds.subtractingReportingOverflow(earlier.nanoseconds)
        guard overflow else { return .nanoseconds(gap) }
        return .nanoseconds(nanoseconds < 0 ? Int64.min : Int64.max)
    }

    /// The instant that lies `duration` later.
    public static func + (instant: Instant, duration: Duration) -> Instant {
        instant.advanced(by: duration)
    }

    /// The instant that lies `duration` earlier.
    public static func - (instant: Instant, duration: Duration) -> Instant {
        instant.advanced(by: .zero - duration)
    }

    /// The time from the right instant to the left one.
    public static func - (later: Instant, earlier: Instant) -> Duration {
        later.duration(since: earlier)
    }

    /// Whether the left instant comes first.
    public static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Milliseconds since the start, for traces.
    public var description: String { "\(milliseconds) ms" }
}
