// The data of events about a run as a whole.
package import Core
package import JSON
package import Plans

/// Nodes were added to a run.
package struct PlannedNodes: Sendable, Equatable {
    /// How many.
    package var count: Int
    /// Which, as a list of tasks of a plan, or with `id` and `tool_name` only; nil if nobody needs to
    /// be told or they are very many.
    package var tasks: RawJSON?

    /// Nodes of which only the number is told.
    package init(count: Int) {
        self.count = count
    }

    /// Nodes as they were written; nil if these have more bytes than allowed.
    package init?(_ nodes: [NodeDefinition], within bytes: Int) {
        var writer = JSONWriter()
        writer.beginArray()
        for node in nodes {
            guard node.arguments.count <= bytes else { return nil }
            node.encode(into: &writer)
            guard writer.bytes.count <= bytes else { return nil }
        }
        writer.endArray()
        count = nodes.count
        tasks = RawJSON(trusted: writer.bytes[...])
    }

    /// Nodes with their names and tools only; nil if these have more bytes than allowed.
    package init?(names: [(id: NodeID, tool: String)], within bytes: Int) {
        let tasks = RawJSON.array(names) { writer, node in
            writer.field("id", node.id.text)
            writer.field("tool_name", node.tool)
        }
        guard tasks.count <= bytes else { return nil }
        count = names.count
        self.tasks = tasks
    }

    /// The nodes, as far as they are told; those without arguments have none.
    package var nodes: [NodeDefinition] {
        var nodes: [NodeDefinition] = []
        tasks?.forEachElement { raw in
            if let node = try? NodeDefinition(decoding: raw, at: 0) { nodes.append(node) }
        }
        return nodes
    }
}

/// What is wrong with a plan.
package struct PlanProblemList: Sendable, Equatable {
    /// The problems; some may be warnings.
    package var problems: [PlanProblem]

    /// Makes the document of its fields.
    package init(problems: [PlanProblem]) {
        self.problems = problems
    }
}

/// The joiner asked for another plan.
package struct NextRound: Sendable, Equatable {
    /// The number of the new plan, from 2.
    package var round: Int
    /// Why, in the words of the joiner.
    package var reason: String
    /// The tokens that language models have used so far.
    package var usage: TokenUsage?

    /// Makes the document of its fields.
    package init(round: Int, reason: String, usage: TokenUsage? = nil) {
        self.round = round
        self.reason = reason
        self.usage = usage
    }
}

/// A piece of the answer while it is written.
package struct AnswerText: Sendable, Equatable {
    /// The text.
    package var text: String

    /// Makes the document of its fields.
    package init(text: String) {
        self.text = text
    }
}

/// The answer is made.
package struct JoinedAnswer: Sendable, Equatable {
    /// How outputs became the answer.
    package var join: JoinKind

    /// Makes the document of its fields.
    package init(join: JoinKind) {
        self.join = join
    }
}

/// How far a run is.
package struct RunProgress: Sendable, Equatable {
    /// How many nodes are where.
    package var counts: NodeCounts
    /// The longest chain of dependent nodes so far, in microseconds.
    package var criticalPath: Int
    /// The tokens that language models have used so far.
    package var usage: TokenUsage?

    /// Makes the document of its fields.
    package init(
        counts: NodeCounts = NodeCounts(),
        criticalPath: Int = 0,
        usage: TokenUsage? = nil
    ) {
        self.counts = counts
        self.criticalPath = criticalPath
        self.usage = usage
    }
}

/// How a run ended; whether it succeeded is told by the kind of the event.
package struct RunEndDocument: Sendable, Equatable {
    /// The answer; nil if it is too large for an event.
    package var answer: RawJSON?
    /// Why it failed as a whole, if it did.
    package var error: Failure?
    /// Why it was cancelled, if it was.
    package var reason: String?
    /// How many nodes are where.
    package var counts: NodeCounts
    /// How long things took.
    package var timing: RunTiming
    /// The tokens that language models used.
    package var usage: TokenUsage?
    /// What language models did; nil if none was called.
    package var planning: PlanningDocument?

    /// Makes the document of its fields.
    package init(
        answer: RawJSON? = nil,
        error: Failure? = nil,
        reason: String? = nil,
        counts: NodeCounts,
        timing: RunTiming,
        usage: TokenUsage? = nil,
        planning: PlanningDocument? = nil
    ) {
        self.answer = answer
        self.error = error
        self.reason = reason
        self.counts = counts
        self.timing = timing
        self.usage = usage
        self.planning = planning
    }
}

extension PlannedNodes: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        count = try fields.integer("nodes")
        tasks = fields.present("tasks")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("nodes", count)
        writer.field("tasks", tasks)
    }
}

extension PlanProblemList: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        problems = try fields.problems("problems")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("problems", problems)
    }
}

extension NextRound: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        round = try fields.integer("round")
        reason = try fields.string("reason")
        usage = try fields.optionalDocument("usage")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("round", round)
        writer.field("reason", reason)
        writer.field("usage", usage)
    }
}

extension AnswerText: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        text = try fields.string("text")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("text", text)
    }
}

extension JoinedAnswer: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        join = try fields.join("join")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("join", join.rawValue)
    }
}

extension RunProgress {
    /// How far a run came that has ended.
    package init(_ outcome: RunEndDocument) {
        self.init(
            counts: outcome.counts,
            criticalPath: outcome.timing.criticalPath,
            usage: outcome.usage
        )
    }
}

extension RunProgress: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        counts = try fields.document("counts")
        criticalPath = try fields.microseconds("critical_path_ms")
        usage = try fields.optionalDocument("usage")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("counts", counts)
        writer.field("critical_path_ms", microseconds: criticalPath)
        writer.field("usage", usage)
    }
}

extension RunEndDocument: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        answer = fields.optionalValue("answer")
        error = try fields.optionalDocument("error")
        reason = try fields.optionalString("reason")
        counts = try fields.document("counts")
        timing = try fields.document("timing")
        usage = try fields.optionalDocument("usage")
        planning = try fields.optionalDocument("planning")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("answer", answer)
        writer.flag("answer_omitted", answer == nil)
        writer.field("error", error)
        writer.field("reason", reason)
        writer.field("counts", counts)
        writer.field("timing", timing)
        writer.field("usage", usage)
        writer.field("planning", planning)
    }
}
