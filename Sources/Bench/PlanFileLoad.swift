// A large plan in a file, sent to the cluster by a separate `weft run`: the time until its first
// node has run, and the usage of the command.

internal import Client
internal import Console
internal import Glibc
internal import JSON
internal import UVLoop
internal import Wire

/// Confined to its loop; `then` is called once.
final class PlanFileLoad {
    private let cluster: BenchCluster
    private let client: CoordinatorClient
    private let nodes: Int
    private let path: String
    private let then: (Result<[BenchFigure], BenchFailure>) -> Void
    private var command: ChildProcess?
    private var complaints: [UInt8] = []
    private var timer: Timer?
    private var settledBefore = 0
    private var startedAt: Int64 = 0
    private var firstSeconds: Double?
    private var sentSeconds: Double?
    private var commandPeakBytes = 0
    private var usageBefore: ProcessUsage?
    private var isDone = false

    private static let pause: Duration = .milliseconds(10)

    /// Writes the file, starts the command and asks the coordinator for its progress.
    init(
        cluster: BenchCluster,
        client: CoordinatorClient,
        nodes: Int,
        then: @escaping (Result<[BenchFigure], BenchFailure>) -> Void
    ) throws {
        self.cluster = cluster
        self.client = client
        self.nodes = nodes
        self.then = then
        path = "\(cluster.folderPath)/plan.json"
        try Self.write(nodes, to: path)
        askHowMany { [self] settled in
            settledBefore = settled
            begin()
        }
    }

    private static func write(_ nodes: Int, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard descriptor >= 0 else { throw BenchFailure("\(path) cannot be written.") }
        defer { close(descriptor) }
        let output = Output(descriptor: descriptor)
        var piece = Array(#"{"tasks":["#.utf8)
        for node in 0..<nodes {
            piece += BenchShape.planfile.fileNode(node)
            if node < nodes - 1 { piece += [0x2C, 0x0A] }
            guard piece.count > 1 << 20 || node == nodes - 1 else { continue }
            if node == nodes - 1 { piece += Array("]}\n".utf8) }
            guard output.writeNow(piece) else { throw BenchFailure("\(path) cannot be written.") }
            piece.removeAll(keepingCapacity: true)
        }
    }

    private func begin() {
        usageBefore = ProcessUsage(of: cluster.coordinatorPID)
        startedAt = cluster.loop.nowNanoseconds
        do {
            command = try cluster.spawn(
                [
                    "run", "--plan", path, "--coordinator", "\(cluster.endpoint)",
                    "--key-file", cluster.clientKeyPath, "--join", "json", "--detach",
                ] + cluster.tlsArguments,
                onOutput: { [weak self] in self?.complaints += $0 },
                onExit: { [weak self] in self?.noteSent($0) }
            )
        } catch {
            return end(.failure(BenchFailure("\(error)")))
        }
        look()
    }

    private var seconds: Double { Double(cluster.loop.nowNanoseconds - startedAt) / 1e9 }

    private func noteSent(_ status: ChildProcess.ExitStatus) {
        guard status.isSuccess else {
            let text = String(decoding: complaints.suffix(1_000), as: UTF8.self)
            return end(.failure(BenchFailure("weft run ended early (\(status)): \(text)")))
        }
        sentSeconds = seconds
    }

    private func look() {
        if sentSeconds == nil, let usage = command.flatMap({ ProcessUsage(of: $0.pid) }) {
            commandPeakBytes = max(commandPeakBytes, usage.peakResidentBytes)
        }
        askHowMany { [self] settled in
            let own = settled - settledBefore
            if own > 0, firstSeconds == nil { firstSeconds = seconds }
            if own >= nodes, sentSeconds != nil { return finish() }
            let timer = Timer(loop: cluster.loop) { [weak self] in self?.look() }
            timer.schedule(after: Self.pause)
            self.timer?.close()
            self.timer = timer
        }
    }

    private func askHowMany(_ then: @escaping (Int) -> Void) {
        client.get(.status) { [weak self] result in
            guard let self, !isDone else { return }
            guard case .success(let data) = result,
                let settled = data.value(at: [.key("nodes_settled")])?.intValue
            else { return end(.failure(.coordinatorGone)) }
            then(settled)
        }
    }

    private func finish() {
        let wall = seconds
        guard let usageBefore, let usage = ProcessUsage(of: cluster.coordinatorPID) else {
            return end(.failure(.coordinatorGone))
        }
        let span = usage.since(usageBefore)
        let runs: [BenchFigure] = .ofRuns(
            nodes: nodes,
            seconds: wall,
            latencies: [],
            latencyMeaning: "",
            usage: span
        )
        let figures = [
            BenchFigure("first_node_s", firstSeconds ?? wall, "first node", "s until it had run"),
            BenchFigure("sent_s", sentSeconds ?? wall, "sent", "s until weft run had ended"),
            BenchFigure(
                "client_peak_rss_mb",
                Double(commandPeakBytes) / 1_048_576,
                "weft run",
                "MiB at most"
            ),
        ]
        end(.success(runs.filter { !$0.name.hasPrefix("p") } + figures))
    }

    private func end(_ result: Result<[BenchFigure], BenchFailure>) {
        guard !isDone else { return }
        isDone = true
        timer?.close()
        then(result)
    }
}
