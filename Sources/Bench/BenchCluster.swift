// The cluster of a benchmark: coordinator and workers as separate processes, over loopback TCP, so
// that the usage of each can be measured. Nothing of it remains at the end.

internal import Client
internal import Console
internal import FoundationEssentials
internal import Glibc
internal import JSON
internal import Transport
internal import UVLoop
internal import Wire

/// Confined to its loop.
///
/// `onReady` is called once, with a connected client, or else `onFailure`.
final class BenchCluster {
    let loop: EventLoop
    private let workers: Int
    private let slots: Int
    private let tls: TLSPolicy
    private let folder: StateFolder
    private let keeper: ProcessKeeper?
    private let onReady: (CoordinatorClient) -> Void
    private let onFailure: (String) -> Void
    private var coordinator: ChildProcess?
    private var children: [ChildProcess] = []
    private var runningChildren = 0
    private var said: [UInt8] = []
    private var listening: Endpoint?
    private var keys: [Role: HandshakeKey] = [:]
    private var client: CoordinatorClient?
    private var pollTimer: Timer?
    private var deadline: Timer?
    private var onStopped: (() -> Void)?

    /// The process to watch.
    var coordinatorPID: Int32 { coordinator?.pid ?? 0 }
    /// The coordinator's address; known once it is ready.
    var endpoint: Endpoint { listening ?? .default }
    /// A folder that is removed with the cluster.
    var folderPath: String { folder.path }
    var clientKeyPath: String { KeyFile.path(of: .client, in: folder.path) }

    init(
        loop: EventLoop,
        workers: Int,
        slots: Int,
        isEncrypted: Bool = false,
        isDurable: Bool = false,
        journal: String? = nil,
        onReady: @escaping (CoordinatorClient) -> Void,
        onFailure: @escaping (String) -> Void
    ) throws {
        self.loop = loop
        self.workers = workers
        self.slots = slots
        tls = isEncrypted ? .always : .never
        self.onReady = onReady
        self.onFailure = onFailure
        folder = try StateFolder.open(nil, isEphemeral: true)
        keeper = try folder.startRemover(on: loop)
        let arguments =
            ["coordinator", "--listen", "127.0.0.1:0", "--state", folder.path]
            + (isDurable ? [] : ["--ephemeral"]) + (journal.map { ["--journal", $0] } ?? [])
            + tlsArguments
        coordinator = try spawn(arguments) { [weak self] bytes in self?.listen(to: bytes) }
        let deadline = Timer(loop: loop) { [weak self] in
            self?.fail("The cluster was not ready within 20 s.")
        }
        deadline.schedule(after: .seconds(20))
        self.deadline = deadline
    }

    /// Options for another peer; only once the cluster is ready.
    func key(of role: Role) -> HandshakeKey {
        guard let key = keys[role] else { preconditionFailure("the cluster has read its keys") }
        return key
    }

    /// The arguments of a command that connects, or listens.
    var tlsArguments: [String] { ["--tls", tls.rawValue] }

    /// The keys with which another worker encrypts; nil if connections are not encrypted.
    var workerEncryption: TLSContext? {
        tls == .always ? .peer(key(of: .worker), role: .worker) : nil
    }

    /// Options for another client.
    func clientOptions(_ name: String) -> CoordinatorClient.Options {
        CoordinatorClient.Options(
            endpoints: [endpoint],
            role: .client,
            key: key(of: .client),
            name: name,
            tls: tls,
            timeout: .seconds(10)
        )
    }

    /// Releases the client that `onReady` was called with.
    func dismissClient() { client?.close() }

    /// Starts this program as another process; one without `onExit` must not end by itself.
    func spawn(
        _ arguments: [String],
        onOutput: @escaping ([UInt8]) -> Void,
        onExit: ((ChildProcess.ExitStatus) -> Void)? = nil
    ) throws -> ChildProcess {
        let child = try ChildProcess.spawn(
            loop: loop,
            options: ChildProcess.Options(
                arguments: [Shell.ownPath] + arguments,
                environment: Shell.environmentOfOwnProcess()
            ),
            onOutput: { _, bytes in onOutput(bytes) },
            onExit: { [weak self] status in self?.noteExit(status, onExit) }
        )
        runningChildren += 1
        children.append(child)
        return child
    }

    /// The coordinator's first line contains its address.
    private func listen(to bytes: [UInt8]) {
        said += bytes
        guard listening == nil, said.contains(0x0A) else { return }
        let words = String(decoding: said, as: UTF8.self).split(separator: " ")
        guard let text = words.first(where: { $0.hasPrefix("127.0.0.1:") }),
            let endpoint = try? Endpoint.parse(String(text.prefix { $0 != "," }))
        else { return }
        listening = endpoint
        do {
            for role in [Role.client, .worker] {
                keys[role] = try KeyFile.load(path: KeyFile.path(of: role, in: folder.path))
            }
            try startWorkers(endpoint)
            let options = clientOptions("bench")
            _ = CoordinatorClient.connect(loop: loop, options: options) { [weak self] result in
                switch result {
                case .success(let client):
                    self?.client = client
                    self?.pollWorkers()
                case .failure(let error): self?.fail("\(error)")
                }
            }
        } catch {
            fail("\(error)")
        }
    }

    private func startWorkers(_ endpoint: Endpoint) throws {
        let manifest = "\(folder.path)/tools.yaml"
        let tools = """
            tools:
              - name: "true"
                description: Start a process that does nothing.
                command: [/bin/true]
                idempotent: true
            """
        try tools.write(toFile: manifest, atomically: true, encoding: .utf8)
        for number in 0..<workers {
            let arguments =
                [
                    "worker", "--precise-timers", "--coordinator", "\(endpoint)", "--name",
                    "bench-\(number + 1)",
                    "--key-file", KeyFile.path(of: .worker, in: folder.path), "--slots", "\(slots)",
                    "--tools", manifest, "--diagnostics", "--quiet", "--exit-after", "5s",
                ] + tlsArguments
            _ = try spawn(arguments) { [weak self] bytes in self?.said += bytes }
        }
    }

    private func pollWorkers() {
        client?.get(.workers) { [weak self] result in
            guard let self, case .success(let data) = result else { return }
            var count = 0
            data.forEachElement { _ in count += 1 }
            if count == workers, let client {
                deadline?.cancel()
                onReady(client)
            } else {
                let timer = Timer(loop: loop) { [weak self] in self?.pollWorkers() }
                timer.schedule(after: .milliseconds(10))
                pollTimer?.close()
                pollTimer = timer
            }
        }
    }

    private func fail(_ reason: String) {
        guard onStopped == nil else { return }
        onFailure(reason + "\n" + String(decoding: said.suffix(2_000), as: UTF8.self))
    }

    private func noteExit(
        _ status: ChildProcess.ExitStatus,
        _ onExit: ((ChildProcess.ExitStatus) -> Void)?
    ) {
        runningChildren -= 1
        if onStopped == nil {
            if let onExit {
                onExit(status)
            } else {
                fail("A process of the cluster ended (\(status)).")
            }
        }
        finishIfStopped()
    }

    /// Ends all processes; `then` is called when they have ended.
    func stop(then: @escaping () -> Void) {
        onStopped = then
        client?.close()
        deadline?.close()
        pollTimer?.close()
        for child in children { child.signalGroup(SIGKILL) }
        finishIfStopped()
    }

    private func finishIfStopped() {
        guard runningChildren == 0, let then = onStopped else { return }
        onStopped = {}
        folder.removeIfEphemeral()
        keeper?.shutDown()
        then()
    }
}
