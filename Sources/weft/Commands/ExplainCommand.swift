// `weft explain`: why nothing happens.
internal import ArgumentParser
internal import JSON
internal import Plans
internal import Wire

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Says why the nodes of a run, or one of them, do not go on.",
        discussion: "Examples:\n\n  weft explain 7f3k2m\n  weft explain 7f3k2m t3"
    )

    @Argument(help: ArgumentHelp("The run.", valueName: "run"), transform: runID)
    var id: RunID
    @Argument(help: "One node of it.", transform: nodeID)
    var node: NodeID?
    @OptionGroup var connection: ConnectionOptions
    @Flag(help: "Print the coordinator's answer as JSON.")
    var json = false

    func run() throws {
        let options = try connection.clientOptions(readsOnly: true)
        let data = try Session.ask(options, .explain, id: id.text, node: node)
        let printer = Printer()
        if json { return printer.json(data) }
        let answer = JSONValue(data)
        let nodes = answer["nodes"]?.arrayValue ?? []
        printer.lines(nodes.flatMap { Self.lines($0, printer.style) })
        guard nodes.isEmpty else { return }
        let status = answer.text("status")
        printer.lines([
            status == "running"
                ? "No node of run \(id) waits for anything."
                : "Run \(id) has \(status); nothing of it waits."
        ])
    }

    /// `t3 (grep, ready): no connected worker has the tool grep`, a line for each reason.
    static func lines(_ node: JSONValue, _ style: Style) -> [String] {
        let state = node.text("status")
        let name =
            "\(Text.printable(node.text("id"))) (\(Text.printable(node.text("tool"))), "
            + "\(style.paint(state, Style.color(ofState: state))))"
        let reasons = node["reasons"]?.arrayValue ?? []
        guard !reasons.isEmpty else { return ["\(name): waits for nothing"] }
        return reasons.map { "\(name): \(Text.printable($0.text("message")))" }
    }
}
