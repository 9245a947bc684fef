// `weft explain`: why nodes do not continue.
internal import ArgumentParser
internal import Client
internal import Console
internal import Core
internal import Wire

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Says why the nodes of a run, or one of them, do not go on.",
        discussion: """
            Many nodes that wait for the same are one line with their number; --json has the \
            nodes, the groups and the total. Of a very large run one answer has room for a part \
            only; how many nodes are left out is said (in JSON as "left_out"). Examples:

              weft explain 7f3k2m
              weft explain 7f3k2m t3
            """
    )

    @Argument(
        help: ArgumentHelp("The run.", valueName: "run"),
        completion: Completions.activeRuns,
        transform: runID
    )
    var id: RunID
    @Argument(help: "One node of it.", completion: Completions.nodes, transform: nodeID)
    var node: NodeID?
    @OptionGroup var connection: ConnectionOptions
    @Flag(help: "Print {\"run\",\"status\",\"nodes\",\"total\",\"groups\"} as JSON.")
    var json = false

    func run() throws {
        let options = try connection.clientOptions(readsOnly: true)
        let data = try Session.ask(options, .explain, id: id.text, node: node)
        let printer = Printer()
        let answer = try read { () throws(WireError) in try ExplanationDocument(decoding: data) }
        let isLong = answer.nodes.count >= Self.manyNodes
        let unsettled = try isLong && node == nil ? countUnsettled(options) : nil
        let explanation = Explanation(answer, unsettled: unsettled)
        if json { return printer.json(explanation.document(data)) }
        printer.lines(explanation.lines(printer.style))
        guard explanation.total == 0 else { return }
        printer.lines([
            answer.status == .running
                ? "No node of run \(id) waits for anything."
                : "Run \(id) has \(answer.status.rawValue); nothing of it waits."
        ])
    }

    /// With at least this many nodes, it checks whether the answer has all of them.
    private static let manyNodes = 200

    private func countUnsettled(_ options: CoordinatorClient.Options) throws -> Int {
        let data = try Session.ask(options, .run, id: id.text)
        let run = try read { () throws(WireError) in try RunDocument(decoding: data) }
        return run.counts.total - run.counts.settled
    }
}
