// One benchmark from its cluster to its figures. Warm-up first; what is measured is one run (or,
// for `single`, many runs one after the other) on a cluster that is otherwise idle.

internal import Client
internal import FoundationEssentials
internal import JSON
internal import Plans
internal import UVLoop
internal import Wire

/// Confined to its loop; `then` comes once.
final class BenchRunner {
    struct Settings {
        var shape: BenchShape
        var nodes: Int
        var workers: Int
        var slots: Int
    }

    private let loop: EventLoop
    private let settings: Settings
    private let then: (Result<BenchFigures, BenchFailure>) -> Void
    private var cluster: BenchCluster?
    private var client: CoordinatorClient?
    private var floor: PingPongFloor?
    private var floorMicroseconds: Double?
    private var floorPerSecond: Double?
    private var startedAt: Int64 = 0
    private var wallNanoseconds: Int64 = 0
    private var usageBefore: ProcessUsage?
    private var usageAfter: ProcessUsage?
    private var latencies: [Double] = []
    private var remainingSingles = 0
    private var hasEnded = false

    init(
        loop: EventLoop,
        settings: Settings,
        then: @escaping (Result<BenchFigures, BenchFailure>) -> Void
    ) throws {
        self.loop = loop
        self.settings = settings
        self.then = then
        switch settings.shape {
        case .chain, .single:
            floor = try PingPongFloor(loop: loop, program: EmbeddedCluster.ownPath) {
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
                program: "/bin/true",
                total: min(settings.nodes, 2_000),
                concurrency: settings.workers * settings.slots
            ) { [weak self] perSecond in
                self?.floorPerSecond = perSecond
                self?.startCluster()
            }
        case .fanout, .layers, .payload:
            startCluster()
        }
    }

    private func startCluster() {
        do {
            cluster = try BenchCluster(
                loop: loop,
                workers: settings.workers,
                slots: settings.slots,
                onReady: { [weak self] client in
                    self?.client = client
                    self?.warmUp()
                },
                onFailure: { [weak self] in self?.end(.failure(BenchFailure(description: $0))) }
            )
        } catch {
            end(.failure(BenchFailure(description: "\(error)")))
        }
    }

    // MARK: - Running

    private func warmUp() {
        run(BenchShape.fanout.plan(nodes: 1_000)) { [weak self] _, _ in self?.measure() }
    }

    private func measure() {
        guard let cluster else { return }
        usageBefore = ProcessUsage(of: cluster.coordinatorPID)
        if settings.shape == .single {
            remainingSingles = settings.nodes
            return measureSingle(settings.shape.plan(nodes: 1))
        }
        run(settings.shape.plan(nodes: settings.nodes)) { [weak self] run, nanoseconds in
            guard let self else { return }
            wallNanoseconds = nanoseconds
            usageAfter = ProcessUsage(of: cluster.coordinatorPID)
            collect(run, from: 0, previousReady: nil)
        }
    }

    private func measureSingle(_ plan: [UInt8]) {
        run(plan) { [weak self] _, nanoseconds in
            guard let self else { return }
            latencies.append(Double(nanoseconds) / 1_000)
            wallNanoseconds += nanoseconds
            remainingSingles -= 1
            if remainingSingles > 0 { return measureSingle(plan) }
            usageAfter = cluster.flatMap { ProcessUsage(of: $0.coordinatorPID) }
            finish()
        }
    }

    /// Submits a plan and waits for its last event; calls back with the time from submit to it.
    private func run(_ plan: [UInt8], then: @escaping (RunID, Int64) -> Void) {
        let submission = Submission(plan: plan, join: .json, watch: .end)
        startedAt = loop.nowNanoseconds
        let startedAt = startedAt
        client?.submit(submission) { [weak self] update in
            guard let self else { return }
            switch update {
            case .event(let event) where event.kind == .runSucceeded:
                then(event.run, loop.nowNanoseconds - startedAt)
            case .event(let event) where event.isTerminal:
                end(
                    .failure(
                        BenchFailure(
                            description: "The run ended as \(event.kind.rawValue): "
                                + (event.data?.text ?? "")
                        )
                    )
                )
            case .failed(let error):
                end(.failure(BenchFailure(description: "\(error)")))
            default: break
            }
        }
    }

    // MARK: - Collecting

    /// Fetches the times of all nodes, page by page.
    private func collect(_ run: RunID, from: Int, previousReady: Double?) {
        client?.get(.nodes, id: run.text, from: from, limit: 10_000) { [weak self] result in
            guard let self else { return }
            guard case .success(let data) = result, let fields = try? JSONFields(data) else {
                return end(.failure(BenchFailure(description: "The nodes cannot be fetched.")))
            }
            var previous = previousReady
            fields["nodes"]?.forEachField { _, node in self.take(node, &previous) }
            if let next = fields["next"]?.intValue {
                collect(run, from: next, previousReady: previous)
            } else {
                finish()
            }
        }
    }

    private func take(_ node: RawJSON, _ previousReady: inout Double?) {
        guard let fields = try? JSONFields(node), let ready = fields["ready_at_ms"]?.doubleValue
        else { return }
        if settings.shape == .chain {
            if let previousReady { latencies.append((ready - previousReady) * 1_000) }
            previousReady = ready
            return
        }
        let queued = fields["queued_ms"]?.doubleValue ?? 0
        let turnaround = fields["turnaround_ms"]?.doubleValue ?? 0
        latencies.append((queued + turnaround) * 1_000)
    }

    private func finish() {
        guard let usageBefore, let usageAfter else {
            return end(.failure(BenchFailure(description: "The coordinator is gone.")))
        }
        let figures = BenchFigures(
            shape: settings.shape,
            nodes: settings.nodes,
            workers: settings.workers,
            slots: settings.slots,
            cores: ProcessInfo.processInfo.activeProcessorCount,
            wallSeconds: Double(wallNanoseconds) / 1e9,
            latencies: latencies,
            coordinatorCPUSeconds: usageAfter.cpuSeconds - usageBefore.cpuSeconds,
            coordinatorPeakBytes: usageAfter.peakResidentBytes,
            payloadBytes: settings.shape == .payload
                ? settings.nodes * BenchShape.payloadBytes : 0,
            floorMicroseconds: floorMicroseconds,
            floorPerSecond: floorPerSecond
        )
        end(.success(figures))
    }

    private func end(_ result: Result<BenchFigures, BenchFailure>) {
        guard !hasEnded else { return }
        hasEnded = true
        guard let cluster else { return then(result) }
        cluster.stop { [then] in then(result) }
    }
}

/// Why a benchmark has no figures.
struct BenchFailure: Error, CustomStringConvertible {
    let description: String
}
