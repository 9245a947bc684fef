// `weft drain`: takes a worker out of service gently.
internal import ArgumentParser
internal import Client
internal import Console
internal import JSON

struct DrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Lets a worker finish what it runs, give it nothing new, and leave.",
        discussion: """
            Example, with a minute for what still runs:

              weft drain builder-1 --deadline 60s
            """
    )

    @Argument(
        help: "The worker's name, as `weft workers` lists it.",
        completion: Completions.workers
    )
    var worker: String
    @Option(
        help: ArgumentHelp("How long what it runs may take.", valueName: "duration"),
        transform: positiveDuration
    )
    var deadline: Duration?
    @OptionGroup var connection: ConnectionOptions
    @Flag(help: "Print {\"worker\",\"state\"} as JSON.")
    var json = false

    func run() throws {
        let options = try connection.clientOptions()
        try Session.run { session in
            session.connect(options) { client in
                client.drain(worker: worker, deadline: deadline) { result in
                    switch result {
                    case .success: session.end()
                    case .failure(let error): session.end(CommandFailure(error))
                    }
                }
            }
        }
        let printer = Printer()
        if json {
            return printer.json(RawJSON(["worker": .string(worker), "state": "draining"]))
        }
        printer.lines([
            "\(worker) gets nothing new and leaves when what it runs is done. See: weft workers"
        ])
    }
}
