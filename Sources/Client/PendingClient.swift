// Connecting: a socket, then the handshake, within one time limit and with one outcome. Not here:
// the connected client.
internal import Transport
internal import UVLoop
internal import Wire

/// An attempt to connect to a coordinator that has not been answered yet.
///
/// It lives until it is answered. Confined to its loop.
public final class PendingClient {
    private let loop: EventLoop
    private let options: CoordinatorClient.Options
    /// The coordinator that is tried.
    private var endpoint: Endpoint
    /// Those that are tried after it.
    private var others: [Endpoint]
    /// Whether one stands by, so that another one leads or is about to.
    private var hasStandby = false
    /// Whether nothing is tried now, between two rounds.
    private var isPausing = false
    /// Until when all of them are tried again as long as one stands by.
    private let lastRound: Int64
    /// Why the first one could not be connected to.
    private var firstFailure: ClientError?
    private var then: ((Result<CoordinatorClient, ClientError>) -> Void)?
    private var connecting: PendingConnect?
    private var connection: MessageConnection?
    private var initiator: HandshakeInitiator
    private var timer: Timer?
    /// When the time for connecting is over.
    private var deadline: Int64 = 0
    private var client: CoordinatorClient?
    private var hasAnswered = false
    private var isCancelled = false

    init(
        loop: EventLoop,
        options: CoordinatorClient.Options,
        then: @escaping (Result<CoordinatorClient, ClientError>) -> Void
    ) {
        self.loop = loop
        self.options = options
        endpoint = options.endpoints[0]
        others = Array(options.endpoints.dropFirst())
        lastRound = loop.deadline(after: options.timeout)
        self.then = then
        initiator = Self.makeInitiator(options)
        timer = Timer(loop: loop) { [self] in passDeadline() }
        connect()
    }

    private func connect() {
        startTime()
        connecting = TCPConnection.connect(
            loop: loop,
            host: endpoint.host,
            port: endpoint.port,
            timeout: answerTime
        ) { [self] result in
            connecting = nil
            switch result {
            case .success(let socket): begin(socket)
            case .failure(let error): fail(.unreachable(endpoint, error))
            }
        }
    }

    /// Gives up; the outcome is `unreachable`, unless there was one already.
    public func cancel() {
        guard then != nil else { return }
        isCancelled = true
        isPausing = false
        let error = failure("the attempt was cancelled")
        loop.nextTurn { [self] in fail(error) }
    }

    /// How long a coordinator may take: with others, one that is stopped is not waited for.
    private var answerTime: Duration {
        options.endpoints.count > 1 ? min(options.timeout, .seconds(2)) : options.timeout
    }

    private func startTime() {
        deadline = loop.deadline(after: answerTime)
        timer?.schedule(at: deadline)
    }

    /// Fails the attempt; if this process itself was paused, the time starts again.
    private func passDeadline() {
        if loop.nowNanoseconds - deadline > Self.toleratedLateness { return startTime() }
        guard !isPausing else { return beginRound() }
        fail(failure("it did not complete the handshake in time"))
    }

    /// Nanoseconds; a timer is this late only if the process was stopped.
    private static let toleratedLateness: Int64 = 1_000_000_000

    private func begin(_ socket: TCPConnection) {
        guard then != nil else { return socket.close() }
        let connection = MessageConnection(
            loop: loop,
            socket: socket,
            tls: options.tls.encrypts(host: endpoint.host)
                ? .peer(options.key, role: options.role) : nil,
            maximumLine: Limits().maxLineBeforeAuthentication
        )
        self.connection = connection
        connection.start(
            onMessage: { [self] message in
                if let client { client.receive(message) } else { receive(message) }
            },
            onViolation: { [self] error in
                if let client { client.receive(violation: error) } else { receive(error) }
            },
            onEnd: { [self] error in
                if let client { return client.receiveEnd(error) }
                fail(failure(error.map(\.explanation) ?? endWithoutWord))
            }
        )
        connection.send(.hello(initiator.hello()))
    }

    /// What an end without an error of the coordinator means.
    private var endWithoutWord: String {
        connection?.awaitsEncryption == true
            ? "it closed the connection without a word, as one that is full or shuts down does"
            : "it closed the connection"
    }

    // MARK: - Handshake

    private func receive(_ message: Message) {
        switch message {
        case .challenge(let challenge):
            do throws(WireError) {
                connection?.send(.auth(try initiator.answer(to: challenge)))
                hasAnswered = true
            } catch {
                let refusal = ErrorMessage(
                    code: error.code,
                    message: error.message,
                    isFatal: true
                )
                fail(ClientError(atHandshake: refusal, with: endpoint, options))
            }
        case .welcome(let welcome):
            succeed(welcome)
        case .error(let error):
            guard error.isFatal else { return }
            if error.code == .notLeader { noteStandby(error.leader) }
            fail(ClientError(atHandshake: error, with: endpoint, options))
        case .ping(let ping):
            connection?.send(.pong(Pong(n: ping.n)))
        case .bye(let bye):
            fail(failure("it said \(bye.reason)"))
        default:
            fail(failure("it sent \(message.kind.rawValue) before the handshake was over"))
        }
    }

    private func receive(_ violation: WireError) {
        guard violation.code != .unknownType else { return }
        if violation.code == .encryption || violation.code == .authFailed {
            let refusal = ErrorMessage(
                code: violation.code,
                message: violation.message,
                isFatal: true
            )
            return fail(ClientError(atHandshake: refusal, with: endpoint, options))
        }
        fail(failure("the program that listens there does not speak Weftline's protocol"))
    }

    private func succeed(_ welcome: Welcome) {
        guard let connection, hasAnswered else {
            return fail(
                .notAuthenticated("it did not prove itself.", by: endpoint, options)
            )
        }
        connection.maximumLine = max(connection.maximumLine, welcome.limits.maxLine)
        let client = CoordinatorClient(
            loop: loop,
            connection: connection,
            endpoint: endpoint,
            welcome: welcome,
            hasOthers: options.endpoints.count > 1
        )
        self.client = client
        answer(.success(client))
    }

    private func failure(_ cause: String) -> ClientError {
        ClientError(
            kind: .unreachable,
            message: "No coordinator can be reached at \(endpoint): \(cause)."
        )
    }

    private func fail(_ error: ClientError) {
        guard then != nil else { return }
        connecting?.cancel()
        connecting = nil
        connection?.close()
        connection = nil
        let failure = firstFailure ?? error
        firstFailure = failure
        guard !isCancelled, !others.isEmpty else {
            guard hasStandby, !isCancelled, loop.nowNanoseconds < lastRound else {
                return answer(.failure(failure))
            }
            isPausing = true
            deadline = loop.deadline(after: Self.pause)
            timer?.schedule(at: deadline)
            return
        }
        connect(to: others.removeFirst())
    }

    private func connect(to next: Endpoint) {
        endpoint = next
        hasAnswered = false
        initiator = Self.makeInitiator(options)
        connect()
    }

    // MARK: - Standing by

    /// Between two rounds.
    private static let pause = Duration.milliseconds(100)

    /// The one that leads is next, if it was not tried in this round.
    private func noteStandby(_ leader: String?) {
        // One that is not in the list is not connected to.
        hasStandby = options.endpoints.count > 1 || leader == nil
        guard let place = others.firstIndex(where: { $0.description == leader }) else { return }
        others.insert(others.remove(at: place), at: 0)
    }

    /// Tries all of them again.
    private func beginRound() {
        isPausing = false
        hasStandby = false
        firstFailure = nil
        others = Array(options.endpoints.dropFirst())
        connect(to: options.endpoints[0])
    }

    private static func makeInitiator(_ options: CoordinatorClient.Options) -> HandshakeInitiator {
        HandshakeInitiator(
            role: options.role,
            name: options.name,
            key: options.key,
            nonce: SecureRandom.bytes(Limits.nonceBytes)
        )
    }

    private func answer(_ result: Result<CoordinatorClient, ClientError>) {
        guard let then else { return }
        self.then = nil
        timer?.close()
        timer = nil
        then(result)
    }
}

@available(*, unavailable)
extension PendingClient: Sendable {}
