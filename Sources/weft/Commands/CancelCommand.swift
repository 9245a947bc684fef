// `weft cancel`: stops a run and waits for its end.
internal import ArgumentParser
internal import Client
internal import Console
internal import Core
internal import JSON
internal import Weftline
internal import Wire

struct CancelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Cancels a run and waits until it has ended.",
        discussion: """
            Tools that run are asked to stop, and killed if they do not. A run that has ended \
            stays as it is. Example:

              weft cancel 7f3k2m --reason "wrong branch"
            """
    )

    @Argument(
        help: ArgumentHelp("The run.", valueName: "run"),
        completion: Completions.activeRuns,
        transform: runID
    )
    var id: RunID
    @Option(help: ArgumentHelp("Why, for those who watch it.", valueName: "text"))
    var reason: String?
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var reconnecting: ReconnectFlag
    @Flag(help: "Print {\"run\",\"status\"} as JSON.")
    var json = false

    func run() throws {
        let options = try connection.clientOptions()
        var status = ""
        try Session.run { session in
            session.connect(options, reconnecting: reconnecting.limit, about: id) { client in
                let follower = RunFollower(client) { update in
                    switch update {
                    case .event(_, let end):
                        guard let end else { return }
                        status = end.status.rawValue
                        session.end()
                    case .failed(let error): session.end(CommandFailure(error))
                    case .accepted, .planComplete: break
                    }
                }
                // The watch is sent first, so that the run's last event cannot be missed.
                follower.watch(id, level: .end)
                follower.cancel(reason: reason)
            }
        }
        let printer = Printer()
        if json {
            return printer.json(RawJSON(["run": .string(id.text), "status": .string(status)]))
        }
        printer.lines([
            status == "cancelled"
                ? "Run \(id) is cancelled." : "Run \(id) had \(status) already."
        ])
    }
}
