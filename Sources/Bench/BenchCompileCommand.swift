// `weft bench compile`: measures how much time streaming a plan saves, and the gap to the best
// possible time.

internal import ArgumentParser
internal import Console
internal import Glibc
internal import JSON
internal import Wire

struct BenchCompileCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compile",
        abstract: "Measures goals that a scripted model plans.",
        discussion: """
            A scripted model writes a plan of the tool sleep: the first text after 100 ms, then 4 \
            characters each 5 ms. Coordinator, model and client are this process, workers are \
            processes over loopback TCP. Shapes:
              parallelqa  4 searches (0.2 s), 3 sums over them (0.1 s)
              stagger     two branches of different pace, 5 calls (0.1, 0.2, 0.6 s)
              fan8        8 searches
              movie       8 searches with the paper's times: planner 1.88 s, slowest search \
            1.13 s, mean 0.61 s, answer 1.62 s; the first text after 100 ms and the single \
            searches are assumed

            Measured, as the median of --runs after one that warms up, from submit to answer, each \
            with weft run's strategy of that name:
              react       the model is asked before each call; for movie its steps are what remains \
            of the paper's 20.47 s without tools and answer, else as long as their text takes
              sequential  the plan, then one call at a time
              planned     the plan, then the calls
              streamed    calls start while the plan is written

            The best possible is computed from the times of models and tools alone; the gap is what \
            was measured less that. One run of all four takes 35 s for movie, 5 s for the others.

            With --join llm the joiner's model takes 145 ms (movie: 1.62 s), and so does the last \
            reply of react; with concat neither takes time.
            """
    )

    @Option(help: "One of \(CompileShape.allCases.map(\.rawValue).joined(separator: ", ")).")
    var shape: CompileShape
    @Option(help: "How outputs become the answer: llm, or concat for no model.")
    var join: JoinKind = .llm
    @Option(help: "How many runs are measured.")
    var runs = 3
    @Option(help: "How many worker processes.")
    var workers = 2
    @Option(help: "Slots of each worker.")
    var slots = 8
    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard join == .llm || join == .concat else {
            throw ValidationError("--join must be llm or concat.")
        }
        guard (1...1_000).contains(runs) else {
            throw ValidationError("--runs must be from 1 to 1000.")
        }
        guard (1...64).contains(workers) else {
            throw ValidationError("--workers must be from 1 to 64.")
        }
        guard (1...4_096).contains(slots) else {
            throw ValidationError("--slots must be from 1 to 4096.")
        }
    }

    func run() throws {
        let script = CompileScript(shape, joins: join == .llm)
        var figures: CompileFigures?
        try Session.run { session in
            _ = try CompileRunner(
                session: session,
                script: script,
                join: join,
                rounds: runs,
                workers: workers,
                slots: slots
            ) { measured in
                var loads = [0.0]
                getloadavg(&loads, 1)
                figures = CompileFigures(
                    shape: shape,
                    calls: script.calls.count,
                    runs: runs,
                    load: loads[0],
                    best: script.times,
                    measured: measured
                )
                session.end()
            }
        }
        guard let figures else { return }
        if json {
            var writer = JSONWriter()
            figures.encode(into: &writer)
            return Shell.output(String(decoding: writer.bytes, as: UTF8.self))
        }
        Printer().pairs(figures.lines)
    }
}
