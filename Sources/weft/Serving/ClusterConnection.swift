// The connection to the cluster that all clients of `weft mcp` share: to a coordinator, or to the
// cluster that this process starts. Not here: what is asked over it.
internal import Client
internal import Console
internal import UVLoop

/// Gives a client once there is one, and tries again when there was none.
///
/// Confined to its loop.
final class ClusterConnection {
    private enum State {
        /// The cluster of this process is starting.
        case starting
        case idle
        case connecting
        case connected(LastingClient)
        /// The cluster of this process could not start.
        case failed(ClientError)
    }

    private let loop: EventLoop
    /// How to connect; nil until the cluster of this process is there.
    private var options: (() throws -> CoordinatorClient.Options)?
    private let reconnecting: Duration
    private var state: State
    private var waiting: [(Result<LastingClient, ClientError>) -> Void] = []

    /// A connection with the options that the closure gives, or, without one, with those that `use`
    /// brings later.
    init(
        loop: EventLoop,
        options: (() throws -> CoordinatorClient.Options)?,
        reconnecting: Duration
    ) {
        self.loop = loop
        self.options = options
        self.reconnecting = reconnecting
        state = options == nil ? .starting : .idle
    }

    /// The cluster of this process is there.
    func use(_ options: CoordinatorClient.Options) {
        self.options = { options }
        connect()
    }

    /// The cluster of this process will never be there.
    func fail(_ message: String) {
        let error = ClientError(kind: .unreachable, message: message)
        state = .failed(error)
        finish(.failure(error))
    }

    /// Connects now, so that what is wrong is said before there is a call.
    func begin() {
        if case .idle = state { connect() }
    }

    /// Calls back with the client, or with why there is none; the next call tries again.
    func withClient(_ then: @escaping (Result<LastingClient, ClientError>) -> Void) {
        switch state {
        case .connected(let client): then(.success(client))
        case .failed(let error): then(.failure(error))
        case .starting, .connecting: waiting.append(then)
        case .idle:
            waiting.append(then)
            connect()
        }
    }

    private func connect() {
        guard let options else { return }
        state = .connecting
        do {
            connect(try options())
        } catch {
            let lines = (error as? CommandFailure)?.lines ?? ["\(error)"]
            let message = lines.joined(separator: " ").replacing("error: ", with: "")
            lose(ClientError(kind: .refused, message: message))
        }
    }

    private func connect(_ options: CoordinatorClient.Options) {
        CoordinatorClient.connect(loop: loop, options: options) { [self] result in
            switch result {
            case .success(let connection):
                let client = LastingClient(connection, options: options, limit: reconnecting)
                client.onChange = { Shell.tell($0.line(about: nil)) }
                state = .connected(client)
                finish(.success(client))
            case .failure(let error): lose(error)
            }
        }
    }

    private func lose(_ error: ClientError) {
        state = .idle
        Shell.tell(error.message.asError)
        finish(.failure(error))
    }

    private func finish(_ result: Result<LastingClient, ClientError>) {
        let callbacks = waiting
        waiting = []
        for callback in callbacks { callback(result) }
    }

    /// Closes the connection; sent messages still leave.
    func close() {
        if case .connected(let client) = state { client.close() }
        state = .idle
    }
}
