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

    /// The manifest's section, by which servers stand beside tools.
    private static let section = "mcpServers"

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
    /// there by its own name, or by its place in the manifest if there is a tool of that name.
    func unusable(besides tools: Set<String>) -> [WithheldTool] {
        let silent = hosts.filter(\.tools.isEmpty).compactMap { host in
            host.obstacle.map { reason in
                let name = host.entry.name
                return WithheldTool(
                    name: tools.contains(name) ? host.entry.place(in: Self.section) : name,
                    reason: reason
                )
            }
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
            var leftOut = 0
            for tool in host.tools where host.entry.offers(tool.name) {
                let key = Key(server: host.entry.name, tool: tool.name)
                let name = names[key] ?? newName(of: tool.name, host.entry, given)
                if keepsNames { names[key] = name }
                given.insert(name)
                if usable.count >= room {
                    leftOut += 1
                    continue
                }
                guard (1...Limits.toolNameLength).contains(name.utf8.count),
                    taken.insert(name).inserted
                else {
                    refuseName(host, tool)
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
            if leftOut > 0 { refuseRest(leftOut, of: host) }
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
        announce(name, host, tool.name, reason)
    }

    /// A tool without a name of its own stands by its server.
    private func refuseName(_ host: MCPHost, _ tool: MCPTool) {
        let name = host.entry.place(in: Self.section)
        let shown = tool.name.count > 40 ? "\(tool.name.prefix(40))…" : tool.name
        let reason = "the name of its tool \"\(shown)\" is empty, too long or there twice"
        refused.append(WithheldTool(name: name, reason: reason))
        announce(name, host, shown, reason)
    }

    private func refuseRest(_ count: Int, of host: MCPHost) {
        let name = host.entry.place(in: Self.section)
        let reason =
            "the worker has too many tools without \(count) of it; name the wanted ones under allow"
        refused.append(WithheldTool(name: name, reason: reason))
        announce(name, host, "\(count) tools", reason)
    }

    private func announce(_ name: String, _ host: MCPHost, _ tool: String, _ reason: String) {
        guard announced.insert("\(name)\n\(reason)").inserted else { return }
        onNotice(.toolUnusable(server: host.entry.name, tool: tool, reason: reason))
    }
}

extension MCPServerEntry {
    /// Its place in the manifest, short enough to stand where names of tools do.
    fileprivate func place(in section: String) -> String {
        var place = "\(section).\(name)"
        while place.utf8.count > Limits.toolNameLength { place.removeLast() }
        return place
    }

    /// Whether it is reached by HTTP.
    var isAtAddress: Bool {
        if case .address = place { true } else { false }
    }

    /// Whether its program may only run in a sandbox.
    var needsSandbox: Bool {
        if case .program(let tool, _) = place { tool.sandbox != nil } else { false }
    }
}
