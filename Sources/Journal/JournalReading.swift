// Reading runs from any store: their records with every checksum, count and position compared. Not
// here: how rows are found in a file of SQLite (JournalFile) or in PostgreSQL (PostgresTables).

package import Core
package import JSON
package import Runs

/// The tables of a journal, whatever keeps them; blocking, and confined to one thread at a time.
package protocol JournalReading: AnyObject {
    /// What messages call the journal.
    var path: String { get }
    /// The runs that fulfil a condition of SQL, in an order; `?` in it is the value.
    func rows(
        where condition: String,
        _ value: String?,
        order: String,
        limit: Int
    ) throws(JournalError) -> [JournalRun]
    /// The first batch whose place is in a range; nil if there is none.
    func nextBatch(from first: Int, through last: Int) throws(JournalError) -> StoredBatch?
    /// The value at a place outside the batches; nil if there is none.
    func storedOutput(at place: Int) throws(JournalError) -> StoredBytes?
    /// The sessions of workers, by name in byte order.
    func storedWorkers() throws(JournalError) -> [(name: String, document: StoredBytes)]
    /// Whether the records of a run without a row are about to be removed.
    func isBeingForgotten(_ number: Int) throws(JournalError) -> Bool
    /// How often a coordinator was started with it.
    func starts() throws(JournalError) -> Int
    /// The error for what was changed by something else than this program.
    func damaged(_ what: String) -> JournalError
}

/// Bytes with their checksum as they are kept.
package struct StoredBytes {
    var checksum: Int
    var bytes: [UInt8]
}

/// A row of the table of batches.
package struct StoredBatch {
    var place: Int
    var count: Int
    var outside: Int
    var body: StoredBytes
}

extension JournalReading {
    /// The records of a run, in order; nil if there is no such run.
    package func records(of run: RunID) throws(JournalError) -> [RunRecord]? {
        var records: [RunRecord] = []
        let isKnown = try forEachBatch(of: run) { records += $0 }
        return isKnown ? records : nil
    }

    /// Reads the records of a run batch by batch, in order, and says whether there is such a run.
    ///
    /// The records are those that were there at the call, complete; otherwise it throws that the
    /// file is damaged, at the latest after the last batch.
    @discardableResult
    package func forEachBatch(
        of run: RunID,
        _ body: ([RunRecord]) throws(JournalError) -> Void
    ) throws(JournalError) -> Bool {
        guard let row = try self.run(run) else { return false }
        return try forEachBatch(of: row, body)
    }

    /// The same for a run whose row is known; `false` if it was forgotten meanwhile.
    @discardableResult
    func forEachBatch(
        of row: JournalRun,
        _ body: ([RunRecord]) throws(JournalError) -> Void
    ) throws(JournalError) -> Bool {
        let run = row.id
        var position = 0
        while position < row.records {
            guard let records = try batch(of: row, from: position) else {
                // Another connection may forget the run meanwhile.
                guard try rows(where: "number = \(row.number)", order: "number").isEmpty
                else { throw damaged(run, "records from number \(position + 1) on are missing") }
                return false
            }
            position += records.count
            try body(records)
        }
        guard position == row.records else {
            throw damaged(run, "it has \(position) records instead of \(row.records)")
        }
        return true
    }

    // MARK: - Batches

    /// The records of the batch that begins at a position; nil if there is none.
    ///
    /// Without outputs those outside the records are left out.
    func batch(
        of row: JournalRun,
        from position: Int,
        withOutputs: Bool = true
    ) throws(JournalError) -> [RunRecord]? {
        let wanted = RunPlace.of(run: row.number, position: position)
        guard
            let batch = try nextBatch(from: wanted, through: RunPlace.range(of: row.number).last)
        else { return nil }
        let (count, outside, body) = (batch.count, batch.outside, batch.body.bytes)
        guard batch.place == wanted else {
            throw damaged(row.id, "records from number \(position + 1) on are missing")
        }
        guard checksum(of: body[...], wanted, count, outside) == batch.body.checksum else {
            throw damaged(row.id, "records from number \(position + 1) on were changed")
        }
        var records = try decode(body, of: row.id, from: position, about: count)
        guard records.count == count, count > 0 else {
            throw damaged(row.id, "a batch has \(records.count) records instead of \(count)")
        }
        if outside > 0, withOutputs {
            try insertOutputs(outside, into: &records, of: row, from: position)
        }
        if position == 0 {
            guard case .accepted(let acceptance) = records[0].change, acceptance.id == row.id else {
                throw damaged(row.id, "its first record is not that of its acceptance")
            }
        }
        return records
    }

    private func decode(
        _ body: [UInt8],
        of run: RunID,
        from position: Int,
        about count: Int
    ) throws(JournalError) -> [RunRecord] {
        var records: [RunRecord] = []
        records.reserveCapacity(count)
        var start = 0
        while start < body.count {
            let end = body[start...].firstIndex(of: UInt8(ascii: "\n")) ?? body.count
            do throws(RunRecordError) {
                records.append(try RunRecord(line: body[start..<end]))
            } catch {
                let number = position + records.count + 1
                throw damaged(run, "record number \(number) cannot be read: \(error)")
            }
            start = end + 1
        }
        return records
    }

    /// Puts back the outputs that are outside the records.
    private func insertOutputs(
        _ count: Int,
        into records: inout [RunRecord],
        of row: JournalRun,
        from position: Int
    ) throws(JournalError) {
        var found = 0
        for index in records.indices where records[index].change.output == .null {
            let place = RunPlace.of(run: row.number, position: position + index)
            let number = position + index + 1
            guard
                let output = try output(
                    at: place,
                    orThrow: damaged(row.id, "the output of record number \(number) was changed")
                )
            else { continue }
            records[index].change = records[index].change.replacingOutput(with: output)
            found += 1
        }
        guard found == count else { throw damaged(row.id, "outputs of it are missing") }
    }

    /// The value that was written at a place; nil if there is none.
    func output(
        at place: Int,
        orThrow problem: @autoclosure () -> JournalError
    ) throws(JournalError) -> RawJSON? {
        guard let stored = try storedOutput(at: place) else { return nil }
        let body = stored.bytes[...]
        guard checksum(of: body, place) == stored.checksum,
            let output = try? RawJSON(validating: body)
        else { throw problem() }
        return output
    }

    // MARK: - Rows

    func rows(where condition: String, order: String) throws(JournalError) -> [JournalRun] {
        try rows(where: condition, nil, order: order, limit: .max)
    }

    func damaged(_ run: RunID, _ what: String) -> JournalError {
        damaged("run \(run): \(what)")
    }

    // MARK: - Workers

    /// What is known of the workers' sessions, by name in byte order.
    package func workers() throws(JournalError) -> [(name: String, document: RawJSON)] {
        var workers: [(name: String, document: RawJSON)] = []
        for (name, stored) in try storedWorkers() {
            let bytes = stored.bytes[...]
            guard checksum(of: bytes, name.utf8.count) == stored.checksum,
                let json = try? RawJSON(validating: bytes)
            else { throw damaged("what it knows of the worker \(name) was changed") }
            workers.append((name, json))
        }
        return workers
    }
}
