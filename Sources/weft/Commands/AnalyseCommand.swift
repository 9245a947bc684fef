// `weft analyse`: why a run took as long as it did, or all runs since a time (AnalysisOfRuns).
internal import ArgumentParser
internal import Client
internal import Console
internal import Core
internal import Reports
internal import Wire

struct AnalyseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "analyse",
        abstract: "Explains the wall time of a run, or of all runs since a time, as a sum.",
        discussion: """
            The sum follows the critical path: the last node to end, the last one that it waited \
            for, and so on back to the beginning. What more slots or fewer levels would have given \
            is an estimate from the same times. Slots are those that were in use at the same time. \
            A run that goes on is explained up to now. Without a run, --since or --label name \
            several: their sums are added up, the slowest runs and the tools that cost most time \
            are listed. Examples:

              weft analyse 7f3k2m
              weft analyse 7f3k2m --json | jq .parts
              weft analyse --since 24h
              weft analyse --since 2026-11-28 --label nightly
            """
    )

    /// Steps of the critical path that are listed.
    private static let listed = 10

    @Argument(
        help: ArgumentHelp("The run.", valueName: "run"),
        completion: Completions.runs,
        transform: runID
    )
    var id: RunID?
    @Option(
        help: ArgumentHelp(
            "Explain all runs that began since then: \(Since.help)",
            valueName: "time"
        )
    )
    var since: String?
    @Option(help: ArgumentHelp("Explain all runs with this label.", valueName: "label"))
    var label: String?
    @Flag(help: "Print all of it as JSON: every part, step, run and tool.")
    var json = false
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var reconnecting: ReconnectFlag

    func validate() throws {
        _ = try since.map(Since.milliseconds)
        guard id == nil, since == nil, label == nil else {
            guard id == nil || (since == nil && label == nil) else {
                throw ValidationError("Name a run, or several by --since and --label.")
            }
            return
        }
        throw ValidationError("Name a run, or several by --since or --label.")
    }

    func run() throws {
        let options = try connection.clientOptions(readsOnly: true)
        guard let id else {
            let filter = RunsFilter(label: label, since: try since.map(Since.milliseconds))
            let analysis = try AnalysisOfRuns.ask(filter, options, reconnecting.limit)
            return AnalysisOfRuns.show(analysis, json: json)
        }
        let facts = try FactsRequest.facts(
            of: id,
            [.dependencies, .attempts, .criticalStories],
            options,
            reconnecting.limit
        )
        let analysis = Analysis(of: facts)
        let printer = Printer()
        if json { return printer.json(analysis.document(of: facts.run)) }
        let end =
            facts.run.status == .running ? "until now" : "from its acceptance to its end"
        printer.table(Self.sum(analysis.parts, facts.run.planning?.modelTime, end))
        guard !analysis.path.isEmpty else { return printer.lines(["", "No tool has run."]) }
        let count = Text.count(analysis.path.count, "node")
        let which = analysis.path.count > Self.listed ? ", the longest \(Self.listed)" : ""
        printer.lines(["", "Critical path: \(count)\(which)"])
        printer.table(Self.path(analysis))
        printer.lines([""])
        printer.text(Self.estimates(analysis))
    }

    /// The parts that are there, the wall time last.
    static func sum(_ parts: Analysis.Parts, _ modelTime: Int?, _ end: String) -> TextTable {
        let models = modelTime.map { "; models took \(Text.duration(microseconds: $0)) in all" }
        let entries = [
            ("plan", parts.planning, "a model or a client was still writing it" + (models ?? "")),
            ("approval", parts.approval, "people had not answered"),
            ("slots", parts.slots, "ready, but every slot was taken"),
            ("tools", parts.tools, "at work on the critical path"),
            ("retries", parts.retries, "pauses between attempts, attempts that were lost"),
            ("overhead", parts.overhead, "ways to workers and back, starts of tools"),
            ("ending", parts.ending, "after the last attempt: the answer, nodes without a worker"),
        ]
        var table = TextTable([
            .init(title: "PART"), .init(title: "TIME", isNumeric: true),
            .init(title: "SHARE", isNumeric: true), .init(title: "WHAT", isElastic: true),
        ])
        for (name, time, words) in entries where time > 0 {
            let share = Double(time) * 100 / Double(max(parts.sum, 1))
            table.add([
                .init(name), .init(Text.duration(microseconds: time)),
                .init(Text.fixed(share, digits: 1) + " %"), .init(words),
            ])
        }
        table.add([
            .init("wall"), .init(Text.duration(microseconds: parts.sum)), .init("100.0 %"),
            .init(end),
        ])
        return table
    }

    private static func path(_ analysis: Analysis) -> TextTable {
        var table = TextTable([
            .init(title: "NODE"), .init(title: "TOOL"), .init(title: "TRIES", isNumeric: true),
            .init(title: "TOOK", isNumeric: true), .init(title: "RAN", isNumeric: true),
            .init(title: "SLOTS", isNumeric: true), .init(title: "REST", isNumeric: true),
        ])
        for step in analysis.longestSteps.prefix(listed) {
            let parts = step.parts
            let rest = parts.sum - parts.tools - parts.slots
            table.add([
                .init(step.node.text), .init(step.tool), .init("\(step.tries)"),
                .init(Text.duration(microseconds: parts.sum)),
                .init(Text.duration(microseconds: parts.tools)),
                .init(Text.duration(microseconds: parts.slots)),
                .init(Text.duration(microseconds: rest)),
            ])
        }
        return table
    }

    private static func estimates(_ analysis: Analysis) -> [String] {
        func text(_ time: Int) -> String { Text.duration(microseconds: time) }
        func gain(_ other: Int) -> String {
            // What is below a hundredth is not worth a change.
            guard (analysis.wall - other) * 100 > analysis.wall else { return "nothing" }
            return "about \(text(analysis.wall - other)), to \(text(other))"
        }
        return [
            "\(Text.count(analysis.slots, "slot")) in use; the work, \(text(analysis.work)), divided "
                + "among them is \(text(analysis.workPerSlot)), the tools of the longest chain are "
                + "\(text(analysis.longestChain)).",
            "A slot for every node that was ready would have saved "
                + "\(gain(analysis.wallWithEverySlot)).",
            "\(Text.count(analysis.levels, "level")); one level on these slots would have saved "
                + "\(gain(analysis.wallWithOneLevel)).",
        ]
    }
}
