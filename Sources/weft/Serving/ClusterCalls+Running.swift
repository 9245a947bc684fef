// Calls that start runs: checked against the tools, submitted, followed and reported. Not here:
// questions about runs (+Asking).
internal import Client
internal import Core
internal import JSON
internal import MCPServer
internal import Plans
internal import Tools
internal import Weftline
internal import Wire

extension ClusterCalls {
    /// What a call that starts a run returns.
    enum Return: Equatable {
        /// The end of the run, or questions for the user of a client that can ask.
        case result(canAsk: Bool)
        /// The run, in words.
        case run
        /// The task.
        case task

        var isEnd: Bool { if case .result = self { true } else { false } }
    }

    /// Starts a run, once its plan is known to be right.
    func startRun(
        _ request: RunRequest,
        _ returned: Return,
        _ client: LastingClient,
        _ handle: Handle,
        _ report: Report
    ) {
        fetchTools(client) { [self] result in
            guard !handle.isCancelled else { return }
            switch result {
            case .failure(let error): report.end(.tool(.failure(error.message)))
            case .success(let tools):
                do throws(Refusal) {
                    var (submission, outputs) = try Self.submission(of: request, returned, tools)
                    submission.approve = approve
                    let run = StartedRun(request: request, outputs: outputs, returned: returned)
                    submit(submission, run, client, handle, report)
                } catch {
                    report.end(error.outcome)
                }
            }
        }
    }

    /// Why a run is not started.
    struct Refusal: Error {
        var outcome: CallOutcome
    }

    /// A run that is being started.
    struct StartedRun {
        var request: RunRequest
        var outputs: WantedOutputs
        var returned: Return
    }

    private static func submission(
        of request: RunRequest,
        _ returned: Return,
        _ tools: ToolSearch
    ) throws(Refusal) -> (Submission, WantedOutputs) {
        let options = RunOptions(
            join: request.join ?? .json,
            onMissingTool: .fail,
            tools: request.tools,
            timeLimit: request.timeLimit,
            label: request.label.map { String($0.prefix(200)) },
            traceParent: request.traceParent
        )
        let level: WatchLevel? = returned.isEnd ? .progress : nil
        do {
            switch request.content {
            case .goal(let goal):
                return (try options.submission(of: goal, watching: level), .none)
            case .plan(let plan):
                let outputs = try check(plan, request.outputs, tools)
                return (try options.submission(of: Array(plan.bytes), watching: level), outputs)
            case .tool(let name, let arguments):
                guard tools[name] != nil else {
                    throw Refusal(outcome: .refused(MCPSession.unknownTool(name, tools)))
                }
                let plan = RunRequest.plan(calling: name, arguments)
                return (try options.submission(of: Array(plan.bytes), watching: level), .all)
            }
        } catch let refusal as Refusal {
            throw refusal
        } catch let error as ClientError {
            throw Refusal(outcome: .tool(.failure(error.message)))
        } catch {
            preconditionFailure("nothing else is thrown: \(error)")
        }
    }

    /// Checks a plan against the tools; its wanted outputs are those of nodes that it has.
    private static func check(
        _ plan: RawJSON,
        _ wanted: WantedOutputs,
        _ tools: ToolSearch
    ) throws(Refusal) -> WantedOutputs {
        let check = PlanCheck(tools.tools.map(\.description), owner: "the cluster")
        let file = PlanFile(name: "the plan", bytes: Array(plan.bytes), tools: check)
        guard file.isValid else {
            throw Refusal(outcome: .tool(RunReply.refused(file.problems.map(\.problem))))
        }
        return wanted.resolved(in: plan)
    }

    private func submit(
        _ submission: Submission,
        _ run: StartedRun,
        _ client: LastingClient,
        _ handle: Handle,
        _ report: Report
    ) {
        var id: RunID?
        let canAsk = run.returned == .result(canAsk: true)
        var observer: FollowedRuns.Observer?
        observer = runs.submit(submission, over: client) { [self] update in
            switch update {
            case .accepted(let accepted):
                id = accepted
                remember(run.outputs, of: accepted)
            case .planComplete:
                guard let id, !run.returned.isEnd else { return }
                reportStart(of: id, run.returned, client, report)
            default:
                guard let id, let observer else { return failed(update, report) }
                follow(id, update, canAsk: canAsk, observer, client, report)
            }
        }
        handle.onCancel = { observer?.cancelRun("its client cancelled the call or is gone") }
    }

    private func failed(_ update: FollowedRuns.Update, _ report: Report) {
        if case .failed(let error) = update { report.end(Self.outcome(of: error)) }
    }

    /// Reports how a run gets on that has an id, and its end.
    func follow(
        _ run: RunID,
        _ update: FollowedRuns.Update,
        canAsk: Bool,
        _ observer: FollowedRuns.Observer,
        _ client: LastingClient,
        _ report: Report
    ) {
        switch update {
        case .progress(let progress): report.progress(CallProgress(progress))
        case .approvalAsked(let node, let question):
            guard canAsk else {
                let words = "\(node) (\(question.tool)) waits: weft approve \(run) \(node)"
                return report.progress(CallProgress(done: 0, message: words))
            }
            askUser(about: run, observer, client, report)
        case .ended: reportEnd(of: run, client, report)
        case .failed(let error): report.end(Self.outcome(of: error))
        case .accepted, .planComplete: break
        }
    }

    /// The outcome of a submission that failed.
    private static func outcome(of error: ClientError) -> CallOutcome {
        guard error.problems.isEmpty else { return .tool(RunReply.refused(error.problems)) }
        return .tool(.failure(error.message))
    }

    /// Reports that the coordinator has a run, for good.
    private func reportStart(
        of run: RunID,
        _ returned: Return,
        _ client: LastingClient,
        _ report: Report
    ) {
        fetchRun(run, client) { result in
            switch result {
            case .failure(let error): report.end(.tool(.failure(error.message)))
            case .success(let document):
                guard returned == .task else {
                    return report.end(.tool(RunReply(document, wanted: .none).result))
                }
                // Its client asks for the end even if it has come already.
                report.end(.task(TaskState(working: document)))
            }
        }
    }

    /// Reports the end of a run that was followed.
    private func reportEnd(of run: RunID, _ client: LastingClient, _ report: Report) {
        fetchRun(run, client) { [self] result in
            switch result {
            case .failure(let error): report.end(.tool(.failure(error.message)))
            case .success(let document):
                reply(to: document, isResult: true, client) { result in
                    report.end(.tool(result))
                }
            }
        }
    }
}

extension TaskState {
    /// A task whose run goes on, or did when it was accepted.
    init(working document: RunDocument) {
        let created = document.startedAt?.text ?? ""
        self.init(
            run: document.run,
            status: .working,
            createdAt: created,
            updatedAt: created,
            message: CallProgress(
                RunProgress(counts: document.counts, criticalPath: 0)
            ).message
        )
    }
}
