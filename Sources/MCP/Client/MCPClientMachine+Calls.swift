// Calls of tools: their requests, progress, cancelling, and the tasks that servers make of them.
internal import Core
internal import JSON

extension MCPClientMachine {
    /// A call under way.
    struct CallState {
        var tool: String
        var request: Int
        /// The task that the server made of it.
        var task: String?
        /// When the server is asked for the state of the task.
        var asksAgainAt: Instant?
        var pollInterval: Duration = .seconds(1)
        var isCancelled = false
        /// The request that shows whether the server is alive after a cancel.
        var aliveRequest: Int?
        /// When a cancelled call ends at the latest.
        var endsAt: Instant?
    }

    // MARK: - Beginning

    mutating func begin(_ call: Call, into actions: inout [Action]) {
        precondition(isReady, "a call needs a server that is ready")
        lastRequest += 1
        calls[call.number] = CallState(tool: call.tool, request: lastRequest)
        callsByRequest[lastRequest] = call.number
        var writer = JSONWriter(reserving: call.arguments.count + 512)
        writer.beginObject()
        writer.field("name", call.tool)
        writer.field("arguments", call.arguments)
        writeMeta(
            of: lastRequest,
            traceParent: call.traceParent,
            isOfModernEra: isModern,
            into: &writer
        )
        writer.endObject()
        var outgoing = Outgoing(
            message: .request(
                id: RawJSON(lastRequest),
                method: MCPMethod.callTool,
                params: RawJSON(trusted: writer.bytes[...])
            ),
            request: lastRequest
        )
        outgoing.headers = headers(of: MCPMethod.callTool, isOfModernEra: isModern)
        if configuration.usesHTTP, isModern {
            outgoing.headers.append(("Mcp-Name", MCPHeader.encode(call.tool)))
            for (header, argument) in headerArguments[call.tool] ?? [] {
                guard let value = call.arguments.value(at: [.key(argument)]) else { continue }
                let text = value.stringValue ?? value.text
                outgoing.headers.append((header, MCPHeader.encode(text)))
            }
        }
        actions.append(.send(outgoing))
    }

    // MARK: - Responses

    mutating func handleCallResponse(
        _ number: Int,
        _ response: Result<RawJSON, JSONRPCError>,
        at now: Instant,
        into actions: inout [Action]
    ) {
        guard let call = calls[number] else { return }
        if call.isCancelled { return finish(number, .cancelled, into: &actions) }
        switch response {
        case .failure(let error):
            guard error.meansUnknownTool(call.tool) else {
                return finish(number, .refused(error), into: &actions)
            }
            handleUnknownTool(number, at: now, into: &actions)
        case .success(let result):
            handleResult(number, result, at: now, into: &actions)
        }
    }

    private mutating func handleResult(
        _ number: Int,
        _ result: RawJSON,
        at now: Instant,
        into actions: inout [Action]
    ) {
        guard let fields = try? JSONFields(result) else {
            return finish(number, .refused(.unreadable("is not an object")), into: &actions)
        }
        switch fields["resultType"]?.stringValue ?? "complete" {
        case "complete":
            let result = MCPCallResult(fields)
            if let tool = calls[number]?.tool, result.meansUnknownTool(tool) {
                return handleUnknownTool(number, at: now, into: &actions)
            }
            finish(number, .answered(result), into: &actions)
        case "task":
            follow(number, fields, at: now, into: &actions)
        case "input_required":
            finish(number, .refused(.wantsInput(result)), into: &actions)
        case let type:
            finish(number, .refused(.unreadable("has the type \"\(type)\"")), into: &actions)
        }
    }

    private mutating func handleUnknownTool(
        _ number: Int,
        at now: Instant,
        into actions: inout [Action]
    ) {
        finish(number, .unknownTool, into: &actions)
        list(at: now, into: &actions)
    }

    mutating func finish(_ number: Int, _ outcome: CallOutcome, into actions: inout [Action]) {
        guard let call = calls.removeValue(forKey: number) else { return }
        callsByRequest[call.request] = nil
        for (id, request) in requests where request.kind == .getTask(call: number) {
            requests[id] = nil
        }
        actions.append(.finished(call: number, outcome))
        endIfSessionGone(into: &actions)
    }

    private mutating func noteSessionGone(into actions: inout [Action]) {
        guard !isSessionGone else { return }
        isSessionGone = true
        actions.append(.sessionGone)
    }

    private mutating func endIfSessionGone(into actions: inout [Action]) {
        guard isSessionGone, calls.isEmpty, phase != .failed else { return }
        fail("its session has ended", into: &actions)
    }

    mutating func handleLost(
        _ id: Int,
        _ lost: LostResponse,
        at now: Instant,
        into actions: inout [Action]
    ) {
        if let number = callsByRequest[id] {
            if lost.isSessionGone { noteSessionGone(into: &actions) }
            let isCancelled = calls[number]?.isCancelled ?? false
            return finish(number, isCancelled ? .cancelled : .lost(lost), into: &actions)
        }
        guard let request = requests.removeValue(forKey: id) else { return }
        if lost.isSessionGone, facts != nil {
            noteSessionGone(into: &actions)
            return endIfSessionGone(into: &actions)
        }
        switch request.kind {
        case .discover where lost.mayHaveArrived:
            // Servers of the legacy era refuse the request in many ways.
            handleDiscovered(
                .failure(JSONRPCError(code: 0, message: lost.reason)),
                at: now,
                into: &actions
            )
        case .discover, .initialize: fail(lost.reason, into: &actions)
        case .list: notListed(lost.reason, at: now, into: &actions)
        case .listen: listenAgainAt = now + .seconds(5)
        case .isAlive: finishCancelledCalls(askedBy: id, into: &actions)
        case .getTask(let call): calls[call]?.asksAgainAt = now + .seconds(1)
        case .cancelTask(let call): finish(call, .cancelled, into: &actions)
        }
    }

    // MARK: - Tasks

    /// The server has made a task of a call: it is asked for the task's state as often as it says.
    private mutating func follow(
        _ number: Int,
        _ fields: JSONFields,
        at now: Instant,
        into actions: inout [Action]
    ) {
        guard let task = fields["taskId"]?.stringValue else {
            return finish(number, .refused(.unreadable("lacks its taskId")), into: &actions)
        }
        calls[number]?.task = task
        poll(number, fields, at: now)
    }

    private mutating func poll(_ number: Int, _ fields: JSONFields, at now: Instant) {
        if let milliseconds = fields["pollIntervalMs"]?.doubleValue {
            calls[number]?.pollInterval = .milliseconds(Int64(min(max(milliseconds, 20), 60_000)))
        }
        guard let interval = calls[number]?.pollInterval else { return }
        calls[number]?.asksAgainAt = now + interval
    }

    mutating func handleTask(
        _ number: Int,
        _ response: Result<RawJSON, JSONRPCError>,
        at now: Instant,
        into actions: inout [Action]
    ) {
        guard calls[number] != nil else { return }
        guard case .success(let result) = response, let fields = try? JSONFields(result) else {
            let reason = if case .failure(let error) = response { "\(error)" } else { "unreadable" }
            return finish(number, .taskEnded(reason), into: &actions)
        }
        switch fields["status"]?.stringValue {
        case "completed":
            guard let result = fields["result"] else {
                return finish(number, .taskEnded("it has no result"), into: &actions)
            }
            handleResult(number, result, at: now, into: &actions)
        case "failed":
            let error = fields["error"].map { JSONRPCError($0) }
            finish(number, .refused(error ?? .unreadable("lacks its error")), into: &actions)
        case "cancelled":
            finish(number, .taskEnded("it was cancelled by the server"), into: &actions)
        case "input_required":
            cancelTask(number, at: now, into: &actions)
            finish(number, .refused(.wantsInput(result)), into: &actions)
        default:
            if let note = fields["statusMessage"]?.stringValue {
                actions.append(.progressed(call: number, nil, note))
            }
            poll(number, fields, at: now)
        }
    }

    private mutating func cancelTask(
        _ number: Int,
        at now: Instant,
        into actions: inout [Action]
    ) {
        guard let task = calls[number]?.task else { return }
        request(
            .cancelTask(call: number),
            MCPMethod.cancelTask,
            deadline: now + configuration.aliveTimeout,
            into: &actions
        ) { $0.field("taskId", task) }
    }

    // MARK: - Cancelling

    mutating func cancel(
        _ number: Int,
        grace: Duration,
        at now: Instant,
        into actions: inout [Action]
    ) {
        guard let call = calls[number] else { return }
        let endsAt = now + grace
        calls[number]?.endsAt = min(call.endsAt ?? endsAt, endsAt)
        guard !call.isCancelled else { return }
        calls[number]?.isCancelled = true
        calls[number]?.asksAgainAt = nil
        if call.task != nil {
            return cancelTask(number, at: now, into: &actions)
        }
        // By HTTP, breaking off the response is the cancel of the modern era.
        if !(configuration.usesHTTP && isModern) {
            notify(MCPMethod.cancelled, into: &actions) { writer in
                writer.field("requestId", call.request)
                writer.field("reason", "The result is no longer wanted.")
            }
        }
        if configuration.usesHTTP {
            actions.append(.abandon(request: call.request))
            return finish(number, .cancelled, into: &actions)
        }
        // Most servers say nothing further about the call: whether they are alive is asked.
        request(
            .isAlive,
            isModern ? MCPMethod.discover : MCPMethod.ping,
            deadline: now + max(configuration.aliveTimeout, grace),
            into: &actions
        )
        calls[number]?.aliveRequest = lastRequest
    }

    /// The server has answered since these calls were cancelled, so it knows of that.
    mutating func finishCancelledCalls(askedBy request: Int, into actions: inout [Action]) {
        for number in calls.keys.sorted() where calls[number]?.aliveRequest == request {
            finish(number, .cancelled, into: &actions)
        }
    }

    mutating func handleCallDeadlines(at now: Instant, into actions: inout [Action]) {
        for number in calls.keys.sorted() {
            guard let call = calls[number] else { continue }
            if let endsAt = call.endsAt, now >= endsAt {
                finish(number, .cancelled, into: &actions)
            } else if let time = call.asksAgainAt, now >= time, let task = call.task {
                calls[number]?.asksAgainAt = nil
                request(
                    .getTask(call: number),
                    MCPMethod.getTask,
                    deadline: now + configuration.startTimeout,
                    into: &actions
                ) { $0.field("taskId", task) }
            }
        }
    }
}

extension JSONRPCError {
    /// Whether the error is the answer of servers that do not know a tool.
    fileprivate func meansUnknownTool(_ tool: String) -> Bool {
        guard code == Code.invalidParams.rawValue || code == Code.methodNotFound.rawValue else {
            return false
        }
        let words = message.lowercased()
        return words.contains("unknown tool")
            || words.contains("tool") && words.contains("not found")
    }

    fileprivate static func unreadable(_ how: String) -> JSONRPCError {
        JSONRPCError(.internalError, "The server's result \(how).")
    }

    /// A server that asks a person something cannot be answered here.
    fileprivate static func wantsInput(_ result: RawJSON) -> JSONRPCError {
        var question = ""
        result.value(at: [.key("inputRequests")])?.forEachField { _, request in
            let message = request.value(at: [.key("params"), .key("message")])?.stringValue
            if question.isEmpty, let message { question = ": \"\(message)\"" }
        }
        return JSONRPCError(
            .internalError,
            "The tool asks for input\(question). Here there is no one to answer; give it what it"
                + " needs in its arguments."
        )
    }
}
