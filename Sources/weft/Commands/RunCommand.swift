// `weft run`: its command line. The run itself is in Running/.
internal import ArgumentParser
internal import Client
internal import Console
internal import Core
internal import Plans
internal import Tools
internal import Weftline
internal import Wire

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Runs a plan, or plans and reaches a goal, and prints the answer.",
        discussion: """
            Without a coordinator the run gets a cluster of its own, which ends with it:

              weft run --plan plan.json --tools tools.yaml
              generate-plan | weft run --plan - --tools tools.yaml --workers 4

            With --state DIR that cluster keeps the run in a journal in the folder.

            With one the plan goes there and runs wherever the tools are:

              weft run --plan plan.json --coordinator build-host:7420
              weft run --plan plan.json --coordinator build-host:7420 --detach

            A goal is planned by the language model that the configuration names; nodes run while \
            the model still writes:

              weft run "Which file of this tree is the longest?" --tools tools.yaml \
            --config weft.yaml

            A plan is checked before anything of it runs, and every problem is told. One of more \
            than 16 MiB is sent while it is read: nodes start before the rest is there, and a \
            problem found later fails the run. To know before: weft plan --check FILE.

            Only the answer goes to standard output. Ctrl-C cancels the run and waits for its \
            end; a second Ctrl-C leaves at once. When the connection to a coordinator is lost, as \
            when that is started again, the run goes on there, and this command connects again.
            """
    )

    @Argument(help: "What is wanted, for a language model to plan; instead of --plan.")
    var goal: String?
    @Option(help: ArgumentHelp("The plan; - for standard input.", valueName: "file"))
    var plan: String?
    @OptionGroup var coordinator: CoordinatorFlags
    @OptionGroup(title: "Cluster of its own") var cluster: ClusterOptions
    @OptionGroup(title: "Language models") var models: ModelOptions
    @OptionGroup(title: "Goals") var planning: GoalFlags
    @Option(
        help: ArgumentHelp(
            "How outputs become the answer: concat (text), json (by node), llm (a model answers; "
                + "the default for a goal) or tool:NAME (one more call, of that tool, with goal, "
                + "join_instruction, outputs and failures by node; its output is the answer). Any "
                + "other value is a file with a join line, which names coordinator and key "
                + "(default: WEFT_JOIN); both may be given.",
            valueName: "concat|json|llm|tool:NAME|file"
        )
    )
    var join: [JoinFlag.Value] = []
    @Flag(help: "Print one JSON object with the answer, every node and the times.")
    var json = false
    @Flag(help: "Print the run's id as soon as the coordinator has the plan, and leave.")
    var detach = false
    @Option(
        help: ArgumentHelp("Time the whole run may take.", valueName: "duration, such as 30s"),
        transform: positiveDuration
    )
    var timeout: Duration?
    @Option(help: ArgumentHelp("A name for the run, for lists.", valueName: "name"))
    var label: String?
    @OptionGroup var trace: TraceFlag
    @OptionGroup(title: "Approval") var approval: ApprovalFlags
    @OptionGroup var reconnecting: ReconnectFlag
    @Option(
        help: ArgumentHelp("How many nodes may be with workers at a time.", valueName: "n")
    )
    var maxRunning: Int?
    @Option(
        help: ArgumentHelp(
            "What a node does whose tool no worker has: wait or fail (default: wait, on a cluster "
                + "of its own fail).",
            valueName: "wait|fail"
        )
    )
    var onMissingTool: MissingToolPolicy?

    func validate() throws {
        try JoinFlag.check(join)
        try connection.validate()
        let isRemote = try connection.namesCoordinator()
        try planning.check(goal: goal, plan: plan, join: joinKind)
        try approval.check(isDetached: detach)
        if let maxRunning, maxRunning < 1 {
            throw ValidationError("--max-running must be at least 1.")
        }
        let modelUser = goal != nil ? "A goal" : joinKind == .llm ? "--join llm" : nil
        try cluster.check(isRemote: isRemote, models: models, modelUser: modelUser)
        if !isRemote { try coordinator.checkUnused() }
        if !isRemote, reconnecting.reconnect != nil {
            throw ValidationError("--reconnect is for a run at a --coordinator.")
        }
        if !isRemote, detach {
            throw ValidationError(
                "--detach needs a coordinator that lives on: --coordinator HOST:PORT. A cluster "
                    + "of the run's own ends with this command."
            )
        }
    }

    private var joinKind: JoinKind? {
        join.compactMap { if case .kind(let kind) = $0 { kind } else { nil } }.last
    }

    private var connection: ConnectionChoice {
        let files = join.compactMap { if case .file(let path) = $0 { path } else { nil } }
        return ConnectionChoice(coordinator, join: files.last)
    }

    func run() throws {
        let isRemote = try connection.namesCoordinator()
        let check = isRemote ? nil : try cluster.check(allowed: planning.allowedTools)
        let input = try goal == nil ? readPlan(plan ?? "-", check) : nil
        let settings = PlanRun.Settings(
            submission: try submission(isRemote: isRemote, plan: input?.bytes ?? []),
            rest: input?.rest,
            planName: plan.map(PlanFile.name(of:)),
            isDetached: detach,
            printsJSON: json,
            isRemote: isRemote,
            reconnecting: isRemote ? reconnecting.limit : .zero,
            approvesAll: approval.yes,
            readsInput: goal == nil && (plan ?? "-") == "-"
        )
        let options = isRemote ? try connection.clientOptions() : nil
        let folder = isRemote ? nil : coordinator.state
        try Session.run { session in
            let planRun = PlanRun(session: session, settings: settings)
            if let options {
                planRun.start(options)
            } else {
                try cluster.start(for: planRun, models: models, keepingRunsIn: folder)
            }
        }
    }

    private func submission(isRemote: Bool, plan: [UInt8]) throws -> Submission {
        let policy = onMissingTool ?? (isRemote ? .wait : .fail)
        let isSeen = Terminal.of(.error).isLive
        let options = RunOptions(
            join: joinKind,
            onMissingTool: policy,
            tools: planning.allowedTools,
            planner: planning.planner,
            maxNodes: planning.maxNodes,
            maxTokens: planning.maxTokens,
            maxCost: planning.maxCost,
            maxRunning: maxRunning,
            timeLimit: timeout,
            approve: approval.approve,
            approvalTimeout: approval.approvalTimeout,
            label: label,
            traceParent: trace.parent
        )
        do throws(ClientError) {
            if let goal {
                return try options.submission(
                    of: goal,
                    watching: detach ? nil : isSeen ? .nodes : .progress
                )
            }
            let isWatched = isSeen && plan.count <= Self.watchedBytes
            return try options.submission(
                of: plan,
                watching: detach ? nil : isWatched ? .nodes : .progress
            )
        } catch {
            throw CommandFailure(.usage, error.message)
        }
    }

    /// Bytes of a plan whose nodes are watched one by one; for a larger one only counts are shown.
    private static let watchedBytes = 1 << 20

    /// Bytes of a plan that is checked before it is sent.
    private static let checkedBytes = 16 << 20

    /// Reads a plan, or the beginning of a large one; a plan with problems ends the command.
    private func readPlan(
        _ path: String,
        _ check: PlanCheck?
    ) throws -> (bytes: [UInt8], rest: PlanInput?) {
        let input = try PlanInput(path)
        let bytes = try input.readBeginning(atMost: Self.checkedBytes)
        guard input.isAtEnd else { return (bytes, input) }
        // With --on-missing-tool a node without a tool is not an error of the plan.
        let tools = onMissingTool == nil ? check : nil
        let file = PlanFile(name: PlanFile.name(of: path), bytes: bytes, tools: tools)
        if !file.isValid, json {
            Output.standard.writeNow(file.document)
            throw CommandFailure(.usage)
        }
        let failure = CommandFailure(.usage, file.lines)
        guard file.isValid else { throw failure }
        failure.report()
        return (bytes, nil)
    }
}
