// Analyses as JSON, for programs.

internal import Core
package import JSON
package import Wire

extension Analysis {
    /// The analysis of a run as an object; times are in milliseconds, as in all answers.
    package func document(of run: RunDocument) -> RawJSON {
        var writer = JSONWriter(reserving: 512 + path.count * 192)
        writer.beginObject()
        writer.field("run", run.run.text)
        writer.field("status", run.status.rawValue)
        writer.field("wall_ms", microseconds: wall)
        writer.key("parts")
        parts.write(into: &writer)
        if let planning = run.planning {
            writer.field("model_ms", microseconds: planning.modelTime)
        }
        writer.key("critical_path")
        writer.beginArray()
        for step in path {
            writer.beginObject()
            writer.field("node", step.node.text)
            writer.field("tool", step.tool)
            writer.field("attempts", step.tries)
            writer.field("took_ms", microseconds: step.parts.sum)
            writer.key("parts")
            step.parts.write(into: &writer)
            writer.endObject()
        }
        writer.endArray()
        writer.field("slots", slots)
        writer.field("work_ms", microseconds: work)
        writer.field("work_per_slot_ms", microseconds: workPerSlot)
        writer.field("longest_chain_ms", microseconds: longestChain)
        writer.field("levels", levels)
        writer.field("wall_with_every_slot_ms", microseconds: wallWithEverySlot)
        writer.field("wall_with_one_level_ms", microseconds: wallWithOneLevel)
        writer.endObject()
        return RawJSON(trusted: writer.bytes[...])
    }
}

extension RunsAnalysis {
    /// The sum as an object with every run and tool; times are in milliseconds.
    package var document: RawJSON {
        var writer = JSONWriter(reserving: 512 + runs.count * 384)
        writer.beginObject()
        writer.field("runs", runs.count)
        for status in RunStatus.allCases { writer.field(status.key, count(status)) }
        writer.field("nodes", nodes)
        writer.field("wall_ms", microseconds: parts.sum)
        writer.key("parts")
        parts.write(into: &writer)
        writer.field("model_ms", microseconds: modelTime)
        writer.key("slowest")
        writer.beginArray()
        for entry in runs {
            writer.beginObject()
            writer.field("run", entry.run.text)
            writer.field("label", entry.label)
            writer.field("status", entry.status.rawValue)
            writer.field("nodes", entry.nodes)
            writer.field("wall_ms", microseconds: entry.parts.sum)
            writer.key("parts")
            entry.parts.write(into: &writer)
            writer.endObject()
        }
        writer.endArray()
        writer.key("tools")
        writer.beginArray()
        for tool in tools {
            writer.beginObject()
            writer.field("tool", tool.name)
            writer.field("nodes", tool.nodes)
            writer.field("attempts", tool.attempts)
            writer.field("failed", tool.failed)
            writer.field("work_ms", microseconds: tool.work)
            writer.field("critical_ms", microseconds: tool.critical)
            writer.field("slots_ms", microseconds: tool.slots)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return RawJSON(trusted: writer.bytes[...])
    }
}

extension RunStatus {
    fileprivate var key: StaticString {
        switch self {
        case .running: "running"
        case .succeeded: "succeeded"
        case .failed: "failed"
        case .cancelled: "cancelled"
        }
    }
}

extension Analysis.Parts {
    fileprivate func write(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("planning_ms", microseconds: planning)
        writer.field("approval_ms", microseconds: approval)
        writer.field("slots_ms", microseconds: slots)
        writer.field("tools_ms", microseconds: tools)
        writer.field("retries_ms", microseconds: retries)
        writer.field("overhead_ms", microseconds: overhead)
        writer.field("ending_ms", microseconds: ending)
        writer.endObject()
    }
}
