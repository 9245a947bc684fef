// What a worker knows of a tool: how to start an invocation of it and what it reports.
// Not here: the kinds of tools there are, and which tools a worker has (Toolbox).
public import Core
public import JSON
public import Wire

/// A tool as a worker runs it; confined to the loop it was made for.
public protocol ToolRunner: AnyObject {
    /// What the worker announces of the tool.
    var description: ToolDescription { get }

    /// Why the tool cannot run for now, in a sentence, or nil if it can, as far as can be told
    /// without trying. Looks at files, and so may differ from one call to the next.
    func obstacle() -> String?

    /// How many pipes the worker holds for each process of the tool; 0 for a tool without any.
    var pipesPerProcess: Int { get }

    /// Whether processes stay when their invocation has ended.
    var keepsProcesses: Bool { get }

    /// Starts one invocation.
    ///
    /// `report` gets any number of `started`, `output` and `progress` and then exactly one
    /// `finished` or `notStarted`, possibly before this returns; nothing after that. All of it on the loop.
    /// The arguments are taken to fit the tool's schema, see ``Toolbox/validate(arguments:for:)``.
    func start(
        _ invocation: Invocation,
        report: @escaping (ToolReport) -> Void
    ) -> any RunningInvocation

    /// Ends what the tool keeps running, soon but not at once; the invocations still under way
    /// finish with a failure. Later invocations fail.
    func shutDown()
}

extension ToolRunner {
    /// A tool that needs nothing outside the worker can always run.
    public func obstacle() -> String? { nil }

    /// A tool that is no program has no processes.
    public var pipesPerProcess: Int { 0 }

    /// Processes end with their invocation, unless the tool says otherwise.
    public var keepsProcesses: Bool { false }
}

/// An invocation under way.
public protocol RunningInvocation: AnyObject {
    /// Asks the invocation to end, and ends it by force when the grace is over.
    ///
    /// `finished` still comes, once: with the code `cancelled`, or with the outcome that the
    /// invocation had already reached. May be called more than once; the shorter grace counts.
    func cancel(grace: Duration)
}

/// One concrete call of a tool, its arguments resolved.
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
    /// Most bytes of output the coordinator takes.
    public var maxOutput: Int
    /// How long it may take; the caller keeps the time and cancels.
    public var timeout: Duration?

    /// Makes an invocation of its parts.
    public init(
        attempt: AttemptID,
        run: RunID,
        node: NodeID,
        tool: String,
        arguments: RawJSON,
        number: Int,
        maxOutput: Int,
        timeout: Duration? = nil
    ) {
        self.attempt = attempt
        self.run = run
        self.node = node
        self.tool = tool
        self.arguments = arguments
        self.number = number
        self.maxOutput = maxOutput
        self.timeout = timeout
    }
}

/// What an invocation reports.
public enum ToolReport: Sendable {
    /// The tool runs; invocations that finish at once leave it out.
    case started
    /// The tool wrote something; best effort, apart from its output proper.
    case output(ChunkStream, [UInt8])
    /// How far it is, 0 to 1, and what it is doing.
    case progress(Double?, String?)
    /// The tool could not be started; comes in place of `finished`.
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

/// The handle of an invocation that finished while it was started: there is nothing to cancel.
final class FinishedInvocation: RunningInvocation {
    func cancel(grace: Duration) {}
}
