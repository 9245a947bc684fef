// The latest records of a run, for watchers that are behind, for those that come late, and for the
// story of a node: bounded, the oldest dropped first. What became of the whole run is in `Run`.

public import DequeModule
internal import JSON
internal import Plans
public import Wire

/// The latest records of one run, in order, with what passed between them.
///
/// Outputs, arguments and plans are not in it: the run has them.
public struct RunLog: Sendable {
    /// How much a log may keep.
    public struct Bound: Sendable {
        /// Records and events.
        public var entries: Int
        /// What they take in memory.
        public var bytes: Int

        /// A bound of both.
        public init(entries: Int, bytes: Int) {
            self.entries = entries
            self.bytes = bytes
        }
    }

    /// Something that is kept.
    public struct Entry: Sendable {
        /// The number of its event among the events of the run; of a record that has none, of the
        /// next event.
        public let sequence: Int
        /// The worker of the attempt that it is about, as a number of `Run.workers`.
        public let worker: Int32
        /// What is kept.
        public let content: Content
    }

    /// What an entry holds.
    public enum Content: Sendable {
        /// A record, without what the run itself keeps.
        case record(RunRecord)
        /// What was told and changed nothing: a chunk of a tool's text, progress, words of a model.
        indirect case passing(EventMessage)
        /// A record with its event, which cannot be made again from the run later.
        indirect case told(RunRecord, EventMessage)
    }

    /// The entries, the oldest first.
    public private(set) var entries: Deque<Entry> = []
    /// What the entries take in memory, about.
    public private(set) var bytes = 0
    /// The number of the next event.
    public private(set) var nextSequence = 0
    /// Whether nothing was dropped.
    public private(set) var isWhole = true

    /// An empty log.
    public init() {}

    /// The number of the first event that is kept, or of the next one if none is.
    public var firstSequence: Int { entries.first?.sequence ?? nextSequence }

    /// Keeps a record; one `withEvent` takes the next number.
    public mutating func append(
        _ record: RunRecord,
        worker: Int32,
        withEvent hasEvent: Bool,
        within bound: Bound
    ) {
        append(
            Entry(sequence: nextSequence, worker: worker, content: .record(record.withoutPayload)),
            bound
        )
        if hasEvent { nextSequence += 1 }
    }

    /// Keeps an event that is no record; its number is `nextSequence`.
    public mutating func append(passing event: EventMessage, within bound: Bound) {
        precondition(event.sequence == nextSequence, "an event is out of order")
        append(Entry(sequence: nextSequence, worker: 0, content: .passing(event)), bound)
        nextSequence += 1
    }

    /// Keeps a record with its event, whose number is `nextSequence`.
    public mutating func append(
        _ record: RunRecord,
        told event: EventMessage,
        within bound: Bound
    ) {
        precondition(event.sequence == nextSequence, "an event is out of order")
        let content = Content.told(record.withoutPayload, event)
        append(Entry(sequence: nextSequence, worker: 0, content: content), bound)
        nextSequence += 1
    }

    private mutating func append(_ entry: Entry, _ bound: Bound) {
        entries.append(entry)
        bytes += entry.heldBytes
        trim(to: bound)
    }

    /// Drops the oldest entries beyond the bound; the latest one stays.
    public mutating func trim(to bound: Bound) {
        while entries.count > max(bound.entries, 1) || bytes > bound.bytes && entries.count > 1 {
            bytes -= entries.removeFirst().heldBytes
            isWhole = false
        }
    }

    /// Gives back the room of entries that were dropped.
    public mutating func shrink() {
        entries = Deque(entries)
    }

    /// The position of the first entry with an event from this number on.
    public func position(ofEvent sequence: Int) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].sequence < sequence { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The bytes of all entries, counted anew; for checks.
    public var countedBytes: Int { entries.reduce(0) { $0 + $1.heldBytes } }
}

extension RunLog.Entry {
    /// Whether watchers get an event for it.
    public var hasEvent: Bool {
        switch content {
        case .record(let record): record.change.eventKind != nil
        case .passing, .told: true
        }
    }

    /// What an entry takes in memory, about.
    var heldBytes: Int {
        switch content {
        case .record(let record): 96 + record.payloadBytes
        case .passing(let event): 256 + (event.data?.count ?? 0)
        case .told(_, let event): 352 + (event.data?.count ?? 0)
        }
    }
}

extension RunRecord {
    /// The bytes that a record brings into the log; what the run has itself is not counted.
    fileprivate var payloadBytes: Int {
        switch change {
        case .retrying(_, _, let failure, _, _): failure.heldBytes
        case .unplaceable(_, let message): message.utf8.count
        case .planRefused(let problems): problems.reduce(0) { $0 + 64 + $1.message.utf8.count }
        default: 0
        }
    }

    /// The record without what the run itself keeps.
    fileprivate var withoutPayload: RunRecord {
        switch change {
        case .succeeded(let node, _, let microseconds):
            RunRecord(at: at, .succeeded(node: node, .null, microseconds: microseconds))
        case .nodesAdded: RunRecord(at: at, .nodesAdded([]))
        case .joinerAdded(let tool, _):
            RunRecord(at: at, .joinerAdded(tool: tool, arguments: .emptyObject))
        case .answered: RunRecord(at: at, .answered(.null))
        default: self
        }
    }
}
