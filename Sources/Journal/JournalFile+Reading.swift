// Reading runs: their rows, and their records with every checksum, count and position compared.

public import Core
internal import JSON
public import Runs

extension JournalFile {
    /// The records of a run, in order; nil if there is no such run.
    public func records(of run: RunID) throws(JournalError) -> [RunRecord]? {
        var records: [RunRecord] = []
        let isKnown = try forEachBatch(of: run) { records += $0 }
        return isKnown ? records : nil
    }

    /// Reads the records of a run batch by batch, in order, and says whether there is such a run.
    ///
    /// The records are those that were there at the call, complete; otherwise it throws that the
    /// file is damaged, at the latest after the last batch.
    @discardableResult
    public func forEachBatch(
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

    private func batch(of row: JournalRun, from position: Int) throws(JournalError) -> [RunRecord]?
    {
        let statement = try statements.prepared(.nextBatch, database)
        statement.bind(1, RunPlace.of(run: row.number, position: position))
        statement.bind(2, RunPlace.range(of: row.number).last)
        guard try statement.next() else { return nil }
        let place = statement.integer(0)
        let count = statement.integer(1)
        let outside = statement.integer(2)
        let sum = statement.integer(3)
        let body = statement.bytes(4)
        statement.reset()
        guard place == RunPlace.of(run: row.number, position: position) else {
            throw damaged(row.id, "records from number \(position + 1) on are missing")
        }
        guard checksum(of: body[...], place, count, outside) == sum else {
            throw damaged(row.id, "records from number \(position + 1) on were changed")
        }
        var records = try decode(body, of: row.id, from: position, about: count)
        guard records.count == count, count > 0 else {
            throw damaged(row.id, "a batch has \(records.count) records instead of \(count)")
        }
        if outside > 0 { try insertOutputs(outside, into: &records, of: row, from: position) }
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
        let statement = try statements.prepared(.output, database)
        statement.bind(1, place)
        guard try statement.next() else { return nil }
        let sum = statement.integer(0)
        let body = statement.bytes(1)[...]
        statement.reset()
        guard checksum(of: body, place) == sum, let output = try? RawJSON(validating: body) else {
            throw problem()
        }
        return output
    }

    // MARK: - Rows

    func rows(
        where condition: String,
        _ value: String? = nil,
        order: String,
        limit: Int = .max
    ) throws(JournalError) -> [JournalRun] {
        let statement = try database.prepare(
            "SELECT \(JournalRun.columns) FROM runs WHERE \(condition) ORDER BY \(order) LIMIT \(limit)"
        )
        if let value { statement.bind(1, value) }
        var rows: [JournalRun] = []
        while try statement.next() {
            guard let row = JournalRun(reading: statement) else {
                throw .damaged(path, "the row of a run cannot be read")
            }
            rows.append(row)
        }
        return rows
    }

    func damaged(_ run: RunID, _ what: String) -> JournalError {
        .damaged(path, "run \(run): \(what)")
    }
}
