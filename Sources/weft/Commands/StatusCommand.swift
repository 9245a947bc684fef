// `weft status`: an overview of the coordinator.
internal import ArgumentParser
internal import Client
internal import Console
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
        var endpoint = options.endpoints[0]
        let data = try Session.ask(options, .status) { endpoint = $0.endpoint }
        let printer = Printer()
        if json { return printer.json(data) }
        let status = try read { () throws(WireError) in try StatusDocument(decoding: data) }
        let (workers, runs) = (status.workers, status.runs)
        printer.pairs([
            ("coordinator", "\(endpoint)"),
            ("software", status.software),
            ("epoch", "\(status.epoch)"),
            ("up for", Text.duration(milliseconds: Double(status.uptimeMilliseconds))),
            (
                "workers",
                "\(workers.connected) connected"
                    + (workers.draining > 0 ? ", \(workers.draining) draining" : "")
            ),
            ("slots", "\(workers.inFlight) of \(workers.slots) in use"),
            (
                "runs",
                "\(runs.active) active, \(runs.kept) finished and kept, \(runs.accepted) accepted "
                    + "since the start"
            ),
            ("nodes", "\(status.settledNodes) done since the start"),
            ("tools", "\(status.tools)"),
            ("connections", "\(status.connections)"),
            ("page", status.page.map(Text.printable) ?? "none"),
        ])
    }
}
