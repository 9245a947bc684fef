// Calls in flight: their progress, sent at least every few seconds because usual clients give up on
// silence, and their results. Not here: how they begin (+Requests).
package import Core
internal import JSON
internal import MCP
internal import Wire

/// A request that the cluster works on.
struct Call: Sendable {
    var request: Request
    var isTask = false
    var progress: Progress?
}

/// What the client of a call knows of its progress.
struct Progress: Sendable {
    var token: RawJSON
    var state = CallProgress(done: 0)
    /// Messages since the last step, so that each one says more than the one before.
    var repetitions = 0
    /// Whether there is something new to say.
    var isDue = false
    var lastSent: Instant

    /// After so long without a message, progress is sent again even if nothing is new.
    static let longestSilence = Duration.seconds(4)
    /// The shortest time between two messages.
    static let shortestPause = Duration.milliseconds(250)

    var deadline: Instant { lastSent + (isDue ? Self.shortestPause : Self.longestSilence) }
}

extension MCPSession {
    /// When `deadlineReached` is wanted; nil for never.
    package var nextDeadline: Instant? { calls.values.compactMap(\.progress?.deadline).min() }

    /// Asks the cluster on behalf of a request.
    mutating func begin(
        _ asked: ClusterRequest,
        _ request: Request,
        at now: Instant,
        into actions: inout [Action]
    ) throws(JSONRPCError) {
        try demandNewID(request)
        guard calls.count < Self.callLimit else {
            throw JSONRPCError(
                .internalError,
                "There are \(Self.callLimit) requests in flight; wait for some of them."
            )
        }
        let id = nextCall()
        var call = Call(request: request)
        if case .tool(_, let asTask, _) = asked { call.isTask = asTask }
        call.progress = request.progressToken.map { Progress(token: $0, lastSent: now) }
        calls[id] = call
        callsByRequest[request.id] = id
        actions.append(.begin(id, asked))
    }

    mutating func forget(_ id: CallID) {
        guard let call = calls.removeValue(forKey: id) else { return }
        callsByRequest[call.request.id] = nil
    }

    // MARK: - Progress

    mutating func noteProgress(
        of id: CallID,
        _ state: CallProgress,
        at now: Instant,
        into actions: inout [Action]
    ) {
        guard var progress = calls[id]?.progress else { return }
        if state.done > progress.state.done { progress.repetitions = 0 }
        progress.isDue = progress.isDue || state != progress.state
        progress.state = state
        progress.state.done = max(state.done, calls[id]?.progress?.state.done ?? 0)
        calls[id]?.progress = progress
        if progress.isDue, progress.deadline <= now {
            sendProgress(of: id, at: now, into: &actions)
        }
    }

    mutating func sendDueProgress(at now: Instant, into actions: inout [Action]) {
        let due = calls.filter { $0.value.progress.map { $0.deadline <= now } ?? false }
        for id in due.keys.sorted(by: { $0.number < $1.number }) {
            sendProgress(of: id, at: now, into: &actions)
        }
    }

    private mutating func sendProgress(
        of id: CallID,
        at now: Instant,
        into actions: inout [Action]
    ) {
        guard let call = calls[id], var progress = call.progress else { return }
        // Between two steps the value comes closer to the next one, but never reaches it.
        let fraction = Double(progress.repetitions) / Double(progress.repetitions + 1)
        let value = Double(progress.state.done) + fraction
        progress.repetitions += 1
        progress.isDue = false
        progress.lastSent = now
        calls[id]?.progress = progress
        let state = progress.state
        let params = RawJSON.object { writer in
            writer.field("progressToken", progress.token)
            if fraction == 0 {
                writer.field("progress", state.done)
            } else {
                writer.field("progress", value)
            }
            if let total = state.total, Double(total) >= value { writer.field("total", total) }
            writer.field("message", state.message)
        }
        let message = JSONRPCMessage.notification(method: MCPMethod.progress, params: params)
        actions.append(.send(message, about: call.request.id))
    }

    // MARK: - Results

    mutating func finish(
        _ id: CallID,
        _ outcome: CallOutcome,
        into actions: inout [Action]
    ) {
        // A late answer to a cancelled call.
        guard let call = calls[id] else { return }
        forget(id)
        let request = call.request
        switch outcome {
        case .tool(let result):
            answer(request, self.result(of: result, request.era), into: &actions)
        case .waiting(let run, let approvals):
            answer(request, question(about: run, approvals), into: &actions)
        case .task(let state): answer(request, document(of: state, call), into: &actions)
        case .acknowledged:
            answer(request, .object { $0.field("resultType", "complete") }, into: &actions)
        case .tools(let tools):
            let exposed = tools.compactMap { MCPTool($0.description) }
            answer(request, toolsPage(of: exposed, request), into: &actions)
        case .refused(let error):
            actions.append(.send(.error(id: request.id, error), about: request.id))
        }
    }

    func result(of result: ToolResult, _ era: MCPEra) -> RawJSON {
        var result = result
        // In the legacy era structured content is an object.
        if era == .legacy, result.structured?.kind != .object { result.structured = nil }
        return .object { writer in
            result.write(into: &writer)
            if era == .modern { writer.field("resultType", "complete") }
        }
    }

    /// The result of a call whose client has to ask its user before it goes on.
    private func question(about run: RunID, _ approvals: [ApprovalDocument]) -> RawJSON {
        .object { writer in
            writer.field("resultType", "input_required")
            writer.field("inputRequests", ApprovalForm.requests(approvals))
            writer.field("requestState", run.text)
        }
    }

    private func document(of state: TaskState, _ call: Call) -> RawJSON {
        .object { writer in
            writer.field("resultType", call.isTask ? "task" : "complete")
            state.write(into: &writer)
        }
    }
}

/// A call of one of the cluster's tools under its own name.
package enum ExposedCall {
    /// How the labels of such runs begin; the name of the tool follows.
    package static let label = "mcp tool "

    /// The tool that a run with this label calls; nil for other runs.
    package static func tool(ofLabel label: String?) -> String? {
        guard let label, label.hasPrefix(self.label) else { return nil }
        return String(label.dropFirst(self.label.count))
    }
}
