// `weft bench`: measures with real processes over loopback TCP. Its other commands are in separate
// files.

package import ArgumentParser
internal import Console
internal import Glibc
internal import JSON

package struct BenchCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures plans, or goals that a scripted model plans.",
        discussion: """
            weft bench SHAPE is weft bench plan SHAPE. Examples:
              weft bench chain
              weft bench all --json --out today.json
              weft bench compare before.json today.json
              weft bench compile --shape stagger
              weft bench core --workers 10000 --tools 1000
            """,
        subcommands: [
            BenchPlanCommand.self, BenchAllCommand.self, BenchCompareCommand.self,
            BenchCompileCommand.self, BenchCoreCommand.self,
        ],
        defaultSubcommand: BenchPlanCommand.self
    )

    package init() {}
}

struct BenchPlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Measures a shape of plan on a cluster of its own.",
        discussion: """
            Starts a coordinator and workers as processes over loopback TCP, runs the shape once \
            and prints what it took. Shapes:
              fanout    independent no-op nodes: throughput
              chain     each node depends on the one before: latency of a hop
              layers    1000 nodes a layer, each depending on two of the layer before
              payload   outputs of 256 KiB each into one node
              spawn     processes of /bin/true, beside a bare loop that starts them
              single    runs of one node, one after the other: submit to answer
              sleep     tools that wait 20 ms, beside what the slots allow at best
              clients   64 clients that submit runs of one node at once
              million   as fanout, a million nodes: the coordinator's memory
              planfile  a file of a million nodes, 150 MB, through weft run: the time until its \
            first node has run
              idle      a coordinator alone, then with 1000 workers that wait: CPU and memory

            Machines wake idle cores at different speed: chain and single print the time of a \
            bare line between two processes (floor) in the same run.
            """
    )

    @Argument(help: "One of \(BenchShape.allCases.map(\.rawValue).joined(separator: ", ")).")
    var shape: BenchShape

    @Option(help: "How many nodes (default: by shape); runs of single, clients; workers of idle.")
    var nodes: Int?

    @Option(help: "How many worker processes.")
    var workers = 2

    @Option(help: "Slots of each worker (default: 4, for sleep 64).")
    var slots: Int?

    @Flag(help: "Encrypt all connections of the cluster, as between hosts.")
    var tls = false

    @Flag(help: "Keep runs in a journal on disk, as a coordinator does by default.")
    var durable = false

    @Option(
        help: ArgumentHelp(
            "Keep runs in a journal in this database, postgresql://USER@HOST:PORT/DATABASE.",
            valueName: "url"
        )
    )
    var journal: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard (1...2_000_000).contains(nodes ?? 1) else {
            throw ValidationError("--nodes must be from 1 to 2000000.")
        }
        guard shape != .idle || (1...5_000).contains(nodes ?? 1) else {
            throw ValidationError("--nodes must be from 1 to 5000 for idle.")
        }
        guard (1...64).contains(workers) else {
            throw ValidationError("--workers must be from 1 to 64.")
        }
        guard (1...4_096).contains(slots ?? 1) else {
            throw ValidationError("--slots must be from 1 to 4096.")
        }
    }

    func run() throws {
        let settings = BenchRunner.Settings(
            shape: shape,
            nodes: nodes ?? shape.defaultNodes,
            workers: workers,
            slots: slots ?? shape.defaultSlots,
            isEncrypted: tls,
            isDurable: durable || journal != nil,
            journal: journal
        )
        if isatty(STDERR_FILENO) == 1 {
            Shell.tell("measuring \(shape.rawValue), \(settings.nodes) \(shape.unit) …")
        }
        let figures = try BenchRunner.measure(settings)
        if json {
            var writer = JSONWriter()
            figures.encode(into: &writer)
            Shell.output(String(decoding: writer.bytes, as: UTF8.self))
        } else {
            Printer().pairs(figures.lines)
        }
    }
}
