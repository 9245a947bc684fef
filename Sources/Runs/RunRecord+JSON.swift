// The written form of a record: one JSON object on one line, `{"at":1250,"kind":"dispatched",…}`.
// Every field is described in Runs.docc/Records.md. Reading is strict: a record that is not whole is
// refused, so that a run is never the fold of half of what happened.

internal import Core
public import JSON
internal import Plans
internal import Wire

/// Why a text is no record.
public struct RunRecordError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong, in words.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}

extension RunRecord {
    /// The version of the written form; the first record of a run names it.
    ///
    /// Those of earlier versions are read, too: they have fewer kinds.
    public static let version = 3

    /// Writes the record as an object.
    public func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("at", at)
        writer.field("kind", change.kind)
        change.encodeFields(into: &writer)
        writer.endObject()
    }

    /// The record as an object.
    public var document: RawJSON {
        var writer = JSONWriter(reserving: 96)
        encode(into: &writer)
        return RawJSON(trusted: writer.bytes[...])
    }

    /// Reads a record.
    public init(decoding text: RawJSON) throws(RunRecordError) {
        if let usual = RunRecord(usual: text) {
            self = usual
        } else {
            try self.init(reading: text)
        }
    }

    /// Reads a record that may be written in any form.
    init(reading text: RawJSON) throws(RunRecordError) {
        let reader = try RecordReader(text)
        at = try reader.integer("at")
        change = try RunChange(reading: reader, kind: reader.text("kind"))
    }
}

extension RunChange {
    /// The name of the change in its written form and in stories.
    public var kind: String {
        switch self {
        case .accepted: "accepted"
        case .nodesAdded: "nodes_added"
        case .joinerAdded: "joiner_added"
        case .joinInstructed: "join_instructed"
        case .takenOver: "taken_over"
        case .planClosed: "plan_closed"
        case .approvalAsked: "approval_asked"
        case .approved: "approved"
        case .nodeReady: "ready"
        case .dispatched: "dispatched"
        case .started: "started"
        case .calledBack: "called_back"
        case .returned: "returned"
        case .toolWrote: "tool_wrote"
        case .worked: "worked"
        case .retrying: "retrying"
        case .pauseEnded: "pause_ended"
        case .unplaceable: "unplaceable"
        case .succeeded: "succeeded"
        case .failed: "failed"
        case .skipped: "skipped"
        case .cancelled: "cancelled"
        case .plannerMade: "planner_made"
        case .plannerTold: "planner_told"
        case .modelCalled: "model_called"
        case .modelReplied: "model_replied"
        case .tokensUsed: "tokens_used"
        case .planRefused: "plan_refused"
        case .roundSettled: "round_settled"
        case .replanned: "replanned"
        case .answered: "answered"
        case .cancelAsked: "cancel_asked"
        case .failureDecided: "failure_decided"
        case .intakeEnded: "intake_ended"
        case .outputsDropped: "outputs_dropped"
        case .joined: "joined"
        case .ended: "ended"
        }
    }

    fileprivate func encodeFields(into writer: inout JSONWriter) {
        if let node { writer.field("node", node) }
        switch self {
        case .accepted(let acceptance): acceptance.encodeFields(into: &writer)
        case .nodesAdded(let nodes): Self.encode(nodes, into: &writer)
        case .joinerAdded(let tool, let arguments):
            writer.field("tool", tool)
            writer.field("args", arguments)
        case .joinInstructed(let instruction): writer.field("text", instruction)
        case .takenOver(_, let output): writer.field("output", output)
        case .planClosed(let isFinal): writer.field("final", isFinal)
        case .approvalAsked(_, let milliseconds): writer.field("within_ms", milliseconds)
        case .approved(_, let identity, let reason):
            ApprovalAnswer(identity: identity, reason: reason).write(into: &writer)
        case .dispatched(_, let attempt, let worker, let isRepeatable):
            writer.field("attempt", Int(attempt))
            writer.field("worker", worker)
            writer.field("repeatable", isRepeatable)
        case .started(_, let attempt):
            writer.field("attempt", Int(attempt))
        case .calledBack(_, let attempt, let reason):
            writer.field("attempt", Int(attempt))
            writer.field("reason", reason.rawValue)
        case .returned(_, let attempt, let reason):
            writer.field("attempt", Int(attempt))
            writer.field("reason", reason.rawValue)
        case .toolWrote(_, let attempt, let text):
            writer.field("attempt", Int(attempt))
            text.encodeFields(into: &writer)
        case .worked(_, let microseconds): writer.field("work_us", Int(microseconds))
        case .retrying(_, let attempt, let failure, let delay, let cause):
            writer.field("attempt", Int(attempt))
            writer.field("after_us", Int(delay))
            writer.field("cause", cause.rawValue)
            writer.field("error", failure.json)
        case .unplaceable(_, let message): writer.field("message", message)
        case .succeeded(_, let output, let microseconds):
            writer.field("work_us", Int(microseconds))
            writer.field("output", output)
        case .failed(_, let failure), .failureDecided(let failure):
            writer.field("error", failure.json)
        case .skipped(_, let cause): writer.field("because", Int(cause))
        // As a text, because schemas in it may be as deep as JSON may be.
        case .plannerMade(let settings): writer.field("settings", settings.text)
        case .plannerTold(let input): input.encodeFields(into: &writer)
        case .modelCalled(let isRepair): writer.field("repair", isRepair ? true : nil)
        case .tokensUsed(let usage):
            writer.field("input", usage.input)
            writer.field("output", usage.output)
            writer.field("cost", usage.cost)
        case .planRefused(let problems):
            writer.key("problems")
            writer.beginArray()
            for problem in problems { problem.encode(into: &writer) }
            writer.endArray()
        case .replanned(let round, let reason):
            writer.field("round", round)
            writer.field("reason", reason)
        case .answered(let answer): writer.field("answer", answer)
        case .cancelAsked(let reason, let identity, let isCutShort):
            writer.field("reason", reason)
            writer.field("by", identity)
            writer.field("cut_short", isCutShort)
        case .ended(let status): writer.field("status", status.rawValue)
        case .nodeReady, .pauseEnded, .cancelled, .modelReplied, .roundSettled, .intakeEnded,
            .outputsDropped, .joined:
            break
        }
    }
}

extension RunChange {
    private static func encode(_ nodes: [NodeDefinition], into writer: inout JSONWriter) {
        writer.key("tasks")
        writer.beginArray()
        for node in nodes { node.encode(into: &writer) }
        writer.endArray()
    }
}

extension ToolText {
    fileprivate func encodeFields(into writer: inout JSONWriter) {
        writer.field("offset", offset)
        writer.field("cut", isCut ? true : nil)
        ToolOutput(stream: stream, bytes: bytes).write(into: &writer)
    }
}

extension PlannerInput {
    fileprivate func encodeFields(into writer: inout JSONWriter) {
        writer.field("what", kind)
        switch self {
        case .reported(let report): writer.field("report", report)
        case .nodeSettled(let node): writer.field("settled", Int(node))
        case .toolRefused(let failure), .cancelled(let failure):
            writer.field("error", failure.json)
        case .started, .planGiven, .callLost, .roundSettled, .toolJoined: break
        }
    }

    private var kind: String {
        switch self {
        case .started: "started"
        case .planGiven: "plan_given"
        case .reported: "reported"
        case .callLost: "call_lost"
        case .nodeSettled: "node_settled"
        case .roundSettled: "round_settled"
        case .toolJoined: "tool_joined"
        case .toolRefused: "tool_refused"
        case .cancelled: "cancelled"
        }
    }
}

extension Acceptance {
    fileprivate func encodeFields(into writer: inout JSONWriter) {
        writer.field("version", RunRecord.version)
        writer.field("run", id.text)
        writer.field("key", key)
        writer.field("label", label)
        writer.field("join", join.rawValue)
        if let allowedTools {
            writer.key("tools")
            writer.beginArray()
            for tool in allowedTools { writer.string(tool) }
            writer.endArray()
        }
        writer.field("node_budget", nodeBudget)
        writer.field("wall_ms", wallMilliseconds)
        if !approve.isEmpty {
            writer.key("approve")
            writer.beginArray()
            for tool in approve { writer.string(tool) }
            writer.endArray()
        }
        writer.field("approval_ms", approvalMilliseconds)
        writer.field("digest", digest.hexadecimal)
        writer.field("goal", goal)
        writer.field("streamed", isStreamed)
        writer.field("on_missing_tool", onMissingTool.rawValue)
        writer.field("running", maxRunning)
        writer.field("by", submitter)
        writer.field("retries", retriedRun?.text)
        writer.field("traceparent", traceParent?.text)
        writer.field("unix_ms", unixMilliseconds)
    }
}

extension [UInt8] {
    fileprivate var hexadecimal: String {
        let digits = Array("0123456789abcdef".utf8)
        let text = flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }
}
