// Runs a program once for each invocation: arguments in, standard output out. Not here: one process
// (ExecutableInvocation), tools that keep a process (PersistentRunner).
internal import JSON
internal import Plans
public import UVLoop
public import Wire

/// Runs the invocations of a tool that is a program, each in a separate process.
///
/// A process gets a session, a new working folder of mode 0700 that is removed after it, and an
/// environment of `PATH`, `LANG`, `USER`, `HOME` and `TMPDIR` (both the working folder),
/// `WEFT_RUN`, `WEFT_NODE`, `WEFT_ATTEMPT` (the number of the attempt) and the manifest's
/// variables.
public final class ExecutableRunner: ToolRunner {
    /// What the worker announces of the tool.
    public let description: ToolDescription
    let loop: EventLoop
    let tool: ManifestTool
    private let environment: ProcessEnvironment
    let keeper: ProcessKeeper
    private let workerEnvironment: [String: String]
    let confinement: ToolConfinement
    private var invocations: [ObjectIdentifier: ExecutableInvocation] = [:]
    private var isShutDown = false

    /// Makes a runner of a tool of a manifest that is not persistent.
    ///
    /// - Parameters:
    ///   - loop: The loop the runner is confined to.
    ///   - tool: The tool.
    ///   - environment: The worker's own variables, of which tools get a few.
    ///   - keeper: Starts the processes; nil for a keeper of the tool's own.
    ///   - means: What makes sandboxes here; nil to find out, if the tool needs one.
    public init(
        loop: EventLoop,
        tool: ManifestTool,
        environment: [String: String] = WorkerEnvironment.current,
        keeper: ProcessKeeper? = nil,
        means: SandboxMeans? = nil
    ) {
        self.loop = loop
        self.tool = tool
        description = tool.description
        self.environment = tool.processEnvironment(environment)
        workerEnvironment = environment
        confinement = ToolConfinement(tool, environment: environment, means: means)
        self.keeper =
            keeper ?? ProcessKeeper(loop: loop, base: WorkingFolder.base(environment))
    }

    /// Tells if the program is missing, or the sandbox that the tool needs.
    public func obstacle() -> String? {
        confinement.obstacle ?? tool.obstacle(workerEnvironment)
    }

    /// Pipes for its output, its errors, and its input if it has any.
    public var pipesPerProcess: Int { tool.hasInput ? 3 : 2 }

    /// Starts a process.
    ///
    /// The group is killed when the output exceeds its limit, and by a cancel: with SIGTERM, and
    /// SIGKILL after the grace period. All processes that it has started end with it.
    public func start(
        _ invocation: Invocation,
        report: @escaping (ToolReport) -> Void
    ) -> any RunningInvocation {
        do {
            return try spawn(invocation, report)
        } catch {
            report(error.report(invocation.arguments))
            return FinishedInvocation()
        }
    }

    /// Kills the running processes.
    public func shutDown() {
        isShutDown = true
        for invocation in Array(invocations.values) { invocation.cancel(grace: .zero) }
    }

    private func spawn(
        _ invocation: Invocation,
        _ report: @escaping (ToolReport) -> Void
    ) throws(StartProblem) -> ExecutableInvocation {
        guard !isShutDown else { throw .failed(.shutDown(invocation.tool)) }
        if let obstacle = confinement.obstacle { throw tool.lacksSandbox(obstacle) }
        var options = ChildProcess.Options(arguments: try tool.commandLine(invocation.arguments))
        let folder = try tool.makeFolder(of: keeper)
        options.environment = environment.variables(folder: folder.path, for: invocation)
        options.directory = folder.path
        if let input = tool.standardInput(invocation.arguments) {
            options.standardInput = .bytes(input)
        }
        confinement.confine(&options, folder: folder.path)
        let running = ExecutableInvocation(
            runner: self,
            folder: folder,
            outputLimit: min(tool.maxOutput ?? .max, invocation.maxOutput),
            report: report
        )
        do {
            try running.spawn(options)
        } catch {
            folder.remove(loop)
            throw error.isStartUncertain
                ? tool.uncertainStart() : tool.spawnFailure(error, words: options.arguments)
        }
        invocations[ObjectIdentifier(running)] = running
        report(.started)
        return running
    }

    func ended(_ invocation: ExecutableInvocation) {
        invocations[ObjectIdentifier(invocation)] = nil
    }
}
