// `weft workers`: the connected workers.
internal import ArgumentParser
internal import Console
internal import JSON
internal import OrderedCollections
internal import Wire

struct WorkersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers",
        abstract: "Lists the workers.",
        discussion: """
            States: ready, draining (gets nothing new), silent (not heard from), congested (does \
            not read), disconnected (may come back for a moment). Below the table are tools that \
            are not offered, and tools that a worker could not start lately, for which others come \
            first for a while.
            """
    )

    @OptionGroup var connection: ConnectionOptions
    @Flag(help: "Print the coordinator's answer as JSON.")
    var json = false

    func run() throws {
        let data = try Session.ask(try connection.clientOptions(readsOnly: true), .workers)
        let printer = Printer()
        if json { return printer.json(data) }
        let workers = JSONValue(data).arrayValue ?? []
        guard !workers.isEmpty else {
            return printer.lines([
                "No workers are connected. Start one: weft worker --tools tools.yaml"
            ])
        }
        var table = TextTable([
            .init(title: "WORKER"), .init(title: "STATE"), .init(title: "BUSY", isNumeric: true),
            .init(title: "SLOTS", isNumeric: true), .init(title: "HOST"),
            .init(title: "CONNECTED", isNumeric: true), .init(title: "LABELS"),
            .init(title: "TOOLS", isElastic: true),
        ])
        for worker in workers {
            let labels = worker["labels"]?.objectValue ?? [:]
            table.add([
                .init(worker.text("name")), .state(worker.text("state")),
                .init("\(worker.number("in_flight"))"), .init("\(worker.number("slots"))"),
                .init(worker.text("host")), .init(worker.time("connected_ms")),
                .init(labels.map { "\($0)=\($1.stringValue ?? "")" }.joined(separator: ",")),
                .init(worker.texts("tools").joined(separator: ", ")),
            ])
        }
        printer.table(table)
        let remarks = refusals(workers) + coolingTools(workers)
        printer.lines(remarks.map { printer.style.paint($0, .yellow) })
    }

    /// Tools that recently failed to start on a worker.
    private func coolingTools(_ workers: [JSONValue]) -> [String] {
        workers.flatMap { worker in
            (worker["cooling_tools"]?.arrayValue ?? []).map { tool in
                let pause = tool.number("pause_ms")
                let rest = pause > 0 ? "for \(pause) ms" : "until a trial goes well"
                return Text.printable(
                    "\(worker.text("name")): its tool \(tool.text("name")) could not be started "
                        + "(\(tool.number("refusals")) in a row); others come first \(rest): "
                        + tool.text("reason")
                )
            }
        }
    }

    /// Tools of a worker that the coordinator does not offer, or that cannot run there.
    private func refusals(_ workers: [JSONValue]) -> [String] {
        workers.flatMap { worker in
            ((worker["refused_tools"]?.arrayValue ?? [])
                + (worker["withheld_tools"]?.arrayValue ?? [])).map { tool in
                    Text.printable(
                        "\(worker.text("name")): its tool \(tool.text("name")) is not offered: "
                            + tool.text("reason")
                    )
                }
        }
    }
}
