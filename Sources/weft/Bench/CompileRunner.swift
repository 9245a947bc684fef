// One measurement of `weft bench compile`: goals, one after the other, on a cluster of its own whose
// models are scripted. The first pair of runs warms up; medians are of the others.

internal import Client
internal import FoundationEssentials
internal import JSON
internal import LanguageModels
internal import Plans
internal import UVLoop
internal import Wire

/// Confined to the session's loop; `then` comes once, if the session does not end before it.
final class CompileRunner {
    private let session: Session
    private let join: JoinKind
    private let rounds: Int
    private let folder: StateFolder
    private let then: (_ planned: Double, _ streamed: Double) -> Void
    private var planned: [Double] = []
    private var streamed: [Double] = []

    init(
        session: Session,
        script: CompileScript,
        join: JoinKind,
        rounds: Int,
        workers: Int,
        slots: Int,
        then: @escaping (_ planned: Double, _ streamed: Double) -> Void
    ) throws {
        self.session = session
        self.join = join
        self.rounds = rounds
        self.then = then
        folder = try StateFolder.open(nil, isEphemeral: true)
        defer { folder.removeIfEphemeral() }
        let path = "\(folder.path)/models.jsonl"
        try Data(script.recording).write(to: URL(fileURLWithPath: path))
        let model = ModelConfiguration.Model.recorded(
            path: path,
            pace: .recorded,
            isRepeated: true
        )
        let models = try ModelCatalogue.make(
            ModelConfiguration(planner: model, joiner: model),
            loop: session.loop,
            environment: [:]
        )
        let cluster = try EmbeddedCluster(
            loop: session.loop,
            models: models,
            options: EmbeddedCluster.Options(workers: workers, slots: slots, diagnostics: true),
            onReady: { [self] endpoint, key in
                session.connect(.client(to: endpoint, key: key)) { [self] in run(on: $0) }
            },
            onFailure: { session.end(CommandFailure(.failed, $0)) }
        )
        session.onEnd = { then in cluster.stop(then: then) }
        session.onLeave = { cluster.abandon() }
    }

    private func run(on client: CoordinatorClient) {
        // The planner's calls alternate: first the plan in one piece, then the plan in pieces.
        measure(client) { [self] whole in
            measure(client) { [self] pieces in
                planned.append(whole)
                streamed.append(pieces)
                guard planned.count > rounds else { return run(on: client) }
                then(median(planned), median(streamed))
            }
        }
    }

    private func measure(_ client: CoordinatorClient, _ done: @escaping (Double) -> Void) {
        let submission = Submission(
            goal: "What the scripted model plans.",
            planner: PlannerOptions(format: .json, repairs: 0, rounds: 1, onModelFailure: .finish),
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

    private func median(_ all: [Double]) -> Double {
        let sorted = all.dropFirst().sorted()
        return sorted[sorted.count / 2]
    }
}
