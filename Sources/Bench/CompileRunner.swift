// One measurement of `weft bench compile`: goals, one after the other, on a cluster with scripted
// models. The first run warms up; medians are of the others.

internal import Client
internal import Console
internal import JSON
internal import LanguageModels
internal import Logging
internal import Plans
internal import UVLoop
internal import Weftline
internal import Wire

/// Confined to the session's loop; `then` is called once, if the session does not end before it.
final class CompileRunner {
    private let session: Session
    private let join: JoinKind
    private let then: (CompileScript.Times) -> Void
    /// The strategies of all runs, in order; the first one warms up.
    private let runs: [PlanningStrategy]
    /// In milliseconds.
    private var times: [Double] = []

    init(
        session: Session,
        script: CompileScript,
        join: JoinKind,
        rounds: Int,
        workers: Int,
        slots: Int,
        then: @escaping (CompileScript.Times) -> Void
    ) throws {
        self.session = session
        self.join = join
        self.then = then
        let round: [PlanningStrategy] = [.streamed, .planned, .sequential, .react]
        runs = [.streamed] + (0..<rounds).flatMap { _ in round }
        let recording = try Recording(parsing: script.recording(of: runs))
        func model(_ label: String) -> RecordedModel {
            RecordedModel(
                loop: session.loop,
                recording: recording,
                label: label,
                makeTimer: PreciseTimer.make
            )
        }
        let processes = WorkerProcesses(
            loop: session.loop,
            options: WorkerProcesses.Options(
                command: [Shell.ownPath, "worker", "--precise-timers"],
                environment: Shell.environmentOfOwnProcess(),
                count: workers,
                slots: slots,
                hasDiagnostics: true
            ),
            onLines: { for line in $0 { Shell.tell(line) } }
        )
        let cluster = try EmbeddedCluster(
            loop: session.loop,
            workers: processes,
            models: try ModelCatalogue.make(
                ModelConfiguration(),
                loop: session.loop,
                environment: [:],
                ownPlanner: model("planner"),
                ownJoiner: model("joiner")
            ),
            software: WeftlineVersion.software,
            logger: Shell.logger("coordinator", level: .warning),
            onReady: { [self] endpoint, key in
                session.connect(.client(to: [endpoint], key: key)) { [self] in run(on: $0) }
            },
            onFailure: { session.end(CommandFailure(.failed, $0)) }
        )
        session.onEnd = { then in cluster.stop(then: then) }
        session.onEndAtOnce = { cluster.endAtOnce() }
    }

    private func run(on client: CoordinatorClient) {
        guard times.count < runs.count else {
            return then(
                CompileScript.Times(
                    react: median(.react),
                    sequential: median(.sequential),
                    planned: median(.planned),
                    streamed: median(.streamed)
                )
            )
        }
        measure(runs[times.count], client) { [self] time in
            times.append(time)
            run(on: client)
        }
    }

    private func measure(
        _ strategy: PlanningStrategy,
        _ client: CoordinatorClient,
        _ done: @escaping (Double) -> Void
    ) {
        let submission = Submission(
            goal: "What the scripted model plans.",
            planner: PlannerOptions(
                format: .json,
                repairs: 0,
                rounds: 1,
                onModelFailure: .finish,
                strategy: strategy
            ),
            join: join,
            watch: .end
        )
        let loop = session.loop
        let start = loop.nowNanoseconds
        client.submit(submission) { [session] update in
            switch update {
            case .event(let event) where event.kind == .runSucceeded:
                done(Double(loop.nowNanoseconds - start) / 1e6)
            case .event(let event) where event.isTerminal:
                let reason = "The run ended as \(event.kind.rawValue): \(event.data?.text ?? "")"
                session.end(CommandFailure(.failed, reason))
            case .failed(let error):
                session.end(CommandFailure(error))
            default: break
            }
        }
    }

    private func median(_ strategy: PlanningStrategy) -> Double {
        let sorted = zip(runs, times).dropFirst().filter { $0.0 == strategy }.map(\.1).sorted()
        return sorted[sorted.count / 2]
    }
}
