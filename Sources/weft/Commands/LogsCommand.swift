// `weft logs`: what the tool of a node wrote, attempt by attempt.
internal import ArgumentParser
internal import Client
internal import Console
internal import Core
internal import JSON
internal import Wire

struct LogsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Shows what the tool of a node wrote.",
        discussion: """
            What every attempt wrote to its standard output and standard error goes to standard \
            output and standard error, also of runs that have ended. Of a long text the beginning \
            and the end are kept (limits attempt_log and run_log of the coordinator). Examples:

              weft logs 7f3k2m t3
              weft logs 7f3k2m t3 --attempt 2 --stream stderr
            """
    )

    @Argument(
        help: ArgumentHelp("The run.", valueName: "run"),
        completion: Completions.runs,
        transform: runID
    )
    var id: RunID
    @Argument(help: "One node of it.", completion: Completions.nodes, transform: nodeID)
    var node: NodeID
    @Option(
        help: ArgumentHelp(
            "Only of the attempt with this number (weft show RUN NODE --story has them).",
            valueName: "number"
        )
    )
    var attempt: Int?
    @Option(help: ArgumentHelp("Only this one.", valueName: "stdout|stderr"))
    var stream: LogStream?
    @Flag(help: "Print the pieces as JSON, with the attempt and the stream of each.")
    var json = false
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var reconnecting: ReconnectFlag

    func validate() throws {
        if let attempt, attempt < 1 {
            throw ValidationError("--attempt is the number of an attempt, from 1.")
        }
    }

    func run() throws {
        let options = try connection.clientOptions(readsOnly: true)
        let data = try Session.ask(
            options,
            .logs,
            id: id.text,
            node: node,
            reconnecting: reconnecting.limit
        )
        var log = try read { () throws(WireError) in try LogDocument(decoding: data) }
        let attempts = Set(log.entries.map(\.attempt)).sorted()
        if let attempt, !attempts.contains(attempt) {
            let known = attempts.map { "\($0)" }.joined(separator: ", ")
            throw CommandFailure(
                .failed,
                "Nothing is kept of attempt \(attempt) of \(node); "
                    + (known.isEmpty
                        ? "its tool wrote nothing." : "there is something of \(known).")
            )
        }
        log.entries.removeAll { entry in
            if let attempt, entry.attempt != attempt { return true }
            return stream.map { entry.output.stream != $0.stream } ?? false
        }
        if json { return Printer().json(log.json) }
        write(log, namesAttempts: attempt == nil && attempts.count > 1)
    }

    private func write(_ log: LogDocument, namesAttempts: Bool) {
        let style = Terminal.of(.error).style
        var latest = 0
        for entry in log.entries {
            if namesAttempts, entry.attempt != latest {
                say(style.paint("attempt \(entry.attempt):", .dim))
            }
            latest = entry.attempt
            if entry.isCut { say(style.paint("… something is missing here", .dim)) }
            let isError = entry.output.stream == .standardError
            let output = isError ? Output.error : Output.standard
            let isTerminal = Terminal.of(isError ? .error : .standard).isTerminal
            output.writeNow(isTerminal ? harmless(entry.output.bytes) : Array(entry.output.bytes))
        }
    }

    private func say(_ line: String) { Output.error.writeNow(Array("\(line)\n".utf8)) }

    /// The bytes without what would change the state of a terminal.
    private func harmless(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        Array(Text.harmless(String(decoding: bytes, as: UTF8.self)).utf8)
    }
}

/// A stream of a tool, as the command line names it.
enum LogStream: String, ExpressibleByArgument, CaseIterable {
    case stdout
    case stderr

    var stream: ChunkStream { self == .stdout ? .standardOutput : .standardError }
}
