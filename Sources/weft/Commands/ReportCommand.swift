// `weft report`: a run as a file, a page for people or a text for other programs.
internal import ArgumentParser
internal import Client
internal import Console
internal import Core
internal import Glibc
internal import Reports

struct ReportCommand: ParsableCommand {
    /// What is made of the run.
    enum Format: String, CaseIterable, ExpressibleByArgument {
        case html, timeline, joblog, dot, mermaid, svg
    }

    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Writes a run as a page, a timeline, a log or a graph.",
        discussion: """
            html is the page of the run as one file that needs no coordinator and no network: the \
            attempts, the plan, the slowest nodes, what bounded the wall time and the answer; \
            arguments and outputs of nodes are left out. timeline is for Perfetto (ui.perfetto.dev) \
            and Chrome: a process for each worker, a thread for each slot, a slice for each attempt. \
            joblog is a table like the one that GNU parallel writes, a line for each node; its \
            column Send is always 0. dot, mermaid and svg are the graph with the states of the \
            nodes; svg is a picture for any browser, with the chain that bounded the wall time \
            thick, and sums up more than 400 nodes by level and tool. Workers tell how long a tool ran, not when: it is drawn right before its \
            result came. Examples:

              weft report 7f3k2m --out run.html
              weft report 7f3k2m --format timeline --out run.json
              weft report 7f3k2m --format joblog | column -t
              weft report 7f3k2m --format svg --out run.svg
              weft report 7f3k2m --format dot | dot -Tpdf > run.pdf
            """
    )

    @Argument(
        help: ArgumentHelp("The run.", valueName: "run"),
        completion: Completions.runs,
        transform: runID
    )
    var id: RunID
    @Option(
        help: ArgumentHelp(
            "What to write: \(Format.allCases.map(\.rawValue).joined(separator: ", ")).",
            valueName: "format"
        )
    )
    var format = Format.html
    @Option(help: ArgumentHelp("Write to this file, not to standard output.", valueName: "file"))
    var out: String?
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var reconnecting: ReconnectFlag

    func run() throws {
        let options = try connection.clientOptions(readsOnly: true)
        let facts = try FactsRequest.facts(of: id, wants, options, reconnecting.limit)
        let text =
            switch format {
            case .html:
                ReportPage.text(
                    of: facts,
                    answer: try ReportPage.answer(of: id, options, reconnecting.limit)
                )
            case .timeline: Timeline.text(of: facts)
            case .joblog: Array(Joblog.text(of: facts).utf8)
            case .dot: Array(GraphDrawing.dot(facts).utf8)
            case .mermaid: Array(GraphDrawing.mermaid(facts).utf8)
            case .svg: Array(SVGDrawing.graph(facts).utf8)
            }
        if let out { return try Self.write(text, to: out) }
        let isSeen = Terminal.of(.standard).isTerminal
        Output.standard.writeNow(
            isSeen ? Array(Text.harmless(String(decoding: text, as: UTF8.self)).utf8) : text
        )
    }

    /// What the format needs beside the list of nodes.
    private var wants: FactsRequest.Wants {
        switch format {
        case .html: [.outcomes, .dependencies, .attempts, .criticalStories]
        case .timeline, .joblog: [.outcomes, .attempts]
        case .dot, .mermaid, .svg: .dependencies
        }
    }

    private static func write(_ text: [UInt8], to path: String) throws(CommandFailure) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure(path) }
        let file = Output(descriptor: descriptor)
        let isWritten = file.writeNow(text)
        let problem = failure(path)
        guard file.closed(), isWritten else { throw isWritten ? failure(path) : problem }
    }

    /// What is wrong with the file, by the last call that failed.
    private static func failure(_ path: String) -> CommandFailure {
        CommandFailure(.failed, "\(path) cannot be written: \(Output.lastReason()).")
    }
}
