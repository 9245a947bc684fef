// How many connections an address may open without proving itself: so many at once, and after that so
// many a second. Who proves itself costs nothing.

internal import Core

/// Connections that did not prove themselves, by address.
struct HandshakeRate {
    private struct Bucket {
        /// How many connections are left; it fills up with time.
        var left: Double
        var at: Instant
        /// Whether a connection was refused since it was full.
        var isRefused = false
    }

    private let perSecond: Double
    private let atOnce: Double
    private var buckets: [String: Bucket] = [:]

    /// Addresses that are remembered; beyond that full buckets are forgotten, or else all of them.
    private static let remembered = 4_096

    init(perSecond: Int, atOnce: Int) {
        self.perSecond = Double(perSecond)
        self.atOnce = Double(atOnce)
    }

    /// Whether a connection may begin its handshake.
    enum Verdict {
        case welcome
        /// One too many; `isFirst` since all that the address may open were left.
        case refused(isFirst: Bool)
    }

    /// A connection of an address has come.
    mutating func countConnection(of host: String, at now: Instant) -> Verdict {
        if buckets.count > Self.remembered { forgetFull(now) }
        var bucket = filled(host, now)
        defer { buckets[host] = bucket }
        guard bucket.left >= 1 else {
            let isFirst = !bucket.isRefused
            bucket.isRefused = true
            return .refused(isFirst: isFirst)
        }
        bucket.left -= 1
        return .welcome
    }

    /// A connection of the address has proved itself.
    mutating func giveBack(_ host: String) {
        guard let left = buckets[host]?.left else { return }
        if left + 1 >= atOnce { buckets[host] = nil } else { buckets[host]?.left = left + 1 }
    }

    /// How many addresses are remembered.
    var addresses: Int { buckets.count }

    private func filled(_ host: String, _ now: Instant) -> Bucket {
        guard var bucket = buckets[host] else { return Bucket(left: atOnce, at: now) }
        let seconds = (now - bucket.at) / .seconds(1)
        bucket.left = min(bucket.left + seconds * perSecond, atOnce)
        bucket.at = now
        if bucket.left == atOnce { bucket.isRefused = false }
        return bucket
    }

    private mutating func forgetFull(_ now: Instant) {
        buckets = buckets.filter { filled($0.key, now).left < atOnce }
        // So many addresses at a time are no single peer's doing, and must not take more memory.
        if buckets.count > Self.remembered / 2 { buckets = [:] }
    }
}
