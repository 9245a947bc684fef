// `weft top`: runs, workers and tools while they change.
internal import ArgumentParser
internal import Client
internal import Console
internal import JSON
internal import Transport
internal import Wire

struct TopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Shows runs, workers and tools in a terminal while they change.",
        discussion: """
            Fills the terminal like top and htop. Keys: 1, 2, 3 or Tab for runs, workers and tools, \
            arrows to select, Enter for details, / to filter, s to sort, c to cancel a run, d to \
            drain a worker, ? for all keys, q to quit. Cancelling and draining ask first and need \
            a client's key. With a lost connection it connects again. Examples:

              weft top
              weft top --interval 5s --coordinator build-host:7420
              weft top --once | grep failed
              weft top --once --json | jq .status
            """
    )

    @Option(
        help: ArgumentHelp(
            "The pause between two questions to the coordinator, at least 100ms (default: 1s).",
            valueName: "duration"
        ),
        transform: positiveDuration
    )
    var interval: Duration?
    @Flag(help: "Print the tables once, to any output, and end.")
    var once = false
    @Flag(help: "With --once: print the coordinator's answers as one JSON object.")
    var json = false
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var reconnecting: ReconnectFlag

    func validate() throws {
        if json, !once { throw ValidationError("--json is for --once.") }
        if once, interval != nil { throw ValidationError("--interval is not for --once.") }
        if let interval, interval < .milliseconds(100) {
            throw ValidationError("--interval must be at least 100ms.")
        }
    }

    func run() throws {
        if once { return try TopOnce.show(connection, reconnecting.limit, json: json) }
        guard FullScreen.isPossible else {
            throw CommandFailure(
                .usage,
                "There is no terminal that can be drawn on; weft top --once prints the tables."
            )
        }
        let options = try connection.clientOptions(readsOnly: true)
        var runner: TopRunner?
        defer { runner?.leave() }
        try Session.run { session in
            session.connect(options, reconnecting: reconnecting.limit) { client in
                let top = TopRunner(
                    session,
                    client,
                    place: client.connection.endpoint.description,
                    mayOrder: options.role == .client,
                    interval ?? .seconds(1)
                )
                runner = top
                do {
                    try top.start()
                } catch {
                    session.end(CommandFailure(.failed, "Signals cannot be watched: \(error)."))
                }
            }
        }
    }
}

/// The tables of `weft top` for scripts.
enum TopOnce {
    /// Asks once and prints.
    static func show(_ connection: ConnectionOptions, _ reconnecting: Duration, json: Bool) throws {
        let options = try connection.clientOptions(readsOnly: true)
        func ask(_ what: GetKind, limit: Int? = nil) throws -> RawJSON {
            try Session.ask(options, what, limit: limit, reconnecting: reconnecting)
        }
        let (status, runs) = (try ask(.status), try ask(.runs, limit: 1000))
        let (workers, tools) = (try ask(.workers), try ask(.tools))
        let printer = Printer()
        if json {
            return printer.json(
                .object { writer in
                    for (key, value) in [
                        ("status", status), ("runs", runs), ("workers", workers), ("tools", tools),
                    ] {
                        writer.key(escaping: key)
                        writer.raw(value)
                    }
                }
            )
        }
        let answers = try read { () throws(WireError) in
            TopAnswers(
                status: try StatusDocument(decoding: status),
                runs: try RunDocument.list(decoding: runs),
                workers: try WorkerDocument.list(decoding: workers),
                tools: try ToolDocument.list(decoding: tools)
            )
        }
        for section in TopSection.allCases {
            let table = TopTable(section, answers)
            if section != .runs { printer.lines([""]) }
            printer.lines(["\(section.title): \(table.total)"])
            if table.total > 0 { printer.table(table.text()) }
        }
    }
}
