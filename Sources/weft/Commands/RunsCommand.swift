// `weft runs`: the coordinator's running and past runs.
internal import ArgumentParser
internal import Client
internal import Console
internal import Core
internal import Wire

/// How a listed run stands.
private enum StatusChoice: String, CaseIterable, ExpressibleByArgument {
    case running, succeeded, failed, cancelled

    var status: RunStatus {
        switch self {
        case .running: .running
        case .succeeded: .succeeded
        case .failed: .failed
        case .cancelled: .cancelled
        }
    }
}

struct RunsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs",
        abstract: "Lists runs, the newest first.",
        discussion: """
            Runs that have ended are listed as long as the coordinator keeps them.

            Examples:
              weft runs --limit 5
              weft runs --status failed --since 2h
              weft runs --label nightly --since 2026-11-28
            """
    )

    @OptionGroup var connection: ConnectionOptions
    @Option(help: ArgumentHelp("How many to list, at most 1000.", valueName: "number"))
    var limit = 20
    @Option(help: "Only runs that stand so.")
    private var status: StatusChoice?
    @Option(help: "Only runs with this label.")
    var label: String?
    @Option(
        help: ArgumentHelp(
            "Only runs that began since then: \(Since.help)",
            valueName: "time"
        )
    )
    var since: String?
    @Flag(help: "Print the coordinator's answer as JSON.")
    var json = false

    func validate() throws {
        _ = try beginning()
        guard (1...1000).contains(limit) else {
            throw ValidationError("--limit must be from 1 to 1000.")
        }
    }

    func run() throws {
        let options = try connection.clientOptions(readsOnly: true)
        let data = try Session.ask(
            options,
            .runs,
            limit: limit,
            runs: RunsFilter(status: status?.status, label: label, since: try beginning())
        )
        let printer = Printer()
        if json { return printer.json(data) }
        let runs = try read { () throws(WireError) in try RunDocument.list(decoding: data) }
        guard !runs.isEmpty || status != nil || label != nil || since != nil else {
            return printer.lines([
                "No runs yet. Start one: weft run --plan plan.json --coordinator "
                    + "\(options.endpoints[0])"
            ])
        }
        var table = TextTable([
            .init(title: "RUN"), .init(title: "STATUS"), .init(title: "DONE", isNumeric: true),
            .init(title: "NODES", isNumeric: true), .init(title: "FAILED", isNumeric: true),
            .init(title: "STARTED", isNumeric: true), .init(title: "TOOK", isNumeric: true),
            .init(title: "BY"), .init(title: "LABEL", isElastic: true),
        ])
        for run in runs {
            let counts = run.counts
            table.add([
                .init(run.run.text), .state(run.status.rawValue), .init("\(counts.settled)"),
                .init("\(counts.total)"), .init("\(counts.failed)", counts.failed > 0 ? .red : nil),
                .init(Text.duration(milliseconds: Double(run.ageMilliseconds)) + " ago"),
                .init(Text.duration(microseconds: run.timing.wall)),
                .init(run.submittedBy ?? ""), .init(run.label ?? ""),
            ])
        }
        printer.table(table)
    }

    /// `since` in milliseconds of Unix time.
    private func beginning() throws -> Int? { try since.map(Since.milliseconds) }
}
