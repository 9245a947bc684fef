// `weft forget`: removes runs that have ended from the coordinator's memory and journal.
internal import ArgumentParser
internal import Client
internal import Console
internal import Core

struct ForgetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget",
        abstract: "Removes runs that have ended, with all that is kept of them.",
        discussion: """
            The coordinator forgets them by itself after some time (--keep, --keep-bytes of weft \
            coordinator). Example:

              weft forget 7f3k2m
            """
    )

    @Argument(
        help: ArgumentHelp("The runs.", valueName: "run"),
        completion: Completions.runs,
        transform: runID
    )
    var runs: [RunID] = []
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        guard !runs.isEmpty else { throw ValidationError("Name the runs to forget.") }
    }

    func run() throws {
        let options = try connection.clientOptions()
        try Session.run { session in
            session.connect(options) { client in forget(runs, client, session) }
        }
        Printer().lines(runs.map { "Run \($0) is forgotten." })
    }

    private func forget(_ runs: [RunID], _ client: CoordinatorClient, _ session: Session) {
        guard let run = runs.first else { return session.end() }
        client.forget(run: run) { result in
            switch result {
            case .success: forget(Array(runs.dropFirst()), client, session)
            case .failure(let error): session.end(CommandFailure(error))
            }
        }
    }
}
