// The tools with which a model uses the cluster: their names, descriptions and schemas. Not here:
// the cluster's own tools (ExposedTools), what a call does.
internal import JSON
package import MCP
internal import Schemas

/// The server's own tools.
package enum OwnTool: String, Sendable, CaseIterable {
    case runPlan = "run_plan"
    case runGoal = "run_goal"
    case submitPlan = "submit_plan"
    case getRun = "get_run"
    case cancelRun = "cancel_run"
    case searchTools = "search_tools"
    case getTool = "get_tool"

    /// How `tools/list` describes it.
    package var description: MCPTool {
        MCPTool(
            name: rawValue,
            title: title,
            description: words,
            inputSchema: .literal(inputSchema),
            outputSchema: .literal(outputSchema),
            annotations: annotations
        )
    }

    /// Checks arguments against the schema.
    func check(_ arguments: RawJSON) throws(ArgumentProblems) {
        guard let schema = try? Schema(compiling: .literal(inputSchema)) else {
            preconditionFailure("the schema of \(rawValue) is one")
        }
        let problems = schema.problems(of: JSONValue(arguments))
        guard !problems.isEmpty else { return }
        let sentences = problems.map(\.description).joined(separator: "; ")
        throw ArgumentProblems(message: "Arguments of \(rawValue): \(sentences).")
    }

    private var title: String {
        switch self {
        case .runPlan: "Run a plan of tool calls"
        case .runGoal: "Reach a goal with the cluster's tools"
        case .submitPlan: "Start a plan without waiting"
        case .getRun: "Progress and outputs of a run"
        case .cancelRun: "Cancel a run"
        case .searchTools: "Find tools of the cluster"
        case .getTool: "Describe a tool of the cluster"
        }
    }

    private var annotations: MCPTool.Annotations {
        switch self {
        case .getRun, .searchTools, .getTool:
            MCPTool.Annotations(isReadOnly: true, isIdempotent: true, isOpenWorld: false)
        case .cancelRun:
            MCPTool.Annotations(
                isReadOnly: false,
                isDestructive: false,
                isIdempotent: true,
                isOpenWorld: false
            )
        case .runPlan, .runGoal, .submitPlan:
            MCPTool.Annotations(isReadOnly: false)
        }
    }

    // MARK: - Words

    private var words: String {
        switch self {
        case .runPlan:
            """
            Runs a plan of many tool calls on the cluster in one call: calls that do not depend on \
            each other run at the same time on many workers, and intermediate outputs go from call \
            to call without coming back to you. Find the tools with search_tools first.
            A plan is {"tasks": [{"id": "t1", "tool_name": "…", "args": {…}}, …]}. In args, \
            "$t1" as a whole string is the output of task t1 with its type, "${t1.items[0].name}" \
            a part of it; inside a longer text both are put in as text; "$$" is a dollar sign. A \
            reference makes its task wait for the other one; "dependencies": ["t1"] adds an order \
            without data. Example: {"tasks": [{"id": "a", "tool_name": "search", "args": \
            {"query": "Rhine length"}}, {"id": "b", "tool_name": "summarize", "args": {"text": \
            "${a.results[0].text}"}}]}.
            Returns the outputs of the tasks on which no other task depends, or of those named in \
            outputs. A plan with mistakes is not started: the problems are listed; correct them \
            and call again. If a task fails, those that depend on it are skipped, and failures \
            says why. For work of more than a minute use submit_plan and get_run.
            """
        case .runGoal:
            """
            Lets the cluster's own language model plan and reach a goal, given in words, with the \
            cluster's tools, and returns its answer. Use run_plan if you can write the plan \
            yourself; that is faster and exact.
            """
        case .submitPlan:
            """
            Starts a plan (as for run_plan) or a goal and returns its run_id at once; the run goes \
            on whatever happens to this conversation. Ask for it with get_run.
            """
        case .getRun:
            """
            Tells how a run gets on and, when it has ended, its answer and outputs. With \
            wait_seconds it waits for the end. With node it returns the whole output of that task, \
            also of one whose output was shortened or left out; longer ones page by page with \
            offset.
            """
        case .cancelRun: "Cancels a run; tasks that run are ended. Nothing happens to an ended run."
        case .searchTools:
            """
            Finds tools of the cluster by words of what they should do, for use in run_plan. \
            Returns name, description and parameters in brief, the best first; get_tool has the \
            exact schema. Without a query it lists all tools by name.
            """
        case .getTool: "Returns everything about one tool of the cluster, with its JSON Schemas."
        }
    }

    // MARK: - Schemas

    private var inputSchema: String {
        switch self {
        case .runPlan:
            """
            {"type":"object","properties":{"plan":\(Self.planSchema),\
            "outputs":{"type":"array","items":{"type":"string"},"description":"The ids of the \
            tasks whose outputs to return, or [\\"all\\"]. Default: the tasks on which no other \
            task depends."},"join":{"enum":["outputs","llm"],"description":"llm: the \
            cluster's language model answers by the plan's join_instruction instead."},\
            "timeout_seconds":\(Self.timeoutSchema)},"required":["plan"],\
            "additionalProperties":false}
            """
        case .runGoal:
            """
            {"type":"object","properties":{\(Self.goalSchema),\
            "timeout_seconds":\(Self.timeoutSchema)},"required":["goal"],\
            "additionalProperties":false}
            """
        case .submitPlan:
            """
            {"type":"object","properties":{"plan":\(Self.planSchema),\(Self.goalSchema),\
            "outputs":{"type":"array","items":{"type":"string"},"description":"As for run_plan."},\
            "timeout_seconds":\(Self.timeoutSchema)},"additionalProperties":false}
            """
        case .getRun:
            """
            {"type":"object","properties":{"run_id":{"type":"string"},\
            "wait_seconds":{"type":"number","minimum":0,"maximum":\(ToolRequest.longestWait),\
            "description":"How long to wait for the end of the run; 0 by default."},\
            "node":{"type":"string","description":"The id of a task of the plan whose output to \
            return."},"offset":{"type":"integer","minimum":0,"description":"The character of a \
            long output with which to begin."}},"required":["run_id"],"additionalProperties":false}
            """
        case .cancelRun:
            """
            {"type":"object","properties":{"run_id":{"type":"string"},"reason":{"type":"string",\
            "maxLength":1000}},"required":["run_id"],"additionalProperties":false}
            """
        case .searchTools:
            """
            {"type":"object","properties":{"query":{"type":"string","description":"What the tool \
            should do, or words of its name or arguments."},"limit":{"type":"integer",\
            "minimum":\(ToolRequest.searchLimit.lowerBound),\
            "maximum":\(ToolRequest.searchLimit.upperBound),"description":"How many; 8 by \
            default."}},"additionalProperties":false}
            """
        case .getTool:
            """
            {"type":"object","properties":{"name":{"type":"string"}},"required":["name"],\
            "additionalProperties":false}
            """
        }
    }

    private static let planSchema = """
        {"type":["object","string"],"description":"The plan document.","properties":{"tasks":\
        {"type":"array","items":{"type":"object","properties":{"id":{"type":["string","integer"],\
        "description":"Its name in the plan: letters, digits, _ and -."},"tool_name":\
        {"type":"string"},"args":{"type":"object","description":"The arguments of the tool; \
        strings may refer to outputs of other tasks."},"dependencies":{"type":"array","items":\
        {"type":["string","integer"]},"description":"Tasks that must succeed first, beside those \
        that args refer to."},"timeout_ms":{"type":"integer"},"max_attempts":{"type":"integer"},\
        "requires":{"type":"object","description":"Labels that the worker must have."}},\
        "required":["id","tool_name"]}},"join_instruction":{"type":"string"}}}
        """

    private static let goalSchema = """
        "goal":{"type":"string","description":"What is wanted, in words, for the cluster's \
        language model to plan."},"tools":{"type":"array","items":{"type":"string"},\
        "description":"The tools that a plan for the goal may use; all by default."}
        """

    private static let timeoutSchema = """
        {"type":"number","exclusiveMinimum":0,"maximum":1000000,"description":"The run fails if \
        it takes longer."}
        """

    private var outputSchema: String {
        switch self {
        case .runPlan, .runGoal, .submitPlan, .getRun, .cancelRun: Self.runSchema
        case .searchTools:
            """
            {"type":"object","properties":{"tools":{"type":"array","items":{"type":"object",\
            "properties":{"name":{"type":"string"},"description":{"type":"string"},"parameters":\
            {"type":"object"}},"required":["name"]}},"total":{"type":"integer"}},\
            "required":["tools","total"]}
            """
        case .getTool:
            """
            {"type":"object","properties":{"name":{"type":"string"},"description":\
            {"type":"string"},"parameters":{"type":"object"}},"required":["name"]}
            """
        }
    }

    private static let runSchema = """
        {"type":"object","properties":{"run":{"type":"string","description":"The id of the run."},\
        "status":{"enum":["refused","running","succeeded","failed","cancelled"]},"answer":\
        {"description":"The answer of the language model that joined the outputs."},"outputs":\
        {"type":"object","description":"Outputs by task."},"shortened":{"type":"array","items":\
        {"type":"string"},"description":"Tasks whose outputs are shortened or left out here."},\
        "failures":{"type":"array","items":{"type":"object","properties":{"node":\
        {"type":"string"},"tool":{"type":"string"},"code":{"type":"string"},"message":\
        {"type":"string"}}}},"problems":{"type":"array","items":{"type":"object"}},"counts":\
        {"type":"object"},"reason":{"type":"string"},"hint":{"type":"string"}},\
        "required":["status"]}
        """
}

extension RawJSON {
    /// JSON that this program contains.
    static func literal(_ text: String) -> RawJSON {
        guard let json = try? RawJSON(validating: text) else {
            preconditionFailure("a text of this program is JSON: \(text)")
        }
        return json
    }
}
