// The cost of waiting: a coordinator without any peer, then with workers that only answer pings.

internal import Client
internal import Transport
internal import UVLoop
internal import Wire

/// Confined to its loop; `then` is called once.
final class IdleLoad {
    private let cluster: BenchCluster
    private let count: Int
    private let time: Duration
    private let then: (Result<[BenchFigure], BenchFailure>) -> Void
    private let outboxes: Outboxes
    private var timer: Timer?
    private var workers: [WorkerDouble] = []
    private var registered = 0
    private var figures: [BenchFigure] = []
    private var startedAt: Int64 = 0
    private var bareBytes = 0
    private var isDone = false

    /// Time until the effects of a connection are over.
    private static let settling: Duration = .milliseconds(500)

    /// Measures; the cluster has no workers, and its client has disconnected.
    init(
        cluster: BenchCluster,
        workers count: Int,
        time: Duration,
        then: @escaping (Result<[BenchFigure], BenchFailure>) -> Void
    ) {
        self.cluster = cluster
        self.count = count
        self.time = time
        self.then = then
        outboxes = Outboxes(loop: cluster.loop)
        wait(Self.settling) { [self] in
            watch(time / 3) { [self] share, usage in
                figures.append(
                    BenchFigure(
                        "bare_cpu_percent",
                        share * 100,
                        "coordinator",
                        "% of a core without any peer"
                    )
                )
                bareBytes = usage.residentBytes
                connect()
            }
        }
    }

    private func connect() {
        startedAt = cluster.loop.nowNanoseconds
        for number in 0..<count {
            workers.append(
                WorkerDouble(
                    cluster: cluster,
                    name: "idle-\(number)",
                    outboxes: outboxes,
                    onRegistered: { [weak self] in self?.noteRegistered() },
                    onLost: { [weak self] in self?.end(.failure(BenchFailure($0))) }
                )
            )
        }
    }

    private func noteRegistered() {
        registered += 1
        guard registered == count else { return }
        let seconds = Double(cluster.loop.nowNanoseconds - startedAt) / 1e9
        figures.append(
            BenchFigure("connect_s", seconds, "connecting", "s until all have registered")
        )
        wait(Self.settling) { [self] in
            watch(time) { [self] share, usage in finish(share, usage) }
        }
    }

    private func finish(_ share: Double, _ usage: ProcessUsage) {
        let each = Double(usage.residentBytes - bareBytes) / 1_024 / Double(count)
        figures += [
            BenchFigure("idle_cpu_percent", share * 100, "coordinator", "% of a core"),
            BenchFigure("rss_kib_per_worker", each, "coordinator", "KiB for each worker"),
            BenchFigure(
                "coordinator_peak_rss_mb",
                Double(usage.peakResidentBytes) / 1_048_576,
                "coordinator",
                "MiB at most"
            ),
        ]
        end(.success(figures))
    }

    private func wait(_ duration: Duration, _ then: @escaping () -> Void) {
        let timer = Timer(loop: cluster.loop, onFire: then)
        timer.schedule(after: duration)
        self.timer?.close()
        self.timer = timer
    }

    /// The share of a core that the coordinator uses over a time.
    private func watch(
        _ duration: Duration,
        _ then: @escaping (Double, ProcessUsage) -> Void
    ) {
        let startedAt = cluster.loop.nowNanoseconds
        guard let before = ProcessUsage(of: cluster.coordinatorPID) else {
            return end(.failure(.coordinatorGone))
        }
        wait(duration) { [self] in
            let seconds = Double(cluster.loop.nowNanoseconds - startedAt) / 1e9
            guard let usage = ProcessUsage(of: cluster.coordinatorPID) else {
                return end(.failure(.coordinatorGone))
            }
            then(usage.since(before).cpuSeconds / seconds, usage)
        }
    }

    private func end(_ result: Result<[BenchFigure], BenchFailure>) {
        guard !isDone else { return }
        isDone = true
        timer?.close()
        for worker in workers { worker.close() }
        then(result)
    }
}

/// A worker that registers, answers pings and does nothing else.
///
/// Confined to its loop.
final class WorkerDouble {
    private var connection: MessageConnection?
    private var initiator: HandshakeInitiator
    private let encryption: TLSContext?
    private let onRegistered: () -> Void
    private let onLost: (String) -> Void

    init(
        cluster: BenchCluster,
        name: String,
        outboxes: Outboxes,
        onRegistered: @escaping () -> Void,
        onLost: @escaping (String) -> Void
    ) {
        self.onRegistered = onRegistered
        self.onLost = onLost
        encryption = cluster.workerEncryption
        initiator = HandshakeInitiator(
            role: .worker,
            name: name,
            key: cluster.key(of: .worker),
            nonce: SecureRandom.bytes(Limits.nonceBytes)
        )
        let loop = cluster.loop
        TCPConnection.connect(
            loop: loop,
            host: cluster.endpoint.host,
            port: cluster.endpoint.port,
            timeout: .seconds(10)
        ) { [weak self] result in
            switch result {
            case .success(let socket): self?.begin(loop, socket, outboxes)
            case .failure(let error): self?.onLost("An idle worker cannot connect: \(error)")
            }
        }
    }

    private func begin(_ loop: EventLoop, _ socket: TCPConnection, _ outboxes: Outboxes) {
        let connection = MessageConnection(
            loop: loop,
            socket: socket,
            tls: encryption,
            maximumLine: Limits().maxLine,
            outboxes: outboxes
        )
        self.connection = connection
        connection.start(
            onMessage: { [weak self] in self?.receive($0) },
            onViolation: { [weak self] error in
                self?.onLost("An idle worker got an invalid message: \(error)")
            },
            onEnd: { [weak self] _ in self?.onLost("An idle worker lost its connection.") }
        )
        connection.send(.hello(initiator.hello()))
    }

    private func receive(_ message: Message) {
        switch message {
        case .challenge(let challenge):
            if let auth = try? initiator.answer(to: challenge) { connection?.send(.auth(auth)) }
        case .welcome:
            let tool = ToolDescription(name: "noop", description: "Does nothing.")
            connection?.send(.register(Register(slots: 1, tools: [tool])))
        case .registered: onRegistered()
        case .ping(let ping): connection?.send(.pong(Pong(n: ping.n)))
        case .error(let error): onLost("An idle worker was refused: \(error.message)")
        default: break
        }
    }

    func close() {
        connection?.close()
        connection = nil
    }
}
