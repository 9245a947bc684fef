// Small JSON documents that the core sends: counts, timing, failures, usage of models.

internal import JSON
internal import PlannerCore
internal import Plans

extension RawJSON {
    /// Builds an object field by field.
    static func object(_ body: (inout JSONWriter) -> Void) -> RawJSON {
        var writer = JSONWriter(reserving: 128)
        writer.beginObject()
        body(&writer)
        writer.endObject()
        return RawJSON(trusted: writer.bytes[...])
    }
}

extension RawJSON {
    /// Builds an array of objects, one for each element.
    static func array<Element>(
        _ elements: some Sequence<Element>,
        _ body: (inout JSONWriter, Element) -> Void
    ) -> RawJSON {
        var writer = JSONWriter(reserving: 256)
        writer.beginArray()
        for element in elements {
            writer.beginObject()
            body(&writer, element)
            writer.endObject()
        }
        writer.endArray()
        return RawJSON(trusted: writer.bytes[...])
    }
}

/// Microseconds as milliseconds with three digits.
func milliseconds(_ microseconds: Int) -> Double {
    Double(microseconds) / 1_000
}

extension Failure {
    /// The failure as `{"code","message",…}`.
    var document: RawJSON {
        .object { writer in
            writer.field("code", code.rawValue)
            writer.field("message", message)
            writer.field("exit_code", exitCode)
            writer.field("signal", signal)
            writer.field("stderr_tail", stderrTail)
        }
    }
}

extension TokenUsage {
    /// The usage as `{"input","output"}`; nil if no model was used, or none that counts.
    var document: RawJSON? {
        guard total > 0 else { return nil }
        return .object { writer in
            writer.field("input", input)
            writer.field("output", output)
        }
    }
}

extension NodeCounts {
    func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("total", total)
        writer.field("running", running)
        writer.field("succeeded", succeeded)
        writer.field("failed", failed)
        writer.field("skipped", skipped)
        writer.field("cancelled", cancelled)
        writer.endObject()
    }
}

extension RunState {
    /// `wall_ms`, `critical_path_ms`, `work_ms` and `speedup` (work over wall).
    func encodeTiming(into writer: inout JSONWriter, at now: Instant) {
        let wall = Int(((endedAt ?? now) - acceptedAt) / .microseconds(1))
        writer.beginObject()
        writer.field("wall_ms", milliseconds(wall))
        writer.field("critical_path_ms", milliseconds(Int(criticalPathMicroseconds)))
        writer.field("work_ms", milliseconds(Int(workMicroseconds)))
        let speedup = wall > 0 ? Double(workMicroseconds) / Double(wall) : 1
        writer.field("speedup", (speedup * 100).rounded() / 100)
        writer.endObject()
    }
}
