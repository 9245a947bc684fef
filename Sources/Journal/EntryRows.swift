// The rows of entries: the records of one run in one call become one row, or a few if they are
// large. Where the rows go is not known here.

internal import Core
internal import JSON
internal import Runs

/// Where rows go.
protocol RowWriter: AnyObject {
    func write(_ batch: Batch, at place: Int) throws(JournalError)
    func write(_ output: RawJSON, at place: Int) throws(JournalError)
    func write(_ run: JournalRun, isNew: Bool) throws(JournalError)
    func write(_ document: RawJSON, ofWorker name: String) throws(JournalError)
    func removeWorker(_ name: String) throws(JournalError)
}

/// Makes rows of entries, and knows what the next row of each run follows.
struct EntryRows {
    /// Outputs that are longer are written once, in a table of their own.
    static let largestInside = 64 << 10
    /// A batch with more bytes becomes a row before the call's records are complete.
    static let largestBody = 1 << 20

    /// The journal, for messages.
    private let journal: String
    /// Runs that have not ended, by name: where their next record goes, and what is counted.
    private var unfinished: [RunID: JournalRun] = [:]
    /// The highest number that a run ever had.
    private var lastNumber = 0
    /// The batches of the call that is under way; their memory is used again.
    private var batches = BatchTable()

    init(journal: String) { self.journal = journal }

    /// Follows what is in the tables.
    mutating func goOn(with rows: [JournalRun], after number: Int) {
        for row in rows { unfinished[row.id] = row }
        lastNumber = number
    }

    /// Makes rows of the entries of one call; `confirm` or `discard` follows.
    mutating func write(
        _ entries: [JournalEntry],
        to writer: some RowWriter
    ) throws(JournalError) {
        for entry in entries {
            switch entry {
            case .record(let run, let record): try add(record, of: run, to: writer)
            case .summary(let run, let document): try addSummary(document, of: run, to: writer)
            case .worker(let name, let document): try writer.write(document, ofWorker: name)
            case .workerLeft(let name): try writer.removeWorker(name)
            }
        }
        for place in 0..<batches.count {
            try passBatch(place, to: writer)
            try writer.write(batches[place].row, isNew: batches[place].isNew)
        }
    }

    /// The rows are kept; returns how many bytes those of runs have that ended with them.
    mutating func confirm() -> Int {
        var bytes = 0
        for place in 0..<batches.count {
            let row = batches[place].row
            unfinished[row.id] = row.ended == nil ? row : nil
            lastNumber = max(lastNumber, row.number)
            if row.ended != nil { bytes += row.bytes }
        }
        discard()
        return bytes
    }

    /// The rows are not kept, or it was noted that they are.
    mutating func discard() { batches.removeAll() }

    // MARK: - Records

    private mutating func add(
        _ record: RunRecord,
        of run: RunID,
        to writer: some RowWriter
    ) throws(JournalError) {
        let place = try batchPlace(of: run, for: record)
        guard batches[place].row.ended == nil else { throw misplaced(record, of: run) }
        let output = record.change.output
        if let output, output.count > Self.largestInside {
            let row = batches[place].row
            try writer.write(output, at: RunPlace.of(run: row.number, position: row.records))
            batches[place].row.bytes += output.count
            batches[place].outside += 1
            batches[place].add(RunRecord(at: record.at, record.change.replacingOutput(with: .null)))
        } else {
            batches[place].add(record)
        }
        if batches[place].writer.bytes.count > Self.largestBody {
            try passBatch(place, to: writer)
        }
    }

    /// A summary is an output behind all records.
    private mutating func addSummary(
        _ document: RawJSON,
        of run: RunID,
        to writer: some RowWriter
    ) throws(JournalError) {
        guard let place = batches.place(of: run) else {
            preconditionFailure("the summary of \(run) does not come with its last record")
        }
        let row = batches[place].row
        try writer.write(document, at: RunPlace.range(of: row.number).last)
        batches[place].row.bytes += document.count
    }

    /// Where the run's batch is; the first record of a run in a call begins it.
    private mutating func batchPlace(
        of run: RunID,
        for record: RunRecord
    ) throws(JournalError) -> Int {
        if let place = batches.place(of: run) { return place }
        if let row = unfinished[run] { return batches.insert(row, isNew: false) }
        guard case .accepted(let acceptance) = record.change, acceptance.id == run else {
            throw misplaced(record, of: run)
        }
        let newRuns = batches.newRuns
        return batches.insert(JournalRun(acceptance, number: lastNumber + 1 + newRuns), isNew: true)
    }

    private mutating func passBatch(
        _ place: Int,
        to writer: some RowWriter
    ) throws(JournalError) {
        guard batches[place].count > 0 else { return }
        let key = RunPlace.of(run: batches[place].row.number, position: batches[place].first)
        try writer.write(batches[place], at: key)
        batches[place].clear()
    }

    private func misplaced(_ record: RunRecord, of run: RunID) -> JournalError {
        JournalError(
            .failed,
            "A record \"\(record.change.kind)\" of the run \(run) cannot be written to \(journal), "
                + "which does not have the run or has its end; this is a fault of the program."
        )
    }
}

extension RunChange {
    /// The value that may be written outside the record.
    var output: RawJSON? {
        switch self {
        case .succeeded(_, let output, _), .takenOver(_, let output): output
        case .answered(let answer): answer
        default: nil
        }
    }

    /// The change with another such value.
    func replacingOutput(with output: RawJSON) -> RunChange {
        switch self {
        case .succeeded(let node, _, let microseconds):
            .succeeded(node: node, output, microseconds: microseconds)
        case .takenOver(let node, _): .takenOver(node: node, output)
        case .answered: .answered(output)
        default: self
        }
    }
}
