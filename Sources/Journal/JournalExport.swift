// A journal as lines of JSON: one for each run with its row, one for each of its records, one for
// each worker. The lines are described in Journal.docc/Journal.md.

internal import Core
public import JSON
internal import Runs
internal import Wire

extension JournalFile {
    /// Passes the whole journal to a body, line by line with their ends.
    ///
    /// Many lines come at once. Stops with an error at the first thing that is damaged.
    public func export(_ body: ([UInt8]) -> Void) throws(JournalError) {
        var writer = JSONWriter(reserving: 256 << 10)
        func pass(atLeast count: Int) {
            guard writer.bytes.count >= count else { return }
            body(writer.bytes)
            writer.bytes.removeAll(keepingCapacity: true)
        }
        for (name, document) in try workers() {
            writer.beginObject()
            writer.field("worker", name)
            writer.field("document", document)
            writer.endObject()
            writer.newline()
        }
        var last = 0
        while let run = try rows(where: "number > \(last)", order: "number", limit: 1).first {
            last = run.number
            run.encode(into: &writer)
            writer.newline()
            var position = 0
            try forEachBatch(of: run) { (records) throws(JournalError) in
                for record in records {
                    writer.beginObject()
                    writer.field("run", run.id.text)
                    writer.field("position", position)
                    writer.key("record")
                    record.encode(into: &writer)
                    writer.endObject()
                    writer.newline()
                    position += 1
                    pass(atLeast: 64 << 10)
                }
            }
        }
        pass(atLeast: 1)
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
