// `weft tools`: the tools that plans can call.
internal import ArgumentParser
internal import Console
internal import Wire

struct ToolsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tools",
        abstract: "Lists the tools that the connected workers offer.",
        discussion: """
            A tool that may be repeated is started again when its worker is lost; any other fails \
            then, because its effect is unknown. The parameters are in --json.
            """
    )

    @OptionGroup var connection: ConnectionOptions
    @Flag(help: "Print the coordinator's answer as JSON, with each tool's parameters.")
    var json = false

    func run() throws {
        let data = try Session.ask(try connection.clientOptions(readsOnly: true), .tools)
        let printer = Printer()
        if json { return printer.json(data) }
        let tools = try read { () throws(WireError) in try ToolDocument.list(decoding: data) }
        guard !tools.isEmpty else {
            return printer.lines([
                "No tools are offered. Start a worker: weft worker --tools tools.yaml"
            ])
        }
        var table = TextTable([
            .init(title: "TOOL"), .init(title: "REPEATABLE"),
            .init(title: "WORKERS", isNumeric: true), .init(title: "TIMEOUT", isNumeric: true),
            .init(title: "DESCRIPTION", isElastic: true),
        ])
        for tool in tools {
            let description = tool.description
            let timeout = description.timeoutMilliseconds.map { Double($0) }
            table.add([
                .init(description.name), description.mayBeRepeated ? "yes" : "no",
                .init("\(tool.workers.count)"),
                .init(timeout.map { Text.duration(milliseconds: $0) } ?? ""),
                .init(description.description),
            ])
        }
        printer.table(table)
    }
}
