// Answers about single nodes: pages of them, and one with its arguments. Outputs stay where they
// are, however large.

internal import Core
internal import JSON
internal import Plans
internal import Runs
internal import Wire

/// A document that shares large values instead of copying them.
struct LargeDocument {
    /// Writes what comes next.
    var writer = JSONWriter(reserving: 256)
    private var pieces = JSONPieces()

    /// Values that are shorter are copied.
    private static let sharedBytes = 16 << 10

    /// Bytes in memory that only the document holds.
    var ownBytes: Int { pieces.ownBytes + writer.bytes.count }
    /// Its length.
    var count: Int { pieces.count + writer.bytes.count }

    /// Puts in a value that somebody holds anyway.
    mutating func share(_ value: RawJSON) {
        guard value.count >= Self.sharedBytes else { return writer.raw(value) }
        // The writer puts a comma if one is needed, here and behind the value.
        writer.raw(RawJSON(trusted: []))
        close()
        pieces.append(value.bytes, isShared: true)
    }

    /// The whole document.
    mutating func finish() -> JSONPieces {
        close()
        return pieces
    }

    private mutating func close() {
        pieces.append(writer.bytes[...])
        writer.bytes = []
    }
}

extension CoordinatorMachine {
    /// A page of nodes in plan order; `next` continues.
    func nodesPage(_ run: Int, from: Int, limit: Int) -> (data: JSONPieces, next: Int?) {
        let count = runs[run].state.plan.count
        let first = min(from, count)
        var next = first
        var work = PageWork()
        var document = LargeDocument()
        document.writer.beginObject()
        document.writer.key("nodes")
        document.writer.beginObject()
        while next < count, next - first < limit, !work.isUsedUp,
            next == first
                || document.count + (runs[run].state.results.outputs[next]?.count ?? 0)
                    < limits.maxValue - limits.maxLine
        {
            let before = document.count
            document.writer.key(escaping: runs[run].state.plan[next].id.text)
            document.writer.beginObject()
            encodeNode(run, next, into: &document)
            document.writer.endObject()
            work.look(2)
            work.write(bytes: document.count - before)
            next += 1
        }
        document.writer.endObject()
        document.writer.field("next", next < count ? next : nil)
        document.writer.field("total", count)
        document.writer.endObject()
        return (document.finish(), next < count ? next : nil)
    }

    func nodeDocument(_ run: Int, _ node: Int, _ now: Instant) -> JSONPieces {
        var document = LargeDocument()
        document.writer.beginObject()
        document.writer.field("id", runs[run].state.plan[node].id.text)
        encodeNode(run, node, into: &document)
        document.writer.key("dependencies")
        document.writer.beginArray()
        for dependency in runs[run].state.plan.dependencies(of: node) {
            document.writer.string(runs[run].state.plan[dependency].id.text)
        }
        document.writer.endArray()
        encodeArguments(of: node, run, into: &document.writer)
        let reasons = reasons(for: node, in: run, now)
        if !reasons.isEmpty { encodeReasons(reasons, run, into: &document.writer) }
        document.writer.endObject()
        return document.finish()
    }

    private func encodeNode(_ run: Int, _ node: Int, into document: inout LargeDocument) {
        let state = runs[run].state.nodes[node]
        document.writer.field("status", state.status.name)
        document.writer.field("tool", runs[run].state.plan[node].tool)
        if let output = runs[run].state.results.outputs[node] {
            document.writer.key("output")
            document.share(output)
        }
        if state.status == .skipped {
            document.writer.field("because", runs[run].state.plan[Int(state.cause)].id.text)
        }
        if let failure = runs[run].state.outcome(of: node)?.failure {
            document.writer.field("error", failure.document)
        }
        // Attempts that surely never ran do not count, though each had a number.
        document.writer.field("attempts", state.tries)
        guard state.attempt > 0 else { return }
        document.writer.field("worker", runs[run].state.workers[state.worker])
        document.writer.field("ready_at_ms", milliseconds(Int(state.readyAt)))
        document.writer.field("queued_ms", milliseconds(Int(state.queued)))
        if state.status.isTerminal {
            document.writer.field("turnaround_ms", milliseconds(Int(state.turnaround)))
            document.writer.field("run_ms", milliseconds(Int(state.work)))
        }
    }
}
