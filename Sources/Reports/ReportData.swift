// What the page of a run shows when it has no coordinator to ask: the run, its nodes with all their
// attempts, the analysis and the answer, as JSON that may stand in a script element of HTML. Not
// here: the page.

internal import Core
package import JSON
internal import Wire

/// The data of a report.
package enum ReportData {
    /// One line of JSON without `<`, so that nothing in it can end the element around it.
    package static func text(of facts: RunFacts, answer: RawJSON?) -> [UInt8] {
        var writer = JSONWriter(reserving: 1024 + facts.nodes.count * 256)
        writer.beginObject()
        writer.field("run", facts.run.json)
        writer.field("analysis", Analysis(of: facts).document(of: facts.run))
        writer.field("answer", answer)
        writer.key("nodes")
        writer.beginArray()
        var places: [NodeID: Int] = [:]
        for (place, node) in facts.nodes.enumerated() { places[node.id] = place }
        for node in facts.nodes { write(node, places, into: &writer) }
        writer.endArray()
        writer.endObject()
        return harmless(writer.bytes)
    }

    private static func write(
        _ node: NodeFacts,
        _ places: [NodeID: Int],
        into writer: inout JSONWriter
    ) {
        writer.beginObject()
        writer.field("id", node.id.text)
        writer.field("tool", node.tool)
        writer.field("status", node.status.rawValue)
        writer.field("error", node.error?.json)
        writer.key("dependencies")
        writer.beginArray()
        for place in node.dependencies.compactMap({ places[$0] }) { writer.integer(place) }
        writer.endArray()
        writer.key("attempts")
        writer.beginArray()
        for attempt in node.attempts { write(attempt, into: &writer) }
        writer.endArray()
        writer.endObject()
    }

    private static func write(_ attempt: AttemptFacts, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("number", attempt.number)
        writer.field("worker", attempt.worker)
        writer.field("ready_ms", microseconds: attempt.readyAt)
        writer.field("sent_ms", microseconds: attempt.dispatchedAt)
        writer.field("began_ms", microseconds: attempt.start)
        writer.field("ended_ms", microseconds: attempt.end)
        writer.field("outcome", attempt.outcome.rawValue)
        writer.field("message", attempt.error?.message)
        writer.endObject()
    }

    /// In JSON the sign occurs within texts alone, where it may be written by its number.
    private static func harmless(_ text: [UInt8]) -> [UInt8] {
        let sign = UInt8(ascii: "<")
        let number = Array("\\u003c".utf8)
        var result: [UInt8] = []
        result.reserveCapacity(text.count + text.count / 64)
        for byte in text {
            if byte == sign { result += number } else { result.append(byte) }
        }
        return result
    }
}
