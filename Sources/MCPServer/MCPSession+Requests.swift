// The requests of a session that are answered at once, and the beginning of calls. Not here: how
// calls go on and end (+Calls).
internal import Core
internal import JSON
package import MCP

extension MCPSession {
    mutating func handle(
        _ request: Request,
        at now: Instant,
        into actions: inout [Action]
    ) throws(JSONRPCError) {
        switch request.method {
        case MCPMethod.initialize where request.era == .legacy:
            answer(request, initialize(request), into: &actions)
        case MCPMethod.ping where request.era == .legacy:
            answer(request, .emptyObject, into: &actions)
        case MCPMethod.discover:
            try demandEra(of: request)
            answer(request, discovery, into: &actions)
        case MCPMethod.listTools:
            try demandEra(of: request)
            guard settings.exposesTools else {
                return answer(request, toolsPage(of: [], request), into: &actions)
            }
            try begin(.listTools, request, at: now, into: &actions)
        case MCPMethod.callTool:
            try demandEra(of: request)
            try call(request, at: now, into: &actions)
        case MCPMethod.listen where request.era == .modern:
            try listen(request, into: &actions)
        case MCPMethod.getTask, MCPMethod.cancelTask, MCPMethod.updateTask:
            try handleTask(request, at: now, into: &actions)
        default:
            throw JSONRPCError(.methodNotFound, "There is no method \(request.method).")
        }
    }

    func answer(_ request: Request, _ result: RawJSON, into actions: inout [Action]) {
        actions.append(.send(.result(id: request.id, result), about: request.id))
    }

    /// Refuses a request that is of no era: without a version, and before `initialize`.
    private func demandEra(of request: Request) throws(JSONRPCError) {
        guard request.era == .legacy else { return }
        guard request.method != MCPMethod.discover, legacyVersion != nil else {
            throw JSONRPCError(
                .invalidParams,
                "_meta lacks \(MCPKey.protocolVersion); clients of versions before "
                    + "\(MCPVersion.modern) begin with initialize."
            )
        }
    }

    // MARK: - Opening

    private mutating func initialize(_ request: Request) -> RawJSON {
        let asked = request.params.value(at: [.key("protocolVersion")])?.stringValue ?? ""
        let version = MCPVersion.legacy.contains(asked) ? asked : MCPVersion.newestLegacy
        legacyVersion = version
        return .object { writer in
            writer.field("protocolVersion", version)
            writer.key("capabilities")
            writer.beginObject()
            writeToolsCapability(settings.exposesTools && settings.hasStream, into: &writer)
            writer.endObject()
            writer.key("serverInfo")
            writeInfo(into: &writer)
            writer.field("instructions", Self.instructions)
        }
    }

    private var discovery: RawJSON {
        .object { writer in
            writer.field("resultType", "complete")
            writer.key("supportedVersions")
            writer.beginArray()
            writer.string(MCPVersion.modern)
            writer.endArray()
            writer.key("capabilities")
            writer.beginObject()
            writeToolsCapability(settings.exposesTools, into: &writer)
            writer.key("extensions")
            writer.beginObject()
            writer.field(MCPKey.tasks, RawJSON.emptyObject)
            writer.endObject()
            writer.endObject()
            writer.field("instructions", Self.instructions)
            Self.writeLifetime(into: &writer)
            writer.key("_meta")
            writer.beginObject()
            writer.key(MCPKey.serverInfo)
            writeInfo(into: &writer)
            writer.endObject()
        }
    }

    private static let instructions = """
        Weftline runs plans of tool calls on a cluster of workers. Find tools with search_tools, \
        then put all calls that you need into one plan for run_plan, where later calls refer to \
        outputs of earlier ones: independent calls run at the same time, and intermediate outputs \
        do not pass through you.
        """

    private func writeToolsCapability(_ tellsChanges: Bool, into writer: inout JSONWriter) {
        writer.key("tools")
        writer.beginObject()
        writer.field("listChanged", tellsChanges)
        writer.endObject()
    }

    private func writeInfo(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("name", "weft")
        writer.field("title", "Weftline")
        writer.field("version", settings.version)
        writer.endObject()
    }

    /// Says that a result is not to be kept: workers come and go.
    private static func writeLifetime(into writer: inout JSONWriter) {
        writer.field("ttlMs", 0)
        writer.field("cacheScope", "private")
    }

    // MARK: - Tools

    /// Tools in one page of a list.
    static let pageSize = 200

    /// A page of the server's own tools and then of the cluster's.
    func toolsPage(of exposed: [MCPTool], _ request: Request) -> RawJSON {
        var tools = OwnTool.allCases
            .filter { $0 != .runGoal || settings.offersGoals }
            .map(\.description)
        let isLegacy = request.era == .legacy
        tools += exposed.sorted { $0.name < $1.name }.map { isLegacy ? $0.ofLegacy : $0 }
        let cursor = request.params.value(at: [.key("cursor")])?.stringValue
        // A cursor of another server begins with the first page.
        let start = min(cursor.flatMap { Int($0) }.map { max($0, 0) } ?? 0, tools.count)
        let end = min(start + Self.pageSize, tools.count)
        return .object { writer in
            if request.era == .modern { writer.field("resultType", "complete") }
            writer.key("tools")
            writer.beginArray()
            for tool in tools[start..<end] { tool.write(into: &writer) }
            writer.endArray()
            if end < tools.count { writer.field("nextCursor", "\(end)") }
            if request.era == .modern { Self.writeLifetime(into: &writer) }
        }
    }

    private mutating func call(
        _ request: Request,
        at now: Instant,
        into actions: inout [Action]
    ) throws(JSONRPCError) {
        let name = try request.string("name")
        let arguments = try request.field("arguments") ?? .emptyObject
        guard arguments.kind == .object else {
            throw JSONRPCError(.invalidParams, "params.arguments must be an object.")
        }
        let tool: ToolRequest
        do throws(ArgumentProblems) {
            if let own = try ToolRequest(name, arguments) {
                tool = own
            } else if settings.exposesTools {
                var run = RunRequest(.tool(name: name, arguments: arguments))
                run.label = "\(ExposedCall.label)\(name)"
                tool = .run(run)
            } else {
                throw ArgumentProblems(message: "")
            }
        } catch {
            guard !error.message.isEmpty else { throw Self.unknownTool(name) }
            // The model can correct what it wrote.
            return answer(request, result(of: .failure(error.message), request.era), into: &actions)
        }
        if tool.canBeTask, let state = try request.field("requestState") {
            return try resume(request, state, at: now, into: &actions)
        }
        let asTask = request.followsTasks && tool.canBeTask
        let traced = tool.traced(request.traceParent)
        let asked = ClusterRequest.tool(traced, asTask: asTask, canAsk: request.canAsk)
        try begin(asked, request, at: now, into: &actions)
    }

    /// Goes on with a call whose client has asked its user.
    private mutating func resume(
        _ request: Request,
        _ state: RawJSON,
        at now: Instant,
        into actions: inout [Action]
    ) throws(JSONRPCError) {
        guard let run = state.stringValue.flatMap({ RunID($0) }) else {
            throw JSONRPCError(.invalidParams, "params.requestState is not one of this server.")
        }
        let answers = try request.field("inputResponses") ?? .emptyObject
        try begin(.resume(run, answers: answers), request, at: now, into: &actions)
    }

    private static func unknownTool(_ name: String) -> JSONRPCError {
        let names = OwnTool.allCases.map(\.rawValue)
        let suggestion = Suggestions.sentence(for: name, among: names)
        return JSONRPCError(
            .invalidParams,
            "Unknown tool: \(name)."
                + (suggestion.isEmpty
                    ? " Tools of the cluster are called by run_plan; search_tools finds them."
                    : suggestion)
        )
    }

    /// The error for a name that no tool has, if the cluster's tools are listed, too.
    package static func unknownTool(_ name: String, _ tools: ToolSearch) -> JSONRPCError {
        JSONRPCError(.invalidParams, "Unknown tool: \(name). \(tools.absence(of: name))")
    }

    // MARK: - Notifications

    private mutating func listen(
        _ request: Request,
        into actions: inout [Action]
    ) throws(JSONRPCError) {
        guard let wanted = try request.field("notifications"), wanted.kind == .object else {
            throw JSONRPCError(.invalidParams, "params.notifications must be an object.")
        }
        try demandNewID(request)
        guard listeners.count < Self.listenerLimit else {
            throw JSONRPCError(.internalError, "There are too many streams of notifications.")
        }
        let isTold =
            settings.exposesTools
            && wanted.value(at: [.key("toolsListChanged")])?.boolValue == true
        listeners.append(request.id)
        let params = RawJSON.object { writer in
            writer.key("notifications")
            writer.beginObject()
            if isTold { writer.field("toolsListChanged", true) }
            writer.endObject()
            writer.key("_meta")
            writer.beginObject()
            writer.field(MCPKey.subscriptionID, request.id)
            writer.endObject()
        }
        let message = JSONRPCMessage.notification(method: MCPMethod.acknowledged, params: params)
        actions.append(.send(message, about: request.id))
    }

    func demandNewID(_ request: Request) throws(JSONRPCError) {
        guard isOpen(request.id) else { return }
        throw JSONRPCError(
            .invalidRequest,
            "The id \(request.id) belongs to a request that is not answered yet."
        )
    }

    // MARK: - Tasks

    private mutating func handleTask(
        _ request: Request,
        at now: Instant,
        into actions: inout [Action]
    ) throws(JSONRPCError) {
        guard request.era == .modern else {
            throw JSONRPCError(.methodNotFound, "There is no method \(request.method).")
        }
        guard request.followsTasks else {
            throw JSONRPCError(
                .missingRequiredClientCapability,
                "The client did not declare the extension \(MCPKey.tasks) for this request.",
                data: Self.requiredCapabilities
            )
        }
        let text = try request.string("taskId")
        guard let run = RunID(text) else { throw Self.unknownTask(text) }
        let asked: ClusterRequest
        switch request.method {
        case MCPMethod.getTask: asked = .getTask(run)
        case MCPMethod.cancelTask: asked = .cancelTask(run)
        default:
            guard let answers = try request.field("inputResponses"), answers.kind == .object else {
                throw JSONRPCError(.invalidParams, "params.inputResponses must be an object.")
            }
            asked = .updateTask(run, answers: answers)
        }
        try begin(asked, request, at: now, into: &actions)
    }

    /// The error for a task that does not exist.
    package static func unknownTask(_ id: String) -> JSONRPCError {
        JSONRPCError(.invalidParams, "There is no task \(id).")
    }

    private static var requiredCapabilities: RawJSON {
        .object { writer in
            writer.key("requiredCapabilities")
            writer.beginObject()
            writer.key("extensions")
            writer.beginObject()
            writer.field(MCPKey.tasks, RawJSON.emptyObject)
            writer.endObject()
            writer.endObject()
        }
    }
}
