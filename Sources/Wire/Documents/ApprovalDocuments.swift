// Nodes that wait for a person's approval: the data of events about them, and the entries of the
// answer to `approvals`.
package import Core
package import JSON

/// A node waits for a person's approval.
package struct ApprovalQuestion: Sendable, Equatable {
    /// The tool that it calls.
    package var tool: String
    /// Its arguments, with the outputs in place; nil if they are long.
    package var arguments: RawJSON?
    /// How long the answer may take, in milliseconds.
    package var timeoutMilliseconds: Int

    /// Makes the document of its fields.
    package init(tool: String, arguments: RawJSON?, timeoutMilliseconds: Int) {
        self.tool = tool
        self.arguments = arguments
        self.timeoutMilliseconds = timeoutMilliseconds
    }
}

/// A person approved a node.
package struct ApprovalAnswer: Sendable, Equatable {
    /// The identity that did, if one is known.
    package var identity: String?
    /// Why, in words for people.
    package var reason: String?

    /// Makes the document of its fields.
    package init(identity: String? = nil, reason: String? = nil) {
        self.identity = identity
        self.reason = reason
    }
}

/// A node that waits for approval: an entry of the answer to `approvals`.
package struct ApprovalDocument: Sendable, Equatable {
    /// The run.
    package var run: RunID
    /// What people call the run.
    package var label: String?
    /// The node.
    package var node: NodeID
    /// The tool, the arguments and the time for the answer.
    package var question: ApprovalQuestion
    /// When it was asked.
    package var askedAt: UnixTime
    /// When the node fails, if there is no answer until then.
    package var failsAt: UnixTime
    /// How long it has waited, in milliseconds.
    package var waitMilliseconds: Int

    /// Makes the document of its fields.
    package init(
        run: RunID,
        label: String? = nil,
        node: NodeID,
        question: ApprovalQuestion,
        askedAt: UnixTime,
        failsAt: UnixTime,
        waitMilliseconds: Int
    ) {
        self.run = run
        self.label = label
        self.node = node
        self.question = question
        self.askedAt = askedAt
        self.failsAt = failsAt
        self.waitMilliseconds = waitMilliseconds
    }
}

extension ApprovalQuestion: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        tool = try fields.string("tool")
        arguments = fields.optionalValue("args")
        timeoutMilliseconds = try fields.integer("timeout_ms")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("tool", tool)
        writer.field("args", arguments)
        writer.flag("args_omitted", arguments == nil)
        writer.field("timeout_ms", timeoutMilliseconds)
    }
}

extension ApprovalAnswer: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        identity = try fields.optionalString("by")
        reason = try fields.optionalString("reason")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("by", identity)
        writer.field("reason", reason)
    }
}

extension ApprovalDocument: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        run = try fields.run("run")
        label = try fields.optionalString("label")
        node = try fields.node("node")
        question = try ApprovalQuestion(reading: fields)
        askedAt = try fields.time("asked_at")
        failsAt = try fields.time("fails_at")
        waitMilliseconds = try fields.integer("wait_ms")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("run", run.text)
        writer.field("label", label)
        writer.field("node", node.text)
        question.write(into: &writer)
        writer.field("asked_at", askedAt.text)
        writer.field("fails_at", failsAt.text)
        writer.field("wait_ms", waitMilliseconds)
    }
}
