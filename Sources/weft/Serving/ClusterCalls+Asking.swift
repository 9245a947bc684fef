// Calls that ask about runs or end them, and tasks, which are runs under another name. Not here:
// starting runs (+Running).
internal import Client
internal import Core
internal import JSON
internal import MCP
internal import MCPServer
internal import UVLoop
internal import Weftline
internal import Wire

extension ClusterCalls {
    // MARK: - Documents

    /// Asks for a run as a whole.
    func fetchRun(
        _ run: RunID,
        _ client: LastingClient,
        then: @escaping (Result<RunDocument, ClientError>) -> Void
    ) {
        client.get(.run, id: run.text) { result in
            then(Self.decoded(result) { (raw) throws(WireError) in try RunDocument(decoding: raw) })
        }
    }

    static func decoded<Value>(
        _ result: Result<RawJSON, ClientError>,
        _ body: (RawJSON) throws(WireError) -> Value
    ) -> Result<Value, ClientError> {
        switch result {
        case .failure(let error): return .failure(error)
        case .success(let raw):
            do throws(WireError) {
                return .success(try body(raw))
            } catch {
                return .failure(.unreadable(error))
            }
        }
    }

    /// Says what a model reads about a run: its state, or its end with outputs and failures, which
    /// for a call that is the run itself is its result.
    func reply(
        to run: RunDocument,
        isResult: Bool,
        _ client: LastingClient,
        then: @escaping (ToolResult) -> Void
    ) {
        withAnswer(of: run, client) { [self] answer in
            let called = ExposedCall.tool(ofLabel: run.label)
            let outputs = called == nil ? wantedOutputs(of: run.run) : .all
            let reply = RunReply(run, answer: answer, wanted: outputs)
            complete(reply, run, client) { result in
                switch result {
                case .failure(let error): then(.failure(error.message))
                case .success(let reply):
                    guard let called, isResult, run.status != .running else {
                        return then(isResult ? reply.result : reply.state)
                    }
                    self.fetchTools(client) { tools in
                        then(reply.callResult(of: (try? tools.get())?[called]))
                    }
                }
            }
        }
    }

    /// Asks for the answer of a run whose outputs a model or a tool has joined.
    private func withAnswer(
        of run: RunDocument,
        _ client: LastingClient,
        then: @escaping (RawJSON?) -> Void
    ) {
        switch run.join {
        case .llm where run.status == .succeeded, .tool where run.status == .succeeded: break
        default: return then(nil)
        }
        client.get(.answer, id: run.run.text) { result in then(try? result.get()) }
    }

    /// Adds the approvals that a run waits for, or the nodes of one that has ended.
    private func complete(
        _ reply: RunReply,
        _ run: RunDocument,
        _ client: LastingClient,
        then: @escaping (Result<RunReply, ClientError>) -> Void
    ) {
        var reply = reply
        guard run.status != .running else {
            return fetchApprovals(of: run.run, client) { result in
                reply.approvals = (try? result.get()) ?? []
                then(.success(reply))
            }
        }
        guard reply.needsNodes else { return then(.success(reply)) }
        client.forEachPage(of: run.run) { (page, goOn) throws(WireError) in
            try reply.add(page)
            goOn(true)
        } then: { result in
            then(result.map { reply })
        }
    }

    // MARK: - Runs

    /// Answers `get_run`, at the end of the run if that comes in time.
    func getRun(
        _ query: RunQuery,
        _ client: LastingClient,
        _ handle: Handle,
        _ report: Report
    ) {
        guard query.wait > .zero else { return answer(query, client, report) }
        fetchRun(query.run, client) { [self] result in
            guard case .success(let run) = result, run.status == .running, !handle.isCancelled
            else { return answer(query, client, report) }
            wait(query, client, handle, report)
        }
    }

    private func wait(
        _ query: RunQuery,
        _ client: LastingClient,
        _ handle: Handle,
        _ report: Report
    ) {
        var observer: FollowedRuns.Observer?
        var timer: Timer?
        let stop = {
            timer?.close()
            timer = nil
            observer?.stop()
            observer = nil
        }
        handle.onCancel = stop
        timer = Timer(loop: loop) { [self] in
            stop()
            answer(query, client, report)
        }
        timer?.schedule(after: query.wait)
        observer = runs.watch(query.run, over: client) { [self] update in
            switch update {
            case .progress(let progress): report.progress(CallProgress(progress))
            case .ended, .failed:
                stop()
                answer(query, client, report)
            case .approvalAsked:
                stop()
                answer(query, client, report)
            case .accepted, .planComplete: break
            }
        }
    }

    private func answer(_ query: RunQuery, _ client: LastingClient, _ report: Report) {
        if let node = query.node { return answer(query, node, client, report) }
        fetchRun(query.run, client) { [self] result in
            switch result {
            case .failure(let error): report.end(.tool(.failure(error.message)))
            case .success(let run):
                reply(to: run, isResult: false, client) { report.end(.tool($0)) }
            }
        }
    }

    private func answer(
        _ query: RunQuery,
        _ node: NodeID,
        _ client: LastingClient,
        _ report: Report
    ) {
        client.get(.node, id: query.run.text, node: node) { result in
            let details = Self.decoded(result) { (raw) throws(WireError) in
                try NodeDetails(decoding: raw)
            }
            switch details {
            case .failure(let error): report.end(.tool(.failure(error.message)))
            case .success(let details):
                report.end(.tool(RunReply.output(of: details, in: query.run, from: query.offset)))
            }
        }
    }

    /// Cancels a run and says how it stands then.
    func cancel(_ run: RunID, _ reason: String, _ client: LastingClient, _ report: Report) {
        request(cancelOf: run, reason, client) { [self] result in
            if case .failure(let error) = result {
                return report.end(.tool(.failure(error.message)))
            }
            answer(RunQuery(run: run), client, report)
        }
    }

    private func request(
        cancelOf run: RunID,
        _ reason: String,
        _ client: LastingClient,
        then: @escaping (Result<Void, ClientError>) -> Void
    ) {
        client.withConnection { result in
            switch result {
            case .success(let connection): connection.cancelRun(run, reason: reason, then: then)
            case .failure(let error): then(.failure(error))
            }
        }
    }

    // MARK: - Tasks

    func getTask(_ run: RunID, _ client: LastingClient, _ report: Report) {
        fetchRun(run, client) { [self] result in
            switch result {
            case .failure(let error): report.end(.refused(Self.taskError(error, run)))
            case .success(let document) where document.status == .running:
                fetchApprovals(of: run, client) { result in
                    var state = TaskState(working: document)
                    if let waiting = try? result.get(), !waiting.isEmpty {
                        state.status = .inputRequired
                        state.inputRequests = ApprovalForm.requests(waiting)
                        state.message = "It waits for approval."
                    }
                    report.end(.task(state))
                }
            case .success(let document):
                reply(to: document, isResult: true, client) { result in
                    report.end(.task(TaskState(ended: document, result)))
                }
            }
        }
    }

    func cancelTask(_ run: RunID, _ client: LastingClient, _ report: Report) {
        request(cancelOf: run, "its client cancelled the task", client) { result in
            switch result {
            case .success: report.end(.acknowledged)
            case .failure(let error): report.end(.refused(Self.taskError(error, run)))
            }
        }
    }

    /// Answers what a task has asked.
    func updateTask(
        _ run: RunID,
        _ answers: RawJSON,
        _ client: LastingClient,
        _ report: Report
    ) {
        send(ApprovalForm.answers(answers, of: run), client) { [self] error in
            if let error { return report.end(.refused(Self.taskError(error, run))) }
            fetchRun(run, client) { result in
                switch result {
                case .success: report.end(.acknowledged)
                case .failure(let error): report.end(.refused(Self.taskError(error, run)))
                }
            }
        }
    }

    private static func taskError(_ error: ClientError, _ run: RunID) -> JSONRPCError {
        if error.code == .unknownRun { return MCPSession.unknownTask(run.text) }
        return JSONRPCError(
            error.kind == .rejected ? .invalidParams : .internalError,
            error.message
        )
    }
}

extension TaskState {
    /// A task whose run has ended.
    init(ended document: RunDocument, _ result: ToolResult) {
        self.init(working: document)
        updatedAt = document.endedAt?.text ?? createdAt
        status = document.status == .cancelled ? .cancelled : .completed
        if status == .completed { self.result = result }
    }
}
