// How long things took: counts of durations by size. Observing one costs a few nanoseconds, and what
// is kept has a bound. Not here: how a histogram is written (MetricsText.swift).

/// Durations in microseconds, counted by size.
///
/// Each power of two from 16 µs to about 71 minutes is divided into four buckets, so that a quantile
/// is right within an eighth, and every boundary that is published is one of those counted by.
public struct Histogram: Sendable, Equatable {
    /// Counts of the buckets; empty before the first duration.
    private var counts: [UInt64] = []
    /// How many durations there were.
    public private(set) var count = 0
    /// All durations together, in microseconds.
    public private(set) var sum = 0

    private static let lowest = 4
    private static let highest = 32
    /// Buckets of a power of two.
    private static let parts = 4
    /// One for what is shorter than all powers, and one for what is longer.
    private static let size = (highest - lowest) * parts + 2

    /// The exponents of two whose microseconds are published as boundaries.
    public static let boundaries = [
        4, 6, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 30, 32,
    ]

    /// A histogram of nothing.
    public init() {}

    /// Counts a duration; a negative one, of a clock that was set, counts as none.
    public mutating func observe(microseconds: Int) {
        let microseconds = max(microseconds, 0)
        if counts.isEmpty { counts = [UInt64](repeating: 0, count: Self.size) }
        counts[Self.bucket(of: microseconds)] &+= 1
        count &+= 1
        sum = sum.addingReportingOverflow(microseconds).partialValue
    }

    /// Adds the durations of another histogram.
    public mutating func add(_ other: Histogram) {
        guard !other.counts.isEmpty else { return }
        if counts.isEmpty { counts = [UInt64](repeating: 0, count: Self.size) }
        for index in counts.indices { counts[index] &+= other.counts[index] }
        count &+= other.count
        sum = sum.addingReportingOverflow(other.sum).partialValue
    }

    /// How many durations took at most 2 to the exponent microseconds.
    public func count(upTo exponent: Int) -> Int {
        guard !counts.isEmpty else { return 0 }
        let end = (exponent - Self.lowest) * Self.parts
        return counts[...end].reduce(0) { $0 + Int($1) }
    }

    /// The duration in microseconds within which this share of all stayed, about; nil of nothing.
    public func quantile(_ share: Double) -> Int? {
        guard count > 0 else { return nil }
        let wanted = max(share * Double(count), 1)
        var before = 0.0
        for (index, bucket) in counts.enumerated() where bucket > 0 {
            let after = before + Double(bucket)
            if after >= wanted {
                let range = Self.bounds(of: index)
                let part = (wanted - before) / Double(bucket)
                return Int((Double(range.0) + part * Double(range.1 - range.0)).rounded())
            }
            before = after
        }
        return Self.bounds(of: Self.size - 1).0
    }

    /// The bucket of a duration: boundaries belong to the bucket below them.
    private static func bucket(of microseconds: Int) -> Int {
        let value = UInt64(max(microseconds - 1, 0))
        guard value >= 1 << lowest else { return 0 }
        guard value < 1 << highest else { return size - 1 }
        let exponent = 63 - value.leadingZeroBitCount
        let part = Int(value >> UInt64(exponent - 2)) & (parts - 1)
        return 1 + (exponent - lowest) * parts + part
    }

    /// The durations of a bucket, from more than the first up to the second.
    private static func bounds(of bucket: Int) -> (Int, Int) {
        guard bucket > 0 else { return (0, 1 << lowest) }
        guard bucket < size - 1 else { return (1 << highest, 1 << highest) }
        let exponent = lowest + (bucket - 1) / parts
        let step = 1 << (exponent - 2)
        let start = (1 << exponent) + (bucket - 1) % parts * step
        return (start, start + step)
    }
}
