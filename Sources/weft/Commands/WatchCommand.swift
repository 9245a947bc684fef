// `weft watch`: the events of a run as they happen.
internal import ArgumentParser
internal import Client
internal import Console
internal import Core
internal import JSON
internal import Weftline
internal import Wire

struct WatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Follows a run until it ends.",
        discussion: """
            Prints a line for each event, first those still known, and what tools write as it \
            comes: `t3 |` before standard output, `t3 !` before standard error. Ends with the exit \
            code that `weft run` would have had. Examples:

              weft watch 7f3k2m
              weft watch 7f3k2m --json | jq -c 'select(.kind == "node_failed")'
              weft watch 7f3k2m --json --from 12

            With a lost connection, as when the coordinator is started again, it connects again and \
            goes on where it was: no end of a node is printed twice.
            """
    )

    @Argument(
        help: ArgumentHelp("The run.", valueName: "run"),
        completion: Completions.activeRuns,
        transform: runID
    )
    var id: RunID
    @Option(
        help: ArgumentHelp(
            "Begin with the event of this number, `seq` in JSON (default: the oldest that is kept).",
            valueName: "number"
        )
    )
    var from: Int?
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var reconnecting: ReconnectFlag
    @Flag(help: "Print each event as a JSON object on a line of its own.")
    var json = false

    func validate() throws {
        guard let from, !(0...Limits.largestInteger).contains(from) else { return }
        throw ValidationError("--from is the number of an event, from 0.")
    }

    func run() throws {
        let options = try connection.clientOptions(readsOnly: true)
        try Session.run { session in
            let terminal = Terminal.of(.standard)
            var lines = EventLines(style: terminal.style, isForTerminal: terminal.isTerminal)
            session.output.onBroken = { session.end() }
            session.connect(options, reconnecting: reconnecting.limit, about: id) { client in
                var next = from
                let follower = RunFollower(client) { update in
                    switch update {
                    case .event(let event, let end):
                        next = event.sequence
                        session.output.write(json ? document(event) : text(lines.lines(of: event)))
                        guard let status = end?.exitStatus else { return }
                        session.end(status == .success ? nil : CommandFailure(status))
                    case .failed(let error):
                        session.end(failure(error, next))
                    case .accepted, .planComplete:
                        break
                    }
                }
                follower.watch(id, from: from, level: .all)
            }
        }
    }

    private func failure(_ error: ClientError, _ next: Int?) -> CommandFailure {
        var failure = CommandFailure(error)
        if error.kind == .lost, let hint = error.hint(about: id, from: next) {
            failure.lines.append(hint)
        }
        return failure
    }

    private func document(_ event: EventMessage) -> [UInt8] {
        var writer = JSONWriter(reserving: 256)
        Message.event(event).encode(into: &writer)
        return writer.bytes
    }

    private func text(_ lines: [String]) -> [UInt8] {
        Array(lines.map { $0 + "\n" }.joined().utf8)
    }
}
