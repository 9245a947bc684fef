// `weft approvals`: the nodes that wait for a person's approval, and why they are asked about.
internal import ArgumentParser
internal import Client
internal import Console
internal import Core
internal import JSON
internal import Wire

struct ApprovalsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approvals",
        abstract: "Lists the nodes that wait for a person's approval.",
        discussion: """
            Tools with approval: required in their manifest ask before each node runs, and so do \
            the tools that a run names with --approve. A node without an answer in time fails. \
            Answer with:

              weft approve RUN NODE
              weft deny RUN NODE --reason "not on a Friday"
            """
    )

    @Argument(
        help: ArgumentHelp("Only this run.", valueName: "run"),
        completion: Completions.activeRuns,
        transform: runID
    )
    var id: RunID?
    @OptionGroup var connection: ConnectionOptions
    @Flag(help: "Print the coordinator's answer as JSON.")
    var json = false

    func run() throws {
        let data = try Session.ask(
            try connection.clientOptions(readsOnly: true),
            .approvals,
            id: id?.text
        )
        let printer = Printer()
        if json { return printer.json(data) }
        let waiting = try read { () throws(WireError) in
            try ApprovalDocument.list(decoding: data)
        }
        guard !waiting.isEmpty else { return printer.lines(["Nothing waits for approval."]) }
        var table = TextTable([
            .init(title: "RUN"), .init(title: "NODE"), .init(title: "TOOL"),
            .init(title: "WAITS", isNumeric: true), .init(title: "LEFT", isNumeric: true),
            .init(title: "ARGUMENTS", isElastic: true),
        ])
        for entry in waiting {
            let left = max(entry.question.timeoutMilliseconds - entry.waitMilliseconds, 0)
            // Terminals show no more.
            let arguments = entry.question.arguments.map { String($0.text.prefix(400)) }
            table.add([
                .init(entry.run.text), .init(entry.node.text), .init(entry.question.tool),
                .init(Text.duration(milliseconds: Double(entry.waitMilliseconds))),
                .init(Text.duration(milliseconds: Double(left))),
                .init(arguments ?? "long; weft show \(entry.run) \(entry.node)"),
            ])
        }
        printer.table(table)
    }
}
