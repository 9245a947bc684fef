// Helpers of the library's tests: short plans and tools, waiting with a deadline, a coordinator
// that the library did not start.
import Coordinator
import CoordinatorCore
import Foundation
import LanguageModels
import Logging
import TestKit
import Transport
import UVLoop
import Weftline
import Wire

/// A plan of nodes, each an id, a tool, its arguments.
func plan(_ nodes: (String, String, JSONValue)...) throws -> PlanDocument {
    PlanDocument(
        nodes: try nodes.map { try NodeDefinition($0.0, tool: $0.1, arguments: $0.2) }
    )
}

/// Returns its argument `value`.
let echo = FunctionTool(name: "echo", description: "Gives back its value.") { arguments, _ in
    arguments["value"] ?? nil
}

/// The sum of its argument `terms`.
let sum = FunctionTool(name: "sum", description: "Adds up.", isIdempotent: true) { arguments, _ in
    let terms = arguments["terms"]?.arrayValue ?? []
    return .integer(terms.reduce(0) { $0 + Int64($1.intValue ?? 0) })
}

struct OutOfThread: Error, CustomStringConvertible {
    var description: String { "the thread is used up" }
}

/// Always throws.
let tear = FunctionTool(name: "tear", description: "Fails.") { _, _ in throw OutOfThread() }

/// A tool that runs until it is cancelled, and reports its start and its cancel.
final class Waiting: Sendable {
    private let state = Locked((started: 0, cancelled: 0))

    var started: Int { state.withLock { $0.started } }
    var cancelled: Int { state.withLock { $0.cancelled } }

    var tool: FunctionTool {
        FunctionTool(name: "wait", description: "Waits to be cancelled.") { [self] _, _ in
            state.withLock { $0.started += 1 }
            do {
                try await Task.sleep(for: .seconds(600))
            } catch {
                state.withLock { $0.cancelled += 1 }
                throw error
            }
            return nil
        }
    }
}

/// Waits until a condition holds, at most some seconds; returns whether it did.
func eventually(_ holds: () throws -> Bool) async rethrows -> Bool {
    let deadline = ContinuousClock.now + .seconds(10) * Patience.factor
    while ContinuousClock.now < deadline {
        if try holds() { return true }
        try? await Task.sleep(for: .milliseconds(2))
    }
    return try holds()
}

/// The names of the threads of this process.
func threadNames() -> [String] {
    let folder = "/proc/self/task"
    let ids = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return ids.compactMap { id in
        (try? String(contentsOfFile: "\(folder)/\(id)/comm", encoding: .utf8))?
            .trimmingCharacters(in: .newlines)
    }
}

/// Open descriptors of this process.
func openDescriptors() -> Int {
    (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? -1
}

/// A coordinator on a thread of its own, separate from the library under test.
final class StandaloneCoordinator: Sendable {
    let endpoint: Endpoint
    let workerKey: AccessKey
    let clientKey: AccessKey
    private let keys: [Role: HandshakeKey]
    private let thread: LoopThread<CoordinatorService>

    private init(
        _ endpoint: Endpoint,
        _ keys: [Role: HandshakeKey],
        _ workerKey: AccessKey,
        _ clientKey: AccessKey,
        _ thread: LoopThread<CoordinatorService>
    ) {
        self.endpoint = endpoint
        self.keys = keys
        self.workerKey = workerKey
        self.clientKey = clientKey
        self.thread = thread
    }

    /// Starts one on the port, where 0 lets the system choose, with the models of a file.
    static func start(
        port: Int = 0,
        keys: [Role: HandshakeKey]? = nil,
        modelsAt config: String? = nil,
        journalIn folder: String? = nil
    ) async throws -> Self {
        var known = keys ?? [:]
        for role in [Role.worker, .client] where known[role] == nil {
            known[role] = HandshakeKey(SecureRandom.bytes(32))
        }
        let keys = known
        let address = Locked<SocketAddress?>(nil)
        let thread = try await LoopThread.start(name: "coordinator") { loop in
            let models = try config.map { path in
                try ModelCatalogue.make(
                    ModelConfiguration.parse(
                        yaml: String(contentsOfFile: path, encoding: .utf8),
                        path: path
                    ),
                    loop: loop,
                    environment: [:]
                )
            }
            let journal = try folder.map { try CoordinatorJournal(in: $0, loop: loop) }
            let service = CoordinatorService(
                loop: loop,
                options: CoordinatorService.Options(
                    port: port,
                    machine: CoordinatorMachine.Configuration(
                        keyring: Keyring(keys),
                        epoch: journal?.starts ?? 1
                    )
                ),
                models: models,
                journal: journal,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            )
            let bound = try service.start()
            address.withLock { $0 = bound }
            return service
        }
        guard let bound = address.withLock({ $0 }),
            let worker = keys[.worker].flatMap({ AccessKey.hex($0.hex) }),
            let client = keys[.client].flatMap({ AccessKey.hex($0.hex) })
        else { throw OutOfThread() }
        let endpoint = Endpoint(host: bound.host, port: bound.port)
        return Self(endpoint, keys, worker, client, thread)
    }

    /// Starts another one after this, at its place and with its keys.
    func startAgain(journalIn folder: String) async throws -> Self {
        try await Self.start(
            port: endpoint.port,
            keys: keys,
            journalIn: folder
        )
    }

    func stop() async {
        thread.post { $0.stop() }
        thread.end(within: .seconds(5))
        await thread.ended()
    }
}

/// A folder that is removed with its last reference.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path =
            FileManager.default.temporaryDirectory
            .appendingPathComponent("weft-library-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file and returns its path.
    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        try text.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
        return "\(path)/\(name)"
    }
}
