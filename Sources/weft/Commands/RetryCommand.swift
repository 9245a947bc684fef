// `weft retry`: does a run again that has ended, as far as it did not succeed.
internal import ArgumentParser
internal import Client
internal import Console
internal import Core
internal import Weftline
internal import Wire

struct RetryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Does a run again that has ended, without what succeeded.",
        discussion: """
            A new run gets the plan or the goal of the old one and takes over the outputs of the \
            nodes that succeeded; the others run. It prints the answer, as weft run does. Examples:

              weft retry 7f3k2m
              weft retry 7f3k2m --node t4 --node t7

            A node that is named runs again although it succeeded, and so does everything that \
            depends on it. A goal whose plan was never complete is planned again.
            """
    )

    @Argument(
        help: ArgumentHelp("The run.", valueName: "run"),
        completion: Completions.runs,
        transform: runID
    )
    var id: RunID
    @Flag(help: "Only what did not succeed runs again (the default).")
    var failed = false
    @Option(
        help: ArgumentHelp(
            "This node runs again, too, with all that depends on it; may be repeated.",
            valueName: "node"
        ),
        completion: Completions.nodes,
        transform: nodeID
    )
    var node: [NodeID] = []
    @OptionGroup(title: "Approval") var approval: ApprovalFlags
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var reconnecting: ReconnectFlag
    @Flag(help: "Print one JSON object with the answer, every node and the times.")
    var json = false
    @Flag(help: "Print the new run's id as soon as it is accepted, and leave.")
    var detach = false
    @Option(
        help: ArgumentHelp(
            "Time the whole run may take (default: that of the old one).",
            valueName: "duration, such as 30s"
        ),
        transform: positiveDuration
    )
    var timeout: Duration?
    @Option(
        help: ArgumentHelp("A name for the run (default: that of the old one).", valueName: "name")
    )
    var label: String?

    func validate() throws {
        try approval.check(isDetached: detach)
        guard failed, !node.isEmpty else { return }
        throw ValidationError("Give --failed or --node, not both.")
    }

    func run() throws {
        let options = try connection.clientOptions()
        var submission = Submission(
            retrying: RetriedRun(run: id, nodes: node),
            budget: Budget(
                wallMilliseconds: timeout.map { max($0.millisecondsRoundedUp, 1) },
                approvalMilliseconds: approval.milliseconds
            ),
            watch: detach ? nil : .progress,
            label: label
        )
        submission.approve = approval.approve
        let settings = PlanRun.Settings(
            submission: submission,
            isDetached: detach,
            printsJSON: json,
            isRemote: true,
            reconnecting: reconnecting.limit,
            approvesAll: approval.yes
        )
        try Session.run { session in
            PlanRun(session: session, settings: settings).start(options)
        }
    }
}
