// What a client asks for by calling a tool, read and checked. Not here: the tools' descriptions
// (OwnTools), doing it.
package import Core
package import JSON
internal import Plans
internal import Schemas
package import Wire

/// A call of one of the server's tools.
package enum ToolRequest: Sendable, Equatable {
    /// Runs something and waits for its end.
    case run(RunRequest)
    /// Runs something and returns the id of its run.
    case submit(RunRequest)
    /// Asks how a run gets on.
    case getRun(RunQuery)
    /// Cancels a run.
    case cancelRun(RunID, reason: String?)
    /// Finds tools of the cluster.
    case searchTools(query: String, limit: Int)
    /// Describes a tool of the cluster.
    case getTool(name: String)

    /// Whether a client that can follow tasks gets one for it.
    package var canBeTask: Bool {
        if case .run = self { true } else { false }
    }

    /// The same, with the span of the call for what it runs.
    func traced(_ parent: TraceParent?) -> ToolRequest {
        switch self {
        case .run(var run):
            run.traceParent = parent
            return .run(run)
        case .submit(var run):
            run.traceParent = parent
            return .submit(run)
        case .getRun, .cancelRun, .searchTools, .getTool: return self
        }
    }
}

/// What a run is made of.
package struct RunRequest: Sendable, Equatable {
    /// A plan, a goal or one call.
    package enum Content: Sendable, Equatable {
        /// A plan document.
        case plan(RawJSON)
        /// A goal to plan.
        case goal(String)
        /// One call of a tool of the cluster, with literal arguments.
        case tool(name: String, arguments: RawJSON)
    }

    /// A plan, a goal or one call.
    package var content: Content
    /// How outputs become the answer; nil for outputs by node.
    package var join: JoinKind?
    /// Which outputs are returned.
    package var outputs = WantedOutputs.ends
    /// How long it may take.
    package var timeLimit: Duration?
    /// The tools that it may use; nil for all.
    package var tools: [String]?
    /// A name for people.
    package var label: String?
    /// The span of the call, in the trace of its client.
    package var traceParent: TraceParent?

    /// Makes a request.
    package init(_ content: Content) { self.content = content }
}

extension RunRequest {
    /// The plan that is a single call.
    package static func plan(calling tool: String, _ arguments: RawJSON) -> RawJSON {
        .object { writer in
            writer.key("tasks")
            writer.beginArray()
            writer.beginObject()
            writer.field("id", "call")
            writer.field("tool_name", tool)
            writer.field("args", LiteralArguments.of(arguments))
            writer.endObject()
            writer.endArray()
        }
    }
}

extension WantedOutputs {
    /// The same, with the names of the nodes if they are those on which no other node depends.
    package func resolved(in plan: RawJSON) -> WantedOutputs {
        guard case .ends = self, let plan = try? Plan(reading: plan.bytes) else { return self }
        let dependencies = Set(plan.edges.map(\.dependency))
        return .only(
            (0..<plan.count).filter { !dependencies.contains($0) }.map { plan[$0].id.text }
        )
    }
}

/// Which outputs of a run its client wants to see.
package enum WantedOutputs: Sendable, Equatable {
    /// Those of nodes on which no other node depends.
    case ends
    /// Those of these nodes.
    case only([String])
    /// All of them, as far as there is room.
    case all
    /// None, because the answer says it all.
    case none
}

/// A question about a run.
package struct RunQuery: Sendable, Equatable {
    /// Which run.
    package var run: RunID
    /// How long to wait for its end.
    package var wait = Duration.zero
    /// The node whose output is wanted; nil for the run as a whole.
    package var node: NodeID?
    /// The character of the output with which to begin.
    package var offset = 0

    /// Asks about a run.
    package init(run: RunID) { self.run = run }
}

/// Arguments that do not fit their tool.
package struct ArgumentProblems: Error, Equatable {
    /// What is wrong, in sentences for a model.
    package var message: String
}

extension ToolRequest {
    /// The longest time that `get_run` waits, in seconds: usual clients give up after a minute.
    package static let longestWait = 50
    /// How many tools a search finds.
    package static let searchLimit = 1...50

    /// Reads the arguments of a call; nil if the name is not that of one of the server's own tools.
    package init?(_ name: String, _ arguments: RawJSON) throws(ArgumentProblems) {
        guard let tool = OwnTool(rawValue: name) else { return nil }
        try tool.check(arguments)
        let value = JSONValue(arguments)
        switch tool {
        case .runPlan: self = .run(try Self.planRequest(arguments, value, label: tool))
        case .runGoal: self = .run(try Self.goalRequest(value, label: tool))
        case .submitPlan:
            let isGoal = value["goal"] != nil
            guard isGoal != (value["plan"] != nil) else {
                throw ArgumentProblems(message: "Give either plan or goal.")
            }
            self = .submit(
                try isGoal
                    ? Self.goalRequest(value, label: tool)
                    : Self.planRequest(arguments, value, label: tool)
            )
        case .getRun: self = .getRun(try Self.query(value))
        case .cancelRun:
            self = .cancelRun(try Self.run(value), reason: value["reason"]?.stringValue)
        case .searchTools:
            self = .searchTools(
                query: value["query"]?.stringValue ?? "",
                limit: value["limit"]?.intValue ?? 8
            )
        case .getTool: self = .getTool(name: value["name"]?.stringValue ?? "")
        }
    }

    private static func planRequest(
        _ arguments: RawJSON,
        _ value: JSONValue,
        label: OwnTool
    ) throws(ArgumentProblems) -> RunRequest {
        var plan = arguments.value(at: [.key("plan")]) ?? .null
        // Some models write the document as a text.
        if let text = plan.stringValue {
            do {
                plan = try RawJSON(validating: text)
            } catch {
                throw ArgumentProblems(message: "The plan is not JSON: \(error)")
            }
        }
        var request = RunRequest(.plan(plan))
        request.label = "mcp \(label.rawValue)"
        if let text = value["join"]?.stringValue, let join = JoinKind(rawValue: text) {
            request.join = join
        }
        if let names = value["outputs"]?.arrayValue {
            let names = names.compactMap(\.stringValue)
            request.outputs = names == ["all"] ? .all : .only(names)
        } else if request.join == .llm {
            request.outputs = .none
        }
        request.timeLimit = timeLimit(value)
        return request
    }

    private static func goalRequest(
        _ value: JSONValue,
        label: OwnTool
    ) throws(ArgumentProblems) -> RunRequest {
        let goal = value["goal"]?.stringValue ?? ""
        guard (1...Limits.goalLength).contains(goal.utf8.count) else {
            throw ArgumentProblems(message: "A goal has from 1 to \(Limits.goalLength) bytes.")
        }
        var request = RunRequest(.goal(goal))
        request.label = "mcp \(label.rawValue)"
        request.join = .llm
        request.outputs = .none
        request.tools = value["tools"]?.arrayValue?.compactMap(\.stringValue)
        request.timeLimit = timeLimit(value)
        return request
    }

    private static func timeLimit(_ value: JSONValue) -> Duration? {
        value["timeout_seconds"]?.doubleValue.map { .milliseconds(max(1, Int($0 * 1_000))) }
    }

    private static func query(_ value: JSONValue) throws(ArgumentProblems) -> RunQuery {
        var query = RunQuery(run: try run(value))
        query.wait = .milliseconds(Int((value["wait_seconds"]?.doubleValue ?? 0) * 1_000))
        query.offset = value["offset"]?.intValue ?? 0
        if let text = value["node"]?.stringValue {
            guard let node = NodeID(text) else {
                throw ArgumentProblems(message: "\(text) is no id of a task of a plan.")
            }
            query.node = node
        }
        return query
    }

    private static func run(_ value: JSONValue) throws(ArgumentProblems) -> RunID {
        let text = value["run_id"]?.stringValue ?? ""
        guard let run = RunID(text) else {
            throw ArgumentProblems(
                message: "\"\(text)\" is no id of a run; submit_plan and run_plan return them."
            )
        }
        return run
    }
}
