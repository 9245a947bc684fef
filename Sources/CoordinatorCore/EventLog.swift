// The events of a run that are kept for late watchers: a log with bounds, the oldest dropped first.
// Who gets which event is in CoordinatorMachine+Events.swift.

internal import DequeModule
internal import JSON
internal import Wire

/// The latest events of one run, in order.
struct EventLog: Sendable {
    /// How much a log may keep.
    struct Bound: Sendable {
        var entries: Int
        var bytes: Int
    }

    private(set) var entries: Deque<EventMessage> = []
    /// What the entries take in memory.
    private(set) var bytes = 0
    /// The number of the next event.
    private(set) var nextSequence = 0

    /// The number of the first event that is kept, or of the next one if none is.
    var firstSequence: Int { entries.first?.sequence ?? nextSequence }

    /// Takes the next event, which has the number `nextSequence`, and drops the oldest ones beyond
    /// the bound; never the new one.
    mutating func append(_ event: EventMessage, within bound: Bound) {
        precondition(event.sequence == nextSequence, "an event is out of order")
        nextSequence += 1
        entries.append(event)
        bytes += event.heldBytes
        trim(to: bound)
    }

    /// Drops the oldest events beyond the bound; the latest one stays.
    mutating func trim(to bound: Bound) {
        while entries.count > max(bound.entries, 1) || bytes > bound.bytes && entries.count > 1 {
            bytes -= entries.removeFirst().heldBytes
        }
    }

    /// Gives back the room of entries that were dropped.
    mutating func shrink() {
        entries = Deque(entries)
    }

    /// The bytes of all entries, counted anew; for checks.
    var countedBytes: Int { entries.reduce(0) { $0 + $1.heldBytes } }
}

extension EventMessage {
    /// What a kept event takes in memory, about.
    var heldBytes: Int { 256 + (data?.count ?? 0) }
}
