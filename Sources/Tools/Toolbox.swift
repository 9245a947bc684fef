// The tools of one worker by name, with the schemas for their arguments. Not here: where tools come
// from, how they run.
public import Core
internal import HTTP
public import JSON
internal import Schemas
public import UVLoop
public import Wire

/// The tools of one worker; confined to the loop.
public final class Toolbox {
    /// The announced tools, in the order of the runners; those of MCP servers come and go.
    public private(set) var descriptions: [ToolDescription]
    /// The loop for all tools.
    public let loop: EventLoop
    /// Called when ``descriptions`` have changed.
    public var onChange: (() -> Void)?
    /// Called with what people may want to know of the sources of tools.
    public var onNotice: ((ToolNotice) -> Void)?
    private var tools: [String: Tool]
    /// The runners that are there from the start on, and those of MCP servers.
    private let ownRunners: [any ToolRunner]
    private var runners: [any ToolRunner]
    private let keeper: ProcessKeeper?
    private let servers: ServerTools?
    private var waitsForServers: Timer?
    /// What makes sandboxes here; nil if no tool needs one.
    public private(set) var sandboxMeans: SandboxMeans?

    private struct Tool {
        var runner: any ToolRunner
        var schema: Schema
        /// Of its outputs; nil if all are good.
        var outputs: Schema?
    }

    /// Combines runners.
    ///
    /// The worker's machine enforces the concurrency of a tool, not the toolbox. Throws when two
    /// have the same name, a name is empty or too long, or a schema cannot be used. `keeper` is
    /// shared by the runners, and is shut down with them.
    public convenience init(
        loop: EventLoop,
        runners: [any ToolRunner],
        keeper: ProcessKeeper? = nil
    ) throws(ToolboxError) {
        try self.init(loop: loop, runners: runners, keeper: keeper, servers: nil)
    }

    private init(
        loop: EventLoop,
        runners: [any ToolRunner],
        keeper: ProcessKeeper?,
        servers: ServerTools?
    ) throws(ToolboxError) {
        var tools: [String: Tool] = [:]
        var problems: [String] = []
        for runner in runners {
            let name = runner.description.name
            guard (1...Limits.toolNameLength).contains(name.utf8.count) else {
                problems.append(
                    "A tool is named \"\(name)\". A name has from 1 to \(Limits.toolNameLength) bytes."
                )
                continue
            }
            guard tools[name] == nil else {
                problems.append("Two tools are named \(name). Rename or leave out one of them.")
                continue
            }
            do {
                let outputs = try runner.description.outputSchema.map {
                    try Schema(compiling: $0)
                }
                tools[name] = Tool(
                    runner: runner,
                    schema: try Schema(compiling: runner.description.parameters),
                    outputs: runner.checksOutput ? outputs : nil
                )
            } catch {
                problems.append(
                    "The schema of \(name), of its parameters or its output, cannot be used. \(error)"
                )
            }
        }
        guard problems.isEmpty else { throw ToolboxError(problems: problems) }
        self.loop = loop
        self.tools = tools
        ownRunners = runners
        self.runners = runners
        self.keeper = keeper
        self.servers = servers
        descriptions = runners.map(\.description)
        servers?.onChange = { [weak self] in self?.addServerTools() }
        servers?.onNotice = { [weak self] in self?.onNotice?($0) }
    }

    /// Makes and combines the runners of a manifest's tools, of functions and, if wanted, of the
    /// diagnostic tools; `makeTimer` makes the timers for `sleep`.
    public static func make(
        loop: EventLoop,
        manifest: Manifest? = nil,
        functions: [FunctionTool] = [],
        diagnostics: Bool = false,
        environment: [String: String] = WorkerEnvironment.current,
        makeTimer: @escaping MakeTimer = { Timer(loop: $0, onFire: $1) }
    ) throws(ToolboxError) -> Toolbox {
        var runners: [any ToolRunner]
        let programs = manifest?.tools ?? []
        let keeper = ProcessKeeper(loop: loop, base: WorkingFolder.base(environment))
        let needsSandbox =
            programs.contains { $0.sandbox != nil }
            || (manifest?.servers ?? []).contains { $0.needsSandbox }
        let means = needsSandbox ? SandboxMeans.find(environment) : nil
        runners = makeRunners(
            loop: loop,
            programs,
            environment: environment,
            keeper: keeper,
            means: means
        )
        for function in functions { runners.append(FunctionRunner(loop: loop, tool: function)) }
        if diagnostics { runners += DiagnosticTools.runners(loop: loop, makeTimer: makeTimer) }
        let entries = manifest?.servers ?? []
        let servers =
            entries.isEmpty
            ? nil
            : ServerTools(
                loop: loop,
                entries,
                environment: environment,
                keeper: keeper,
                means: means
            )
        let toolbox = try Toolbox(loop: loop, runners: runners, keeper: keeper, servers: servers)
        toolbox.sandboxMeans = means
        // In advance, so that no call waits for it; if it cannot start, the calls tell why.
        if programs.contains(where: { $0.http == nil }) || !entries.isEmpty { try? keeper.start() }
        return toolbox
    }

    private static func makeRunners(
        loop: EventLoop,
        _ tools: [ManifestTool],
        environment: [String: String],
        keeper: ProcessKeeper,
        means: SandboxMeans?
    ) -> [any ToolRunner] {
        // Tools share connections, but for those that may go elsewhere.
        var clients: [AllowedHosts?: HTTPClient] = [:]
        return tools.map { tool in
            if let http = tool.http {
                let client = clients[http.allowed] ?? HTTPClient(loop: loop)
                clients[http.allowed] = client
                return HTTPToolRunner(
                    loop: loop,
                    tool: tool,
                    http: http,
                    client: client,
                    environment: environment
                )
            }
            if tool.isPersistent {
                return PersistentRunner(
                    loop: loop,
                    tool: tool,
                    environment: environment,
                    keeper: keeper,
                    means: means
                )
            }
            return ExecutableRunner(
                loop: loop,
                tool: tool,
                environment: environment,
                keeper: keeper,
                means: means
            )
        }
    }

    // MARK: - MCP servers

    /// Starts the MCP servers and calls `then` when each has listed its tools or cannot, or has had
    /// the time that the manifest gives it; at once if there are none.
    public func prepare(then: @escaping () -> Void) {
        guard let servers, waitsForServers == nil else { return then() }
        var isWaiting = true
        let end = { [weak self] in
            guard isWaiting else { return }
            isWaiting = false
            self?.waitsForServers?.close()
            self?.servers?.keepNames()
            then()
        }
        let timer = Timer(loop: loop, onFire: end)
        waitsForServers = timer
        timer.schedule(after: servers.startTimeout)
        servers.onSettled = end
        servers.start()
    }

    /// Whether tools of MCP servers may come and go.
    public var hasServers: Bool { servers != nil }

    /// Puts the tools that servers have now beside the others.
    private func addServerTools() {
        guard let servers else { return }
        let own = Set(ownRunners.map(\.description.name))
        let room = Limits().toolsPerWorker - ownRunners.count
        let added = servers.runners(besides: own, room: room)
        let isChanged =
            added.map(\.runner.description) != descriptions.dropFirst(own.count).map { $0 }
        for name in tools.keys where !own.contains(name) { tools[name] = nil }
        for entry in added {
            tools[entry.runner.description.name] = Tool(
                runner: entry.runner,
                schema: entry.schema,
                outputs: entry.outputs
            )
        }
        runners = ownRunners + added.map { $0.runner as any ToolRunner }
        descriptions = runners.map(\.description)
        if isChanged { onChange?() }
    }

    /// The runner of a tool, or nil if there is no such tool.
    public func runner(named name: String) -> (any ToolRunner)? {
        tools[name]?.runner
    }

    /// The tools that cannot run now, in order, each with the reason; reads files.
    public func obstacles() -> [WithheldTool] {
        runners.compactMap { runner in
            runner.obstacle().map { WithheldTool(name: runner.description.name, reason: $0) }
        } + (servers?.unusable(besides: Set(tools.keys)) ?? [])
    }

    /// Whether some tools are programs or from servers, which can disappear and come back.
    public var hasPrograms: Bool { servers != nil || runners.contains { $0.pipesPerProcess > 0 } }

    /// For how many of that many slots there are descriptors; at least 1.
    ///
    /// `descriptors` may still be opened.
    public func slots(upTo slots: Int, descriptors: Int) -> Int {
        /// The descriptors for all slots: a process for each running invocation, and those of
        /// persistent tools that are kept.
        func need(_ slots: Int) -> Int {
            let running = ownRunners.map { $0.keepsProcesses ? 0 : $0.pipesPerProcess }.max() ?? 0
            let basis = running * slots + (servers?.descriptors ?? 0)
            return ownRunners.reduce(basis) { sum, runner in
                guard runner.keepsProcesses else { return sum }
                let processes = min(runner.description.concurrency ?? slots, slots)
                return sum + processes * runner.pipesPerProcess
            }
        }
        let room = descriptors - Self.reservedDescriptors
        var fitting = max(slots, 1)
        while fitting > 1, need(fitting) > room { fitting -= 1 }
        return fitting
    }

    /// The other descriptors of a worker: its connection, name look-ups, the ends of pipes that a
    /// child inherits while it is started.
    private static let reservedDescriptors = 16

    /// What is wrong with the arguments of a call, or nil if it can start.
    ///
    /// Arguments are decoded only for tools whose schema has constraints.
    public func validate(arguments: RawJSON, for name: String) -> Failure? {
        guard let tool = tools[name] else {
            return Failure(code: .unknownTool, message: "There is no tool \(name) here.")
        }
        guard arguments.kind == .object else {
            return Failure(code: .badArguments, message: "The arguments must be an object.")
        }
        guard !tool.schema.acceptsEverything else { return nil }
        let problems = tool.schema.problems(of: JSONValue(arguments))
        guard !problems.isEmpty else { return nil }
        let list = problems.map { "\($0)" }.joined(separator: "; ")
        return Failure(
            code: .badArguments,
            message: "The arguments do not fit \(name): \(list)"
        )
    }

    /// The outcome of a call, which is a failure if the output does not fit what the tool announces.
    public func checked(
        _ outcome: Result<RawJSON, Failure>,
        of name: String
    ) -> Result<RawJSON, Failure> {
        guard case .success(let output) = outcome, let schema = tools[name]?.outputs else {
            return outcome
        }
        let problems = schema.problems(of: JSONValue(output))
        guard !problems.isEmpty else { return outcome }
        let list = problems.prefix(5).map { "\($0)" }.joined(separator: "; ")
        return .failure(
            Failure(
                code: .badOutput,
                message: "The output of \(name) does not fit its schema: \(list)"
            )
        )
    }

    /// Shuts all runners down, see ``ToolRunner/shutDown()``.
    public func shutDown() {
        waitsForServers?.close()
        for runner in runners { runner.shutDown() }
        servers?.shutDown()
        keeper?.shutDown()
    }
}

@available(*, unavailable)
extension Toolbox: Sendable {}

/// The error for tools that cannot be combined.
public struct ToolboxError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong, one sentence each.
    public var problems: [String]

    /// Makes an error with these problems.
    public init(problems: [String]) {
        self.problems = problems
    }

    /// The problems, one a line.
    public var description: String { problems.joined(separator: "\n") }
}
