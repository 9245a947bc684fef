// Follows one run of a client, from its submission or later, over any number of connections, to its
// end, and then asks for its results. Used by library and command. Not here: the results for a
// program (RunTracker), output for people (the command).
package import Client
package import Core
package import JSON
package import Wire

/// Follows one run.
///
/// Confined to the loop of its client. The client keeps it until the run has ended.
package final class RunFollower {
    /// An update about the run.
    package enum Update {
        /// The coordinator has accepted the run.
        case accepted(RunID)
        /// The coordinator has the whole plan; the run does not need the client any more.
        case planComplete
        /// An event; the last one of the run has its end.
        case event(EventMessage, end: RunEnd?)
        /// The submission or the watch failed; no update follows.
        case failed(ClientError)
    }

    /// The run, once the coordinator has accepted it.
    package private(set) var run: RunID?
    /// Whether the coordinator has the whole plan.
    package private(set) var isPlanComplete = false
    package let client: LastingClient
    private let handler: (Update) -> Void
    /// What is submitted, until the coordinator has accepted it.
    private var submission: (content: Submission, rest: (any PlanText)?)?
    private var level: WatchLevel?
    private var seen = SeenEvents()
    /// Set when the run must be cancelled: as soon as its id is known, and on each connection.
    private var wantsCancel = false
    private var cancelReason: String?

    /// Prepares to follow a run of a client.
    package init(_ client: LastingClient, handler: @escaping (Update) -> Void) {
        self.client = client
        self.handler = handler
    }

    /// The number of the event with which another watch can go on.
    package var nextEvent: Int? { seen.next }

    /// Submits a plan or a goal, and follows its run.
    package func submit(_ submission: Submission, rest: (any PlanText)? = nil) {
        self.submission = (submission, rest)
        level = submission.watch
        follow()
    }

    /// Follows an existing run, from an event or from the oldest that is kept.
    package func watch(_ run: RunID, from first: Int? = nil, level: WatchLevel) {
        self.run = run
        self.level = level
        seen = SeenEvents(from: first)
        follow()
    }

    /// Submits or watches on the connection that there is, or on the next one.
    private func follow() {
        client.withConnection { [self] result in
            switch result {
            case .failure(let error): handler(.failed(error))
            case .success(let connection): follow(on: connection)
            }
        }
    }

    private func follow(on connection: CoordinatorClient) {
        if let run, let level {
            connection.watch(run, from: seen.next, level: level) { [self] update in
                handle(update, connection)
            }
            if wantsCancel { connection.cancelRun(run, reason: cancelReason) }
            guard seen.isResumed else { return }
            // There may be no event for long; this answer shows that the coordinator has the run.
            connection.get(.run, id: run.text) { [client] result in
                if case .success = result { client.noteAnswer() }
            }
        } else if let submission {
            // The same key and content are the same run, also if it was accepted before.
            connection.submit(submission.content, rest: submission.rest) { [self] update in
                handle(update, connection)
            }
        }
    }

    private func handle(_ update: RunUpdate, _ connection: CoordinatorClient) {
        switch update {
        case .accepted(let accepted):
            client.noteAnswer()
            run = accepted.run
            submission = nil
            handler(.accepted(accepted.run))
            if wantsCancel { connection.cancelRun(accepted.run, reason: cancelReason) }
        case .planComplete:
            isPlanComplete = true
            handler(.planComplete)
        case .event(let event):
            client.noteAnswer()
            if seen.addEvent(event) { handler(.event(event, end: RunEnd(event))) }
        case .failed(let error):
            // Without a watch nothing tells how a run ends whose plan was not sent in full.
            guard run == nil || level != nil, client.outlives(error, of: connection) else {
                client.noteRefusal(error)
                return handler(.failed(client.explained(error, run?.text)))
            }
            seen.resume()
            follow()
        }
    }

    /// Asks to cancel the run as soon as its id is known; the run is followed to its end.
    package func cancel(reason: String?) {
        wantsCancel = true
        cancelReason = reason
        guard let run, client.isConnected else { return }
        client.withConnection { [cancelReason] result in
            if case .success(let connection) = result {
                connection.cancelRun(run, reason: cancelReason)
            }
        }
    }

    // MARK: - After the end

    /// The answer of a run that has ended: from its last event, or else from the coordinator.
    package func fetchAnswer(
        of end: RunEnd,
        then: @escaping (Result<RawJSON, ClientError>) -> Void
    ) {
        if let answer = end.outcome.answer { return then(.success(answer)) }
        client.get(.answer, id: end.run.text, then: then)
    }

    /// Asks for the nodes of the run page by page; see `NodeSource.forEachPage`.
    package func forEachPage(
        onPage: @escaping (NodesPage, @escaping (Bool) -> Void) throws(WireError) -> Void,
        then: @escaping (Result<Void, ClientError>) -> Void
    ) {
        guard let run else { return then(.success(())) }
        client.forEachPage(of: run, onPage: onPage, then: then)
    }
}

@available(*, unavailable)
extension RunFollower: Sendable {}
