// The rows of a journal in PostgreSQL as the rest of the module reads them, and removing runs that
// are not kept.

internal import Core
internal import Runs

/// The tables of a journal in PostgreSQL; blocking, and confined to one thread at a time.
package final class PostgresTables {
    private let session: PostgresSession
    /// Batches that were read ahead: those of a run follow each other.
    private var batches: ArraySlice<StoredBatch> = []

    /// Opens a journal that there is.
    package init(
        _ place: PostgresPlace,
        keepalive: Duration = .seconds(10)
    ) throws(JournalError) {
        session = try PostgresSession(place: place, keepalive: keepalive)
        guard try session.query("SELECT 1 WHERE to_regclass('weftline.meta') IS NOT NULL").count > 0
        else {
            throw JournalError(.failed, "There is no journal in \(place.name).")
        }
        try PostgresSchema.check(try session.query(PostgresSchema.versionQuery), of: place)
    }

    /// The highest number of a run.
    func lastNumber() throws(JournalError) -> Int {
        try session.query("SELECT coalesce(max(number), 0) FROM weftline.runs")[0].integer(0)
    }

    /// The numbers of all runs that have a row or records.
    func runNumbers() throws(JournalError) -> [Int] {
        let rows = try session.query(
            """
            SELECT number FROM weftline.runs UNION SELECT place >> 32 FROM weftline.batches ORDER BY 1
            """
        )
        return (0..<rows.count).map { rows[$0].integer(0) }
    }

    // MARK: - Forgetting

    /// Removes a run that has ended, and says whether there was one of that name.
    func forget(_ run: RunID, epoch: Int) throws(JournalError) -> Bool {
        let doomed = """
            SELECT number, id FROM weftline.runs
            WHERE id = $2 AND ended IS NOT NULL AND \(Self.leads)
            """
        return try !remove(doomed, [.integer(epoch), .text(run.text)]).isEmpty
    }

    /// A step of removing runs that ended before a time, and then the oldest ones until those that
    /// have ended keep at most so many bytes.
    func prune(
        endedBefore time: Int?,
        keepingBytes: Int?,
        epoch: Int
    ) throws(JournalError) -> JournalFile.Pruned {
        let doomed = """
            SELECT number, id FROM (
                SELECT number, id, ended, sum(bytes) OVER (ORDER BY ended, number) - bytes AS before
                FROM (SELECT number, id, ended, bytes FROM weftline.runs WHERE ended IS NOT NULL
                    ORDER BY ended, number LIMIT 256) AS first
            ) AS oldest, (
                SELECT coalesce(sum(bytes), 0) AS bytes FROM weftline.runs WHERE ended IS NOT NULL
            ) AS total
            WHERE (ended < $2::bigint OR total.bytes - before > $3::bigint) AND before < 8388608
                AND \(Self.leads)
            """
        let runs = try remove(
            doomed,
            [.integer(epoch), .integer(time), .integer(keepingBytes)]
        )
        return JournalFile.Pruned(runs: runs, isDone: runs.isEmpty)
    }

    /// Only the leader removes; what a former one removes late may be removed by any.
    private static let leads = "EXISTS (SELECT FROM weftline.leader WHERE epoch = $1)"

    private func remove(
        _ doomed: String,
        _ values: [PostgresValue]
    ) throws(JournalError) -> [RunID] {
        batches = []
        let places = "place >= doomed.number << 32 AND place < (doomed.number + 1) << 32"
        let rows = try session.query(
            """
            WITH doomed AS MATERIALIZED (\(doomed)),
                r AS (DELETE FROM weftline.runs USING doomed WHERE runs.number = doomed.number),
                b AS (DELETE FROM weftline.batches USING doomed WHERE \(places)),
                o AS (DELETE FROM weftline.outputs USING doomed WHERE \(places))
            SELECT id FROM doomed
            """,
            values
        )
        return (0..<rows.count).compactMap { RunID(rows[$0].text(0)) }
    }
}

extension PostgresTables: JournalReading {
    package func rows(
        where condition: String,
        _ value: String?,
        order: String,
        limit: Int
    ) throws(JournalError) -> [JournalRun] {
        let condition = condition.split(separator: "?", omittingEmptySubsequences: false)
            .joined(separator: "$1")
        let found = try session.query(
            "SELECT \(JournalRun.columns) FROM weftline.runs WHERE \(condition) ORDER BY \(order) "
                + "LIMIT \(limit)",
            value.map { [.text($0)] } ?? []
        )
        var rows: [JournalRun] = []
        for index in 0..<found.count {
            guard let row = JournalRun(reading: found[index]) else {
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
        if batches.first?.place != first {
            let rows = try session.query(
                """
                SELECT place, count, outside, checksum, body FROM weftline.batches
                WHERE place >= $1 AND place <= $2 ORDER BY place LIMIT 16
                """,
                [.integer(first), .integer(last)]
            )
            batches =
                (0..<rows.count)
                .map { index in
                    let row = rows[index]
                    return StoredBatch(
                        place: row.integer(0),
                        count: row.integer(1),
                        outside: row.integer(2),
                        body: StoredBytes(checksum: row.integer(3), bytes: row.bytes(4))
                    )
                }[...]
        }
        return batches.popFirst()
    }

    package func storedOutput(at place: Int) throws(JournalError) -> StoredBytes? {
        let rows = try session.query(
            "SELECT checksum, body FROM weftline.outputs WHERE place = $1",
            [.integer(place)]
        )
        guard rows.count > 0 else { return nil }
        return StoredBytes(checksum: rows[0].integer(0), bytes: rows[0].bytes(1))
    }

    package func storedWorkers() throws(JournalError) -> [(name: String, document: StoredBytes)] {
        let rows = try session.query(
            "SELECT name, checksum, document FROM weftline.workers ORDER BY name COLLATE \"C\""
        )
        return (0..<rows.count)
            .map { index in
                let row = rows[index]
                let document = StoredBytes(checksum: row.integer(1), bytes: row.bytes(2))
                return (row.text(0), document)
            }
    }

    /// The row of a run and its records are removed together.
    package func isBeingForgotten(_ number: Int) -> Bool { false }

    package func starts() throws(JournalError) -> Int {
        try session.query("SELECT epoch FROM weftline.leader")[0].integer(0)
    }

    package var path: String { session.place.name }

    package func damaged(_ what: String) -> JournalError { session.place.damaged(what) }
}

@available(*, unavailable)
extension PostgresTables: Sendable {}
