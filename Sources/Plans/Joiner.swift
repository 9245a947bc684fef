// The joiners that need no model: they join the outcomes of a run into one text or one object.
// Joining part by part is in AnswerJoin.swift.

public import Core
public import JSON

/// What one node contributes to the answer.
public struct JoinPart: Sendable, Hashable {
    /// The node's name in the plan.
    public var id: NodeID
    /// The tool it called.
    public var tool: String
    /// How it ended.
    public var outcome: Outcome

    /// The contribution of one node.
    public init(id: NodeID, tool: String, outcome: Outcome) {
        self.id = id
        self.tool = tool
        self.outcome = outcome
    }
}

/// Joins the outcomes of a run.
///
/// Parts are passed, and stay, in the order of the plan.
public enum Joiner {
    /// The classic form: a block `[tool] output` for each node, then `Join: …`.
    ///
    /// Blocks are separated by blank lines. An output that is a string has no quotes, anything else
    /// is compact JSON. A node without an output, also a skipped or cancelled one, says why:
    /// `[tool] ERROR: message`.
    public static func concat(
        parts: some Sequence<JoinPart>,
        joinInstruction: String?
    ) -> String {
        var join = AnswerJoin(.concat)
        for part in parts { join.append(part) }
        return join.finish(joinInstruction: joinInstruction).joined.stringValue ?? ""
    }

    /// The arguments for a tool that joins: `goal`, `join_instruction`, `outputs`, `failures`.
    ///
    /// Outputs are by node id; failures of nodes without an output are by node id too, as
    /// `{"code","message"}`. Goal and instruction are there if the run has them.
    public static func arguments(
        goal: String?,
        joinInstruction: String?,
        parts: some Collection<JoinPart>
    ) -> RawJSON {
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("goal", goal)
        writer.field("join_instruction", joinInstruction)
        writer.key("outputs")
        writer.beginObject()
        for part in parts {
            guard let output = part.outcome.output else { continue }
            writer.key(escaping: part.id.text)
            writer.raw(output)
        }
        writer.endObject()
        writer.key("failures")
        writer.beginObject()
        for part in parts {
            guard let failure = part.outcome.failure else { continue }
            writer.key(escaping: part.id.text)
            writer.beginObject()
            writer.field("code", failure.code.rawValue)
            writer.field("message", failure.message)
            writer.endObject()
        }
        writer.endObject()
        writer.endObject()
        return RawJSON(trusted: writer.bytes[...])
    }

    /// An object of outputs by node id.
    ///
    /// A node without an output has `{"error":{"code","message"}}` in its place.
    public static func json(parts: some Sequence<JoinPart>) -> RawJSON {
        var join = AnswerJoin(.json)
        for part in parts { join.append(part) }
        return join.finish(joinInstruction: nil).joined
    }
}
