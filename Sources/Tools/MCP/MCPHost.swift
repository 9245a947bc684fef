// One MCP server of a manifest on a worker: its connections, its tools, and the calls that wait for
// one of the connections. Not here: keeping a connection up (MCPLink), the names of the tools in
// the toolbox.
internal import Core
internal import DequeModule
internal import HTTP
internal import JSON
internal import MCP
internal import UVLoop

/// A server whose tools a worker offers; confined to the loop.
final class MCPHost {
    /// How long a process may take to end after its input was closed.
    static let shutDownGrace: Duration = .seconds(2)
    private static let mostEarlyLines = 20

    let loop: EventLoop
    let entry: MCPServerEntry
    let configuration: MCPClientMachine.Configuration
    private let environment: [String: String]
    private let keeper: ProcessKeeper
    private let httpClient: HTTPClient?
    private let confinement: ToolConfinement?
    private var links: [MCPLink] = []
    /// Calls that wait for a connection, oldest first.
    private var waiting: Deque<MCPInvocation> = []
    private var isShutDown = false
    private var hasSaidGreeting = false
    private var errorLines = MCPErrorLines()
    /// The failure that was said last; the same one is not said again until it was ready.
    private var saidFailure: String?
    /// What it wrote since it was started, until it is ready: of interest only if it never is.
    private var earlyLines: [String]? = []

    /// The tools as the server listed them last.
    private(set) var tools: [MCPTool] = []
    /// Whether it has listed its tools, or cannot.
    private(set) var isSettled = false
    /// Called when it has listed tools, or its first start has failed.
    var onChange: () -> Void = {}
    /// Called with what people may want to know.
    var onNotice: (ToolNotice) -> Void = { _ in }

    init(
        loop: EventLoop,
        entry: MCPServerEntry,
        environment: [String: String],
        keeper: ProcessKeeper,
        httpClient: HTTPClient?,
        means: SandboxMeans?,
        softwareVersion: String
    ) {
        self.loop = loop
        self.entry = entry
        self.environment = environment
        self.keeper = keeper
        self.httpClient = httpClient
        let usesHTTP: Bool
        if case .program(let tool, _) = entry.place {
            confinement = ToolConfinement(tool, environment: environment, means: means)
            usesHTTP = false
        } else {
            confinement = nil
            usesHTTP = true
        }
        configuration = MCPClientMachine.Configuration(
            softwareVersion: softwareVersion,
            usesHTTP: usesHTTP,
            startTimeout: entry.startTimeout
        )
    }

    /// The descriptors of its connections.
    var descriptors: Int { configuration.usesHTTP ? 0 : 3 * entry.pool }

    /// Starts the first connection; the others are started when there is work for them.
    func start() {
        guard links.isEmpty else { return }
        let link = MCPLink(host: self)
        links.append(link)
        link.start()
    }

    /// Ends the connections; calls under way finish with a failure.
    func shutDown() {
        isShutDown = true
        let cutOff = waiting
        waiting = []
        for call in cutOff { call.finish(.failure(.shutDown(call.tool))) }
        for link in links { link.stop(grace: Self.shutDownGrace) }
    }

    /// Why its tools cannot run now, as a sentence without its period; nil if they can.
    var obstacle: String? {
        guard let link = links.first, links.allSatisfy(\.isFailing) else { return nil }
        return "the MCP server \(entry.name) does not work: \(link.problem ?? "it has not started")"
    }

    // MARK: - Calls

    func start(_ call: MCPInvocation) {
        guard !isShutDown else { return call.finish(.failure(.shutDown(call.tool))) }
        if let obstacle { return call.refuse(obstacle) }
        waiting.append(call)
        assignWaiting()
    }

    /// Removes a call that waits; returns whether it did.
    func withdraw(_ call: MCPInvocation) -> Bool {
        guard let position = waiting.firstIndex(where: { $0 === call }) else { return false }
        waiting.remove(at: position)
        return true
    }

    /// Passes waiting calls to the least busy connection that can take them.
    private func assignWaiting() {
        while !waiting.isEmpty {
            let ready = links.filter { $0.state == .ready && $0.load < entry.concurrency }
            let best = ready.min { $0.load < $1.load }
            if best == nil || best?.load ?? 0 > 0 { growPool() }
            guard let best else { return }
            best.begin(waiting.removeFirst())
        }
    }

    /// Starts another process if there may be one and none is starting.
    private func growPool() {
        guard links.count < entry.pool, !links.contains(where: { $0.state == .starting }) else {
            return
        }
        let link = MCPLink(host: self)
        links.append(link)
        link.start()
    }

    // MARK: - What connections report

    func makeTransport(
        _ report: @escaping (MCPTransportEvent) -> Void
    ) throws(StartProblem) -> any MCPTransport {
        switch entry.place {
        case .program(let tool, let program): try makeProcess(tool, program, report)
        case .address(let url, let headers): try makeAddress(url, headers, report)
        }
    }

    private func makeProcess(
        _ tool: ManifestTool,
        _ program: MCPProgram,
        _ report: @escaping (MCPTransportEvent) -> Void
    ) throws(StartProblem) -> MCPProcess {
        if let obstacle = confinement?.obstacle { throw tool.lacksSandbox(obstacle) }
        try checkVariables(program.variables.map(\.value))
        let folder = try tool.makeFolder(of: keeper)
        let variables = ProcessEnvironment(
            worker: environment,
            passing: tool.passedVariables,
            setting: program.variables.map { ($0.name, $0.value.value(environment)) }
        )
        var options = ChildProcess.Options(
            arguments: try tool.commandLine(.emptyObject),
            environment: variables.variables(folder: folder.path, for: nil),
            directory: program.folder,
            standardInput: .pipe
        )
        confinement?.confine(&options, folder: folder.path)
        do {
            return try MCPProcess(
                loop: loop,
                keeper: keeper,
                program: tool.program,
                folder: folder,
                options: options,
                report: report
            )
        } catch {
            folder.remove(loop)
            throw tool.spawnFailure(error)
        }
    }

    private func makeAddress(
        _ url: EnvironmentText,
        _ headers: [(name: String, value: EnvironmentText)],
        _ report: @escaping (MCPTransportEvent) -> Void
    ) throws(StartProblem) -> MCPAddress {
        try checkVariables([url] + headers.map(\.value))
        guard let httpClient else {
            preconditionFailure("a host of a server at an address has a client for HTTP")
        }
        return MCPAddress(
            client: httpClient,
            loop: loop,
            url: url.value(environment),
            headers: headers.map { ($0.name, $0.value.value(environment)) },
            report: report
        )
    }

    private func checkVariables(_ texts: [EnvironmentText]) throws(StartProblem) {
        for text in texts {
            guard let name = text.missing(environment) else { continue }
            throw .refused(
                Failure(
                    code: .spawnFailed,
                    message: "the worker's environment has no \(name), which the manifest names",
                    isRetryable: true
                ),
                isShortage: false
            )
        }
    }

    func linkBecameReady(_ link: MCPLink, _ facts: MCPClientMachine.ServerFacts) {
        earlyLines = nil
        saidFailure = nil
        onNotice(
            .serverReady(
                server: entry.name,
                software: facts.software ?? "a server without a name",
                version: facts.version
            )
        )
    }

    /// Processes of a pool list the same tools; the latest list counts.
    func linkListed(_ link: MCPLink, _ listed: [MCPTool]) {
        isSettled = true
        tools = listed
        onChange()
        assignWaiting()
    }

    func linkHasRoom(_ link: MCPLink) { assignWaiting() }

    func linkFailed(_ link: MCPLink, _ words: String, again pause: Duration) {
        if words != saidFailure {
            saidFailure = words
            onNotice(.serverFailed(server: entry.name, reason: words, pause: pause))
            for line in earlyLines ?? [] {
                onNotice(.serverWrote(server: entry.name, line: line))
            }
        }
        earlyLines = []
        guard link.failures > 1 else { return }
        isSettled = true
        onChange()
        guard let obstacle else { return }
        let refused = waiting
        waiting = []
        for call in refused { call.refuse(obstacle) }
    }

    func linkStopped(_ link: MCPLink) {
        links.removeAll { $0 === link }
    }

    func wrote(_ bytes: [UInt8]) {
        for line in errorLines.lines(of: bytes) {
            guard earlyLines != nil else {
                onNotice(.serverWrote(server: entry.name, line: line))
                continue
            }
            if earlyLines?.count == Self.mostEarlyLines { earlyLines?.removeFirst() }
            earlyLines?.append(line)
        }
    }

    func misread(_ text: String) {
        guard !hasSaidGreeting else { return }
        hasSaidGreeting = true
        onNotice(.serverMisspoke(server: entry.name, text: text))
    }
}

/// Cuts what a server writes to its standard error into lines for the log.
struct MCPErrorLines {
    private static let longest = 1_000
    private var rest: [UInt8] = []

    /// The lines that these bytes complete, shortened.
    mutating func lines(of bytes: [UInt8]) -> [String] {
        var lines: [String] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                if !rest.isEmpty { lines.append(String(decoding: rest, as: UTF8.self)) }
                rest.removeAll(keepingCapacity: true)
            } else if rest.count < Self.longest, byte != UInt8(ascii: "\r") {
                rest.append(byte)
            }
        }
        return lines
    }
}

/// What happened to a source of tools, for the worker's log.
public enum ToolNotice: Sendable, Equatable {
    /// A server has started.
    case serverReady(server: String, software: String, version: String)
    /// A server could not be started or has ended; it is started again after that time.
    case serverFailed(server: String, reason: String, pause: Duration)
    /// A server wrote a line to its standard error.
    case serverWrote(server: String, line: String)
    /// A server printed something that is no message; said once.
    case serverMisspoke(server: String, text: String)
    /// A tool of a server cannot be offered.
    case toolUnusable(server: String, tool: String, reason: String)
}
