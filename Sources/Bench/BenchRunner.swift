// One benchmark from its cluster to its figures. After a warm-up it measures one run (or, for some
// shapes, many) on a cluster that is otherwise idle.

internal import Client
internal import Console
internal import Core
internal import FoundationEssentials
internal import Glibc
internal import JSON
internal import UVLoop
internal import Wire

/// Confined to its loop; `then` is called once.
final class BenchRunner {
    struct Settings {
        var shape: BenchShape
        var nodes: Int
        var workers: Int
        var slots: Int
        /// Whether the cluster's connections are encrypted.
        var isEncrypted = false
        /// Whether the coordinator keeps a journal.
        var isDurable = false
        /// The database of the journal; nil for a file.
        var journal: String?
        /// How long idle workers are watched: three heartbeats, so that each is pinged at the usual
        /// rate.
        var idleTime: Duration = .seconds(6)
    }

    private let loop: EventLoop
    private let settings: Settings
    private let then: (Result<BenchFigures, BenchFailure>) -> Void
    private var cluster: BenchCluster?
    private var client: CoordinatorClient?
    private var floor: PingPongFloor?
    private var floorMicroseconds: Double?
    private var floorPerSecond: Double?
    /// The load for shapes that are more than one plan.
    private var load: AnyObject?
    private var wallNanoseconds: Int64 = 0
    private var usageBefore: ProcessUsage?
    private var usage: ProcessUsage.Span?
    private var latencies: [Double] = []
    private var remainingSingles = 0
    private var signals: [SignalSource] = []
    private var hasEnded = false

    /// Measures on a loop of its own, and returns when everything has ended.
    static func measure(_ settings: Settings) throws -> BenchFigures {
        let loop = try Shell.makeLoop()
        var outcome: Result<BenchFigures, BenchFailure>?
        let runner = try BenchRunner(loop: loop, settings: settings) { result in
            outcome = result
            loop.stop()
        }
        loop.run()
        loop.close()
        withExtendedLifetime(runner) {}
        switch outcome {
        case .success(let figures): return figures
        case .failure(let failure) where failure == .interrupted: throw CommandFailure(.interrupted)
        case .failure(let failure): throw CommandFailure(.failed, failure.description)
        case nil: throw CommandFailure(.failed, "The benchmark did not end.")
        }
    }

    init(
        loop: EventLoop,
        settings: Settings,
        then: @escaping (Result<BenchFigures, BenchFailure>) -> Void
    ) throws {
        self.loop = loop
        self.settings = settings
        self.then = then
        signals = try Shell.onEndingSignals(loop) { [weak self] _ in
            self?.end(.failure(.interrupted))
        }
        switch settings.shape {
        case .chain, .single:
            floor = try PingPongFloor(loop: loop, program: Shell.ownPath) {
                [weak self] samples in
                let sorted = samples.sorted()
                if !sorted.isEmpty {
                    self?.floorMicroseconds = Double(sorted[sorted.count / 2]) / 1_000
                }
                self?.startCluster()
            }
        case .spawn:
            _ = try SpawnFloor(
                loop: loop,
                program: Shell.ownPath,
                total: min(settings.nodes, 2_000),
                concurrency: settings.workers * settings.slots
            ) { [weak self] perSecond in
                self?.floorPerSecond = perSecond
                self?.startCluster()
            }
        case .fanout, .layers, .payload, .sleep, .clients, .million, .planfile, .idle:
            startCluster()
        }
    }

    private func startCluster() {
        guard !hasEnded else { return }
        do {
            cluster = try BenchCluster(
                loop: loop,
                workers: settings.shape == .idle ? 0 : settings.workers,
                slots: settings.slots,
                isEncrypted: settings.isEncrypted,
                isDurable: settings.isDurable,
                journal: settings.journal,
                onReady: { [weak self] client in
                    self?.client = client
                    self?.warmUp()
                },
                onFailure: { [weak self] in self?.end(.failure(BenchFailure($0))) }
            )
        } catch {
            end(.failure(BenchFailure("\(error)")))
        }
    }

    // MARK: - Running

    private func warmUp() {
        guard settings.shape != .idle else { return measure() }
        run(BenchShape.fanout.plan(nodes: 1_000)) { [weak self] _, _ in self?.measure() }
    }

    private func measure() {
        guard let cluster, let client else { return }
        let finishLoad: (Result<[BenchFigure], BenchFailure>) -> Void = { [weak self] result in
            switch result {
            case .success(let figures): self?.finish(figures)
            case .failure(let failure): self?.end(.failure(failure))
            }
        }
        usageBefore = ProcessUsage(of: cluster.coordinatorPID)
        switch settings.shape {
        case .single:
            remainingSingles = settings.nodes
            measureSingle(settings.shape.plan(nodes: 1))
        case .clients:
            load = ClientsLoad(
                cluster: cluster,
                clients: BenchShape.clientCount,
                runs: settings.nodes,
                then: finishLoad
            )
        case .idle:
            cluster.dismissClient()
            load = IdleLoad(
                cluster: cluster,
                workers: settings.nodes,
                time: settings.idleTime,
                then: finishLoad
            )
        case .planfile:
            do {
                load = try PlanFileLoad(
                    cluster: cluster,
                    client: client,
                    nodes: settings.nodes,
                    then: finishLoad
                )
            } catch {
                end(.failure(BenchFailure("\(error)")))
            }
        case .fanout, .chain, .layers, .payload, .spawn, .sleep, .million:
            measurePlan()
        }
    }

    private func measurePlan() {
        run(settings.shape.plan(nodes: settings.nodes)) { [weak self] run, nanoseconds in
            self?.wallNanoseconds = nanoseconds
            self?.readUsage()
            self?.collect(run)
        }
    }

    private func measureSingle(_ plan: [UInt8]) {
        run(plan) { [weak self] _, nanoseconds in
            guard let self else { return }
            latencies.append(Double(nanoseconds) / 1_000)
            wallNanoseconds += nanoseconds
            remainingSingles -= 1
            if remainingSingles > 0 { return measureSingle(plan) }
            readUsage()
            finish(figuresOfRuns())
        }
    }

    private func readUsage() {
        guard let usageBefore, let cluster else { return }
        usage = ProcessUsage(of: cluster.coordinatorPID)?.since(usageBefore)
    }

    /// Submits a plan and waits for its last event; calls back with the time from submit to it.
    private func run(_ plan: [UInt8], then: @escaping (RunID, Int64) -> Void) {
        let submission = Submission(plan: plan, join: .json, watch: .end)
        let startedAt = loop.nowNanoseconds
        client?.submit(submission) { [weak self] update in
            guard let self else { return }
            switch update {
            case .event(let event) where event.kind == .runSucceeded:
                then(event.run, loop.nowNanoseconds - startedAt)
            case .event(let event) where event.isTerminal:
                end(.failure(BenchFailure(endOf: event)))
            case .failed(let error):
                end(.failure(BenchFailure("\(error)")))
            default: break
            }
        }
    }

    // MARK: - Collecting

    /// Fetches the times of all nodes, page by page.
    private func collect(_ run: RunID) {
        var previousReady: Int?
        client?
            .forEachPage(of: run) { [weak self] (page, goOn) throws(WireError) in
                try page.forEachNode { _, node in
                    self?.addLatency(of: node, &previousReady)
                    return true
                }
                goOn(true)
            } then: { [weak self] result in
                guard let self else { return }
                switch result {
                case .success: finish(figuresOfRuns())
                case .failure: end(.failure(BenchFailure("The nodes cannot be fetched.")))
                }
            }
    }

    private func addLatency(of node: NodeDocument, _ previousReady: inout Int?) {
        guard let ready = node.readyAt else { return }
        if settings.shape == .chain {
            if let previousReady { latencies.append(Double(ready - previousReady)) }
            previousReady = ready
            return
        }
        latencies.append(Double((node.queued ?? 0) + (node.turnaround ?? 0)))
    }

    // MARK: - The figures

    private func figuresOfRuns() -> [BenchFigure] {
        guard let usage else { return [] }
        let seconds = Double(wallNanoseconds) / 1e9
        let figures: [BenchFigure] = .ofRuns(
            nodes: settings.nodes,
            seconds: seconds,
            latencies: latencies,
            latencyMeaning: latencyMeaning,
            usage: usage
        )
        return figures + ownFigures(seconds, figures.first { $0.name == "p50_us" }?.value ?? 0)
    }

    private var latencyMeaning: String {
        switch settings.shape {
        case .chain: "from one node's readiness to the next one's"
        case .single: "from submit to answer"
        default: "of a node, from ready to result"
        }
    }

    /// Figures that only one shape has.
    private func ownFigures(_ seconds: Double, _ median: Double) -> [BenchFigure] {
        var figures: [BenchFigure] = []
        if settings.shape == .payload {
            let bytes = Double(settings.nodes * BenchShape.payloadBytes)
            figures.append(
                BenchFigure(
                    "payload_mb_per_s",
                    bytes / seconds / 1e6,
                    "payload",
                    "MB/s into the last node"
                )
            )
        }
        if settings.shape == .sleep {
            let slots = settings.workers * settings.slots
            let rounds = (settings.nodes + slots - 1) / slots
            let bound = Double(rounds * BenchShape.sleepMilliseconds) / 1_000
            figures += [
                BenchFigure("bound_s", bound, "bound", "s if no slot were ever free"),
                BenchFigure("wall_over_bound", seconds / bound, "bound", "times that"),
            ]
        }
        if let floorMicroseconds {
            figures += [
                BenchFigure(
                    "floor_p50_us",
                    floorMicroseconds,
                    "floor p50",
                    "µs for a bare line there and back"
                ),
                BenchFigure(
                    "p50_over_floor",
                    median / floorMicroseconds,
                    "floor",
                    "times that"
                ),
            ]
        }
        if let floorPerSecond {
            let rate = Double(settings.nodes) / seconds
            figures += [
                BenchFigure("floor_per_s", floorPerSecond, "floor", "bare processes a second"),
                BenchFigure(
                    "floor_over_rate",
                    floorPerSecond / rate,
                    "floor",
                    "times as many"
                ),
            ]
        }
        return figures
    }

    private func finish(_ figures: [BenchFigure]) {
        guard !figures.isEmpty else { return end(.failure(.coordinatorGone)) }
        end(
            .success(
                BenchFigures(
                    shape: settings.shape,
                    nodes: settings.nodes,
                    workers: settings.workers,
                    slots: settings.slots,
                    isEncrypted: settings.isEncrypted,
                    isDurable: settings.isDurable,
                    cores: ProcessInfo.processInfo.activeProcessorCount,
                    figures: figures
                )
            )
        )
    }

    private func end(_ result: Result<BenchFigures, BenchFailure>) {
        guard !hasEnded else { return }
        hasEnded = true
        guard let cluster else { return then(result) }
        cluster.stop { [then] in then(result) }
    }
}

/// Why a benchmark has no figures.
struct BenchFailure: Error, Equatable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    /// A run that did not succeed.
    init(endOf event: EventMessage) {
        self.init("The run ended as \(event.kind.rawValue): \(event.data?.text ?? "")")
    }

    static let coordinatorGone = BenchFailure("The coordinator is gone.")
    static let interrupted = BenchFailure("The benchmark was interrupted.")
}
