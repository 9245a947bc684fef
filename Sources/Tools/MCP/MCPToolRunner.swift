// One tool of an MCP server as a tool of the worker, and one call of it. Not here: the connection
// that carries the call (MCPHost, MCPLink).
internal import Core
internal import JSON
internal import MCP
internal import UVLoop
internal import Wire

/// Runs the calls of one tool of a server.
final class MCPToolRunner: ToolRunner {
    let description: ToolDescription
    let host: MCPHost
    /// The tool as the server lists it.
    let tool: MCPTool
    let readsJSON: Bool

    init(host: MCPHost, tool: MCPTool, named name: String) {
        self.host = host
        self.tool = tool
        description = host.entry.description(of: tool, named: name)
        readsJSON = host.entry.readsJSON(of: tool)
    }

    func obstacle() -> String? { host.obstacle }

    func start(
        _ invocation: Invocation,
        report: @escaping (ToolReport) -> Void
    ) -> any RunningInvocation {
        let call = MCPInvocation(runner: self, invocation: invocation, report: report)
        host.start(call)
        return call
    }

    /// The host is shut down by the toolbox.
    func shutDown() {}
}

/// One call of a tool of a server.
final class MCPInvocation: RunningInvocation {
    let invocation: Invocation
    private let runner: MCPToolRunner
    private var report: ((ToolReport) -> Void)?
    private var isCancelled = false
    private var hasBegun = false
    /// Whether it was sent again because the server had forgotten the session.
    private var wasSentAgain = false
    /// The connection that carries it, and its number there.
    var place: (link: MCPLink, number: Int)?
    /// What the server wrote to its standard error since the call began.
    var errors = OutputTail()

    init(
        runner: MCPToolRunner,
        invocation: Invocation,
        report: @escaping (ToolReport) -> Void
    ) {
        self.runner = runner
        self.invocation = invocation
        self.report = report
    }

    /// The name of the tool here.
    var tool: String { invocation.tool }

    /// The name of the tool for its server.
    var remoteTool: String { runner.tool.name }

    /// The most bytes of its output.
    var outputLimit: Int { invocation.maxOutput }

    /// The W3C trace context of the call.
    var traceParent: String { invocation.traceParent.text }

    /// A connection takes the call up; the second one if the first had lost its session.
    func begin() {
        if !hasBegun { send(.started) }
        hasBegun = true
    }

    func send(_ news: ToolReport) { report?(news) }

    func cancel(grace: Duration) {
        isCancelled = true
        if let place {
            place.link.cancel(place.number, grace: grace)
        } else if runner.host.withdraw(self) {
            finish(.failure(.cancelled(tool)))
        }
    }

    /// The server cannot be used here; the call has surely not run.
    func refuse(_ reason: String) {
        let failure = Failure(
            code: .spawnFailed,
            message: "\(tool) was not started: \(reason).",
            isRetryable: true
        )
        end(.notStarted(refusal(failure)))
    }

    private func refusal(_ failure: Failure) -> StartRefusal {
        StartRefusal(failure: failure, isShortage: false, arguments: invocation.arguments)
    }

    /// The call ended as the client says.
    func finish(_ outcome: MCPClientMachine.CallOutcome) {
        switch outcome {
        case .answered(let result): finish(checked(result.outcome(readsJSON: runner.readsJSON)))
        case .refused(let error): finish(.failure(failure(of: error)))
        case .unknownTool:
            refuse("the MCP server \(runner.host.entry.name) no longer has the tool \(remoteTool)")
        case .taskEnded(let words):
            var failure = Failure(code: .toolError, message: "The task of \(tool) ended: \(words).")
            failure.isRetryable = runner.description.mayBeRepeated
            finish(.failure(failure))
        case .lost(let lost) where lost.isSessionGone && !wasSentAgain && !isCancelled:
            wasSentAgain = true
            place = nil
            runner.host.start(self)
        case .lost(let lost):
            guard lost.mayHaveArrived else { return refuse(lost.reason) }
            finish(.failure(interrupted("its response did not arrive: \(lost.reason)")))
        case .cancelled: finish(.failure(.cancelled(tool)))
        }
    }

    /// The server ended while it had the call.
    func finish(serverEnded words: String) {
        guard !isCancelled else { return finish(.failure(.cancelled(tool))) }
        finish(.failure(interrupted("the MCP server \(runner.host.entry.name) ended: \(words)")))
    }

    func finish(_ outcome: Result<RawJSON, Failure>) {
        guard case .failure(var failure) = outcome else {
            return end(.finished(outcome, isTruncated: false))
        }
        if failure.stderrTail == nil { failure.stderrTail = errors.text }
        end(.finished(.failure(failure), isTruncated: false))
    }

    private func end(_ last: ToolReport) {
        let report = report
        self.report = nil
        place = nil
        report?(last)
    }

    /// A call that may have run, and whose result is not known.
    private func interrupted(_ words: String) -> Failure {
        let mayBeRepeated = runner.description.mayBeRepeated
        return Failure(
            code: mayBeRepeated ? .toolError : .outcomeUnknown,
            message: "\(tool) has no result: \(words).",
            isRetryable: mayBeRepeated
        )
    }

    private func failure(of error: JSONRPCError) -> Failure {
        let isOfArguments = error.code == JSONRPCError.Code.invalidParams.rawValue
        let isWanting =
            error.code == JSONRPCError.Code.missingRequiredClientCapability.rawValue
        var message = "\(error)"
        if isWanting, let data = error.data { message += " It needs: \(data.text)" }
        return Failure(code: isOfArguments ? .badArguments : .toolError, message: message)
    }

    /// An output that is too large or too deep is a failure.
    private func checked(_ outcome: Result<RawJSON, Failure>) -> Result<RawJSON, Failure> {
        guard case .success(let output) = outcome else { return outcome }
        if output.count > outputLimit {
            return .failure(.outputTooLarge(tool, limit: outputLimit))
        }
        guard output.depth > JSONLimits.payloadDepth else { return outcome }
        return .failure(
            Failure(
                code: .badOutput,
                message: "The output of \(tool) is nested more than \(JSONLimits.payloadDepth)"
                    + " levels deep."
            )
        )
    }
}
