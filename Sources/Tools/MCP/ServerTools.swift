// The tools of all MCP servers of a worker under the names that they have there. Not here: a single
// server (MCPHost), the worker's other tools (Toolbox).
internal import Core
internal import HTTP
internal import MCP
internal import Schemas
internal import UVLoop
internal import Wire

/// The MCP servers of one toolbox; confined to the loop.
final class ServerTools {
    /// A tool that can be offered.
    struct Usable {
        var runner: MCPToolRunner
        var schema: Schema
        var outputs: Schema?
    }

    private let loop: EventLoop
    private let hosts: [MCPHost]
    private let httpClient: HTTPClient?
    /// The names that tools have here; kept, so that a server that starts again changes none.
    private var names: [Key: String] = [:]
    /// Whether names are kept: not before all have listed their tools, so that the order of the
    /// manifest decides and not the fastest server.
    private var keepsNames = false
    private var runners: [Key: MCPToolRunner] = [:]
    /// Tools that cannot be offered, with the reasons.
    private var refused: [WithheldTool] = []
    private var announced: Set<String> = []

    /// Called when the tools of a server may have changed.
    var onChange: () -> Void = {}
    /// Called once when all servers have listed their tools, or cannot.
    var onSettled: (() -> Void)?
    var onNotice: (ToolNotice) -> Void = { _ in }

    private struct Key: Hashable {
        var server: String
        var tool: String
    }

    init(
        loop: EventLoop,
        _ entries: [MCPServerEntry],
        environment: [String: String],
        keeper: ProcessKeeper,
        means: SandboxMeans?
    ) {
        self.loop = loop
        let client = entries.contains { $0.isAtAddress } ? HTTPClient(loop: loop) : nil
        httpClient = client
        hosts = entries.map {
            MCPHost(
                loop: loop,
                entry: $0,
                environment: environment,
                keeper: keeper,
                httpClient: client,
                means: means,
                softwareVersion: Release.version
            )
        }
        for host in hosts {
            host.onChange = { [weak self] in self?.hostChanged() }
            host.onNotice = { [weak self] in self?.onNotice($0) }
        }
    }

    /// Tools that cannot be offered, with the reasons; a server whose tools are not known stands
    /// there by its own name.
    var unusable: [WithheldTool] {
        let silent = hosts.filter(\.tools.isEmpty).compactMap { host in
            host.obstacle.map { WithheldTool(name: host.entry.name, reason: $0) }
        }
        return refused + silent
    }

    /// How long the slowest server may take to list its tools.
    var startTimeout: Duration { hosts.map(\.entry.startTimeout).max() ?? .zero }

    /// The descriptors of all connections.
    var descriptors: Int { hosts.reduce(0) { $0 + $1.descriptors } }

    func start() {
        for host in hosts { host.start() }
    }

    func shutDown() {
        for host in hosts { host.shutDown() }
        guard let httpClient else { return }
        // Sessions are being ended; servers that do not answer are not waited for.
        let timer = Timer(loop: loop) { httpClient.close() }
        timer.schedule(after: .seconds(1))
        timer.detachFromLoopLife()
    }

    /// From now on a tool has the same name for as long as the worker runs.
    func keepNames() {
        guard !keepsNames else { return }
        keepsNames = true
        onChange()
    }

    private func hostChanged() {
        let isSettled = hosts.allSatisfy(\.isSettled)
        if isSettled { keepsNames = true }
        onChange()
        guard isSettled, let onSettled else { return }
        self.onSettled = nil
        onSettled()
    }

    /// The tools in the order of the manifest and of the servers, under names that differ from these
    /// and from each other; at most that many.
    func runners(besides taken: Set<String>, room: Int) -> [Usable] {
        var taken = taken
        // A tool that is away for a moment keeps its name.
        var given = taken.union(names.values)
        var usable: [Usable] = []
        refused = []
        for host in hosts {
            for tool in host.tools where host.entry.offers(tool.name) {
                let key = Key(server: host.entry.name, tool: tool.name)
                let name = names[key] ?? newName(of: tool.name, host.entry, given)
                if keepsNames { names[key] = name }
                given.insert(name)
                if usable.count >= room {
                    refuse(name, host, tool, "the worker has too many tools")
                    continue
                }
                guard (1...Limits.toolNameLength).contains(name.utf8.count),
                    taken.insert(name).inserted
                else {
                    refuse(name, host, tool, "its name is empty, too long or there twice")
                    continue
                }
                do {
                    usable.append(
                        Usable(
                            runner: runner(key, host, tool, name),
                            schema: try Schema(compiling: tool.inputSchema),
                            outputs: try tool.outputSchema.map { try Schema(compiling: $0) }
                        )
                    )
                } catch {
                    refuse(
                        name,
                        host,
                        tool,
                        "the schema of its parameters or its output cannot be used: \(error)"
                    )
                }
            }
        }
        return usable
    }

    private func newName(of tool: String, _ entry: MCPServerEntry, _ taken: Set<String>) -> String {
        let plain = entry.localName(of: tool, isTaken: false)
        return taken.contains(plain) ? entry.localName(of: tool, isTaken: true) : plain
    }

    /// A tool that is listed again unchanged keeps its runner.
    private func runner(
        _ key: Key,
        _ host: MCPHost,
        _ tool: MCPTool,
        _ name: String
    ) -> MCPToolRunner {
        if let runner = runners[key], runner.tool == tool, runner.description.name == name {
            return runner
        }
        let runner = MCPToolRunner(host: host, tool: tool, named: name)
        runners[key] = runner
        return runner
    }

    private func refuse(_ name: String, _ host: MCPHost, _ tool: MCPTool, _ reason: String) {
        refused.append(WithheldTool(name: name, reason: reason))
        guard announced.insert("\(name)\n\(reason)").inserted else { return }
        onNotice(.toolUnusable(server: host.entry.name, tool: tool.name, reason: reason))
    }
}

extension MCPServerEntry {
    /// Whether it is reached by HTTP.
    var isAtAddress: Bool {
        if case .address = place { true } else { false }
    }

    /// Whether its program may only run in a sandbox.
    var needsSandbox: Bool {
        if case .program(let tool, _) = place { tool.sandbox != nil } else { false }
    }
}
