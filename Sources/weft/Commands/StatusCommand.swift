// `weft status`: an overview of the coordinator.
internal import ArgumentParser
internal import Client
internal import Console
internal import JSON
internal import Wire

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Shows how the coordinator is doing.",
        discussion: "Example:\n\n  weft status --coordinator build-host:7420"
    )

    @OptionGroup var connection: ConnectionOptions
    @Flag(help: "Print the coordinator's answer as JSON.")
    var json = false

    func run() throws {
        let options = try connection.clientOptions(readsOnly: true)
        let data = try Session.ask(options, .status)
        let printer = Printer()
        if json { return printer.json(data) }
        let status = JSONValue(data)
        let workers = status["workers"] ?? .null
        let runs = status["runs"] ?? .null
        let draining = workers.number("draining")
        printer.pairs([
            ("coordinator", "\(options.endpoint)"),
            ("software", status.text("software")),
            ("epoch", "\(status.number("epoch"))"),
            ("up for", status.time("uptime_ms")),
            (
                "workers",
                "\(workers.number("connected")) connected"
                    + (draining > 0 ? ", \(draining) draining" : "")
            ),
            (
                "slots", "\(workers.number("in_flight")) of \(workers.number("slots")) in use"
            ),
            (
                "runs",
                "\(runs.number("active")) active, \(runs.number("kept")) finished and kept, "
                    + "\(runs.number("accepted")) accepted since the start"
            ),
            ("nodes", "\(status.number("nodes_settled")) done since the start"),
            ("tools", "\(status.number("tools"))"),
            ("connections", "\(status.number("connections"))"),
        ])
    }
}
