// A client that outlives its connections: when one is lost it connects again, and what has no answer
// is asked again. Not here: a single connection (CoordinatorClient), which events of a run were seen
// (RunFollower in Weftline).
package import Core
package import JSON
internal import UVLoop
package import Wire

/// A client of one coordinator, or of several that stand in for each other.
///
/// Confined to its loop. A request is answered once, however many connections that takes, but not
/// after `close`. It fails with the error of the connection if that cannot be opened again within
/// the limit; the next request tries again.
package final class LastingClient {
    /// What happens to the connection.
    package enum Change {
        /// It is lost, and tried again for so long.
        case lost(ClientError, limit: Duration)
        /// There is one again, on which the coordinator answers.
        case returned
    }

    /// Called when the connection is lost, and when the coordinator answers again.
    package var onChange: ((Change) -> Void)?
    /// Whether a coordinator that was started again has been connected to.
    package private(set) var hasRestarted = false

    private let loop: EventLoop
    private let options: CoordinatorClient.Options?
    private let limit: Duration
    private var client: CoordinatorClient
    private var epoch: Int
    /// Set from the loss of the connection until the coordinator answers again.
    private var outage: Outage?
    private var pending: PendingClient?
    private var timer: Timer?
    private var waiting: [(Result<CoordinatorClient, ClientError>) -> Void] = []
    private var random = SystemRandomNumberGenerator()
    private var isClosed = false

    private struct Outage {
        var cause: ClientError
        /// When to give up, in nanoseconds of the loop.
        var deadline: Int64
        var pauses = ReconnectPauses()
    }

    /// Makes a client of a connection.
    ///
    /// - Parameters:
    ///   - client: The connection.
    ///   - options: How to connect again; nil for never.
    ///   - limit: How long that is tried; zero for never.
    package init(
        _ client: CoordinatorClient,
        options: CoordinatorClient.Options? = nil,
        limit: Duration = .zero
    ) {
        self.client = client
        self.options = options
        self.limit = options == nil ? .zero : limit
        loop = client.loop
        epoch = client.welcome.epoch
        noticeLoss(of: client)
    }

    /// The connection that there is, or was last.
    package var connection: CoordinatorClient { client }

    /// Whether there is a connection now.
    package var isConnected: Bool { !client.isClosed }

    /// Ends the connection, or the attempts to have one; no callback is called any more.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        waiting = []
        onChange = nil
        timer?.close()
        timer = nil
        pending?.cancel()
        pending = nil
        client.close()
    }

    // MARK: - Requests

    /// Calls back with the connection: at once, when there is one again, or with why there is none.
    package func withConnection(
        _ body: @escaping (Result<CoordinatorClient, ClientError>) -> Void
    ) {
        guard !isClosed else { return }
        guard limit > .zero, client.isClosed else { return body(.success(client)) }
        waiting.append(body)
        let cause = ClientError.lost(client.endpoint, "it was closed before")
        if outage == nil { beginOutage(cause) }
    }

    /// Whether a request that failed on a connection is to be asked again, on the next one.
    package func outlives(_ error: ClientError, of connection: CoordinatorClient) -> Bool {
        guard limit > .zero, error.isPassing, !isClosed else { return false }
        noticeLoss(of: connection, error)
        return true
    }

    /// Notes an answer of the coordinator, which shows that it is there again.
    package func noteAnswer() {
        guard outage != nil, isConnected else { return }
        outage = nil
        onChange?(.returned)
    }

    /// Notes that the coordinator is there, but refuses what was asked.
    package func noteRefusal(_ error: ClientError) {
        if error.kind == .rejected, isConnected { outage = nil }
    }

    /// Asks a question, as `CoordinatorClient.get` does.
    package func get(
        _ what: GetKind,
        id: String? = nil,
        node: NodeID? = nil,
        from: Int? = nil,
        limit: Int? = nil,
        runs filter: RunsFilter = RunsFilter(),
        then: @escaping (Result<RawJSON, ClientError>) -> Void
    ) {
        withConnection { [self] connection in
            guard case .success(let connection) = connection else {
                return then(connection.flatMap { _ in .success(.null) })
            }
            connection.get(what, id: id, node: node, from: from, limit: limit, runs: filter) {
                [self] result in
                guard case .failure(let error) = result else {
                    noteAnswer()
                    return then(result)
                }
                if outlives(error, of: connection) {
                    return get(
                        what,
                        id: id,
                        node: node,
                        from: from,
                        limit: limit,
                        runs: filter,
                        then: then
                    )
                }
                noteRefusal(error)
                then(.failure(explained(error, id)))
            }
        }
    }

    /// Approves or denies nodes, as `CoordinatorClient.answer` does; asking again is harmless.
    package func answer(
        _ answer: Approve,
        then: @escaping (Result<Void, ClientError>) -> Void
    ) {
        withConnection { [self] connection in
            guard case .success(let connection) = connection else {
                return then(connection.map { _ in })
            }
            connection.answer(answer) { [self] result in
                guard case .failure(let error) = result else {
                    noteAnswer()
                    return then(result)
                }
                if outlives(error, of: connection) { return self.answer(answer, then: then) }
                noteRefusal(error)
                then(.failure(explained(error, answer.run.text)))
            }
        }
    }

    /// The error of a request about a run, in the words for a run that a restart has lost.
    package func explained(_ error: ClientError, _ run: String?) -> ClientError {
        guard hasRestarted, error.kind == .rejected, error.code == .unknownRun, let run else {
            return error
        }
        return .forgotten(run)
    }

    // MARK: - Losing the connection

    private func noticeLoss(of connection: CoordinatorClient) {
        connection.onLost = { [weak self, weak connection] error in
            guard let self, let connection else { return }
            _ = outlives(error, of: connection)
        }
    }

    private func noticeLoss(of connection: CoordinatorClient, _ error: ClientError) {
        // Each request of a connection fails, and so says; the first one counts.
        guard connection === client, pending == nil, timer == nil else { return }
        if outage == nil { return beginOutage(error) }
        outage?.cause = error
        pause()
    }

    private func beginOutage(_ cause: ClientError) {
        outage = Outage(cause: cause, deadline: loop.deadline(after: limit))
        onChange?(.lost(cause, limit: limit))
        pause()
    }

    private func pause() {
        guard !isClosed, let pause = outage?.pauses.nextPause(using: &random) else { return }
        let timer = Timer(loop: loop) { [weak self] in self?.connect() }
        timer.schedule(at: min(loop.deadline(after: pause), outage?.deadline ?? 0))
        self.timer = timer
    }

    private func connect() {
        timer?.close()
        timer = nil
        guard var options, let outage else { return }
        let left = Duration.nanoseconds(outage.deadline - loop.nowNanoseconds)
        options.timeout = min(options.timeout, max(left, Self.shortestTimeout))
        if outage.cause.isSilence, let place = options.endpoints.firstIndex(of: client.endpoint) {
            // Another one may lead by now.
            options.endpoints.append(options.endpoints.remove(at: place))
        }
        pending = CoordinatorClient.connect(loop: loop, options: options) { [weak self] result in
            self?.finishConnecting(result)
        }
    }

    /// The last attempt has this long, too.
    private static let shortestTimeout = Duration.milliseconds(500)

    private func finishConnecting(_ result: Result<CoordinatorClient, ClientError>) {
        pending = nil
        switch result {
        case .success(let connection):
            guard !isClosed else { return connection.close() }
            resume(on: connection)
        case .failure(let error):
            guard !isClosed, let outage else { return }
            guard error.mayConnectLater else { return giveUp(.replaced(error)) }
            guard loop.nowNanoseconds < outage.deadline else {
                return giveUp(.gone(outage.cause, for: limit))
            }
            pause()
        }
    }

    private func resume(on connection: CoordinatorClient) {
        client = connection
        hasRestarted = hasRestarted || connection.welcome.epoch != epoch
        epoch = connection.welcome.epoch
        noticeLoss(of: connection)
        let bodies = waiting
        waiting = []
        for body in bodies where !isClosed { body(.success(connection)) }
        // Those who ask tell of the answer.
        guard bodies.isEmpty, !isClosed else { return }
        connection.addBarrier(about: "") { [weak self] result in
            if case .success = result { self?.noteAnswer() }
        }
    }

    private func giveUp(_ error: ClientError) {
        outage = nil
        let bodies = waiting
        waiting = []
        for body in bodies where !isClosed { body(.failure(error)) }
    }
}

@available(*, unavailable)
extension LastingClient: Sendable {}
