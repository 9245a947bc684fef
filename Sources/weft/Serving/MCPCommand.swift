// `weft mcp`: its command line. What it does is in the other files of this folder.
internal import ArgumentParser
internal import Client
internal import Console
internal import Core
internal import HTTPServer
internal import MCPServer
internal import Transport

struct MCPCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mcp",
        abstract: "Serves the cluster to MCP clients: Claude Desktop, editors, agents.",
        discussion: """
            Speaks the Model Context Protocol on standard input and output, for clients that start \
            their servers, as by this entry of their configuration:

              {"mcpServers": {"weft": {"command": "weft",
                "args": ["mcp", "--coordinator", "build-host:7420"]}}}

            With --tools the cluster is one of its own, which ends with the client:

              weft mcp --tools tools.yaml

            Its tools let a model find the cluster's tools (search_tools, get_tool), run plans of \
            them (run_plan, submit_plan, get_run, cancel_run) and have goals planned (run_goal); \
            with --expose-tools each tool of the cluster has its own name, too.

            For several clients, and those that do not start their servers, over HTTP with a token:

              weft mcp --http 127.0.0.1:8080 --coordinator build-host:7420

            When the client ends, calls that wait for their runs cancel them; what was submitted \
            goes on at the coordinator. Logs go to standard error.
            """
    )

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup(title: "HTTP") var access: HTTPAccess
    @OptionGroup(title: "Cluster of its own") var cluster: ClusterOptions
    @OptionGroup(title: "Language models") var models: ModelOptions
    @Option(
        help: ArgumentHelp(
            "How long calls wait for a coordinator that is lost (default: 20s).",
            valueName: "duration"
        ),
        transform: duration
    )
    var reconnect: Duration?
    @Flag(help: "Offer the cluster's tools under their own names, too.")
    var exposeTools = false

    @Option(
        help: ArgumentHelp(
            "A tool whose nodes a person approves in all runs of the clients, beside those that "
                + "always need it; may be repeated, and * is all.",
            valueName: "tool"
        )
    )
    var approve: [String] = []

    private var isOwnCluster: Bool { !cluster.given.isEmpty }

    func validate() throws {
        if connection.join == "-", access.http == nil {
            throw ValidationError(
                "--join - reads standard input, where the client's messages come; name a file."
            )
        }
        let isRemote = try connection.namesCoordinator()
        guard isRemote || isOwnCluster || models.config != nil || models.record != nil else {
            return
        }
        try cluster.check(isRemote: isRemote, models: models, modelUser: nil)
        if !isRemote { try connection.flags.checkUnused() }
    }

    /// How to connect; where nothing is named, as soon as there is a coordinator on this host.
    private func remoteOptions() throws -> () throws -> CoordinatorClient.Options {
        guard try connection.namesCoordinator() else { return { try connection.clientOptions() } }
        let options = try connection.clientOptions()
        return { options }
    }

    func run() throws {
        let isOwn = try isOwnCluster && !connection.namesCoordinator()
        if isOwn { _ = try cluster.check() }
        let options = isOwn ? nil : try remoteOptions()
        var settings = MCPSession.Settings(version: WeftlineVersion.current)
        settings.exposesTools = exposeTools
        settings.offersGoals = !isOwn || models.path != nil
        let rules = try access.http.map { _ in try access.rules(state: connection.flags.state) }
        try Session.run { session in
            let connection = ClusterConnection(
                loop: session.loop,
                options: options,
                reconnecting: reconnect ?? .seconds(20)
            )
            if isOwn {
                try startCluster(in: session, for: connection)
            } else {
                connection.begin()
            }
            let calls = ClusterCalls(
                loop: session.loop,
                connection: connection,
                approve: approve
            )
            guard let rules, let endpoint = try access.endpoint() else {
                return StandardStreams(session: session, calls: calls, settings: settings).start()
            }
            try serve(at: endpoint, rules, session, calls, settings)
        }
    }

    private func startCluster(in session: Session, for connection: ClusterConnection) throws {
        try cluster.start(
            in: session,
            models: models,
            keepingRunsIn: self.connection.flags.state,
            onLines: { for line in $0 { Shell.tell(line) } },
            onReady: { connection.use($0) },
            onFailure: {
                let message = "The cluster of this command failed: \($0)"
                connection.fail(message)
                session.end(CommandFailure(.failed, message))
            }
        )
    }

    private func serve(
        at endpoint: Endpoint,
        _ access: (rules: HTTPRules, tokenFile: String?),
        _ session: Session,
        _ calls: ClusterCalls,
        _ settings: MCPSession.Settings
    ) throws {
        let serving = HTTPServing(
            session: session,
            calls: calls,
            settings: settings,
            rules: access.rules
        )
        var address = endpoint
        do throws(HTTPListenerError) {
            address.port = try serving.start(at: endpoint)
        } catch {
            throw CommandFailure(.usage, error.description)
        }
        Shell.tell("weft mcp serves http://\(address)\(HTTPRules.path)")
        guard let file = access.tokenFile else {
            return Shell.tell("warning: every program of this host may use it (--no-token)")
        }
        Shell.tell("clients send \"Authorization: Bearer TOKEN\", with the token in \(file)")
    }
}
