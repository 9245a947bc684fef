// `weft workers`: the connected workers.
internal import ArgumentParser
internal import Client
internal import Console
internal import OrderedCollections
internal import Wire

struct WorkersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers",
        abstract: "Lists the workers.",
        discussion: """
            States: ready, draining (gets nothing new), silent (not heard from), congested (does \
            not read), disconnected (may come back for a moment). Below the table are tools that \
            are not offered, tools that a worker could not start lately, for which others come \
            first for a while, and workers with another version than the coordinator's, which is \
            no fault.
            """
    )

    @OptionGroup var connection: ConnectionOptions
    @Flag(help: "Print the coordinator's answer as JSON.")
    var json = false

    func run() throws {
        var software = ""
        let data = try Session.ask(try connection.clientOptions(readsOnly: true), .workers) {
            software = $0.welcome.software
        }
        let printer = Printer()
        if json { return printer.json(data) }
        let workers = try read { () throws(WireError) in try WorkerDocument.list(decoding: data) }
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
            let connected = Double(worker.connectedMilliseconds)
            table.add([
                .init(worker.name), .state(worker.state.rawValue), .init("\(worker.inFlight)"),
                .init("\(worker.slots)"), .init(worker.host ?? ""),
                .init(Text.duration(milliseconds: connected)),
                .init(worker.labels.map { "\($0)=\($1)" }.joined(separator: ",")),
                .init(worker.tools.joined(separator: ", ")),
            ])
        }
        printer.table(table)
        let remarks =
            refusals(workers) + coolingTools(workers)
            + Self.otherVersions(workers, coordinator: software)
        printer.lines(remarks.map { printer.style.paint($0, .yellow) })
    }

    /// Workers with another version than the coordinator's, one sentence for each version.
    static func otherVersions(_ workers: [WorkerDocument], coordinator: String) -> [String] {
        var names: OrderedDictionary<String, [String]> = [:]
        for worker in workers {
            guard let software = worker.software, software != coordinator else { continue }
            names[software, default: []].append(worker.name)
        }
        return names.map { software, names in
            let rest = names.count > 3 ? " and \(names.count - 3) more" : ""
            return Text.printable(
                "\(names.prefix(3).joined(separator: ", "))\(rest): \(software), while the"
                    + " coordinator is \(coordinator); they speak the same protocol"
            )
        }
    }

    /// Tools that recently failed to start on a worker.
    private func coolingTools(_ workers: [WorkerDocument]) -> [String] {
        workers.flatMap { worker in
            worker.coolingTools.map { tool in
                let pause = tool.pauseMilliseconds
                let rest = pause > 0 ? "for \(pause) ms" : "until a trial goes well"
                return Text.printable(
                    "\(worker.name): its tool \(tool.name) could not be started "
                        + "(\(tool.refusals) in a row); others come first \(rest): \(tool.reason)"
                )
            }
        }
    }

    /// Tools of a worker that the coordinator does not offer, or that cannot run there.
    private func refusals(_ workers: [WorkerDocument]) -> [String] {
        workers.flatMap { worker in
            (worker.refusedTools + worker.withheldTools).map { tool in
                Text.printable(
                    "\(worker.name): its tool \(tool.name) is not offered: \(tool.reason)"
                )
            }
        }
    }
}
