// A cluster inside one program: a coordinator on the program's loop and workers, over loopback TCP
// on a port that the system chooses, with keys that exist only in memory. Not here: the workers
// (LocalWorker, WorkerProcesses), clients of the cluster.
internal import Coordinator
internal import CoordinatorCore
package import LanguageModels
package import Logging
package import Plans
package import Transport
package import UVLoop
package import Wire

/// The workers of an embedded cluster.
///
/// Confined to the loop of the cluster.
package protocol ClusterWorkers: AnyObject {
    /// How many workers there are.
    var count: Int { get }

    /// Starts them; `onFailure` is called with a sentence when they fail.
    func start(
        coordinator: Endpoint,
        key: HandshakeKey,
        onFailure: @escaping (String) -> Void
    ) throws

    /// Called once when all of them have registered.
    func handleAllJoined()

    /// Called for a tool that the coordinator does not offer, with the reason.
    func handleRefusedTool(_ name: String, reason: String)

    /// Ends them; `then` is called when they have ended, and the workers are kept until then.
    func stop(then: @escaping () -> Void)

    /// Tells them to end at once, with their running tools, and does not wait.
    func endAtOnce()
}

/// A coordinator and its workers.
///
/// Confined to its loop.
package final class EmbeddedCluster {
    private let loop: EventLoop
    private let coordinator: CoordinatorService
    private let models: ModelCatalogue?
    private let workers: any ClusterWorkers
    private let clientKey: HandshakeKey
    /// Holds the lock of the state folder, if runs are kept.
    private var state: CoordinatorState?
    private let onReady: (Endpoint, HandshakeKey) -> Void
    private let onFailure: (String) -> Void
    private var joinedWorkers = 0
    private var isReady = false
    private var isStopping = false

    /// The coordinator's address.
    package let endpoint: Endpoint

    /// Starts coordinator and workers.
    ///
    /// - Parameters:
    ///   - loop: The loop of the coordinator.
    ///   - workers: The workers, not started.
    ///   - models: The models for planning; the cluster closes them.
    ///   - limits: The coordinator's limits.
    ///   - plans: Goals with plans that reach them, which planners are shown.
    ///   - keys: The keys of clients and workers.
    ///   - folder: The state folder in whose journal runs are kept; nil keeps them in memory.
    ///   - software: The name and version of the coordinator.
    ///   - logger: The log of the coordinator.
    ///   - onReady: Called with the address and the key of clients when every worker has
    ///     registered; this or `onFailure` is called, once.
    ///   - onFailure: Called with a sentence if the cluster does not become ready.
    /// - Throws: `UVError` if there is no port or no process available, `CoordinatorStateError` or
    ///   `JournalError` if runs cannot be kept in the folder.
    package init(
        loop: EventLoop,
        workers: any ClusterWorkers,
        models: ModelCatalogue? = nil,
        limits: Limits = Limits(),
        plans: [PlanExample] = [],
        keys: (client: HandshakeKey, worker: HandshakeKey) = (.fresh(), .fresh()),
        keepingRunsIn folder: String? = nil,
        software: String = "weft",
        logger: Logger,
        onReady: @escaping (Endpoint, HandshakeKey) -> Void,
        onFailure: @escaping (String) -> Void
    ) throws {
        self.loop = loop
        self.workers = workers
        self.models = models
        self.onReady = onReady
        self.onFailure = onFailure
        clientKey = keys.client
        var machine = CoordinatorMachine.Configuration(
            limits: limits,
            keyring: Keyring([.client: keys.client, .worker: keys.worker]),
            software: software
        )
        machine.planExamples = plans
        if let folder { try StateDirectory.prepare(folder) }
        let state = try folder.map { try CoordinatorState(path: $0) }
        let journal = try state.map { try CoordinatorJournal(in: $0.path, loop: loop) }
        if let state, let journal { machine.epoch = max(state.epoch, journal.starts) }
        self.state = state
        coordinator = CoordinatorService(
            loop: loop,
            options: CoordinatorService.Options(
                port: 0,
                machine: machine
            ),
            models: models,
            journal: journal,
            logger: logger
        )
        do {
            let address = try coordinator.start()
            endpoint = Endpoint(host: address.host, port: address.port)
        } catch {
            models?.close()
            throw error
        }
        coordinator.onNotice = { [weak self] in self?.handleNotice($0) }
        try workers.start(coordinator: endpoint, key: keys.worker) { [weak self] in self?.fail($0) }
    }

    private func handleNotice(_ notice: CoordinatorMachine.Notice) {
        switch notice {
        case .toolRefused(let name, _, let reason):
            workers.handleRefusedTool(name, reason: reason)
        case .workerJoined(_, _, _, let isResumed) where !isResumed && !isStopping:
            joinedWorkers += 1
            guard joinedWorkers == workers.count else { return }
            workers.handleAllJoined()
            // After the turn, so that the registration is complete when a client connects.
            loop.nextTurn { [weak self] in self?.reportReady() }
        default: break
        }
    }

    private func reportReady() {
        guard !isStopping else { return }
        isReady = true
        onReady(endpoint, clientKey)
    }

    private func fail(_ message: String) {
        guard !isStopping, !isReady else { return }
        isStopping = true
        onFailure(message)
    }

    /// Ends workers and coordinator; `then` is called when all workers have ended.
    ///
    /// The cluster lives until then, even without references to it.
    package func stop(then: @escaping () -> Void = {}) {
        isStopping = true
        // The coordinator ends last, because a draining worker sends it a last message.
        workers.stop { [self] in
            coordinator.onStopped = { [self] in
                models?.close()
                state = nil
                then()
            }
            coordinator.stop()
        }
    }

    /// Tells the workers to end at once, with their running tools, and does not wait.
    package func endAtOnce() {
        isStopping = true
        workers.endAtOnce()
    }
}

@available(*, unavailable)
extension EmbeddedCluster: Sendable {}
