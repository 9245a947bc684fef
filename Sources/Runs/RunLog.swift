// The latest records of a run, for watchers that are behind, for those that come late, and for the
// story of a node: bounded, the oldest dropped first. The state of the whole run is in `Run`.

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
        /// When, in microseconds since the run was accepted.
        let at: Int
        /// The worker of the attempt that it is about, as a number of `Run.workers`.
        let worker: Int32
        /// What is kept.
        let content: Content
    }

    /// What an entry holds.
    ///
    /// What happens to every node takes no memory of its own.
    enum Content: Sendable {
        case ready(node: Int32)
        case dispatched(node: Int32, attempt: Int32)
        case started(node: Int32, attempt: Int32)
        case succeeded(node: Int32, microseconds: Int64)
        /// What happens to every run takes none either.
        case accepted
        case planClosed(isFinal: Bool)
        case joined
        /// Another record, without what the run itself keeps.
        indirect case record(RunChange)
        /// What was told and changed nothing: a chunk of a tool's text, progress, words of a model.
        indirect case passing(EventMessage)
        /// A record with its event, which cannot be made again from the run later.
        indirect case told(RunChange, EventMessage)
    }

    /// The entries, the oldest first.
    public private(set) var entries: Deque<Entry> = []
    /// What the entries take in memory, about.
    public private(set) var bytes = 0
    /// The number of the next event.
    public private(set) var nextSequence = 0
    /// Whether nothing was dropped.
    public private(set) var isWhole = true

    /// As many entries take little room, used or not.
    private static let fewEntries = 8

    /// An empty log.
    public init() {}

    /// The number of the first event that is kept, or of the next one if none is.
    public var firstSequence: Int { entries.first?.sequence ?? nextSequence }

    /// Begins with what follows on events that are not kept, the next of which has this number.
    public mutating func begin(at sequence: Int) {
        precondition(entries.isEmpty, "a log begins once")
        nextSequence = sequence
        isWhole = false
    }

    /// Keeps a record; one `withEvent` takes the next number.
    public mutating func append(
        _ record: RunRecord,
        worker: Int32,
        withEvent hasEvent: Bool,
        within bound: Bound
    ) {
        append(record.at, worker, record.change.content, bound)
        if hasEvent { nextSequence += 1 }
    }

    /// Keeps an event that is no record; its number is `nextSequence`.
    public mutating func append(passing event: EventMessage, within bound: Bound) {
        precondition(event.sequence == nextSequence, "an event is out of order")
        append(event.atMicroseconds, 0, .passing(event), bound)
        nextSequence += 1
    }

    /// Keeps a record with its event, whose number is `nextSequence`.
    public mutating func append(
        _ record: RunRecord,
        told event: EventMessage,
        within bound: Bound
    ) {
        precondition(event.sequence == nextSequence, "an event is out of order")
        append(record.at, 0, .told(record.change.withoutPayload, event), bound)
        nextSequence += 1
    }

    private mutating func append(
        _ at: Int,
        _ worker: Int32,
        _ content: Content,
        _ bound: Bound
    ) {
        // Most runs are short: room for all that happens to a node, at once.
        if entries.isEmpty { entries.reserveCapacity(Self.fewEntries) }
        entries.append(Entry(sequence: nextSequence, at: at, worker: worker, content: content))
        bytes += content.heldBytes
        trim(to: bound)
    }

    /// Drops the oldest entries beyond the bound; the latest one stays.
    public mutating func trim(to bound: Bound) {
        while entries.count > max(bound.entries, 1) || bytes > bound.bytes && entries.count > 1 {
            bytes -= entries.removeFirst().content.heldBytes
            isWhole = false
        }
    }

    /// Gives back the room of entries that were dropped.
    public mutating func shrink() {
        if entries.count > Self.fewEntries || !isWhole { entries = Deque(entries) }
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

    /// `bytes`, computed again from all entries; for checks.
    public var countedBytes: Int { entries.reduce(0) { $0 + $1.content.heldBytes } }
}

extension RunLog.Entry {
    /// The kind of its event; nil if it has none.
    public var eventKind: EventKind? {
        switch content {
        case .ready: .nodeReady
        case .dispatched: .dispatched
        case .started: .started
        case .succeeded: .nodeSucceeded
        case .accepted, .planClosed: nil
        case .joined: .joined
        case .record(let change): change.eventKind
        case .passing(let event), .told(_, let event): event.kind
        }
    }

    /// The node that a record is about; nil if it is about none, or if this is no record.
    public var node: Int? {
        switch content {
        case .ready(let node), .dispatched(let node, _), .started(let node, _),
            .succeeded(let node, _):
            Int(node)
        case .record(let change): change.node
        case .accepted, .planClosed, .joined, .passing, .told: nil
        }
    }

    /// The event, if it was kept as it was told.
    fileprivate var toldEvent: EventMessage? {
        switch content {
        case .passing(let event), .told(_, let event): event
        default: nil
        }
    }
}

extension RunLog.Content {
    /// What an entry takes in memory, about.
    fileprivate var heldBytes: Int {
        switch self {
        case .ready, .dispatched, .started, .succeeded, .accepted, .planClosed, .joined: 96
        case .record(let change): 96 + change.payloadBytes
        case .passing(let event): 256 + (event.data?.count ?? 0)
        case .told(_, let event): 352 + (event.data?.count ?? 0)
        }
    }
}

extension Run {
    /// The record of an entry of its log, without outputs, arguments and plans; nil for what changed
    /// nothing.
    public func record(of entry: RunLog.Entry) -> RunRecord? {
        let change: RunChange
        switch entry.content {
        case .ready(let node): change = .nodeReady(node)
        case .dispatched(let node, let attempt):
            change = .dispatched(
                node: node,
                attempt: attempt,
                worker: workers[entry.worker],
                isRepeatable: nodes[Int(node)].isRepeatable
            )
        case .started(let node, let attempt): change = .started(node: node, attempt: attempt)
        case .succeeded(let node, let microseconds):
            change = .succeeded(node: node, .null, microseconds: microseconds)
        case .accepted: change = .accepted(acceptance)
        case .planClosed(let isFinal): change = .planClosed(isFinal: isFinal)
        case .joined: change = .joined
        case .record(let kept), .told(let kept, _): change = kept
        case .passing: return nil
        }
        return RunRecord(at: entry.at, change)
    }

    /// The event of an entry of its log, made again where it was not kept; nil if it has none.
    ///
    /// Of arguments that a person is asked about it tells up to `detailBytes`.
    public func event(of entry: RunLog.Entry, detailBytes: Int) -> EventMessage? {
        if let told = entry.toldEvent { return told }
        guard let record = record(of: entry) else { return nil }
        return event(
            for: record,
            worker: entry.worker,
            sequence: entry.sequence,
            detailBytes: detailBytes
        )
    }
}

extension RunChange {
    /// What the log keeps of it.
    fileprivate var content: RunLog.Content {
        switch self {
        case .nodeReady(let node): .ready(node: node)
        case .dispatched(let node, let attempt, _, _): .dispatched(node: node, attempt: attempt)
        case .started(let node, let attempt): .started(node: node, attempt: attempt)
        case .succeeded(let node, _, let microseconds):
            .succeeded(node: node, microseconds: microseconds)
        case .accepted: .accepted
        case .planClosed(let isFinal): .planClosed(isFinal: isFinal)
        case .joined: .joined
        default: .record(withoutPayload)
        }
    }

    /// The bytes that a record brings into the log; what the run has itself is not counted.
    fileprivate var payloadBytes: Int {
        switch self {
        case .retrying(_, _, let failure, _, _): failure.heldBytes
        case .unplaceable(_, let message): message.utf8.count
        case .approved(_, let identity, let reason):
            (identity?.utf8.count ?? 0) + (reason?.utf8.count ?? 0)
        case .planRefused(let problems): problems.reduce(0) { $0 + 64 + $1.message.utf8.count }
        default: 0
        }
    }

    /// The change without what the run itself keeps.
    public var withoutPayload: RunChange {
        switch self {
        case .nodesAdded: .nodesAdded([])
        case .joinerAdded(let tool, _): .joinerAdded(tool: tool, arguments: .emptyObject)
        case .answered: .answered(.null)
        case .succeeded(let node, _, let microseconds):
            .succeeded(node: node, .null, microseconds: microseconds)
        case .takenOver(let node, _): .takenOver(node: node, .null)
        case .plannerMade: .plannerMade(.emptyObject)
        default: self
        }
    }
}
