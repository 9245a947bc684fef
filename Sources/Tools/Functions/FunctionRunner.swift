// Runs a Swift function as a task and passes its reports and its outcome to the loop.
internal import Core
internal import JSON
public import UVLoop
public import Wire

/// Runs the invocations of a tool that is a Swift function.
public final class FunctionRunner: ToolRunner {
    /// What the worker announces of the tool.
    public let description: ToolDescription
    private let loop: EventLoop
    private let call: FunctionTool.Call
    private var invocations: [ObjectIdentifier: FunctionInvocation] = [:]
    private var isShutDown = false

    /// Makes a runner of a function.
    public init(loop: EventLoop, tool: FunctionTool) {
        self.loop = loop
        call = tool.call
        description = ToolDescription(
            name: tool.name,
            description: tool.description,
            parameters: tool.parameters,
            isIdempotent: tool.isIdempotent,
            timeoutMilliseconds: tool.timeout.map { $0.millisecondsRoundedUp },
            maxAttempts: tool.maxAttempts,
            concurrency: tool.concurrency,
            needsApproval: tool.needsApproval
        )
    }

    /// Starts the function as a task.
    public func start(
        _ invocation: Invocation,
        report: @escaping (ToolReport) -> Void
    ) -> any RunningInvocation {
        guard !isShutDown else {
            report(.failed(.shutDown(invocation.tool)))
            return FinishedInvocation()
        }
        let running = FunctionInvocation(loop: loop, tool: invocation.tool, report: report)
        let id = ObjectIdentifier(running)
        invocations[id] = running
        running.onEnd = { [weak self] in self?.invocations[id] = nil }
        running.run(invocation, call: call)
        return running
    }

    /// Cancels the running functions and does not wait for them.
    public func shutDown() {
        isShutDown = true
        for invocation in Array(invocations.values) { invocation.cancel(grace: .zero) }
    }
}

/// One call of a function.
private final class FunctionInvocation: RunningInvocation {
    var onEnd: () -> Void = {}
    private let loop: EventLoop
    private let tool: String
    private let relay = ReportRelay()
    private var report: ((ToolReport) -> Void)?
    private var work: PerformedWork?
    private var patience: Timer?

    init(loop: EventLoop, tool: String, report: @escaping (ToolReport) -> Void) {
        self.loop = loop
        self.tool = tool
        self.report = report
    }

    func run(_ invocation: Invocation, call: @escaping FunctionTool.Call) {
        report?(.started)
        let context = ToolContext(
            attempt: invocation.attempt,
            run: invocation.run,
            node: invocation.node,
            number: invocation.number,
            relay: relay
        )
        work = loop.perform {
            await outcome(of: call, invocation, context)
        } then: { outcome in
            self.finish(outcome)
        }
        awaitReports()
    }

    func cancel(grace: Duration) {
        guard report != nil else { return }
        work?.cancel()
        let patience = patience ?? Timer(loop: loop) { self.abandon() }
        self.patience = patience
        patience.schedule(after: grace)
    }

    /// One wait at a time: reports that arrive meanwhile are handled together.
    private func awaitReports() {
        let relay = relay
        loop.perform {
            await relay.wait()
        } then: {
            guard self.report != nil else { return }
            self.deliver(relay.drainReports())
            if self.report != nil { self.awaitReports() }
        }
    }

    private func deliver(_ reports: [ToolReport]) {
        for entry in reports { report?(entry) }
    }

    /// The grace period of the function is over; its result does not matter any more.
    private func abandon() {
        finish(.failure(.cancelled(tool)))
    }

    private func finish(_ outcome: Result<RawJSON, Failure>) {
        guard report != nil else { return }
        deliver(relay.close())
        let last = report
        report = nil
        patience?.close()
        patience = nil
        onEnd()
        last?(.finished(outcome, isTruncated: false))
    }
}

/// Calls the function and converts its result or error to an outcome; runs in the task.
private func outcome(
    of call: FunctionTool.Call,
    _ invocation: Invocation,
    _ context: ToolContext
) async -> Result<RawJSON, Failure> {
    do {
        let value = try await call(JSONValue(invocation.arguments), context)
        guard value.isFinite else {
            return .failure(
                Failure(
                    code: .badOutput,
                    message: "\(invocation.tool) returned a number that is not finite, which JSON"
                        + " cannot express. Return null or a text in its place."
                )
            )
        }
        let output = RawJSON(value)
        guard output.count <= invocation.maxOutput else {
            return .failure(.outputTooLarge(invocation.tool, limit: invocation.maxOutput))
        }
        return .success(output)
    } catch let failure as Failure {
        return .failure(failure)
    } catch is CancellationError {
        return .failure(.cancelled(invocation.tool))
    } catch {
        return .failure(
            Failure(
                code: .toolError,
                message: "\(invocation.tool) failed: \(error)",
                isRetryable: true
            )
        )
    }
}
