// A coordinator as used by a Swift program: plans in, results out, from any task. The code on the
// loop is in RunTracker.
internal import Client
public import Plans
public import Transport
internal import UVLoop
public import Wire

/// A client of a coordinator, for use from any task.
///
/// It may have any number of runs at the same time. It has a thread of its own until it is closed,
/// or its last reference is released. A lost connection is opened again, and runs go on after a
/// coordinator with a journal was started again: each event comes once, and what was asked is asked
/// again. Only if that takes too long, see `reconnectTimeout` of
/// ``connect(to:key:tls:name:timeout:reconnectTimeout:)``, everything pending throws; what is asked
/// after that tries again.
public final class WeftClient: Sendable {
    /// Runs a closure with the tracker on its loop; false when there is no tracker any more.
    typealias PostToLoop = @Sendable (@escaping @Sendable (RunTracker) -> Void) -> Bool

    let postToLoop: PostToLoop
    private let end: @Sendable () async -> Void

    /// A client of a tracker on a thread, which the two closures keep.
    init(postToLoop: @escaping PostToLoop, end: @escaping @Sendable () async -> Void) {
        self.postToLoop = postToLoop
        self.end = end
    }

    /// Connects to a coordinator and authenticates with the key.
    ///
    /// - Parameters:
    ///   - endpoint: The coordinator's address.
    ///   - key: The key of its clients.
    ///   - tls: When the connection is encrypted; by default if the address is of another host.
    ///   - name: A name for people: 1–64 of `[A-Za-z0-9._-]`; nil for one of the process.
    ///   - timeout: How long connecting may take.
    ///   - reconnectTimeout: How long a lost connection is tried again; zero for not at all: then
    ///     a new client has to be made.
    /// - Returns: The connected client.
    /// - Throws: `ClientError`, `KeyFileError`, or `UVError` if there can be no thread.
    public static func connect(
        to endpoint: Endpoint = .default,
        key: AccessKey = .standard,
        tls: TLSPolicy = .offHost,
        name: String? = nil,
        timeout: Duration = .seconds(5),
        reconnectTimeout: Duration = .seconds(60)
    ) async throws -> WeftClient {
        try await connect(
            to: [endpoint],
            key: try key.resolve(for: .client),
            tls: tls,
            name: name,
            timeout: timeout,
            reconnectTimeout: reconnectTimeout
        )
    }

    /// Connects to the first of the coordinators of a join line that can be reached, with its key.
    ///
    /// - Parameters:
    ///   - invitation: A join line of `weft keys export`; read one by ``Invitation/load(path:)``.
    ///   - name: A name for people: 1–64 of `[A-Za-z0-9._-]`; nil for one of the process.
    ///   - timeout: How long connecting may take.
    ///   - reconnectTimeout: How long a lost connection is tried again; zero for not at all: then
    ///     a new client has to be made.
    /// - Returns: The connected client.
    /// - Throws: `ClientError`, or `UVError` if there can be no thread.
    public static func connect(
        joining invitation: Invitation,
        name: String? = nil,
        timeout: Duration = .seconds(5),
        reconnectTimeout: Duration = .seconds(60)
    ) async throws -> WeftClient {
        guard invitation.role == .client else {
            throw ClientError(
                kind: .refused,
                message: "The join line is that of a \(invitation.role.rawValue); a client's is "
                    + "needed."
            )
        }
        return try await connect(
            to: invitation.endpoints,
            key: invitation.key,
            isJoining: true,
            tls: invitation.isEncrypted ? .always : .never,
            name: name,
            timeout: timeout,
            reconnectTimeout: reconnectTimeout
        )
    }

    private static func connect(
        to endpoints: [Endpoint],
        key: HandshakeKey,
        isJoining: Bool = false,
        tls: TLSPolicy,
        name: String?,
        timeout: Duration,
        reconnectTimeout: Duration
    ) async throws -> WeftClient {
        let name = name ?? PeerName.ofProcess
        guard PeerName.isValid(name) else {
            throw ClientError(
                kind: .rejected,
                message: "The name of a client must have \(PeerName.rule)."
            )
        }
        var options = CoordinatorClient.Options(
            endpoints: endpoints,
            role: .client,
            key: key,
            name: name,
            tls: tls,
            timeout: timeout
        )
        options.isJoining = isJoining
        let ready = Promise<Void>()
        let thread = try await OwnedThread.start(name: "weft-client", until: ready) {
            [options] loop in
            ClientLoop(
                loop: loop,
                options: options,
                reconnectTimeout: reconnectTimeout,
                ready: ready
            )
        }
        return WeftClient(
            postToLoop: { body in
                thread.post { object in
                    if let tracker = object.tracker { body(tracker) }
                }
            },
            end: { await thread.close() }
        )
    }

    /// Closes the connection and ends the thread; everything that is still awaited throws.
    ///
    /// Runs continue at the coordinator.
    public func close() async {
        await end()
    }

    // MARK: - Runs

    /// Runs a plan to its end.
    ///
    /// A run whose nodes fail is not an error: the result contains the failures. Cancelling the
    /// task cancels the run.
    ///
    /// - Throws: `ClientError` if the coordinator refuses the plan (then with its problems) or the
    ///   connection is lost for good; `CancellationError` if the task was cancelled and the run with it.
    public func run(
        _ plan: PlanDocument,
        options: RunOptions = RunOptions()
    ) async throws -> RunResult {
        try await start(plan, options: options, watching: .end).result
    }

    /// Submits a plan and returns as soon as the coordinator has accepted it.
    ///
    /// Cancelling the task meanwhile cancels the run.
    ///
    /// - Parameters:
    ///   - plan: The plan.
    ///   - options: How to run it.
    ///   - level: Which events to get; the last one comes at every level.
    /// - Returns: The run.
    /// - Throws: As ``run(_:options:)`` does.
    public func start(
        _ plan: PlanDocument,
        options: RunOptions = RunOptions(),
        watching level: WatchLevel = .nodes
    ) async throws -> RunHandle {
        let submission = try options.submission(of: plan.encoded, watching: level)
        return try await submit(submission, reportsNodes: options.reportsNodes)
    }

    /// Plans and runs a goal and returns its answer, with the coordinator's language models.
    ///
    /// Nodes run while the plan is still being written. Cancelling the task cancels the run.
    ///
    /// - Parameters:
    ///   - goal: The goal, in words for a model.
    ///   - options: How to reach it.
    /// - Returns: The result with the answer; nodes that failed on the way are in it.
    /// - Throws: `Failure` with a stable code if there is no answer: a model that failed
    ///   (`model_timeout` and others), a plan that cannot be used, a limit; `ClientError` if the
    ///   coordinator refuses the goal or the connection is lost for good; `CancellationError` if the task
    ///   was cancelled and the run with it.
    public func run(
        goal: String,
        options: RunOptions = RunOptions()
    ) async throws -> RunResult {
        try await start(goal: goal, options: options, watching: .end).result.answered()
    }

    /// Submits a goal and returns as soon as the coordinator has accepted it.
    ///
    /// Cancelling the task meanwhile cancels the run.
    ///
    /// - Parameters:
    ///   - goal: The goal, in words for a model.
    ///   - options: How to reach it.
    ///   - level: Which events to get; the last one comes at every level.
    /// - Returns: The run, whose events tell how the plan grows and the answer is written.
    /// - Throws: `ClientError` or `CancellationError` as ``run(goal:options:)`` does.
    public func start(
        goal: String,
        options: RunOptions = RunOptions(),
        watching level: WatchLevel = .nodes
    ) async throws -> RunHandle {
        let submission = try options.submission(of: goal, watching: level)
        return try await submit(submission, reportsNodes: options.reportsNodes)
    }

    /// Follows a run that was started before, by this program or another one.
    ///
    /// - Parameters:
    ///   - run: The run; it may have ended.
    ///   - level: Which events to get, from the oldest that is kept on.
    /// - Returns: The run; if the coordinator does not know it, its result throws `ClientError`.
    /// - Throws: `ClientError` if the client is closed.
    public func follow(
        _ run: RunID,
        watching level: WatchLevel = .nodes
    ) async throws -> RunHandle {
        let channel = RunChannel()
        guard postToLoop({ $0.follow(run, watching: level, for: channel) }) else {
            throw ClientError.closed
        }
        return RunHandle(id: run, channel: channel, client: self)
    }

    /// Does a run again that has ended, without what succeeded, and returns its results.
    ///
    /// The new run has the plan or the goal of the old one, and takes over the outputs of the nodes
    /// that succeeded. Cancelling the task cancels the new run.
    ///
    /// - Parameters:
    ///   - run: The run that has ended.
    ///   - nodes: Nodes that run again although they succeeded, with all that depends on them.
    ///   - label: What people call the new run; by default as the old one.
    ///   - timeLimit: How long the new run may take; by default as the old one.
    /// - Returns: The result, with the outcomes of all nodes.
    /// - Throws: `ClientError` if the coordinator does not know the run, or it cannot be done again,
    ///   or the connection is lost for good; `CancellationError`.
    public func retry(
        _ run: RunID,
        again nodes: [NodeID] = [],
        label: String? = nil,
        timeLimit: Duration? = nil
    ) async throws -> RunResult {
        let handle = try await startRetry(
            of: run,
            again: nodes,
            label: label,
            timeLimit: timeLimit,
            watching: .end
        )
        return try await handle.result
    }

    /// As ``retry(_:again:label:timeLimit:)``, but returns as soon as the new run is accepted.
    public func startRetry(
        of run: RunID,
        again nodes: [NodeID] = [],
        label: String? = nil,
        timeLimit: Duration? = nil,
        watching level: WatchLevel = .nodes
    ) async throws -> RunHandle {
        let submission = Submission(
            retrying: RetriedRun(run: run, nodes: nodes),
            budget: Budget(wallMilliseconds: timeLimit.map { max($0.millisecondsRoundedUp, 1) }),
            watch: level,
            label: label
        )
        return try await submit(submission, reportsNodes: true)
    }

    /// Plans a goal and runs nothing.
    ///
    /// - Parameters:
    ///   - goal: The goal, in words for a model.
    ///   - options: How to plan it; options for running and joining have no effect.
    /// - Returns: The plan, which can be inspected, changed and run.
    /// - Throws: As ``run(goal:options:)`` does.
    public func plan(
        goal: String,
        options: RunOptions = RunOptions()
    ) async throws -> PlanDocument {
        let submission = try options.submission(of: goal, onlyPlan: true, watching: .end)
        let run = try await submit(submission, reportsNodes: false)
        return try PlanDocument(json: try await run.result.answered().answer.description)
    }

    private func submit(_ submission: Submission, reportsNodes: Bool) async throws -> RunHandle {
        let channel = RunChannel()
        let isOpen = postToLoop { tracker in
            tracker.submit(submission, reportsNodes: reportsNodes, for: channel)
        }
        guard isOpen else { throw ClientError.closed }
        let id = try await withTaskCancellationHandler {
            try await channel.accepted.value
        } onCancel: {
            cancel(channel, reason: "the task that started it was cancelled")
        }
        if Task.isCancelled {
            cancel(channel, reason: "the task that started it was cancelled")
            throw CancellationError()
        }
        return RunHandle(id: id, channel: channel, client: self)
    }

    func cancel(_ channel: RunChannel, reason: String?) {
        // A longer reason might not fit into a line of the protocol.
        let reason = reason.map { String($0.prefix(1_000)) }
        _ = postToLoop { $0.cancel(channel, reason: reason) }
    }
}

/// A client's connections, on the client's own thread.
private final class ClientLoop: Closable {
    private(set) var tracker: RunTracker?
    private let ready: Promise<Void>
    private var pending: PendingClient?
    private var isClosed = false

    init(
        loop: EventLoop,
        options: CoordinatorClient.Options,
        reconnectTimeout: Duration,
        ready: Promise<Void>
    ) {
        self.ready = ready
        pending = CoordinatorClient.connect(loop: loop, options: options) { [weak self] result in
            self?.finishConnecting(result, options, reconnectTimeout)
        }
    }

    private func finishConnecting(
        _ result: Result<CoordinatorClient, ClientError>,
        _ options: CoordinatorClient.Options,
        _ reconnectTimeout: Duration
    ) {
        pending = nil
        switch result {
        case .success(let connection):
            guard !isClosed else { return connection.close() }
            tracker = RunTracker(
                LastingClient(connection, options: options, limit: reconnectTimeout)
            )
            ready.settle(.success(()))
        case .failure(let error):
            ready.settle(.failure(error))
        }
    }

    func close() {
        isClosed = true
        pending?.cancel()
        tracker?.close()
        ready.settle(.failure(ClientError.closed))
    }
}
