// `weft run`: its command line. What happens then is in Running/.
internal import ArgumentParser
internal import Client
internal import Plans
internal import Tools
internal import Wire

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Runs a plan and prints its answer.",
        discussion: """
            Without a coordinator the run gets a cluster of its own, which ends with it:

              weft run --plan plan.json --tools tools.yaml
              generate-plan | weft run --plan - --tools tools.yaml --workers 4

            With one the plan goes there and runs wherever the tools are:

              weft run --plan plan.json --coordinator build-host:7420
              weft run --plan plan.json --coordinator build-host:7420 --detach

            Only the answer goes to standard output. Ctrl-C cancels the run and waits for its \
            end; a second Ctrl-C leaves at once.
            """
    )

    @Option(help: ArgumentHelp("The plan; - for standard input.", valueName: "file"))
    var plan: String
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup(title: "Cluster of its own") var cluster: ClusterOptions
    @Option(help: "How outputs become the answer: concat (text) or json (by node).")
    var join: JoinKind = .concat
    @Flag(help: "Print one JSON object with the answer, every node and the times.")
    var json = false
    @Flag(help: "Print the run's id as soon as the coordinator has the plan, and leave.")
    var detach = false
    @Option(
        help: ArgumentHelp("Time the whole run may take.", valueName: "duration, such as 30s"),
        transform: positiveDuration
    )
    var timeout: Duration?
    @Option(
        help: ArgumentHelp(
            "What a node does whose tool no worker has: wait or fail (default: wait, on a cluster "
                + "of its own fail).",
            valueName: "wait|fail"
        )
    )
    var onMissingTool: MissingToolPolicy?

    func validate() throws {
        let isRemote = try connection.namedEndpoint() != nil
        if isRemote, let flag = cluster.given.first {
            throw ValidationError(
                "\(flag) is for a cluster that this run starts for itself, but a coordinator is "
                    + "named by --coordinator or WEFT_COORDINATOR. Leave one of them out."
            )
        }
        if !isRemote, detach {
            throw ValidationError(
                "--detach needs a coordinator that lives on: --coordinator HOST:PORT. A cluster "
                    + "of the run's own ends with this command."
            )
        }
        if !isRemote, cluster.tools == nil, !cluster.diagnostics {
            throw ValidationError(
                "Say where the tools are: --tools tools.yaml for a cluster of the run's own, or "
                    + "--coordinator HOST:PORT."
            )
        }
    }

    func run() throws {
        let isRemote = try connection.namedEndpoint() != nil
        if let path = cluster.tools { try ClusterOptions.checkManifest(path) }
        let file = try readPlan()
        let settings = PlanRun.Settings(
            submission: Submission(
                plan: file.bytes,
                join: join,
                budget: Budget(
                    wallMilliseconds: timeout.map { max(Int($0 / .milliseconds(1)), 1) }
                ),
                onMissingTool: onMissingTool ?? (isRemote ? .wait : .fail),
                watch: detach ? nil : .progress
            ),
            isDetached: detach,
            printsJSON: json,
            isRemote: isRemote
        )
        let options = isRemote ? try connection.clientOptions() : nil
        try Session.run { session in
            let planRun = PlanRun(session: session, settings: settings)
            if let options {
                planRun.start(options)
            } else {
                try cluster.start(for: planRun)
            }
        }
    }

    /// Reads and checks the plan; a plan with problems ends the command.
    private func readPlan() throws -> PlanFile {
        let file = try PlanFile.read(plan)
        if !file.isValid, json {
            Output.standard.writeNow(file.problems.document(nodes: file.nodeCount))
            throw CommandFailure(.usage)
        }
        let failure = CommandFailure(.usage, file.problems.map(\.line))
        guard file.isValid else { throw failure }
        failure.report()
        return file
    }
}
