// A journal as lines of JSON: one for each run with its row, then one for each of its records; at the
// end one for each worker. The lines are described in Journal.docc/Journal.md.

internal import Core
public import JSON
internal import Runs
internal import Wire

extension JournalFile {
    /// Passes a whole journal to a body, line by line with their ends, many lines at once.
    ///
    /// Runs that are not whole are left out; the report has them.
    public static func export(
        path: String,
        _ body: @escaping ([UInt8]) -> Void
    ) throws(JournalError) -> JournalReport {
        let salvage = Salvage()
        var lines = ExportedLines(body)
        try salvage.read(path) { (tables, run) throws(JournalError) in
            try lines.add(run, of: tables)
        }
        lines.finish(with: salvage.workers)
        return salvage.report
    }
}

extension PostgresPlace {
    /// Passes a whole journal to a body, as `JournalFile.export` does.
    public func export(
        _ body: @escaping ([UInt8]) -> Void
    ) throws(JournalError) -> JournalReport {
        let salvage = Salvage()
        var lines = ExportedLines(body)
        try salvage.read(self) { (tables, run) throws(JournalError) in
            try lines.add(run, of: tables)
        }
        lines.finish(with: salvage.workers)
        return salvage.report
    }
}

/// Lines that are passed on when there are many.
private struct ExportedLines {
    private var writer = JSONWriter(reserving: 96 << 10)
    private let body: ([UInt8]) -> Void

    init(_ body: @escaping ([UInt8]) -> Void) { self.body = body }

    /// A run and its records.
    mutating func add(
        _ run: JournalRun,
        of tables: any JournalReading
    ) throws(JournalError) {
        add { run.encode(into: &$0) }
        var position = 0
        try tables.forEachBatch(of: run) { (records) throws(JournalError) in
            for record in records {
                add { writer in
                    writer.beginObject()
                    writer.field("run", run.id.text)
                    writer.field("position", position)
                    writer.key("record")
                    record.encode(into: &writer)
                    writer.endObject()
                }
                position += 1
            }
        }
    }

    /// The workers, and the rest of what was added.
    mutating func finish(with workers: [JournalEntry]) {
        for case .worker(let name, let document) in workers {
            add { writer in
                writer.beginObject()
                writer.field("worker", name)
                writer.field("document", document)
                writer.endObject()
            }
        }
        pass()
    }

    private mutating func add(_ write: (inout JSONWriter) -> Void) {
        write(&writer)
        writer.newline()
        if writer.bytes.count > 64 << 10 { pass() }
    }

    private mutating func pass() {
        if !writer.bytes.isEmpty { body(writer.bytes) }
        writer.bytes.removeAll(keepingCapacity: true)
    }
}

extension JournalRun {
    /// Writes the row as an object.
    public func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("run", id.text)
        writer.field("key", key)
        writer.field("label", label)
        writer.field("by", submitter)
        writer.field("goal", isGoal)
        writer.field("status", status.rawValue)
        writer.field("accepted_unix_ms", accepted)
        writer.field("ended_unix_ms", ended)
        writer.field("nodes", counts.total)
        writer.field("succeeded", counts.succeeded)
        writer.field("failed", counts.failed)
        writer.field("skipped", counts.skipped)
        writer.field("cancelled", counts.cancelled)
        writer.field("records", records)
        writer.field("bytes", bytes)
        writer.endObject()
    }
}
