// When an elastic group grows: nodes have waited for slots for long enough, and no worker is on its
// way. Shrinking is up to the workers, which leave when they are idle.
internal import Core

/// How long nodes have waited for the tools of a group.
struct Demand: Sendable {
    private let settings: ElasticSettings?
    private var waitingSince: Instant?

    init(_ settings: ElasticSettings?) {
        self.settings = settings
    }

    /// How many workers to add; nil for none.
    mutating func workersToAdd(
        nodes: Int,
        to count: Int,
        isComing: Bool,
        at now: Instant
    ) -> Int? {
        guard let settings, nodes > 0, !isComing else {
            waitingSince = nil
            return nil
        }
        let since = waitingSince ?? now
        waitingSince = since
        let room = settings.range.upperBound - count
        guard now - since >= settings.scaleAfter, room > 0 else { return nil }
        waitingSince = nil
        return min((nodes + settings.slots - 1) / settings.slots, room)
    }
}
