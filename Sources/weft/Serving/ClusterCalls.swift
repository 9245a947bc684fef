// Does what sessions of MCP ask of the cluster, over the connection that they share. Not here: the
// sessions (ServedSession), single calls (+Running, +Asking).
internal import Client
internal import Core
internal import JSON
internal import MCP
internal import MCPServer
internal import Tools
internal import UVLoop
internal import Wire

/// The cluster as sessions see it.
///
/// Confined to its loop.
final class ClusterCalls {
    /// A call under way.
    final class Handle {
        /// Set once it is cancelled; its results are dropped.
        private(set) var isCancelled = false
        /// Ends what was begun for the call.
        var onCancel: (() -> Void)?

        /// The result is not wanted any more.
        func cancel() {
            isCancelled = true
            onCancel?()
            onCancel = nil
        }
    }

    /// How a call reports.
    struct Report {
        var progress: (CallProgress) -> Void
        var end: (CallOutcome) -> Void
    }

    let loop: EventLoop
    let connection: ClusterConnection
    /// Tools whose nodes a person approves in all runs that begin here.
    let approve: [String]
    let runs = FollowedRuns()
    /// Which outputs those who began runs want; the oldest are forgotten.
    private var wanted: [RunID: WantedOutputs] = [:]
    private var wantedOrder: [RunID] = []
    /// The last catalogue and its search.
    private var catalogue: (raw: RawJSON, search: ToolSearch)?
    /// The tools that those who watch them know.
    private var watchedTools: [ToolDescription]?
    private var onToolsChanged: [Int: () -> Void] = [:]
    private var lastWatcher = 0
    private var poll: Timer?

    /// Runs whose wanted outputs are remembered.
    private static let rememberedRuns = 1_000
    /// Between two questions for the tools, while a client wants to know of changes.
    private static let pollPause = Duration.seconds(2)

    init(loop: EventLoop, connection: ClusterConnection, approve: [String]) {
        self.approve = approve
        self.loop = loop
        self.connection = connection
    }

    /// Begins a call; it reports its end once, in a later turn or in this one, unless it is
    /// cancelled.
    func begin(_ request: ClusterRequest, _ report: Report) -> Handle {
        let handle = Handle()
        let guarded = Report(
            progress: { if !handle.isCancelled { report.progress($0) } },
            end: { outcome in
                handle.onCancel = nil
                if !handle.isCancelled { report.end(outcome) }
            }
        )
        connection.withClient { [self] result in
            guard !handle.isCancelled else { return }
            switch result {
            case .success(let client): begin(request, client, handle, guarded)
            case .failure(let error): guarded.end(Self.failure(error, of: request))
            }
        }
        return handle
    }

    private func begin(
        _ request: ClusterRequest,
        _ client: LastingClient,
        _ handle: Handle,
        _ report: Report
    ) {
        switch request {
        case .tool(let tool, let asTask, let canAsk):
            call(tool, asTask ? .task : .result(canAsk: canAsk), client, handle, report)
        case .resume(let run, let answers): resume(run, answers, client, handle, report)
        case .listTools:
            withTools(client, report) { .tools($0.tools) }
        case .getTask(let run): getTask(run, client, report)
        case .cancelTask(let run): cancelTask(run, client, report)
        case .updateTask(let run, let answers): updateTask(run, answers, client, report)
        }
    }

    private func call(
        _ tool: ToolRequest,
        _ returned: Return,
        _ client: LastingClient,
        _ handle: Handle,
        _ report: Report
    ) {
        switch tool {
        case .run(let run): startRun(run, returned, client, handle, report)
        case .submit(let run): startRun(run, .run, client, handle, report)
        case .getRun(let query): getRun(query, client, handle, report)
        case .cancelRun(let run, let reason):
            cancel(run, reason ?? "its client asked for it", client, report)
        case .searchTools(let query, let limit):
            withTools(client, report) { .tool($0.find(query, limit: limit)) }
        case .getTool(let name): withTools(client, report) { .tool($0.describe(name)) }
        }
    }

    /// The outcome for a cluster that cannot be asked.
    static func failure(_ error: ClientError, of request: ClusterRequest) -> CallOutcome {
        switch request {
        case .tool, .resume: .tool(.failure(error.message))
        default: .refused(JSONRPCError(.internalError, error.message))
        }
    }

    // MARK: - Wanted outputs

    func remember(_ outputs: WantedOutputs, of run: RunID) {
        guard wanted.updateValue(outputs, forKey: run) == nil else { return }
        wantedOrder.append(run)
        guard wantedOrder.count > Self.rememberedRuns else { return }
        wanted[wantedOrder.removeFirst()] = nil
    }

    func wantedOutputs(of run: RunID) -> WantedOutputs { wanted[run] ?? .ends }

    // MARK: - Tools

    /// Asks for the catalogue, and ends a call with what is made of it.
    private func withTools(
        _ client: LastingClient,
        _ report: Report,
        _ body: @escaping (ToolSearch) -> CallOutcome
    ) {
        fetchTools(client) { result in
            switch result {
            case .success(let search): report.end(body(search))
            case .failure(let error): report.end(Self.failure(error, of: .listTools))
            }
        }
    }

    /// Asks for the catalogue.
    func fetchTools(
        _ client: LastingClient,
        _ then: @escaping (Result<ToolSearch, ClientError>) -> Void
    ) {
        client.get(.tools) { [self] result in
            do {
                let raw = try result.get()
                if let catalogue, catalogue.raw == raw { return then(.success(catalogue.search)) }
                let search = ToolSearch(try ToolDocument.list(decoding: raw))
                catalogue = (raw.detached(), search)
                then(.success(search))
            } catch let error as ClientError {
                then(.failure(error))
            } catch let error as WireError {
                then(.failure(.unreadable(error)))
            } catch {
                preconditionFailure("nothing else is thrown: \(error)")
            }
        }
    }

    /// Tells when the tools change, until `stopWatchingTools`.
    func watchTools(_ body: @escaping () -> Void) -> Int {
        lastWatcher += 1
        onToolsChanged[lastWatcher] = body
        if poll == nil {
            let timer = Timer(loop: loop) { [self] in pollTools() }
            poll = timer
            pollTools()
        }
        return lastWatcher
    }

    func stopWatchingTools(_ watcher: Int) {
        onToolsChanged[watcher] = nil
        guard onToolsChanged.isEmpty else { return }
        poll?.close()
        poll = nil
        watchedTools = nil
    }

    /// The coordinator does not tell of changes by itself.
    private func pollTools() {
        connection.withClient { [self] result in
            guard case .success(let client) = result else { return schedulePoll() }
            fetchTools(client) { [self] result in
                schedulePoll()
                guard let tools = (try? result.get())?.tools.map(\.description) else { return }
                let known = watchedTools
                watchedTools = tools
                guard let known, known != tools else { return }
                for body in onToolsChanged.sorted(by: { $0.key < $1.key }) { body.value() }
            }
        }
    }

    private func schedulePoll() { poll?.schedule(after: Self.pollPause) }

    /// Closes timers and the connection.
    func close() {
        onToolsChanged = [:]
        poll?.close()
        poll = nil
        connection.close()
    }
}
