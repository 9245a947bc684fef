// A worker inside another program, which offers its functions to a coordinator elsewhere.
public import Logging
internal import OrderedCollections
public import Tools
public import Transport
internal import UVLoop
internal import Wire
internal import Worker
internal import WorkerCore

/// A worker inside this process, on a thread of its own, for a coordinator elsewhere.
///
/// It connects again whenever the connection is lost, until it is drained, stopped or refused. It
/// stops when its last reference is released.
public final class EmbeddedWorker: Sendable {
    /// The options of a worker, without its tools.
    public struct Options: Sendable {
        /// A name that no other worker of the coordinator has: 1–64 of `[A-Za-z0-9._-]`.
        ///
        /// A second connected worker of the same name is refused, unless it replaces the first.
        public var name: String
        /// How many nodes it runs at the same time, 1–4096.
        public var slots: Int
        /// Labels that nodes can require.
        public var labels: [String: String]
        /// How long it runs without a coordinator before it ends; nil for ever.
        public var exitAfter: Duration?
        /// Whether it replaces a connected worker of the same name.
        public var replaces: Bool

        /// Options with these parts; by default the name is new, with one slot a core.
        public init(
            name: String? = nil,
            slots: Int? = nil,
            labels: [String: String] = [:],
            exitAfter: Duration? = nil,
            replaces: Bool = false
        ) {
            self.name = name ?? PeerName.unique
            self.slots = slots ?? Computer.coreCount
            self.labels = labels
            self.exitAfter = exitAfter
            self.replaces = replaces
        }
    }

    private let thread: OwnedThread<WorkerLoop>
    private let ending: Promise<Void>

    private init(_ thread: OwnedThread<WorkerLoop>, _ ending: Promise<Void>) {
        self.thread = thread
        self.ending = ending
    }

    /// Starts a worker and returns when a coordinator has registered it.
    ///
    /// While no coordinator can be reached, it continues to try; cancelling the task stops that.
    ///
    /// - Parameters:
    ///   - tools: The tools that are Swift functions.
    ///   - manifest: More tools, as a manifest declares them.
    ///   - endpoint: The coordinator's address.
    ///   - key: The key of its workers.
    ///   - tls: When the connection is encrypted; by default if the address is of another host.
    ///   - options: Name, slots and labels.
    ///   - logger: The log of the worker; nil for none.
    /// - Returns: The registered worker.
    /// - Throws: `ToolboxError` if the tools cannot be offered, `KeyFileError`,
    ///   ``EmbeddedWorkerError`` if the worker ended, `UVError` if there can be no thread.
    public static func start(
        tools: [FunctionTool],
        manifest: Manifest? = nil,
        coordinator endpoint: Endpoint = .default,
        key: AccessKey = .standard,
        tls: TLSPolicy = .offHost,
        options: Options = Options(),
        logger: Logger? = nil
    ) async throws -> EmbeddedWorker {
        try options.check()
        let access = Access(
            endpoints: [endpoint],
            key: try key.resolve(for: .worker),
            tls: tls
        )
        return try await start(tools, manifest, access, options, logger)
    }

    /// Starts a worker for the coordinators of a join line, which it tries in turn, and returns
    /// when one has registered it.
    ///
    /// - Parameters:
    ///   - tools: The tools that are Swift functions.
    ///   - manifest: More tools, as a manifest declares them.
    ///   - invitation: A join line of `weft keys export`; read one by ``Invitation/load(path:)``.
    ///   - options: Name, slots and labels.
    ///   - logger: The log of the worker; nil for none.
    /// - Returns: The registered worker.
    /// - Throws: `ToolboxError` if the tools cannot be offered, ``EmbeddedWorkerError`` if the
    ///   worker ended or the line is not a worker's, `UVError` if there can be no thread.
    public static func start(
        tools: [FunctionTool],
        manifest: Manifest? = nil,
        joining invitation: Invitation,
        options: Options = Options(),
        logger: Logger? = nil
    ) async throws -> EmbeddedWorker {
        try options.check()
        guard invitation.role == .worker else {
            throw EmbeddedWorkerError(
                message: "The join line is that of a \(invitation.role.rawValue); a worker's is "
                    + "needed."
            )
        }
        let access = Access(
            endpoints: invitation.endpoints,
            key: invitation.key,
            tls: invitation.isEncrypted ? .always : .never
        )
        return try await start(tools, manifest, access, options, logger)
    }

    /// Where a worker connects, and how.
    fileprivate struct Access: Sendable {
        var endpoints: [Endpoint]
        var key: HandshakeKey
        var tls: TLSPolicy
    }

    private static func start(
        _ tools: [FunctionTool],
        _ manifest: Manifest?,
        _ access: Access,
        _ options: Options,
        _ logger: Logger?
    ) async throws -> EmbeddedWorker {
        let logger = logger ?? .silent
        let registered = Promise<Void>()
        let ending = Promise<Void>()
        let thread = try await OwnedThread.start(name: "weft-worker", until: registered) { loop in
            let toolbox = try Toolbox.make(loop: loop, manifest: manifest, functions: tools)
            let service = WorkerService(
                loop: loop,
                options: WorkerOptions(access, options, toolbox),
                logger: logger
            )
            return WorkerLoop(service, registered: registered, ending: ending)
        }
        return EmbeddedWorker(thread, ending)
    }

    /// Accepts nothing new, finishes running attempts, and ends; by force after the deadline, if
    /// there is one.
    public func drain(deadline: Duration? = nil) async {
        thread.post { $0.drain(deadline: deadline) }
        _ = try? await ending.value
        await thread.close()
    }

    /// Ends now; running functions are cancelled.
    public func stop() async {
        await thread.close()
    }

    /// Waits until the worker has ended; cancelling the waiting task stops it.
    ///
    /// - Throws: ``EmbeddedWorkerError`` unless it was drained or stopped; `CancellationError` if
    ///   the task was cancelled.
    public func ended() async throws {
        do {
            try await withTaskCancellationHandler {
                try await ending.value
            } onCancel: {
                thread.post { $0.close() }
            }
        } catch {
            await thread.close()
            throw error
        }
        await thread.close()
        try Task.checkCancellation()
    }
}

/// Why a worker ended without having been drained or stopped.
public struct EmbeddedWorkerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A sentence for a person.
    public var message: String

    /// The message.
    public var description: String { message }
}

extension EmbeddedWorker.Options {
    fileprivate func check() throws(EmbeddedWorkerError) {
        guard PeerName.isValid(name) else {
            throw EmbeddedWorkerError(message: "The name of a worker must have \(PeerName.rule).")
        }
        guard (1...Limits.largestSlots).contains(slots) else {
            throw EmbeddedWorkerError(message: "slots must be from 1 to \(Limits.largestSlots).")
        }
        guard labels.count <= Limits.largestLabels else {
            throw EmbeddedWorkerError(
                message: "A worker has at most \(Limits.largestLabels) labels."
            )
        }
    }
}

extension WorkerOptions {
    fileprivate init(
        _ access: EmbeddedWorker.Access,
        _ options: EmbeddedWorker.Options,
        _ toolbox: Toolbox
    ) {
        let labels = options.labels.sorted { $0.key < $1.key }
        self.init(
            endpoints: access.endpoints,
            name: options.name,
            slots: options.slots,
            labels: OrderedDictionary(
                uniqueKeysWithValues: labels.map { ($0.key, $0.value) }
            ),
            key: access.key,
            tls: access.tls,
            toolbox: toolbox,
            hostName: Computer.hostName,
            processID: Int(ProcessTable.pid),
            exitAfter: options.exitAfter
        )
        configuration.replaces = options.replaces
    }
}

/// A worker on its own thread; reports once that it is registered and once that it has ended.
private final class WorkerLoop: Closable {
    private let service: WorkerService

    init(_ service: WorkerService, registered: Promise<Void>, ending: Promise<Void>) {
        self.service = service
        service.onNotice = { notice in
            if case .registered = notice { registered.settle(.success(())) }
        }
        service.onExit = { reason in
            let error = EmbeddedWorkerError(message: reason.description)
            registered.settle(.failure(error))
            switch reason {
            case .drained, .stopped: ending.settle(.success(()))
            case .refused, .replaced, .nameTaken, .unannounceable, .noCoordinator:
                ending.settle(.failure(error))
            }
        }
        service.start()
    }

    func drain(deadline: Duration?) { service.drain(deadline: deadline) }

    func close() { service.stop() }
}
