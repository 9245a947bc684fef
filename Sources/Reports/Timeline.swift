// A run as trace events, which Perfetto and Chrome read: a process a worker, a thread a slot, a
// slice an attempt. Times are relative to the acceptance of the run.

internal import Core
internal import JSON
internal import Wire

/// The timeline of a run.
package enum Timeline {
    /// The trace as JSON, an event a line.
    package static func text(of facts: RunFacts) -> [UInt8] {
        let lanes = Lanes(of: facts)
        var writer = JSONWriter(reserving: 256 + lanes.bars.count * 192)
        writer.beginObject()
        writer.field("displayTimeUnit", "ms")
        writer.key("otherData")
        writer.beginObject()
        writer.field("run", facts.run.run.text)
        writer.field("label", facts.run.label)
        writer.field("status", facts.run.status.rawValue)
        writer.field("started_at", facts.run.startedAt?.text)
        writer.endObject()
        writer.key("traceEvents")
        writer.beginArray()
        for (worker, name) in lanes.workers.enumerated() {
            write(name: name, "process_name", worker, nil, into: &writer)
            for lane in 0..<lanes.lanes[worker] {
                write(name: "slot \(lane + 1)", "thread_name", worker, lane, into: &writer)
            }
        }
        for bar in lanes.bars { write(bar, of: facts, into: &writer) }
        writer.endArray()
        writer.endObject()
        writer.newline()
        return writer.bytes
    }

    private static func write(
        name: String,
        _ kind: String,
        _ worker: Int,
        _ lane: Int?,
        into writer: inout JSONWriter
    ) {
        writer.beginObject()
        writer.field("ph", "M")
        writer.field("name", kind)
        writer.field("pid", worker + 1)
        writer.field("tid", lane.map { $0 + 1 })
        writer.key("args")
        writer.beginObject()
        writer.field("name", name)
        writer.endObject()
        writer.endObject()
    }

    private static func write(
        _ bar: Lanes.Bar,
        of facts: RunFacts,
        into writer: inout JSONWriter
    ) {
        let node = facts.nodes[bar.node]
        let attempt = node.attempts[bar.attempt]
        writer.beginObject()
        writer.field("ph", "X")
        writer.field("name", node.tool)
        writer.field("cat", attempt.outcome.rawValue)
        writer.field("ts", bar.start)
        writer.field("dur", bar.end - bar.start)
        writer.field("pid", bar.worker + 1)
        writer.field("tid", bar.lane + 1)
        writer.key("args")
        writer.beginObject()
        writer.field("node", node.id.text)
        writer.field("attempt", attempt.number)
        writer.field("outcome", attempt.outcome.rawValue)
        writer.field("error", attempt.error?.description)
        writer.field("ready_us", attempt.readyAt)
        writer.field("dispatched_us", attempt.dispatchedAt)
        writer.endObject()
        writer.endObject()
    }
}
