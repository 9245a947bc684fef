// Writing entries: the records of one run in one call become one row, or a few if they are large.

internal import Core
internal import JSON
internal import Runs

extension JournalFile {
    /// Outputs that are longer are written once, in a table of their own.
    static let largestInside = 64 << 10
    /// A batch with more bytes becomes a row before the call's records are complete.
    static let largestBody = 1 << 20

    /// Writes entries in one transaction, which is on the disk on return; if it throws, nothing was
    /// written, but for a failed disk, where that is not known.
    public func write(_ entries: [JournalEntry]) throws(JournalError) {
        guard !entries.isEmpty else { return }
        defer { batches.removeAll() }
        try database.inTransaction { () throws(JournalError) in
            for entry in entries {
                switch entry {
                case .record(let run, let record): try add(record, of: run)
                case .summary(let run, let document): try addSummary(document, of: run)
                case .worker(let name, let document): try replaceWorker(name, document)
                case .workerLeft(let name): try removeWorker(name)
                }
            }
            for place in 0..<batches.count {
                try insertBatch(place)
                try writeRow(place)
            }
        }
        for place in 0..<batches.count {
            let row = batches[place].row
            unfinished[row.id] = row.ended == nil ? row : nil
            lastNumber = max(lastNumber, row.number)
            if row.ended != nil, let bytes = endedBytes { endedBytes = bytes + row.bytes }
        }
        try database.checkpoint()
    }

    // MARK: - Records

    private func add(_ record: RunRecord, of run: RunID) throws(JournalError) {
        let place = try batchPlace(of: run, for: record)
        guard batches[place].row.ended == nil else { throw misplaced(record, of: run) }
        let output = record.change.output
        if let output, output.count > Self.largestInside {
            let row = batches[place].row
            try insertOutput(output, at: RunPlace.of(run: row.number, position: row.records))
            batches[place].row.bytes += output.count
            batches[place].outside += 1
            batches[place].add(RunRecord(at: record.at, record.change.replacingOutput(with: .null)))
        } else {
            batches[place].add(record)
        }
        if batches[place].writer.bytes.count > Self.largestBody { try insertBatch(place) }
    }

    /// A summary is an output behind all records.
    private func addSummary(_ document: RawJSON, of run: RunID) throws(JournalError) {
        guard let place = batches.place(of: run) else {
            preconditionFailure("the summary of \(run) does not come with its last record")
        }
        let row = batches[place].row
        try insertOutput(document, at: RunPlace.range(of: row.number).last)
        batches[place].row.bytes += document.count
    }

    /// Where the run's batch is; the first record of a run in a call begins it.
    private func batchPlace(of run: RunID, for record: RunRecord) throws(JournalError) -> Int {
        if let place = batches.place(of: run) { return place }
        if let row = unfinished[run] { return batches.insert(row, isNew: false) }
        guard case .accepted(let acceptance) = record.change, acceptance.id == run else {
            throw misplaced(record, of: run)
        }
        let newRuns = batches.newRuns
        return batches.insert(JournalRun(acceptance, number: lastNumber + 1 + newRuns), isNew: true)
    }

    private func misplaced(_ record: RunRecord, of run: RunID) -> JournalError {
        JournalError(
            .failed,
            "A record \"\(record.change.kind)\" of the run \(run) cannot be written to \(path), which "
                + "does not have the run or has its end; this is a fault of the program."
        )
    }

    // MARK: - Rows

    private func insertBatch(_ place: Int) throws(JournalError) {
        let batch = batches[place]
        guard batch.count > 0 else { return }
        let key = RunPlace.of(run: batch.row.number, position: batch.first)
        let statement = try statements.prepared(.insertBatch, database)
        let body = batch.writer.bytes[...]
        statement.bind(1, key)
        statement.bind(2, batch.count)
        statement.bind(3, batch.outside)
        statement.bind(4, checksum(of: body, key, batch.count, batch.outside))
        statement.bind(5, bytes: body)
        try statement.run()
        batches[place].clear()
    }

    private func insertOutput(_ output: RawJSON, at place: Int) throws(JournalError) {
        let statement = try statements.prepared(.insertOutput, database)
        statement.bind(1, place)
        statement.bind(2, checksum(of: output.bytes, place))
        statement.bind(3, bytes: output.bytes)
        try statement.run()
    }

    private func writeRow(_ place: Int) throws(JournalError) {
        let isNew = batches[place].isNew
        let statement = try statements.prepared(isNew ? .insertRun : .updateRun, database)
        if isNew {
            batches[place].row.bindNew(to: statement)
        } else {
            batches[place].row.bindChanged(to: statement)
        }
        try statement.run()
    }
}

extension RunChange {
    /// The value that may be written outside the record.
    var output: RawJSON? {
        switch self {
        case .succeeded(_, let output, _): output
        case .answered(let answer): answer
        default: nil
        }
    }

    /// The change with another such value.
    func replacingOutput(with output: RawJSON) -> RunChange {
        switch self {
        case .succeeded(let node, _, let microseconds):
            .succeeded(node: node, output, microseconds: microseconds)
        case .answered: .answered(output)
        default: self
        }
    }
}
