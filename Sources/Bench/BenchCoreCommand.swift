// `weft bench core`: the cost of a node in the coordinator's core with many workers and tools. Only
// this process is measured: no sockets, no other processes, no waiting.

internal import ArgumentParser
internal import Console
internal import Glibc
internal import JSON

struct BenchCoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "core",
        abstract: "Measures the coordinator's core alone, without sockets and in virtual time.",
        discussion: """
            Registers the workers, submits no-op nodes that take the tools in turn, and answers \
            every dispatch, oldest first, 256 a turn. What is counted is the CPU of the core. The \
            same nodes with 2 workers and one tool are measured beside it, and the two compared; so is \
            checking the arguments of a call against a schema of ten fields.
            """
    )

    @Option(help: "How many workers.")
    var workers = 10_000
    @Option(help: "How many tools there are.")
    var tools = 1_000
    @Option(help: "How many of the tools each worker offers (default: all).")
    var toolsEach: Int?
    @Option(help: "Slots of each worker.")
    var slots = 4
    @Option(help: "How many nodes.")
    var nodes = 400_000
    @Option(help: "Over how many runs they are spread.")
    var runs = 1
    @Option(help: "How many times both are measured; the median counts.")
    var rounds = 3
    @Flag(help: "Half of the workers leave and join again while the nodes run.")
    var churn = false
    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        let bounds: [(String, Int, ClosedRange<Int>)] = [
            ("--workers", workers, 1...50_000), ("--tools", tools, 1...100_000),
            ("--tools-each", toolsEach ?? 1, 1...1_000), ("--slots", slots, 1...4_096),
            ("--nodes", nodes, 1...2_000_000), ("--runs", runs, 1...10_000),
            ("--rounds", rounds, 1...99),
        ]
        for (name, value, range) in bounds where !range.contains(value) {
            throw ValidationError(
                "\(name) must be from \(range.lowerBound) to \(range.upperBound)."
            )
        }
        guard tools <= 1_000 || toolsEach != nil else {
            throw ValidationError("A worker offers at most 1000 tools: give --tools-each.")
        }
        guard (toolsEach ?? 1) <= tools, runs <= nodes else {
            throw ValidationError("--tools-each is at most --tools, and --runs at most --nodes.")
        }
        guard workers * (toolsEach ?? tools) >= tools else {
            throw ValidationError("Some tools would be on no worker: give more --tools-each.")
        }
    }

    func run() throws {
        let many = CoreLoad.Settings(
            workers: workers,
            tools: tools,
            toolsEach: toolsEach ?? tools,
            slots: slots,
            nodes: nodes,
            runs: runs,
            churns: churn
        )
        var few = many
        (few.workers, few.tools, few.toolsEach, few.churns) = (2, 1, 1, false)
        var measured: [(many: CoreLoad.Figures, few: CoreLoad.Figures)] = []
        for round in 1...rounds {
            if isatty(STDERR_FILENO) == 1 { Shell.tell("round \(round) of \(rounds) …") }
            measured.append((try CoreLoad.measure(many), try CoreLoad.measure(few)))
        }
        tell(figures(of: measured) + (try schemaFigures()))
    }

    /// The medians over all rounds.
    private func figures(
        of measured: [(many: CoreLoad.Figures, few: CoreLoad.Figures)]
    ) -> [BenchFigure] {
        func median(_ value: ((many: CoreLoad.Figures, few: CoreLoad.Figures)) -> Double) -> Double
        {
            measured.map(value).sorted()[measured.count / 2]
        }
        return [
            BenchFigure(
                "core_cpu_us_per_node",
                median { $0.many.microsecondsPerNode },
                "core",
                "µs of CPU a node"
            ),
            BenchFigure(
                "core_2_workers_cpu_us_per_node",
                median { $0.few.microsecondsPerNode },
                "2 workers",
                "µs of CPU a node, one tool"
            ),
            BenchFigure(
                "core_over_2_workers",
                median { $0.many.microsecondsPerNode / $0.few.microsecondsPerNode },
                "core",
                "times that"
            ),
            BenchFigure(
                "join_cpu_us_per_worker",
                median { $0.many.microsecondsPerJoin },
                "joining",
                "µs of CPU a worker"
            ),
        ]
    }

    /// What checking the arguments of a call costs.
    private func schemaFigures() throws -> [BenchFigure] {
        let schema = try SchemaLoad.measure()
        return [
            BenchFigure(
                "schema_check_us",
                schema.checkMicroseconds,
                "schema",
                "µs to check arguments of ten fields"
            ),
            BenchFigure(
                "schema_decode_us",
                schema.decodeMicroseconds,
                "schema",
                "µs to decode and check them"
            ),
        ]
    }

    private func tell(_ figures: [BenchFigure]) {
        guard json else {
            let head =
                "core, \(nodes) nodes, \(workers) workers × \(slots) slots, \(tools) tools"
            let lines = [("shape", Optional(head))]
            let values = figures.map {
                ($0.label, Optional("\(BenchFigures.text($0.value)) \($0.meaning)"))
            }
            return Printer().pairs(lines + values)
        }
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("shape", "core")
        writer.field("nodes", nodes)
        writer.field("workers", workers)
        writer.field("slots", slots)
        writer.field("tools", tools)
        writer.field("tools_each", toolsEach ?? tools)
        writer.field("runs", runs)
        writer.field("churn", churn)
        for figure in figures {
            writer.key(escaping: figure.name)
            writer.double(figure.value)
        }
        writer.endObject()
        Shell.output(String(decoding: writer.bytes, as: UTF8.self))
    }
}
