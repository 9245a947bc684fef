// `weft show`: one run with its nodes, or everything about one node.
internal import ArgumentParser
internal import Client
internal import Console
internal import Core
internal import JSON
internal import Runs
internal import Wire

struct ShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Shows a run and its nodes, or everything about one node.",
        discussion: """
            Nodes that failed come first, then those that run. Examples:

              weft show 7f3k2m
              weft show 7f3k2m --status running
              weft show 7f3k2m t3
              weft show 7f3k2m t3 --story
              weft show 7f3k2m --conversation
              weft show 7f3k2m --json | jq '.nodes | length'
            """
    )

    @Argument(
        help: ArgumentHelp("The run.", valueName: "run"),
        completion: Completions.runs,
        transform: runID
    )
    var id: RunID
    @Argument(help: "One node of it.", completion: Completions.nodes, transform: nodeID)
    var node: NodeID?
    @Option(help: ArgumentHelp("How many nodes to list.", valueName: "number"))
    var limit = 50
    @Option(
        help: ArgumentHelp(
            "List the nodes in this state only: "
                + NodeStatus.allCases.map(\.rawValue).joined(separator: ", ") + ".",
            valueName: "state"
        )
    )
    var status: NodeStatus?
    @Flag(help: "List every node.")
    var all = false
    @Flag(help: "Print all that happened to the node, as far as it is kept, a line each.")
    var story = false
    @Flag(help: "Print what language models were asked for the run and what they wrote.")
    var conversation = false
    @Flag(help: "Print the run with its answer and every node, or the node, as JSON.")
    var json = false
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var reconnecting: ReconnectFlag

    func validate() throws {
        guard !story || node != nil else {
            throw ValidationError("--story is for one node; name it after the run.")
        }
        guard !conversation || node == nil else {
            throw ValidationError("--conversation is for a whole run; leave the node out.")
        }
        guard limit > 0 else { throw ValidationError("--limit must be at least 1.") }
        guard status == nil || !json && node == nil else {
            throw ValidationError("--status is for the list of nodes; --json has every node.")
        }
    }

    func run() throws {
        let options = try connection.clientOptions(readsOnly: true)
        let printer = Printer()
        if let node, story { return try tellStory(of: node, options, on: printer) }
        if conversation { return try printConversation(options, on: printer) }
        if let node {
            let data = try ask(options, .node, node)
            if json { return printer.json(data) }
            let details = try read { () throws(WireError) in try NodeDetails(decoding: data) }
            var age: Int?
            if details.node.status == .running {
                let run = try ask(options, .run)
                age = try read { () throws(WireError) in try RunDocument(decoding: run) }
                    .ageMilliseconds
            }
            return NodeView(details, age: age).show(on: printer)
        }
        if json { return try RunView.printReport(of: id, options, reconnecting.limit) }
        let (run, view) = try RunView.fetch(
            id,
            options,
            reconnecting.limit,
            limit: all ? .max : limit,
            status: status
        )
        printer.pairs(RunView.pairs(run))
        printer.lines([""])
        printer.table(view.table)
        if view.unseen > 0 {
            printer.lines(["… and \(Text.count(view.unseen, "more node")); --all lists them."])
        }
    }

    private func ask(
        _ options: CoordinatorClient.Options,
        _ what: GetKind,
        _ node: NodeID? = nil
    ) throws -> RawJSON {
        try Session.ask(
            options,
            what,
            id: id.text,
            node: node,
            reconnecting: reconnecting.limit
        )
    }

    private func printConversation(
        _ options: CoordinatorClient.Options,
        on printer: Printer
    ) throws {
        let data = try ask(options, .conversation)
        if json { return printer.json(data) }
        let page = try read { () throws(WireError) in try ConversationPage(decoding: data) }
        ConversationView(page).show(on: printer)
    }

    private func tellStory(
        of node: NodeID,
        _ options: CoordinatorClient.Options,
        on printer: Printer
    ) throws {
        let data = try ask(options, .story, node)
        if json { return printer.json(data) }
        let story = try read { () throws(WireError) in try StoryDocument(decoding: data) }
        if !story.isComplete { printer.lines(["… earlier records are not kept any more"]) }
        for text in story.records {
            // A record of a later version is shown unchanged.
            let line = (try? RunRecord(decoding: text))?.storyLine ?? text.text
            printer.lines([Text.printable(line)])
        }
    }
}
