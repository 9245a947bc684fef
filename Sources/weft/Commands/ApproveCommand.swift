// `weft approve` and `weft deny`: a person's answers for nodes that wait.
internal import ArgumentParser
internal import Client
internal import Console
internal import Core
internal import JSON
internal import Wire

struct ApproveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approve",
        abstract: "Lets nodes run that wait for a person's approval.",
        discussion: """
            See what waits with weft approvals. An approval holds for all attempts of a node. \
            Examples:

              weft approve 7f3k2m t3
              weft approve 7f3k2m --all
            """
    )

    @OptionGroup var answer: ApprovalAnswerOptions

    func validate() throws { try answer.check() }

    func run() throws { try answer.send(isApproved: true) }
}

struct DenyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deny",
        abstract: "Fails nodes that wait for a person's approval.",
        discussion: """
            The nodes fail with the code denied, and what depends on them is skipped. Example:

              weft deny 7f3k2m t3 --reason "not on a Friday"
            """
    )

    @OptionGroup var answer: ApprovalAnswerOptions

    func validate() throws { try answer.check() }

    func run() throws { try answer.send(isApproved: false) }
}

/// What both commands take.
struct ApprovalAnswerOptions: ParsableArguments {
    @Argument(
        help: ArgumentHelp("The run.", valueName: "run"),
        completion: Completions.activeRuns,
        transform: runID
    )
    var id: RunID
    @Argument(
        help: ArgumentHelp("The nodes.", valueName: "node"),
        completion: Completions.nodes,
        transform: nodeID
    )
    var nodes: [NodeID] = []
    @Flag(help: "All nodes of the run that wait now.")
    var all = false
    @Option(help: ArgumentHelp("Why, for those who watch the run.", valueName: "text"))
    var reason: String?
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var reconnecting: ReconnectFlag
    @Flag(help: "Print {\"run\",\"approved\"} as JSON, with the nodes if they were named.")
    var json = false

    func check() throws {
        guard nodes.isEmpty == all else {
            throw ValidationError("Name nodes of the run, or give --all.")
        }
        if let reason, reason.utf8.count > Limits.reasonLength {
            throw ValidationError("A reason has at most \(Limits.reasonLength) bytes.")
        }
    }

    func send(isApproved: Bool) throws {
        let options = try connection.clientOptions()
        let answer = Approve(
            run: id,
            nodes: all ? nil : nodes,
            isApproved: isApproved,
            reason: reason
        )
        try Session.run { session in
            session.connect(options, reconnecting: reconnecting.limit, about: id) { client in
                client.answer(answer) { result in
                    switch result {
                    case .success: session.end()
                    case .failure(let error): session.end(CommandFailure(error))
                    }
                }
            }
        }
        let printer = Printer()
        if json {
            return printer.json(
                RawJSON.object { writer in
                    writer.field("run", id.text)
                    writer.field("approved", isApproved)
                    guard !all else { return }
                    writer.key("nodes")
                    writer.beginArray()
                    for node in nodes { writer.string(node.text) }
                    writer.endArray()
                }
            )
        }
        let names = all ? "All that waited" : nodes.map(\.text).joined(separator: ", ")
        let verb = all || nodes.count > 1 ? "are" : "is"
        printer.lines(["\(names) of run \(id) \(verb) \(isApproved ? "approved" : "denied")."])
    }
}
