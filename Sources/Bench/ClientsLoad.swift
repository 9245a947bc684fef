// Many clients that submit runs of one node at once, each the next one as soon as its last one has
// ended.

internal import Client
internal import UVLoop
internal import Wire

/// Confined to its loop; `then` is called once.
final class ClientsLoad {
    private let loop: EventLoop
    private let runs: Int
    private let pid: Int32
    private let plan = BenchShape.clients.plan(nodes: 1)
    private let then: (Result<[BenchFigure], BenchFailure>) -> Void
    private var clients: [CoordinatorClient] = []
    private var ended: [Int]
    private var endedCount = 0
    private var submitted = 0
    private var latencies: [Double] = []
    private var startedAt: Int64 = 0
    private var usageBefore: ProcessUsage?
    private var isDone = false

    /// Connects the clients and lets them submit that many runs together.
    init(
        cluster: BenchCluster,
        clients count: Int,
        runs: Int,
        then: @escaping (Result<[BenchFigure], BenchFailure>) -> Void
    ) {
        loop = cluster.loop
        self.runs = runs
        self.then = then
        pid = cluster.coordinatorPID
        ended = Array(repeating: 0, count: count)
        latencies.reserveCapacity(runs)
        for number in 0..<count {
            CoordinatorClient.connect(
                loop: loop,
                options: cluster.clientOptions("client-\(number)")
            ) { [weak self] result in
                switch result {
                case .success(let client): self?.add(client)
                case .failure(let error): self?.end(.failure(BenchFailure("\(error)")))
                }
            }
        }
    }

    private func add(_ client: CoordinatorClient) {
        clients.append(client)
        guard clients.count == ended.count else { return }
        usageBefore = ProcessUsage(of: pid)
        startedAt = loop.nowNanoseconds
        for client in clients.indices { submit(client) }
    }

    private func submit(_ client: Int) {
        guard submitted < runs, !isDone else { return }
        submitted += 1
        let begunAt = loop.nowNanoseconds
        let submission = Submission(plan: plan, join: .json, watch: .end)
        clients[client].submit(submission) { [weak self] update in
            switch update {
            case .event(let event) where event.kind == .runSucceeded:
                self?.noteRun(client, begunAt)
            case .event(let event) where event.isTerminal:
                self?.end(.failure(BenchFailure(endOf: event)))
            case .failed(let error):
                self?.end(.failure(BenchFailure("\(error)")))
            default: break
            }
        }
    }

    private func noteRun(_ client: Int, _ begunAt: Int64) {
        latencies.append(Double(loop.nowNanoseconds - begunAt) / 1_000)
        ended[client] += 1
        endedCount += 1
        if endedCount == runs { finish() } else { submit(client) }
    }

    private func finish() {
        let seconds = Double(loop.nowNanoseconds - startedAt) / 1e9
        guard let usageBefore, let usage = ProcessUsage(of: pid) else {
            return end(.failure(.coordinatorGone))
        }
        let sorted = ended.sorted()
        let slowest = Double(sorted[0]) / Double(max(sorted[sorted.count / 2], 1))
        var figures: [BenchFigure] = .ofRuns(
            nodes: runs,
            seconds: seconds,
            latencies: latencies,
            latencyMeaning: "from submit to answer",
            usage: usage.since(usageBefore)
        )
        figures.append(
            BenchFigure("runs_per_s", Double(runs) / seconds, "throughput", "runs/s together")
        )
        figures.append(
            BenchFigure(
                "slowest_over_median",
                slowest,
                "fairness",
                "runs of the slowest of \(ended.count) clients for one of the median"
            )
        )
        end(.success(figures))
    }

    private func end(_ result: Result<[BenchFigure], BenchFailure>) {
        guard !isDone else { return }
        isDone = true
        for client in clients { client.close() }
        then(result)
    }
}
