// A whole cluster inside this process: the public interface. The code on its loop is in
// LocalClusterLoop.
public import Logging
public import Plans
public import Tools
public import Transport
internal import UVLoop
public import Wire

/// A coordinator and a worker inside this process.
///
/// They use loopback TCP, on a port that the system chooses and with keys that exist only in
/// memory, all on one thread of the cluster. The tools are Swift functions, those of a manifest, or
/// both. With a language model it plans goals and finds their answers. Any number of clusters may
/// run in a process. A cluster ends with ``shutDown()``, or when the last reference to it and its
/// runs is released.
public final class LocalCluster: Sendable {
    /// The coordinator's address, for workers and clients of other processes on this host.
    public let endpoint: Endpoint
    /// The key of workers.
    public let workerKey: AccessKey
    /// The key of clients.
    public let clientKey: AccessKey
    let client: WeftClient
    private let hasModel: Bool

    private init(
        endpoint: Endpoint,
        workerKey: AccessKey,
        clientKey: AccessKey,
        client: WeftClient,
        hasModel: Bool
    ) {
        self.endpoint = endpoint
        self.workerKey = workerKey
        self.clientKey = clientKey
        self.client = client
        self.hasModel = hasModel
    }

    /// Starts a cluster and returns when plans can be run on it.
    ///
    /// - Parameters:
    ///   - tools: The tools that are Swift functions.
    ///   - manifest: More tools, as a manifest declares them.
    ///   - model: Plans goals and joins their outcomes; without one it can run plans, but not
    ///     goals.
    ///   - joiner: Joins instead of the model; nil for the same model.
    ///   - slots: How many nodes run at the same time, 1–4096; nil for one a core, at least four.
    ///   - state: A folder in whose journal runs are kept and go on when another cluster is started
    ///     with it; nil keeps runs in memory.
    ///   - logger: The log of coordinator and worker; nil for none.
    /// - Returns: The running cluster.
    /// - Throws: `ToolboxError` or ``LocalClusterError`` if the tools cannot be offered,
    ///   `KeyFileError`, `CoordinatorStateError` or `JournalError` if runs cannot be kept there,
    ///   `ModelConfigurationError` if a model cannot be called as it is named, `UVError` if there
    ///   can be no thread or port.
    public static func start(
        tools: [FunctionTool],
        manifest: Manifest? = nil,
        model: LanguageModel? = nil,
        joiner: LanguageModel? = nil,
        slots: Int? = nil,
        state: String? = nil,
        logger: Logger? = nil
    ) async throws -> LocalCluster {
        let setup = ClusterSetup(
            tools: tools,
            manifest: manifest,
            models: model.map { ModelSetup(planner: $0, joiner: joiner) },
            slots: slots ?? max(Computer.coreCount, 4),
            logger: logger ?? .silent,
            folder: state
        )
        let endpoint = Promise<Endpoint>()
        let ready = Promise<Void>()
        let thread = try await OwnedThread.start(name: "weft-cluster", until: ready) { loop in
            try LocalClusterLoop(loop: loop, setup: setup, endpoint: endpoint, ready: ready)
        }
        let client = WeftClient(
            postToLoop: { body in
                thread.post { object in
                    if let tracker = object.tracker { body(tracker) }
                }
            },
            end: { await thread.close() }
        )
        return LocalCluster(
            endpoint: try await endpoint.value,
            workerKey: AccessKey(setup.workerKey),
            clientKey: AccessKey(setup.clientKey),
            client: client,
            hasModel: model != nil
        )
    }

    /// Starts a cluster, passes it to a closure, and shuts it down afterwards.
    ///
    /// - Parameters:
    ///   - tools: The tools that are Swift functions.
    ///   - manifest: More tools, as a manifest declares them.
    ///   - model: Plans goals and joins their outcomes; without one it can run plans, but not
    ///     goals.
    ///   - joiner: Joins instead of the model; nil for the same model.
    ///   - slots: How many nodes run at the same time, 1–4096; nil for one a core, at least four.
    ///   - state: A folder in whose journal runs are kept and go on when another cluster is started
    ///     with it; nil keeps runs in memory.
    ///   - logger: The log of coordinator and worker; nil for none.
    ///   - body: What to do with the cluster.
    /// - Returns: The closure's result.
    /// - Throws: The errors of `start` and of the closure.
    public nonisolated(nonsending) static func with<Value>(
        tools: [FunctionTool],
        manifest: Manifest? = nil,
        model: LanguageModel? = nil,
        joiner: LanguageModel? = nil,
        slots: Int? = nil,
        state: String? = nil,
        logger: Logger? = nil,
        _ body: nonisolated(nonsending) (LocalCluster) async throws -> Value
    ) async throws -> Value {
        let cluster = try await start(
            tools: tools,
            manifest: manifest,
            model: model,
            joiner: joiner,
            slots: slots,
            state: state,
            logger: logger
        )
        do {
            let value = try await body(cluster)
            await cluster.shutDown()
            return value
        } catch {
            await cluster.shutDown()
            throw error
        }
    }

    /// Ends coordinator, worker and thread.
    ///
    /// Running functions are cancelled; those that ignore this are abandoned. Runs that are still
    /// awaited throw.
    public func shutDown() async {
        await client.close()
    }

    /// Runs a plan to its end, see ``WeftClient/run(_:options:)``.
    public func run(
        _ plan: PlanDocument,
        options: RunOptions = RunOptions()
    ) async throws -> RunResult {
        try await client.run(plan, options: options)
    }

    /// Starts a run, see ``WeftClient/start(_:options:watching:)``.
    public func start(
        _ plan: PlanDocument,
        options: RunOptions = RunOptions(),
        watching level: WatchLevel = .nodes
    ) async throws -> RunHandle {
        try await client.start(plan, options: options, watching: level)
    }

    /// Follows a run that was started before, see ``WeftClient/follow(_:watching:)``.
    public func follow(
        _ run: RunID,
        watching level: WatchLevel = .nodes
    ) async throws -> RunHandle {
        try await client.follow(run, watching: level)
    }

    /// Does a run again, without what succeeded, see ``WeftClient/retry(_:again:label:timeLimit:)``.
    public func retry(_ run: RunID, again nodes: [NodeID] = []) async throws -> RunResult {
        try await client.retry(run, again: nodes)
    }

    /// Plans a goal with the model, runs it and returns the answer, see
    /// ``WeftClient/run(goal:options:)``.
    public func run(
        goal: String,
        options: RunOptions = RunOptions()
    ) async throws -> RunResult {
        try checkModel()
        return try await client.run(goal: goal, options: options)
    }

    /// Plans a goal with the model and returns at once, see
    /// ``WeftClient/start(goal:options:watching:)``.
    public func start(
        goal: String,
        options: RunOptions = RunOptions(),
        watching level: WatchLevel = .nodes
    ) async throws -> RunHandle {
        try checkModel()
        return try await client.start(goal: goal, options: options, watching: level)
    }

    /// Plans a goal with the model and runs nothing, see ``WeftClient/plan(goal:options:)``.
    public func plan(
        goal: String,
        options: RunOptions = RunOptions()
    ) async throws -> PlanDocument {
        try checkModel()
        return try await client.plan(goal: goal, options: options)
    }

    private func checkModel() throws(ClientError) {
        guard !hasModel else { return }
        throw ClientError(
            kind: .rejected,
            code: .badPlan,
            message: "The cluster has no language model to plan with; start it with one: "
                + "LocalCluster.start(tools:model:)."
        )
    }
}

/// Why a cluster could not be started, with what to do.
public struct LocalClusterError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A sentence for a person.
    public var message: String

    /// The message.
    public var description: String { message }
}
