// Tools that are Swift functions: their declaration and the context of a call. Not here: running
// them (FunctionRunner).
public import Core
public import JSON
internal import UVLoop
internal import Wire

/// A tool that is a Swift function.
public struct FunctionTool: Sendable {
    /// The function: arguments in, output out.
    public typealias Call = @Sendable (JSONValue, ToolContext) async throws -> JSONValue

    /// The name plans use.
    public var name: String
    /// What the tool does, for the planner and for people.
    public var description: String
    /// JSON Schema of the arguments.
    public var parameters: RawJSON
    /// Whether starting it twice does no harm.
    public var isIdempotent: Bool
    /// How long one attempt may take.
    public var timeout: Duration?
    /// How many attempts a node of this tool gets.
    public var maxAttempts: Int?
    /// How many invocations of it may run at the same time on one worker.
    public var concurrency: Int?
    /// Whether a person has to approve each node before it runs.
    public var needsApproval: Bool
    /// The function.
    public var call: Call

    /// Makes a tool of a function.
    ///
    /// The function runs as a `Task`, off the loop. An error fails the invocation: a `Failure`
    /// unchanged, any other error as a retryable `tool_error` with its description. A cancelled
    /// invocation cancels the task; a function that ignores this is abandoned after the grace
    /// period, and its result is dropped.
    public init(
        name: String,
        description: String,
        parameters: RawJSON = .emptyObject,
        isIdempotent: Bool = false,
        timeout: Duration? = nil,
        maxAttempts: Int? = nil,
        concurrency: Int? = nil,
        needsApproval: Bool = false,
        _ call: @escaping Call
    ) {
        self.name = name
        self.description = description
        self.parameters = parameters
        self.isIdempotent = isIdempotent
        self.timeout = timeout
        self.maxAttempts = maxAttempts
        self.concurrency = concurrency
        self.needsApproval = needsApproval
        self.call = call
    }
}

/// The context of an invocation for a function tool, with which it reports while it runs.
public struct ToolContext: Sendable {
    /// The attempt.
    public let attempt: AttemptID
    /// The run the attempt belongs to.
    public let run: RunID
    /// The node the attempt belongs to.
    public let node: NodeID
    /// The number of the attempt, from 1.
    public let number: Int
    let relay: ReportRelay

    /// Whether the invocation was cancelled; the function should then end soon.
    public var isCancelled: Bool { Task.isCancelled }

    /// Reports progress, 0 to 1, with a message; renews the lease.
    public func report(progress fraction: Double?, note: String? = nil) {
        relay.add(.progress(fraction.map { min(max($0, 0), 1) }, note))
    }

    /// Sends text to watchers of the run; best effort, and not part of the output.
    public func emit(_ text: String) {
        relay.add(.output(.standardOutput, Array(text.utf8)))
    }

    /// Sends a line to watchers of the run, separate from the text of ``emit(_:)``.
    public func log(_ line: String) {
        relay.add(.output(.standardError, Array((line + "\n").utf8)))
    }
}

/// Passes the reports of a function from its task to the loop, in order.
///
/// The loop waits in ``wait()`` for reports while the function runs, and reads the remaining ones
/// when it has ended. Reports of a function that is done are dropped.
final class ReportRelay: Sendable {
    private struct State {
        var reports: [ToolReport] = []
        var waiter: CheckedContinuation<Void, Never>?
        var isClosed = false
    }

    private let state = Locked(State())

    /// Adds a report and wakes the loop.
    func add(_ report: ToolReport) {
        let waiter = state.withLock { state in
            guard !state.isClosed else { return nil as CheckedContinuation<Void, Never>? }
            state.reports.append(report)
            return state.waiter.take()
        }
        waiter?.resume()
    }

    /// Accepts no further reports, ends the wait and returns the remaining reports.
    func close() -> [ToolReport] {
        let (waiter, rest) = state.withLock { state in
            state.isClosed = true
            defer { state.reports = [] }
            return (state.waiter.take(), state.reports)
        }
        waiter?.resume()
        return rest
    }

    /// Waits until there are reports, or the relay is closed.
    ///
    /// Removes none: reports removed off the loop could get there after the outcome.
    func wait() async {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if state.isClosed || !state.reports.isEmpty { return true }
                state.waiter = continuation
                return false
            }
            if isReady { continuation.resume() }
        }
    }

    /// Removes and returns the reports so far.
    func drainReports() -> [ToolReport] {
        state.withLock { state in
            defer { state.reports = [] }
            return state.reports
        }
    }
}
