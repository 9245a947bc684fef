// `weft runs`: the coordinator's running and past runs.
internal import ArgumentParser
internal import Client
internal import Console
internal import JSON
internal import Wire

struct RunsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs",
        abstract: "Lists runs, the newest first.",
        discussion: "Example, the last five:\n\n  weft runs --limit 5"
    )

    @OptionGroup var connection: ConnectionOptions
    @Option(help: ArgumentHelp("How many to list, at most 1000.", valueName: "number"))
    var limit = 20
    @Flag(help: "Print the coordinator's answer as JSON.")
    var json = false

    func validate() throws {
        guard (1...1000).contains(limit) else {
            throw ValidationError("--limit must be from 1 to 1000.")
        }
    }

    func run() throws {
        let options = try connection.clientOptions(readsOnly: true)
        let data = try Session.ask(options, .runs, limit: limit)
        let printer = Printer()
        if json { return printer.json(data) }
        let runs = JSONValue(data).arrayValue ?? []
        guard !runs.isEmpty else {
            return printer.lines([
                "No runs yet. Start one: weft run --plan plan.json --coordinator "
                    + "\(options.endpoint)"
            ])
        }
        var table = TextTable([
            .init(title: "RUN"), .init(title: "STATUS"), .init(title: "DONE", isNumeric: true),
            .init(title: "NODES", isNumeric: true), .init(title: "FAILED", isNumeric: true),
            .init(title: "STARTED", isNumeric: true), .init(title: "TOOK", isNumeric: true),
            .init(title: "LABEL", isElastic: true),
        ])
        for run in runs {
            let counts = run["counts"] ?? .null
            let done = ["succeeded", "failed", "skipped", "cancelled"].map(counts.number)
            let failed = counts.number("failed")
            table.add([
                .init(run.text("run")), .state(run.text("status")),
                .init("\(done.reduce(0, +))"), .init("\(counts.number("total"))"),
                .init("\(failed)", failed > 0 ? .red : nil),
                .init(run.time("age_ms") + " ago"), .init((run["timing"] ?? .null).time("wall_ms")),
                .init(run.text("label")),
            ])
        }
        printer.table(table)
    }
}
