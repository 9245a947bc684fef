// Follows one run of a connection, from its submission or later, to its end, and then asks for its
// results. Used by library and command. Not here: the results for a program (RunTracker), output
// for people (the command).
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
    package let client: CoordinatorClient
    private let handler: (Update) -> Void
    /// Set when the run must be cancelled as soon as its id is known.
    private var wantsCancel = false
    private var cancelReason: String?

    /// Prepares to follow a run of a connection.
    package init(_ client: CoordinatorClient, handler: @escaping (Update) -> Void) {
        self.client = client
        self.handler = handler
    }

    /// Submits a plan or a goal, and follows its run.
    package func submit(_ submission: Submission, rest: (any PlanText)? = nil) {
        client.submit(submission, rest: rest) { [self] in handle($0) }
    }

    /// Follows an existing run, from the oldest event that is kept.
    package func watch(_ run: RunID, level: WatchLevel) {
        self.run = run
        client.watch(run, level: level) { [self] in handle($0) }
    }

    private func handle(_ update: RunUpdate) {
        switch update {
        case .accepted(let accepted):
            run = accepted.run
            handler(.accepted(accepted.run))
            if wantsCancel { client.cancelRun(accepted.run, reason: cancelReason) }
        case .planComplete:
            isPlanComplete = true
            handler(.planComplete)
        case .event(let event):
            handler(.event(event, end: RunEnd(event)))
        case .failed(let error):
            handler(.failed(error))
        }
    }

    /// Asks to cancel the run as soon as its id is known; the run is followed to its end.
    package func cancel(reason: String?) {
        if let run {
            client.cancelRun(run, reason: reason)
        } else {
            wantsCancel = true
            cancelReason = reason
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

    /// Asks for the nodes of the run page by page; see `CoordinatorClient.forEachPage`.
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
