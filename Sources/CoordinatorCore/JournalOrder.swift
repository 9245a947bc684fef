// What waits until records are on disk. The order of all records is one count, the position: what is
// said with a position holds once the journal has written up to it.

public import Core
internal import DequeModule
public import JSON
internal import Plans
public import Runs
internal import Wire

/// Something that the coordinator is to remember beyond its end.
public enum NewRecord: Sendable {
    /// A change of a run.
    case run(RunID, RunRecord)
    /// What the list of runs says of a run that has ended; comes after its last record.
    case summary(RunID, RawJSON)
    /// A session with a worker began; the document is what `RestoredWorker` reads.
    case worker(name: String, RawJSON)
    /// The session of a worker ended.
    case workerLeft(name: String)
}

/// A result that is acknowledged when its records are on disk, or those that made it stale.
struct HeldAcknowledgement: Sendable {
    /// Up to where records must be on disk.
    var position = Int.max
    let attempt: AttemptID
    let worker: WorkerID
    let isStale: Bool
    /// On which it came: on another one the worker names it again.
    let connection: ConnectionID?
}

extension NewRecord {
    /// What it takes on disk, about.
    fileprivate var bytes: Int {
        switch self {
        case .run(_, let record): 70 + record.change.valueBytes
        case .summary(_, let document), .worker(_, let document): 70 + document.count
        case .workerLeft: 70
        }
    }
}

extension RunChange {
    /// The bytes of the large parts.
    fileprivate var valueBytes: Int {
        switch self {
        case .succeeded(_, let value, _), .answered(let value), .plannerMade(let value),
            .takenOver(_, let value), .joinerAdded(_, let value),
            .plannerTold(.reported(let value)):
            value.count
        case .toolWrote(_, _, let text): text.bytes.count
        case .nodesAdded(let nodes): nodes.reduce(0) { $0 + 70 + $1.arguments.count }
        default: 0
        }
    }
}

/// Records that were not handed over yet, and what waits for those that were.
struct JournalOrder: Sendable {
    /// Records that were not taken yet.
    private var newRecords: [NewRecord] = []
    /// How many records there were ever.
    private(set) var position = 0
    /// Up to where they are on disk.
    private(set) var written = 0
    /// Results that are acknowledged when their records are on disk.
    private var acknowledgements: Deque<HeldAcknowledgement> = []
    /// How many of them, the last ones, belong to the event that is being handled: their records
    /// may follow.
    private var freshCount = 0
    /// Workers with attempts that leave when their records are on disk.
    private var dispatches: Deque<(position: Int, worker: WorkerID)> = []
    /// Whether nothing more can be written, because the disk is full.
    var isStalled = false
    /// The bytes of all records, about, and how many of them were on disk at each position that
    /// was handed over and is not on disk yet.
    private var bytes = 0
    private var writtenBytes = 0
    private var handedOver: Deque<(position: Int, bytes: Int)> = []

    /// Bytes of records that are not on disk, about.
    var unwrittenBytes: Int { bytes - writtenBytes }

    mutating func append(_ record: NewRecord) {
        newRecords.append(record)
        position += 1
        bytes += record.bytes
    }

    /// The records since the last call, in order.
    mutating func takeRecords() -> [NewRecord] {
        guard !newRecords.isEmpty else { return [] }
        handedOver.append((position, bytes))
        return exchange(&newRecords, with: [])
    }

    // MARK: - Waiting

    /// Whether all records are on disk.
    var isWritten: Bool { written >= position }

    /// A result is acknowledged when all that it changed is on disk, and a stale one when all is
    /// from which that follows: the worker forgets it then, so that a restarted coordinator must
    /// not take its attempt for one that never began.
    mutating func hold(
        _ attempt: AttemptID,
        of worker: WorkerID,
        on connection: ConnectionID?,
        isStale: Bool
    ) {
        acknowledgements.append(
            HeldAcknowledgement(
                attempt: attempt,
                worker: worker,
                isStale: isStale,
                connection: connection
            )
        )
        freshCount += 1
    }

    /// The event is handled: all its records are known.
    mutating func endEvent() {
        guard freshCount > 0 else { return }
        let count = acknowledgements.count
        for index in (count - freshCount)..<count { acknowledgements[index].position = position }
        freshCount = 0
    }

    /// An attempt of the worker leaves when what was recorded so far is on disk.
    mutating func holdDispatch(to worker: WorkerID) {
        dispatches.append((position, worker))
    }

    /// Records up to a position are on disk.
    mutating func note(written position: Int) {
        written = max(written, position)
        while let first = handedOver.first, first.position <= written {
            writtenBytes = first.bytes
            handedOver.removeFirst()
        }
    }

    /// The next result that may be acknowledged; nil if there is none.
    mutating func popAcknowledgement() -> HeldAcknowledgement? {
        guard let first = acknowledgements.first, first.position <= written else { return nil }
        acknowledgements.removeFirst()
        return first
    }

    /// The next worker with an attempt that may leave; nil if there is none.
    mutating func popDispatch() -> WorkerID? {
        guard let first = dispatches.first, first.position <= written else { return nil }
        dispatches.removeFirst()
        return first.worker
    }
}

extension CoordinatorMachine {
    /// The records since the last call, in order; none unless the configuration `keepsRecords`.
    ///
    /// What one call of `handle`, `endTurn` or `restore` returns belongs together: it is written
    /// as a whole, or not at all.
    public mutating func takeRecords() -> [NewRecord] { journal.takeRecords() }

    /// How many records there were ever; `journalWritten` answers with such a position.
    public var recordPosition: Int { journal.position }

    /// Records up to a position are on disk: what waited for them happens now.
    mutating func passWritten(_ position: Int, in turn: inout CoordinatorTurn) {
        journal.note(written: position)
        while let next = journal.popAcknowledgement() {
            let connection = fleet.inPlace(next.worker) { $0.connection } ?? nil
            guard connection == next.connection else { continue }
            fleet.acknowledge(
                next.attempt,
                of: next.worker,
                isStale: next.isStale,
                batch: limits.ackBatch
            )
        }
        while let worker = journal.popDispatch() {
            let written = journal.written
            fleet.inPlace(worker) { $0.unsent.release(written: written) }
            fleet.listUnsent(worker)
        }
    }

    /// What is sent to the connection from here on leaves when all records so far are on disk.
    mutating func awaitJournal(_ id: ConnectionID, in turn: inout CoordinatorTurn) {
        guard configuration.keepsRecords else { return }
        turn.append(.awaitJournal(id))
    }
}
