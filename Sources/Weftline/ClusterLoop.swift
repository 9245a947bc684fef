// The loop of a local cluster: coordinator, worker and client, one after the other and each over
// its own connection, just as they would be on different hosts.
internal import Client
internal import Coordinator
internal import CoordinatorCore
internal import LanguageModels
internal import Logging
internal import Tools
internal import Transport
internal import UVLoop
internal import Wire
internal import Worker
internal import WorkerCore

/// What a local cluster is made of.
struct ClusterSetup: Sendable {
    var tools: [FunctionTool]
    var manifest: Manifest?
    var models: ModelSetup?
    var slots: Int
    var logger: Logger
    var workerKey = HandshakeKey.fresh()
    var clientKey = HandshakeKey.fresh()
}

/// Confined to its loop.
final class ClusterLoop: Resident {
    private(set) var desk: RunDesk?
    private let loop: EventLoop
    private let setup: ClusterSetup
    private let endpoint: Promise<Endpoint>
    private let ready: Promise<Void>
    private let models: ModelCatalogue?
    private let coordinator: CoordinatorService
    private var worker: WorkerService?
    private var pending: PendingClient?
    private var deadline: Timer?
    private var refusals: [String] = []
    private var isClosed = false

    /// Time for three handshakes over loopback, which take milliseconds.
    private static let patience = Duration.seconds(10)

    init(
        loop: EventLoop,
        setup: ClusterSetup,
        endpoint: Promise<Endpoint>,
        ready: Promise<Void>
    ) throws {
        self.loop = loop
        self.setup = setup
        self.endpoint = endpoint
        self.ready = ready
        guard (1...Limits.largestSlots).contains(setup.slots) else {
            throw LocalClusterError(message: "slots must be from 1 to \(Limits.largestSlots).")
        }
        let toolbox = try Toolbox.make(
            loop: loop,
            manifest: setup.manifest,
            functions: setup.tools
        )
        models = try setup.models?.make(on: loop)
        coordinator = CoordinatorService(
            loop: loop,
            options: CoordinatorService.Options(
                port: 0,
                machine: CoordinatorMachine.Configuration(
                    keys: [.worker: setup.workerKey, .client: setup.clientKey]
                )
            ),
            models: models,
            logger: setup.logger
        )
        let address: SocketAddress
        do {
            address = try coordinator.start()
        } catch {
            models?.close()
            throw error
        }
        let place = Endpoint(host: address.host, port: address.port)
        endpoint.settle(.success(place))
        coordinator.onNotice = { [weak self] in self?.note($0, place) }
        deadline = Timer(loop: loop) { [weak self] in
            self?.fail("The cluster was not ready within \(Self.patience).")
        }
        deadline?.schedule(after: Self.patience)
        startWorker(toolbox, place)
    }

    private func startWorker(_ toolbox: Toolbox, _ place: Endpoint) {
        var options = WorkerOptions(
            host: place.host,
            port: place.port,
            name: "local",
            slots: setup.slots,
            key: setup.workerKey,
            toolbox: toolbox,
            hostName: Computer.hostName,
            processID: Int(ProcessTable.pid)
        )
        // No other worker will come who has what this one lacks: calls had better fail and say why
        // than wait for a program to appear.
        options.configuration.hasChangingTools = false
        let worker = WorkerService(loop: loop, options: options, logger: setup.logger)
        worker.onExit = { [weak self] reason in self?.fail("The worker ended: \(reason)") }
        self.worker = worker
        worker.start()
    }

    private func note(_ notice: CoordinatorMachine.Notice, _ place: Endpoint) {
        switch notice {
        case .toolRefused(let name, _, let reason):
            refusals.append("The tool \(name) cannot be offered: \(reason)")
        case .workerJoined where pending == nil && desk == nil:
            guard refusals.isEmpty else { return fail(refusals.joined(separator: "\n")) }
            // After the turn, so that the registration is complete when the client connects.
            loop.nextTurn { [weak self] in self?.connect(place) }
        default: break
        }
    }

    private func connect(_ place: Endpoint) {
        guard !isClosed else { return }
        let options = CoordinatorClient.Options(
            endpoint: place,
            role: .client,
            key: setup.clientKey,
            name: PeerName.ofProcess
        )
        pending = CoordinatorClient.connect(loop: loop, options: options) { [weak self] result in
            self?.finishConnecting(result)
        }
    }

    private func finishConnecting(_ result: Result<CoordinatorClient, ClientError>) {
        pending = nil
        switch result {
        case .success(let client):
            guard !isClosed else { return client.close() }
            desk = RunDesk(client)
            deadline?.close()
            ready.settle(.success(()))
        case .failure(let error):
            fail(error.message)
        }
    }

    /// Only before the cluster is ready does anybody hear of it.
    private func fail(_ message: String) {
        ready.settle(.failure(LocalClusterError(message: message)))
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        pending?.cancel()
        desk?.close()
        worker?.onExit = nil
        worker?.stop()
        coordinator.stop()
        models?.close()
        deadline?.close()
        fail("The cluster was shut down.")
    }
}

extension Logger {
    /// A log that nobody reads.
    static var silent: Logger {
        Logger(label: "weftline") { _ in SwiftLogNoOpLogHandler() }
    }
}
