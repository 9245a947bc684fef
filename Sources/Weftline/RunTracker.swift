// The runs of one client, on its loop: each is followed to its end, then its answer and nodes are
// fetched. Not here: connections (Client), following (RunFollower), waiting (RunHandle).
internal import Client
internal import JSON
internal import Plans
internal import Wire

/// Confined to the loop of its client.
final class RunTracker {
    private let client: LastingClient
    private var open: [ObjectIdentifier: OpenRun] = [:]
    private var submittedCount = 0
    private var isClosed = false

    /// A run that is still awaited.
    private final class OpenRun {
        let channel: RunChannel
        let number: Int
        let reportsNodes: Bool
        var follower: RunFollower?
        var result: RunResult?

        init(_ channel: RunChannel, number: Int, reportsNodes: Bool) {
            self.channel = channel
            self.number = number
            self.reportsNodes = reportsNodes
        }
    }

    init(_ client: LastingClient) {
        self.client = client
    }

    /// Ends the connection; everything that is awaited fails.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        client.close()
        let runs = open.values.sorted { $0.number < $1.number }
        open = [:]
        for run in runs { run.channel.fail(ClientError.closed) }
    }

    /// Submits a plan or a goal.
    func submit(_ submission: Submission, reportsNodes: Bool, for channel: RunChannel) {
        follower(for: channel, reportsNodes: reportsNodes)?.submit(submission)
    }

    /// Follows a run that is there.
    func follow(_ run: RunID, watching level: WatchLevel, for channel: RunChannel) {
        guard let follower = follower(for: channel, reportsNodes: true) else { return }
        channel.accepted.settle(.success(run))
        follower.watch(run, level: level)
    }

    /// What follows a new run; nil if the client is closed.
    private func follower(for channel: RunChannel, reportsNodes: Bool) -> RunFollower? {
        guard !isClosed else {
            channel.fail(ClientError.closed)
            return nil
        }
        submittedCount += 1
        let run = OpenRun(channel, number: submittedCount, reportsNodes: reportsNodes)
        open[ObjectIdentifier(channel)] = run
        let follower = RunFollower(client) { [weak self] in self?.handleUpdate($0, of: run) }
        run.follower = follower
        return follower
    }

    /// Asks for a run to be cancelled.
    func cancel(_ channel: RunChannel, reason: String?) {
        guard let run = open[ObjectIdentifier(channel)], run.result == nil else { return }
        run.follower?.cancel(reason: reason)
    }

    // MARK: - Approvals

    /// Lists the nodes that wait for approval.
    func approvals(
        of run: RunID?,
        then: @escaping (Result<[PendingApproval], ClientError>) -> Void
    ) {
        guard !isClosed else { return then(.failure(.closed)) }
        client.get(.approvals, id: run?.text) { result in
            then(
                result.flatMap { data in
                    do throws(WireError) {
                        let waiting = try ApprovalDocument.list(decoding: data)
                        return .success(waiting.map { PendingApproval($0) })
                    } catch {
                        return .failure(.unreadable(error))
                    }
                }
            )
        }
    }

    /// Answers for nodes that wait.
    func answer(_ answer: Approve, then: @escaping (Result<Void, ClientError>) -> Void) {
        guard !isClosed else { return then(.failure(.closed)) }
        client.answer(answer, then: then)
    }

    // MARK: - Updates

    private func handleUpdate(_ update: RunFollower.Update, of run: OpenRun) {
        switch update {
        case .accepted(let id):
            run.channel.accepted.settle(.success(id))
        case .planComplete:
            break
        case .event(let event, let end):
            // Before the event is passed on: its reader may ask to cancel the run, which has ended.
            run.result = end.map { RunResult($0) }
            run.channel.events.add(RunEvent(event), bytes: event.data?.count ?? 0)
            if let end { fetchAnswer(of: run, end) }
        case .failed(let error):
            fail(run, error)
        }
    }

    private func fetchAnswer(of run: OpenRun, _ end: RunEnd) {
        run.follower?
            .fetchAnswer(of: end) { [weak self] result in
                switch result {
                case .success(let answer):
                    run.result?.answer = JSONValue(answer)
                    self?.fetchNodes(of: run)
                case .failure(let error):
                    self?.fail(run, error)
                }
            }
    }

    private func fetchNodes(of run: OpenRun) {
        guard run.reportsNodes else { return finish(run) }
        run.follower?
            .forEachPage { (page, goOn) throws(WireError) in
                try page.forEachNode { id, node in
                    if let report = NodeReport(id, node) { run.result?.nodes.append(report) }
                    return true
                }
                goOn(true)
            } then: { [weak self] result in
                switch result {
                case .success: self?.finish(run)
                case .failure(let error): self?.fail(run, error)
                }
            }
    }

    private func finish(_ run: OpenRun) {
        close(run)
        guard let result = run.result else { return }
        run.channel.result.settle(.success(result))
    }

    private func fail(_ run: OpenRun, _ error: ClientError) {
        close(run)
        run.channel.fail(error)
    }

    private func close(_ run: OpenRun) {
        open[ObjectIdentifier(run.channel)] = nil
        // It refers to the run.
        run.follower = nil
    }
}

extension ClientError {
    /// This side has ended the connection.
    static let closed = ClientError(
        kind: .lost,
        message: "The client is closed; its runs may continue without it."
    )
}
