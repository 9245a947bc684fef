// The rows of the file as the rest of the module reads them.

internal import Core

extension JournalFile: JournalReading {
    package func rows(
        where condition: String,
        _ value: String?,
        order: String,
        limit: Int
    ) throws(JournalError) -> [JournalRun] {
        let statement = try database.prepare(
            "SELECT \(JournalRun.columns) FROM runs WHERE \(condition) ORDER BY \(order) LIMIT \(limit)"
        )
        if let value { statement.bind(1, value) }
        var rows: [JournalRun] = []
        while try statement.next() {
            guard let row = JournalRun(reading: statement) else {
                throw damaged("the row of a run cannot be read")
            }
            rows.append(row)
        }
        return rows
    }

    package func nextBatch(
        from first: Int,
        through last: Int
    ) throws(JournalError) -> StoredBatch? {
        let statement = try statements.prepared(.nextBatch, database)
        statement.bind(1, first)
        statement.bind(2, last)
        guard try statement.next() else { return nil }
        defer { statement.reset() }
        return StoredBatch(
            place: statement.integer(0),
            count: statement.integer(1),
            outside: statement.integer(2),
            body: StoredBytes(checksum: statement.integer(3), bytes: statement.bytes(4))
        )
    }

    package func storedOutput(at place: Int) throws(JournalError) -> StoredBytes? {
        let statement = try statements.prepared(.output, database)
        statement.bind(1, place)
        guard try statement.next() else { return nil }
        defer { statement.reset() }
        return StoredBytes(checksum: statement.integer(0), bytes: statement.bytes(1))
    }

    package func storedWorkers() throws(JournalError) -> [(name: String, document: StoredBytes)] {
        let statement = try database.prepare(
            "SELECT name, checksum, document FROM workers ORDER BY name"
        )
        var workers: [(name: String, document: StoredBytes)] = []
        while try statement.next() {
            let document = StoredBytes(checksum: statement.integer(1), bytes: statement.bytes(2))
            workers.append((statement.text(0), document))
        }
        return workers
    }

    package func isBeingForgotten(_ number: Int) throws(JournalError) -> Bool {
        try database.integer("SELECT count(*) FROM forgotten WHERE number = \(number)") > 0
    }

    package func starts() throws(JournalError) -> Int {
        try database.integer("SELECT ifnull(max(value), 0) FROM meta WHERE name = 'starts'")
    }

    package func damaged(_ what: String) -> JournalError { .damaged(path, what) }
}
