// A cluster for one run: a coordinator on this process's loop and worker processes of this same
// program, over loopback TCP on a port that the system chooses, with keys of its own.

internal import Client
internal import Coordinator
internal import CoordinatorCore
internal import FoundationEssentials
internal import Glibc
internal import LanguageModels
internal import Logging
internal import Transport
internal import UVLoop
internal import Wire

/// Confined to its loop.
final class EmbeddedCluster {
    struct Options {
        /// The coordinator's.
        var limits = Limits()
        /// The workers' manifest, if they have one.
        var tools: String?
        var workers = 2
        /// Slots of each worker.
        var slots: Int?
        /// Whether the workers also have the diagnostic tools.
        var diagnostics = false
        /// Variables that the workers do without: they hold the models' keys.
        var withheldVariables: Set<String> = []
        var logLevel = Logger.Level.warning
    }

    private let loop: EventLoop
    private let options: Options
    private let service: CoordinatorService
    private let models: ModelCatalogue?
    private let key: HandshakeKey
    private let workerKey: HandshakeKey
    private let onReady: (Endpoint, HandshakeKey) -> Void
    private let onFailure: (String) -> Void
    /// Takes the lines that workers write while the run goes on.
    var onLines: (([String]) -> Void)?
    private var endpoint: Endpoint?
    private var workers: [ChildProcess] = []
    private var runningWorkers = 0
    private var joinedWorkers = 0
    private var complaints = ""
    private var isStopping = false
    private var onStopped: (() -> Void)?
    private var killTimer: Timer?

    /// Starts coordinator and workers.
    ///
    /// `onReady` comes when every worker has registered, `onFailure`, with what the worker said, if
    /// one ends before that; one of them, once.
    init(
        loop: EventLoop,
        models: ModelCatalogue? = nil,
        options: Options,
        onReady: @escaping (Endpoint, HandshakeKey) -> Void,
        onFailure: @escaping (String) -> Void
    ) throws {
        self.loop = loop
        self.models = models
        self.options = options
        self.onReady = onReady
        self.onFailure = onFailure
        // In memory alone, so that nothing of them is left, however this process ends.
        key = .fresh()
        workerKey = .fresh()
        service = CoordinatorService(
            loop: loop,
            options: CoordinatorService.Options(
                port: 0,
                machine: CoordinatorMachine.Configuration(
                    limits: options.limits,
                    keys: [.client: key, .worker: workerKey],
                    software: WeftlineVersion.software
                )
            ),
            models: models,
            logger: Shell.logger("coordinator", level: options.logLevel)
        )
        service.onNotice = { [weak self] in self?.note($0) }
        let address = try service.start()
        let endpoint = Endpoint(host: address.host, port: address.port)
        self.endpoint = endpoint
        for number in 1...options.workers { try startWorker(number, endpoint) }
    }

    private func startWorker(_ number: Int, _ endpoint: Endpoint) throws {
        var arguments = [
            Self.ownPath, "worker", "--coordinator", "\(endpoint)",
            // Nobody will come who has what these lack: calls had better fail and say why.
            "--offer-all",
            "--key-file", "-", "--name", "worker-\(number)", "--exit-after", "3s",
        ]
        if options.logLevel >= .warning { arguments.append("--quiet") }
        if let tools = options.tools { arguments += ["--tools", tools] }
        if let slots = options.slots { arguments += ["--slots", "\(slots)"] }
        if options.diagnostics { arguments.append("--diagnostics") }
        let child = try ChildProcess.spawn(
            loop: loop,
            options: ChildProcess.Options(
                arguments: arguments,
                environment: Shell.environmentOfOwnProcess(without: options.withheldVariables),
                standardInput: .bytes(Array("\(workerKey.hex)\n".utf8))
            ),
            onOutput: { [weak self] stream, bytes in self?.take(stream, bytes) },
            onExit: { [weak self] status in self?.noteExit(number, status) }
        )
        workers.append(child)
        runningWorkers += 1
    }

    /// The program that runs: workers are the same binary.
    static var ownPath: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
            ?? CommandLine.arguments[0]
    }

    /// What workers write is passed on once everything runs; before, it explains a failure.
    private func take(_ stream: ChildProcess.Stream, _ bytes: [UInt8]) {
        guard !isStopping else { return }
        let text = String(decoding: bytes, as: UTF8.self)
        if joinedWorkers < options.workers { complaints += text }
        if joinedWorkers == options.workers || options.logLevel < .warning {
            tell(text.split(separator: "\n").map(String.init))
        }
    }

    /// Says lines where whoever runs the cluster wants them, else on standard error.
    private func tell(_ lines: [String]) {
        if let onLines { return onLines(lines) }
        for line in lines { Shell.tell(line) }
    }

    private func note(_ notice: CoordinatorMachine.Notice) {
        guard case .workerJoined(_, _, _, let isResumed) = notice, !isResumed else { return }
        joinedWorkers += 1
        if joinedWorkers == options.workers, let endpoint, !isStopping {
            // After the turn, so that the registration is complete when the client connects.
            loop.nextTurn { [weak self] in self?.reportReady(endpoint) }
        }
    }

    private func reportReady(_ endpoint: Endpoint) {
        if !isStopping { onReady(endpoint, key) }
    }

    private func noteExit(_ number: Int, _ status: ChildProcess.ExitStatus) {
        runningWorkers -= 1
        if isStopping {
            finishIfStopped()
        } else if joinedWorkers < options.workers {
            let trimmed = complaints.split(separator: "\n").joined(separator: "\n")
            isStopping = true
            onFailure(
                trimmed.isEmpty
                    ? "Worker \(number) ended before it was ready (\(status))." : trimmed
            )
        } else {
            tell(["worker-\(number) ended (\(status)); its attempts go to other workers"])
        }
    }

    /// Ends workers and coordinator; `then` comes when all worker processes are gone.
    ///
    /// The cluster lives until then, whether or not anybody keeps it.
    func stop(then: @escaping () -> Void) {
        isStopping = true
        onStopped = then
        // The coordinator goes last: a worker that drains says goodbye to it.
        for worker in workers { worker.signalGroup(SIGTERM) }
        let timer = Timer(loop: loop) { [weak self] in
            for worker in self?.workers ?? [] { worker.signalGroup(SIGKILL) }
        }
        timer.schedule(after: .seconds(5))
        killTimer = timer
        finishIfStopped()
    }

    /// Tells the workers to end at once, with the tools they run, and waits for nothing.
    func abandon() {
        isStopping = true
        // A worker drains at the first signal and ends at the second.
        for worker in workers {
            worker.signalGroup(SIGTERM)
            worker.signalGroup(SIGINT)
        }
    }

    private func finishIfStopped() {
        guard runningWorkers == 0, let then = onStopped else { return }
        onStopped = nil
        killTimer?.close()
        service.stop()
        models?.close()
        then()
    }
}
