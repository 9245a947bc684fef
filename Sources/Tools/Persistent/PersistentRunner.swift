// Keeps the processes of a persistent tool: one for each invocation at the same time, reused
// afterwards, replaced when they die. Not here: the protocol with one process (PersistentProcess).
internal import Core
internal import JSON
public import UVLoop
public import Wire

/// Runs the invocations of a tool whose processes are kept; each serves one invocation at a time.
///
/// A process gets `{"id":1,"args":{…}}` lines on its standard input and answers each with
/// `{"id":1,"output":…}` or `{"id":1,"error":…}`, where the error is a text or an object of `code`,
/// `message` and `retryable`. It ends when its input ends. Its standard error is for people. It has
/// a working folder and an environment like an executable tool, but without the variables of a
/// single invocation.
///
/// There are as many processes as there were invocations at the same time; the worker's machine
/// limits those to the tool's concurrency.
public final class PersistentRunner: ToolRunner {
    /// How long a process may take to end after its input was closed.
    public static let shutDownGrace: Duration = .seconds(2)
    /// The longest pause before a start after many processes that died without an answer.
    public static let longestPause: Duration = .seconds(5)

    /// What the worker announces of the tool.
    public let description: ToolDescription
    let loop: EventLoop
    let tool: ManifestTool
    private let environment: ProcessEnvironment
    let keeper: ProcessKeeper
    private let workerEnvironment: [String: String]
    let confinement: ToolConfinement
    private var processes: [ObjectIdentifier: PersistentProcess] = [:]
    private var idle: [PersistentProcess] = []
    /// Invocations that wait for the end of the pause, oldest first.
    private var waiting: [PersistentInvocation] = []
    /// How many processes in a row ended without an answer.
    private var deaths = 0
    /// Why the latest process ended before it had read anything; nil after an answer.
    private var startFailure: Failure?
    private var pauseEnd = Int64.min
    private var pause: Timer?
    private var lastCall = 0
    private var isShutDown = false

    /// Makes a runner of a persistent tool of a manifest; starts no process yet.
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

    /// Pipes for its input, its output and its errors.
    public var pipesPerProcess: Int { 3 }

    /// Processes wait for further invocations.
    public var keepsProcesses: Bool { true }

    /// Passes the invocation to an idle process, or starts one.
    ///
    /// A cancel ends the process, because the protocol has no cancel.
    public func start(
        _ invocation: Invocation,
        report: @escaping (ToolReport) -> Void
    ) -> any RunningInvocation {
        lastCall += 1
        let call = PersistentInvocation(
            number: lastCall,
            invocation: invocation,
            runner: self,
            report: report
        )
        assign(call)
        return call
    }

    /// Closes the input of all processes; those that have not ended get SIGTERM after a second and
    /// SIGKILL after two.
    public func shutDown() {
        isShutDown = true
        pause?.close()
        pause = nil
        let cutOff = waiting
        waiting = []
        for call in cutOff { call.finish(.failure(.shutDown(tool.description.name))) }
        for process in Array(processes.values) { process.shutDown() }
    }

    // MARK: - Processes

    private func assign(_ call: PersistentInvocation) {
        if isShutDown {
            call.finish(.failure(.shutDown(tool.description.name)))
        } else if let process = idle.popLast() {
            process.serve(call)
        } else if loop.nowNanoseconds < pauseEnd {
            // While processes fail to start, another worker may be better.
            if let startFailure {
                call.end(.refused(startFailure, isShortage: false))
            } else {
                waiting.append(call)
            }
        } else {
            startProcess(for: call)
        }
    }

    private func startProcess(for call: PersistentInvocation) {
        do {
            let process = try makeProcess()
            processes[ObjectIdentifier(process)] = process
            process.serve(call)
        } catch {
            call.end(error)
        }
    }

    private func makeProcess() throws(StartProblem) -> PersistentProcess {
        if let obstacle = confinement.obstacle { throw tool.lacksSandbox(obstacle) }
        let folder = try tool.makeFolder(of: keeper)
        var options = ChildProcess.Options(
            arguments: try tool.commandLine(.emptyObject),
            environment: environment.variables(folder: folder.path, for: nil),
            directory: folder.path,
            standardInput: .pipe
        )
        confinement.confine(&options, folder: folder.path)
        let process = PersistentProcess(runner: self, folder: folder)
        do {
            try process.spawn(options)
        } catch {
            folder.remove(loop)
            throw tool.spawnFailure(error)
        }
        return process
    }

    /// A process answered and can serve again.
    func becameIdle(_ process: PersistentProcess) {
        deaths = 0
        startFailure = nil
        pauseEnd = .min
        if waiting.isEmpty {
            idle.append(process)
        } else {
            process.serve(waiting.removeFirst())
            endPause()
        }
    }

    /// The process of the call has ended without having read anything of it.
    func reassign(_ call: PersistentInvocation) {
        call.process = nil
        assign(call)
    }

    /// A process accepts no further calls.
    func retire(_ process: PersistentProcess) {
        idle.removeAll { $0 === process }
    }

    /// A process has ended; `isDeath` if it ended by itself, or broke the protocol, before its
    /// first answer.
    func ended(_ process: PersistentProcess, isDeath: Bool) {
        retire(process)
        processes[ObjectIdentifier(process)] = nil
        guard isDeath, !isShutDown else { return }
        deaths += 1
        // The first replacement may be started at once.
        guard deaths > 1 else { return }
        let wait = min(.milliseconds(100) * (1 << min(deaths - 2, 10)), Self.longestPause)
        pauseEnd = loop.deadline(after: wait)
        let timer = pause ?? Timer(loop: loop) { [weak self] in self?.endPause() }
        pause = timer
        timer.schedule(at: pauseEnd)
    }

    private func endPause() {
        let calls = waiting
        waiting = []
        for call in calls { assign(call) }
    }

    /// A process ended before it had read anything: the call surely never ran.
    func didNotComeUp(
        _ call: PersistentInvocation,
        _ status: ChildProcess.ExitStatus,
        _ errors: OutputTail
    ) {
        var failure = confinement.failure(status, of: tool, errors, "before it read a call")
        failure.code = .spawnFailed
        startFailure = failure
        call.end(.refused(failure, isShortage: false))
    }

    /// Removes a call that no process serves yet; returns whether it was waiting.
    func withdraw(_ call: PersistentInvocation) -> Bool {
        guard let position = waiting.firstIndex(where: { $0 === call }) else { return false }
        waiting.remove(at: position)
        return true
    }
}

/// One invocation of a persistent tool.
final class PersistentInvocation: RunningInvocation {
    /// Its id in the protocol with the process.
    let number: Int
    let invocation: Invocation
    private let runner: PersistentRunner
    private var report: ((ToolReport) -> Void)?
    private var hasBegun = false
    weak var process: PersistentProcess?

    init(
        number: Int,
        invocation: Invocation,
        runner: PersistentRunner,
        report: @escaping (ToolReport) -> Void
    ) {
        self.number = number
        self.invocation = invocation
        self.runner = runner
        self.report = report
    }

    func cancel(grace: Duration) {
        if runner.withdraw(self) {
            finish(.failure(.cancelled(invocation.tool)))
        } else {
            process?.cancel(self, grace: grace)
        }
    }

    /// A process has the call; reported once, even if another process has to take over.
    func begin() {
        guard !hasBegun else { return }
        hasBegun = true
        send(.started)
    }

    func send(_ news: ToolReport) {
        report?(news)
    }

    /// The process could not be started, or ended before it had read anything of the call.
    func end(_ problem: StartProblem) {
        let last = report
        report = nil
        process = nil
        last?(problem.report(invocation.arguments))
    }

    func finish(_ outcome: Result<RawJSON, Failure>) {
        let last = report
        report = nil
        process = nil
        last?(.finished(outcome, isTruncated: false))
    }
}
