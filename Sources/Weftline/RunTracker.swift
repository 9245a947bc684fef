// The runs of one connection, on its loop: submits them, passes on what is heard of them, gathers
// their nodes when they have ended. Not here: the connection itself (Client), waiting (RunHandle).
internal import Client
internal import JSON
internal import Plans
internal import Wire

/// Confined to the loop of its client.
final class RunTracker {
    private let client: CoordinatorClient
    private var open: [ObjectIdentifier: OpenRun] = [:]
    private var submittedCount = 0
    private var isClosed = false

    /// A run whose author still waits for something.
    private final class OpenRun {
        let channel: RunChannel
        let number: Int
        let reportsNodes: Bool
        var id: RunID?
        /// What to do as soon as the coordinator has said what the run is called.
        var onAccepted: ((RunID) -> Void)?
        var result: RunResult?

        init(_ channel: RunChannel, number: Int, reportsNodes: Bool) {
            self.channel = channel
            self.number = number
            self.reportsNodes = reportsNodes
        }
    }

    init(_ client: CoordinatorClient) {
        self.client = client
    }

    /// Ends the connection; everyone who waits is told.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        client.close()
        let runs = open.values.sorted { $0.number < $1.number }
        open = [:]
        for run in runs { run.channel.fail(ClientError.closed) }
    }

    /// Has a plan run.
    func submit(_ submission: Submission, reportsNodes: Bool, for channel: RunChannel) {
        guard !isClosed else { return channel.fail(ClientError.closed) }
        submittedCount += 1
        let run = OpenRun(channel, number: submittedCount, reportsNodes: reportsNodes)
        open[ObjectIdentifier(channel)] = run
        client.submit(submission) { [weak self] in self?.handleUpdate($0, of: run) }
    }

    /// Asks for a run to be cancelled.
    func cancel(_ channel: RunChannel, reason: String?) {
        guard let run = open[ObjectIdentifier(channel)], run.result == nil else { return }
        if let id = run.id {
            client.cancelRun(id, reason: reason)
        } else {
            run.onAccepted = { [client] in client.cancelRun($0, reason: reason) }
        }
    }

    // MARK: - What is heard

    private func handleUpdate(_ update: RunUpdate, of run: OpenRun) {
        switch update {
        case .accepted(let accepted):
            run.id = accepted.run
            run.channel.accepted.settle(.success(accepted.run))
            run.onAccepted?(accepted.run)
            run.onAccepted = nil
        case .planComplete:
            break
        case .event(let event):
            // Before its event: who has read that one may ask to cancel what has ended.
            run.result = RunResult(event)
            run.channel.events.add(RunEvent(event), bytes: event.data?.count ?? 0)
            if event.isTerminal { askForAnswer(of: run, event) }
        case .failed(let error):
            fail(run, error)
        }
    }

    private func askForAnswer(of run: OpenRun, _ event: EventMessage) {
        guard event.data?.field("answer") == nil else { return askForNodes(of: run, from: 0) }
        client.get(.answer, id: event.run.text) { [weak self] result in
            switch result {
            case .success(let answer):
                run.result?.answer = JSONValue(answer)
                self?.askForNodes(of: run, from: 0)
            case .failure(let error):
                self?.fail(run, error)
            }
        }
    }

    private func askForNodes(of run: OpenRun, from: Int) {
        guard run.reportsNodes, let id = run.id else { return finish(run) }
        client.get(.nodes, id: id.text, from: from) { [weak self] result in
            switch result {
            case .success(let document):
                self?.addNodes(NodePage(document), from, of: run)
            case .failure(let error):
                self?.fail(run, error)
            }
        }
    }

    private func addNodes(_ page: NodePage?, _ from: Int, of run: OpenRun) {
        guard let page else { return fail(run, ClientError.unreadable) }
        run.result?.nodes += page.nodes
        if let next = page.next, next > from {
            askForNodes(of: run, from: next)
        } else {
            finish(run)
        }
    }

    private func finish(_ run: OpenRun) {
        open[ObjectIdentifier(run.channel)] = nil
        guard let result = run.result else { return }
        run.channel.result.settle(.success(result))
    }

    private func fail(_ run: OpenRun, _ error: ClientError) {
        open[ObjectIdentifier(run.channel)] = nil
        run.channel.fail(error)
    }
}

extension ClientError {
    /// This side has ended the connection.
    static let closed = ClientError(
        kind: .lost,
        message: "The client is closed; what was under way may go on without it."
    )

    static let unreadable = ClientError(
        kind: .rejected,
        message: "The coordinator's account of the nodes cannot be read."
    )
}
