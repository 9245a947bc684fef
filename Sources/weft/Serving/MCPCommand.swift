// `weft mcp`: its command line. What it does is in the other files of this folder.
internal import ArgumentParser
internal import Client
internal import Console
internal import Core
internal import MCPServer

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

            When the client ends, calls that wait for their runs cancel them; what was submitted \
            goes on at the coordinator. Logs go to standard error.
            """
    )

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup(title: "Cluster of its own") var cluster: ClusterOptions
    @OptionGroup(title: "Language models") var models: ModelOptions
    @OptionGroup var reconnecting: ReconnectFlag
    @Flag(help: "Offer the cluster's tools under their own names, too.")
    var exposeTools = false

    private var isOwnCluster: Bool { !cluster.given.isEmpty }

    func validate() throws {
        let isRemote = try connection.namesCoordinator()
        guard isRemote || isOwnCluster || models.path != nil else { return }
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
        try Session.run { session in
            let access = ClusterConnection(
                loop: session.loop,
                options: options,
                reconnecting: reconnecting.limit
            )
            let calls = ClusterCalls(loop: session.loop, connection: access)
            if isOwn {
                try cluster.start(
                    in: session,
                    models: models,
                    keepingRunsIn: connection.flags.state,
                    onLines: { for line in $0 { Shell.tell(line) } },
                    onReady: { access.use($0) },
                    onFailure: {
                        let message = "The cluster of this command failed: \($0)"
                        access.fail(message)
                        session.end(CommandFailure(.failed, message))
                    }
                )
            } else {
                access.begin()
            }
            StandardStreams(session: session, calls: calls, settings: settings).start()
        }
    }
}
