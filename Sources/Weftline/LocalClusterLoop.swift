// The loop of a local cluster: coordinator, worker and client on one thread, each with its own
// connection, as on different hosts. The public interface is LocalCluster.
internal import Client
internal import LanguageModels
internal import Logging
internal import Tools
internal import Transport
internal import UVLoop
internal import Wire

/// The parts of a local cluster.
struct ClusterSetup: Sendable {
    var tools: [FunctionTool]
    var manifest: Manifest?
    var models: ModelSetup?
    var slots: Int
    var logger: Logger
    /// The state folder, if runs are kept.
    var folder: String?
    var workerKey = HandshakeKey.fresh()
    var clientKey = HandshakeKey.fresh()
}

/// Confined to its loop.
final class LocalClusterLoop: Closable {
    private(set) var tracker: RunTracker?
    private let loop: EventLoop
    private let ready: Promise<Void>
    private var cluster: EmbeddedCluster?
    private var pending: PendingClient?
    private var deadline: Timer?
    private var isClosed = false

    /// Time for three handshakes over loopback, which take milliseconds.
    private static let longestWait = Duration.seconds(10)

    init(
        loop: EventLoop,
        setup: ClusterSetup,
        endpoint: Promise<Endpoint>,
        ready: Promise<Void>
    ) throws {
        self.loop = loop
        self.ready = ready
        guard (1...Limits.largestSlots).contains(setup.slots) else {
            throw LocalClusterError(message: "slots must be from 1 to \(Limits.largestSlots).")
        }
        let toolbox = try Toolbox.make(
            loop: loop,
            manifest: setup.manifest,
            functions: setup.tools
        )
        let cluster = try EmbeddedCluster(
            loop: loop,
            workers: LocalWorker(toolbox: toolbox, slots: setup.slots, logger: setup.logger),
            models: try setup.models?.make(on: loop),
            keys: (client: setup.clientKey, worker: setup.workerKey),
            keepingRunsIn: setup.folder,
            logger: setup.logger,
            onReady: { [weak self] endpoint, key in self?.connect(to: endpoint, key) },
            onFailure: { [weak self] in self?.fail($0) }
        )
        self.cluster = cluster
        endpoint.settle(.success(cluster.endpoint))
        deadline = Timer(loop: loop) { [weak self] in
            self?.fail("The cluster was not ready within \(Self.longestWait).")
        }
        deadline?.schedule(after: Self.longestWait)
    }

    private func connect(to endpoint: Endpoint, _ key: HandshakeKey) {
        guard !isClosed else { return }
        let options = CoordinatorClient.Options(
            endpoints: [endpoint],
            role: .client,
            key: key,
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
            tracker = RunTracker(LastingClient(client))
            deadline?.close()
            ready.settle(.success(()))
        case .failure(let error):
            fail(error.message)
        }
    }

    /// Does nothing once the cluster is ready.
    private func fail(_ message: String) {
        ready.settle(.failure(LocalClusterError(message: message)))
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        pending?.cancel()
        tracker?.close()
        cluster?.stop()
        deadline?.close()
        fail("The cluster was shut down.")
    }
}

extension Logger {
    /// A log that is dropped.
    static var silent: Logger {
        Logger(label: "weftline") { _ in SwiftLogNoOpLogHandler() }
    }
}
