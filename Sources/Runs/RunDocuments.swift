// The small documents that tell of a run: counts, timing, failures, tokens, progress, end.

public import Core
public import JSON
internal import Wire

extension Failure {
    /// The failure as `{"code","message",…}`.
    public var document: RawJSON {
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
    public var document: RawJSON? {
        guard total > 0 else { return nil }
        return .object { writer in
            writer.field("input", input)
            writer.field("output", output)
        }
    }
}

extension NodeCounts {
    /// Writes the counts as an object.
    public func encode(into writer: inout JSONWriter) {
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

extension Run {
    /// Whether a model plans or anybody but the coordinator joins.
    public var hasPlanner: Bool {
        if acceptance.goal != nil { return true }
        switch acceptance.join {
        case .concat, .json: return false
        case .llm, .tool: return true
        }
    }

    /// Writes `wall_ms`, `critical_path_ms`, `work_ms` and `speedup` (work over wall) as an object.
    public func encodeTiming(into writer: inout JSONWriter, at now: Instant) {
        let wall = endedAt ?? microseconds(at: now)
        writer.beginObject()
        writer.field("wall_ms", milliseconds(wall))
        writer.field("critical_path_ms", milliseconds(Int(times.criticalPath)))
        writer.field("work_ms", milliseconds(Int(times.total)))
        let speedup = wall > 0 ? Double(times.total) / Double(wall) : 1
        writer.field("speedup", (speedup * 100).rounded() / 100)
        writer.endObject()
    }

    /// What a snapshot and an event of progress tell.
    public var progressDocument: RawJSON {
        .object { writer in
            writer.key("counts")
            counts.encode(into: &writer)
            writer.field("critical_path_ms", milliseconds(Int(times.criticalPath)))
            writer.field("usage", planning.usage.document)
        }
    }

    /// What the last event tells.
    ///
    /// The answer goes along when it is small.
    func endDocument(answer: RawJSON?) -> RawJSON {
        .object { writer in
            writer.field("answer", answer)
            if answer == nil { writer.field("answer_omitted", true) }
            if let failure { writer.field("error", failure.document) }
            writer.field("reason", cancelReason)
            writer.key("counts")
            counts.encode(into: &writer)
            writer.key("timing")
            encodeTiming(into: &writer, at: acceptedAt)
            writer.field("usage", planning.usage.document)
        }
    }
}
