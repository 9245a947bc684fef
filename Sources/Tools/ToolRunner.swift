// The interface of a worker to a tool: starting an invocation and its reports. Not here: the kinds
// of tools, and which tools a worker has (Toolbox).
public import Core
public import JSON
public import Wire

/// A tool as a worker runs it; confined to the loop it was made for.
public protocol ToolRunner: AnyObject {
    /// What the worker announces of the tool.
    var description: ToolDescription { get }

    /// Why the tool cannot run now, as a sentence, or nil if it can, as far as known without a try.
    ///
    /// Reads files, so it may differ from one call to the next.
    func obstacle() -> String?

    /// How many pipes the worker holds for each process of the tool; 0 for a tool without any.
    var pipesPerProcess: Int { get }

    /// Whether outputs must fit the schema that the description has for them.
    var checksOutput: Bool { get }

    /// Whether processes are kept when their invocation has ended.
    var keepsProcesses: Bool { get }

    /// Starts one invocation.
    ///
    /// `report` gets any number of `started`, `output` and `progress` and then exactly one
    /// `finished` or `notStarted`, possibly before this returns; nothing after that. All calls are
    /// on the loop. The arguments must fit the tool's schema, see
    /// ``Toolbox/validate(arguments:for:)``.
    func start(
        _ invocation: Invocation,
        report: @escaping (ToolReport) -> Void
    ) -> any RunningInvocation

    /// Ends the processes of the tool soon, but not at once; running invocations finish with a
    /// failure.
    ///
    /// Later invocations fail.
    func shutDown()
}

extension ToolRunner {
    /// A tool that needs nothing outside the worker can always run.
    public func obstacle() -> String? { nil }

    /// A tool that is not a program has no processes.
    public var pipesPerProcess: Int { 0 }

    /// A schema that is announced is kept to, unless the tool says otherwise.
    public var checksOutput: Bool { true }

    /// Processes end with their invocation, unless the tool says otherwise.
    public var keepsProcesses: Bool { false }
}

/// A running invocation.
public protocol RunningInvocation: AnyObject {
    /// Asks the invocation to end, and ends it by force after the grace period.
    ///
    /// `finished` still comes, once: with the code `cancelled`, or with the outcome that was
    /// already reached. May be called more than once; the shorter grace period counts.
    func cancel(grace: Duration)
}

/// One call of a tool, with resolved arguments.
public struct Invocation: Sendable, Equatable {
    /// The attempt it belongs to.
    public var attempt: AttemptID
    /// The run it belongs to.
    public var run: RunID
    /// The node it belongs to.
    public var node: NodeID
    /// The name of the tool.
    public var tool: String
    /// The arguments, an object.
    public var arguments: RawJSON
    /// The number of the attempt, from 1.
    public var number: Int
    /// The most bytes of output that the coordinator accepts.
    public var maxOutput: Int
    /// How long it may take; the caller measures the time and cancels.
    public var timeout: Duration?
    /// The span of the attempt, if the coordinator named it.
    private let namedTraceParent: TraceParent?

    /// The span of the attempt, for what the tool calls.
    public var traceParent: TraceParent {
        namedTraceParent ?? TraceContext.parent(run: run, attempt: attempt)
    }

    /// Makes an invocation.
    public init(
        attempt: AttemptID,
        run: RunID,
        node: NodeID,
        tool: String,
        arguments: RawJSON,
        number: Int,
        maxOutput: Int,
        timeout: Duration? = nil,
        traceParent: TraceParent? = nil
    ) {
        self.attempt = attempt
        self.run = run
        self.node = node
        self.tool = tool
        self.arguments = arguments
        self.number = number
        self.maxOutput = maxOutput
        self.timeout = timeout
        namedTraceParent = traceParent
    }
}

/// What an invocation reports.
public enum ToolReport: Sendable {
    /// The tool runs; invocations that finish at once leave it out.
    case started
    /// The tool wrote something; best effort, and not its output.
    case output(ChunkStream, [UInt8])
    /// Its progress, 0 to 1, and what it is doing.
    case progress(Double?, String?)
    /// The tool could not be started; comes instead of `finished`.
    case notStarted(StartRefusal)
    /// The outcome, and whether the output was cut short.
    case finished(Result<RawJSON, Failure>, isTruncated: Bool)
}

extension ToolReport {
    /// Finished with an output.
    static func succeeded(_ output: RawJSON) -> ToolReport {
        .finished(.success(output), isTruncated: false)
    }

    /// Finished with a failure.
    static func failed(_ failure: Failure) -> ToolReport {
        .finished(.failure(failure), isTruncated: false)
    }
}

/// The handle of an invocation that finished while it was started; cancelling does nothing.
final class FinishedInvocation: RunningInvocation {
    func cancel(grace: Duration) {}
}
