// `weft bench`: measures with real processes over loopback TCP.

internal import ArgumentParser
internal import FoundationEssentials
internal import Glibc
internal import JSON
internal import UVLoop

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures plans, or goals that a scripted model plans.",
        discussion: """
            weft bench SHAPE is weft bench plan SHAPE. Examples:
              weft bench chain
              weft bench compile --shape stagger
            """,
        subcommands: [BenchPlanCommand.self, BenchCompileCommand.self],
        defaultSubcommand: BenchPlanCommand.self
    )
}

struct BenchPlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Measures a shape of plan on a cluster of its own.",
        discussion: """
            Starts a coordinator and workers as processes over loopback TCP, runs the shape once \
            and prints what it took. Shapes:
              fanout   independent no-op nodes: throughput
              chain    each node depends on the one before: latency of a hop
              layers   1000 nodes a layer, each depending on two of the layer before
              payload  outputs of 256 KiB each into one node
              spawn    processes of /bin/true, beside a bare loop that starts them
              single   runs of one node, one after the other: submit to answer

            Machines wake idle cores at different speed: chain and single print the time of a \
            bare line between two processes (floor) in the same run.
            """
    )

    @Argument(help: "One of \(BenchShape.allCases.map(\.rawValue).joined(separator: ", ")).")
    var shape: BenchShape

    @Option(help: "How many nodes (default: by shape); for single, how many runs.")
    var nodes: Int?

    @Option(help: "How many worker processes.")
    var workers = 2

    @Option(help: "Slots of each worker.")
    var slots = 4

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard (1...2_000_000).contains(nodes ?? 1) else {
            throw ValidationError("--nodes must be from 1 to 2000000.")
        }
        guard (1...64).contains(workers) else {
            throw ValidationError("--workers must be from 1 to 64.")
        }
        guard (1...1_024).contains(slots) else {
            throw ValidationError("--slots must be from 1 to 1024.")
        }
    }

    func run() throws {
        let loop = try Shell.makeLoop()
        let settings = BenchRunner.Settings(
            shape: shape,
            nodes: nodes ?? shape.defaultNodes,
            workers: workers,
            slots: slots
        )
        if isatty(STDERR_FILENO) == 1 {
            Shell.tell("measuring \(shape.rawValue), \(settings.nodes) nodes …")
        }
        var outcome: Result<BenchFigures, BenchFailure>?
        let runner = try BenchRunner(loop: loop, settings: settings) { result in
            outcome = result
            loop.stop()
        }
        loop.run()
        loop.close()
        withExtendedLifetime(runner) {}
        switch outcome {
        case .success(let figures): show(figures)
        case .failure(let failure): throw CommandFailure(.failed, failure.description)
        case nil: throw CommandFailure(.failed, "The benchmark did not end.")
        }
    }

    private func show(_ figures: BenchFigures) {
        if json {
            var writer = JSONWriter()
            figures.encode(into: &writer)
            Shell.output(String(decoding: writer.bytes, as: UTF8.self))
            return
        }
        for line in figures.lines {
            Shell.output(line.label.padding(toLength: 12) + line.value)
        }
    }
}

extension String {
    fileprivate func padding(toLength length: Int) -> String {
        self + String(repeating: " ", count: max(length - count, 1))
    }
}
