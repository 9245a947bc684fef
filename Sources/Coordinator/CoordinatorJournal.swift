// The journal of a coordinator: what it finds there at its start, and what it writes and reads while
// it runs. The file itself is in the module Journal.

internal import CoordinatorCore
internal import Core
internal import JSON
internal import Journal
internal import Metrics
internal import Runs
public import UVLoop
internal import Wire

/// The journal of one coordinator, which holds the lock of its folder, or leads.
///
/// Confined to its loop.
public final class CoordinatorJournal {
    /// Called with the position up to which records are on disk.
    var onWritten: (Int) -> Void {
        get { writer.onWritten }
        set { writer.onWritten = newValue }
    }
    /// Called when the disk is full, or fails for good.
    var onProblem: (JournalError) -> Void {
        get { writer.onProblem }
        set { writer.onProblem = newValue }
    }

    /// How many times a coordinator was started with it, this time included.
    public let starts: Int
    /// Runs that have not ended, in the order of their acceptance.
    private(set) var unfinished: [(run: RunID, records: [RunRecord])] = []
    /// The name and the key of each run that has ended.
    private(set) var ended: [(id: RunID, key: String)] = []
    /// The last document of each worker whose session did not end.
    private(set) var workers: [String: RawJSON] = [:]
    private let writer: JournalWriter
    private var entries: [JournalEntry] = []

    /// Opens the journal in a state folder, and reads what is unfinished.
    ///
    /// - Throws: `JournalError` if it cannot be read or written, with a sentence that says what to
    ///   do; `UVError` if there is no thread for it.
    public init(in folder: String, loop: EventLoop) throws {
        let file = try JournalFile(path: "\(folder)/\(JournalFile.name)")
        _ = try file.nextStart()
        let start = try file.start()
        starts = start.starts
        writer = try JournalWriter(loop: loop, file: file)
        note(start)
    }

    /// Goes on with what was read of a journal that this coordinator leads with.
    init(_ start: JournalStart, _ store: PostgresStore, loop: EventLoop) {
        starts = start.starts
        writer = JournalWriter(loop: loop, store: store)
        note(start)
    }

    private func note(_ start: JournalStart) {
        unfinished = start.unfinished.map { ($0.row.id, $0.records) }
        workers = start.workers
        ended = start.ended
    }

    /// Until when what the coordinator says counts, in nanoseconds of the loop.
    var validUntil: Int64 { writer.validUntil }

    /// How long it takes until records are on disk.
    var writeTimes: Histogram { writer.writeTimes }
    /// How long the oldest record has waited that is not on disk, in microseconds.
    var lagMicroseconds: Int { writer.lagMicroseconds }
    /// How many records are on disk that were written since the start.
    var writtenRecords: Int { writer.written }

    /// The machine has taken over what was read.
    func forgetRead() {
        unfinished = []
        ended = []
        workers = [:]
    }

    /// Writes records of the machine, as a whole.
    func append(_ records: [NewRecord]) {
        guard !records.isEmpty else { return }
        entries.reserveCapacity(records.count)
        for record in records {
            switch record {
            case .run(let run, let record): entries.append(.record(run, record))
            case .summary(let run, let document):
                entries.append(.summary(run, document))
            case .worker(let name, let document):
                entries.append(.worker(name: name, document: document))
            case .workerLeft(let name): entries.append(.workerLeft(name: name))
            }
        }
        writer.append(entries)
        entries.removeAll(keepingCapacity: true)
    }

    /// Reads a run that has ended.
    func load(
        _ wanted: WantedRun,
        then: @escaping (Result<[RunRecord]?, JournalError>) -> Void
    ) {
        writer.read { (tables) throws(JournalError) in
            switch wanted {
            case .id(let id): try tables.records(of: id)
            case .key(let key): try tables.records(ofEndedRunWithKey: key)
            }
        } then: {
            then($0)
        }
    }

    /// Reads a page of the records of a node, after all that is about to be written; `whatever` is
    /// there if the disk is full.
    func read(
        _ question: NodeQuestion,
        whatever isFull: Bool,
        then: @escaping (Result<(records: [RunRecord], next: Int?)?, JournalError>) -> Void
    ) {
        guard !isFull else { return read(question, then: then) }
        writer.flush { [self] problem in
            if let problem { then(.failure(problem)) } else { read(question, then: then) }
        }
    }

    private func read(
        _ question: NodeQuestion,
        then: @escaping (Result<(records: [RunRecord], next: Int?)?, JournalError>) -> Void
    ) {
        writer.read { (file) throws(JournalError) in
            try file.page(
                of: question.run,
                from: question.from,
                limit: question.limit,
                where: question.wants
            )
        } then: {
            then($0)
        }
    }

    /// Lists runs that have ended, the newest first.
    func list(
        _ question: RunsQuestion,
        then: @escaping (Result<[EndedRun], JournalError>) -> Void
    ) {
        let filter = JournalFilter(
            statuses: question.status.map { [$0] } ?? [.succeeded, .failed, .cancelled],
            label: question.label,
            since: question.since,
            before: question.before,
            limit: question.limit
        )
        writer.read { (tables) throws(JournalError) in
            var runs: [EndedRun] = []
            for run in try tables.runs(matching: filter) {
                guard let document = try tables.summary(of: run) else { continue }
                runs.append(EndedRun(number: run.number, document: document))
            }
            return runs
        } then: {
            then($0)
        }
    }

    /// Removes a run that has ended.
    func forget(_ run: RunID, onProblem: @escaping (JournalError) -> Void) {
        writer.forget(run) { result in
            if case .failure(let problem) = result { onProblem(problem) }
        }
    }

    /// Removes runs that have ended and are older or larger than is kept, a part at a time.
    func prune(_ kept: Kept, at time: Int, then: @escaping (JournalError?) -> Void) {
        let before = kept.milliseconds.map { time - $0 }
        writer.prune(endedBefore: before, keepingBytes: kept.bytes) { result in
            if case .failure(let problem) = result { then(problem) } else { then(nil) }
        }
    }

    /// How long and how many bytes of runs that have ended are kept; nil for no limit.
    public struct Kept: Sendable {
        /// For so many milliseconds after their end.
        public var milliseconds: Int?
        /// So many bytes, the latest ones.
        public var bytes: Int?

        /// Seven days, whatever their size.
        public init(milliseconds: Int? = 7 * 86_400_000, bytes: Int? = nil) {
            self.milliseconds = milliseconds
            self.bytes = bytes
        }
    }

    /// Writes the rest and closes the file.
    func close(then: @escaping (JournalError?) -> Void) { writer.close(then: then) }
}

@available(*, unavailable)
extension CoordinatorJournal: Sendable {}
