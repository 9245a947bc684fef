// The rows of one transaction as arrays, which few statements put into the tables. Each statement has
// the fence in it: with another epoch in the table it writes nothing.

internal import Core
internal import JSON
internal import Wire

/// Collects rows, and makes statements of them.
final class PostgresBatch: RowWriter {
    private let epoch: Int
    private var batches = BatchColumns()
    private var outputs = OutputColumns()
    private var runs = RunColumns()
    /// What is written of workers at last; nil for one that left.
    private var workers: [String: RawJSON?] = [:]
    private var queries: [PostgresQuery] = []

    /// A statement has about so many bytes, and one row more.
    private static let largestStatement = 16 << 20

    init(epoch: Int) { self.epoch = epoch }

    /// The statements of all rows so far, and none is left.
    func takeQueries() -> [PostgresQuery] {
        addQuery()
        defer { queries = [] }
        return queries
    }

    /// Forgets the rows.
    func discard() {
        _ = takeQueries()
    }

    // MARK: - Rows

    func write(_ batch: Batch, at place: Int) {
        batches.place.append(place)
        batches.count.append(batch.count)
        batches.outside.append(batch.outside)
        batches.checksum.append(batch.checksum(at: place))
        batches.body.append(batch.writer.bytes[...])
        splitIfLarge()
    }

    func write(_ output: RawJSON, at place: Int) {
        outputs.place.append(place)
        outputs.checksum.append(checksum(of: output.bytes, place))
        outputs.body.append(output.bytes)
        splitIfLarge()
    }

    func write(_ run: JournalRun, isNew: Bool) { runs.append(run) }

    func write(_ document: RawJSON, ofWorker name: String) { workers[name] = .some(document) }

    func removeWorker(_ name: String) { workers[name] = .some(nil) }

    private func splitIfLarge() {
        if batches.body.size + outputs.body.size > Self.largestStatement { addQuery() }
    }

    // MARK: - Statements

    private func addQuery() {
        var known = WorkerColumns()
        var left = PostgresArray(of: .text)
        for (name, document) in workers.sorted(by: { $0.key < $1.key }) {
            guard let document else {
                left.append(name)
                continue
            }
            known.name.append(name)
            known.checksum.append(checksum(of: document.bytes, name.utf8.count))
            known.document.append(document.bytes)
        }
        workers = [:]
        let values = batches.values + outputs.values + runs.values + known.values + [left.value]
        queries.append(PostgresQuery(text: Self.statement, values: [.integer(epoch)] + values))
        batches.removeAll()
        outputs.removeAll()
        runs = RunColumns()
    }

    /// One statement for all tables; it finds how many leaders there are of this epoch, one or none.
    ///
    /// The lock on that row is held until the transaction is over, so that a successor, which raises
    /// the epoch, waits for it, and reads all of it.
    private static let statement = """
        WITH fence AS MATERIALIZED (
            SELECT epoch FROM weftline.leader WHERE epoch = $1 FOR SHARE
        ), written_batches AS (
            INSERT INTO weftline.batches(place, count, outside, checksum, body)
            SELECT r.* FROM fence, unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
                $6::bytea[]) AS r
        ), written_outputs AS (
            INSERT INTO weftline.outputs(place, checksum, body)
            SELECT r.* FROM fence, unnest($7::bigint[], $8::bigint[], $9::bytea[]) AS r
        ), written_runs AS (
            INSERT INTO weftline.runs(\(JournalRun.columns))
            SELECT r.* FROM fence, unnest($10::bigint[], $11::text[], $12::bytea[], $13::bytea[],
                $14::bytea[], $15::bigint[], $16::bigint[], $17::bigint[], $18::text[],
                $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[],
                $24::bigint[], $25::bigint[]) AS r
            ON CONFLICT (number) DO UPDATE SET ended = excluded.ended, status = excluded.status,
                nodes = excluded.nodes, succeeded = excluded.succeeded, failed = excluded.failed,
                skipped = excluded.skipped, cancelled = excluded.cancelled,
                records = excluded.records, bytes = excluded.bytes
        ), written_workers AS (
            INSERT INTO weftline.workers(name, checksum, document)
            SELECT r.* FROM fence, unnest($26::text[], $27::bigint[], $28::bytea[]) AS r
            ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum,
                document = excluded.document
        ), removed_workers AS (
            DELETE FROM weftline.workers USING fence WHERE name = ANY($29::text[])
        )
        SELECT count(*) FROM fence
        """
}

// MARK: - Columns

private struct BatchColumns {
    var place = PostgresArray(of: .integer)
    var count = PostgresArray(of: .integer)
    var outside = PostgresArray(of: .integer)
    var checksum = PostgresArray(of: .integer)
    var body = PostgresArray(of: .bytes)

    var values: [PostgresValue] {
        [place.value, count.value, outside.value, checksum.value, body.value]
    }

    mutating func removeAll() {
        place.removeAll()
        count.removeAll()
        outside.removeAll()
        checksum.removeAll()
        body.removeAll()
    }
}

private struct OutputColumns {
    var place = PostgresArray(of: .integer)
    var checksum = PostgresArray(of: .integer)
    var body = PostgresArray(of: .bytes)

    var values: [PostgresValue] { [place.value, checksum.value, body.value] }

    mutating func removeAll() {
        place.removeAll()
        checksum.removeAll()
        body.removeAll()
    }
}

private struct WorkerColumns {
    var name = PostgresArray(of: .text)
    var checksum = PostgresArray(of: .integer)
    var document = PostgresArray(of: .bytes)

    var values: [PostgresValue] { [name.value, checksum.value, document.value] }
}

/// The columns of `JournalRun.columns`, in their order.
private struct RunColumns {
    private var number = PostgresArray(of: .integer)
    private var id = PostgresArray(of: .text)
    private var key = PostgresArray(of: .bytes)
    private var label = PostgresArray(of: .bytes)
    private var submitter = PostgresArray(of: .bytes)
    private var isGoal = PostgresArray(of: .integer)
    private var accepted = PostgresArray(of: .integer)
    private var ended = PostgresArray(of: .integer)
    private var status = PostgresArray(of: .text)
    private var counts = [PostgresArray](repeating: PostgresArray(of: .integer), count: 7)

    mutating func append(_ run: JournalRun) {
        number.append(run.number)
        id.append(run.id.text)
        key.append(run.key)
        label.append(run.label)
        submitter.append(run.submitter)
        isGoal.append(run.isGoal ? 1 : 0)
        accepted.append(run.accepted)
        ended.append(run.ended)
        status.append(run.status.rawValue)
        let numbers = [
            run.counts.total, run.counts.succeeded, run.counts.failed, run.counts.skipped,
            run.counts.cancelled, run.records, run.bytes,
        ]
        for (index, number) in numbers.enumerated() { counts[index].append(number) }
    }

    var values: [PostgresValue] {
        let first = [number, id, key, label, submitter, isGoal, accepted, ended, status]
        return (first + counts).map(\.value)
    }
}
