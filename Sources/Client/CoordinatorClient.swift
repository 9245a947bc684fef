// A connection to a coordinator after the handshake: passes on each message, and its end. Not here:
// connecting (PendingClient), runs (+Runs), questions and commands (+Requests).
internal import Core
internal import JSON
public import Transport
public import UVLoop
public import Wire

/// A connected client or viewer.
///
/// Confined to its loop; any number of requests may run at the same time. Each request is answered
/// exactly once, with a failure if the connection is lost, but not after `close`.
public final class CoordinatorClient {
    /// How to connect.
    public struct Options: Sendable {
        /// The coordinators, which are tried in turn until one can be connected to; at least
        /// one.
        public var endpoints: [Endpoint]
        /// `client` or `viewer`.
        public var role: Role
        /// The key of that role.
        public var key: HandshakeKey
        /// Whether all this was in a join line, for advice.
        public var isJoining = false
        /// When the connection is encrypted.
        public var tls: TLSPolicy
        /// A name for people; must be valid for `PeerName`.
        public var name: String
        /// Time for connecting and the handshake.
        public var timeout: Duration

        /// Makes options.
        public init(
            endpoints: [Endpoint],
            role: Role,
            key: HandshakeKey,
            name: String,
            tls: TLSPolicy = .offHost,
            timeout: Duration = .seconds(5)
        ) {
            precondition(!endpoints.isEmpty, "there is a coordinator to connect to")
            self.endpoints = endpoints
            self.tls = tls
            self.role = role
            self.key = key
            self.name = name
            self.timeout = timeout
        }
    }

    /// The coordinator's address.
    public let endpoint: Endpoint
    /// The coordinator's data about itself and its limits.
    public let welcome: Welcome
    /// Called once when the connection is lost, after every request has failed.
    public var onLost: ((ClientError) -> Void)?

    let loop: EventLoop
    let connection: MessageConnection
    var questions: [Int: Question] = [:]
    var submissions: [String: PendingSubmission] = [:]
    var followed: [RunID: FollowedRun] = [:]
    /// The runs of watches without an event yet, by request.
    var watches: [Int: RunID] = [:]
    var barriers: [Barrier] = []
    var lastNumber = 0
    private(set) var isClosed = false
    private var byeReason: String?
    /// Whether it said that its runs end with it.
    private var losesRuns = false
    private var lastHeard: Int64
    private var hasBeenSilent = false
    /// Whether another coordinator may lead when this one is silent.
    private let hasOthers: Bool
    private var silence: Timer?
    private var isPaused = false

    /// Connects and authenticates; one outcome, in a later turn of the loop.
    @discardableResult
    public static func connect(
        loop: EventLoop,
        options: Options,
        then: @escaping (Result<CoordinatorClient, ClientError>) -> Void
    ) -> PendingClient {
        PendingClient(loop: loop, options: options, then: then)
    }

    init(
        loop: EventLoop,
        connection: MessageConnection,
        endpoint: Endpoint,
        welcome: Welcome,
        hasOthers: Bool
    ) {
        self.hasOthers = hasOthers
        self.loop = loop
        self.connection = connection
        self.endpoint = endpoint
        self.welcome = welcome
        lastHeard = loop.nowNanoseconds
        connection.onDrained = { [weak self] in self?.sendPlans() }
        silence = Timer(loop: loop) { [weak self] in self?.checkSilence() }
        silence?.schedule(after: heartbeat)
    }

    /// Closes the connection in order; sent messages still leave, and no callback is called any
    /// more.
    ///
    /// Runs continue, except one whose plan is not complete yet.
    public func close() {
        guard !isClosed else { return }
        connection.send(.bye(Bye(reason: "done")))
        connection.closeAfterWriting()
        forget()
    }

    /// Reads nothing until `resumeReading`, so that the coordinator keeps back what is to come.
    package func pauseReading() {
        guard !isClosed else { return }
        isPaused = true
        connection.pauseReading()
    }

    /// Reads again.
    package func resumeReading() {
        guard !isClosed, isPaused else { return }
        isPaused = false
        lastHeard = loop.nowNanoseconds
        connection.resumeReading()
    }

    /// A number for a request or a ping, not used before.
    func nextNumber() -> Int {
        lastNumber += 1
        return lastNumber
    }

    // MARK: - Receiving

    func receive(_ message: Message) {
        guard !isClosed else { return }
        lastHeard = loop.nowNanoseconds
        hasBeenSilent = false
        switch message {
        case .ping(let ping): connection.send(.pong(Pong(n: ping.n)))
        case .pong(let pong): passBarrier(pong.n)
        case .reply(let reply): receive(reply)
        case .chunk(let chunk): receive(chunk)
        case .accepted(let accepted): receive(accepted)
        case .event(let event): receive(event)
        case .error(let error): receive(error)
        case .bye(let bye):
            byeReason = bye.reason
            losesRuns = bye.keepsRuns == false
        default:
            lose("the coordinator sent \(message.kind.rawValue), which clients do not accept")
        }
    }

    func receive(violation: WireError) {
        // Coordinators of later versions may send unknown messages.
        guard !isClosed, violation.code != .unknownType else { return }
        lose("the coordinator broke the protocol (\(violation))")
    }

    func receiveEnd(_ error: UVError?) {
        switch (error, byeReason) {
        case (_, "shutting_down"?):
            let fate = losesRuns ? ", and its runs are lost: it keeps them in memory only" : ""
            var error = ClientError.lost(endpoint, "the coordinator is shutting down\(fate)")
            error.code = .shuttingDown
            lose(error)
        case (_, let reason?): lose("the coordinator closed it: \(reason)")
        case (let error?, nil): lose(error.explanation)
        case (nil, nil): lose("the coordinator closed it")
        }
    }

    private func receive(_ error: ErrorMessage) {
        if error.isFatal {
            return lose(ClientError(atEnd: error, of: endpoint))
        }
        let failure = ClientError(rejecting: error)
        if let request = error.request {
            if let question = questions.removeValue(forKey: request) {
                question.then(.failure(failure))
            } else if let run = watches.removeValue(forKey: request) {
                followed.removeValue(forKey: run)?.handler(.failed(failure))
            }
        } else if let about = error.about {
            if submissions[about] != nil {
                failSubmission(about, failure)
            } else {
                failBarrier(about: about, failure)
            }
        } else if error.code == .unknownType {
            failFirstBarrier(failure)
        }
    }

    // MARK: - The end

    private func lose(_ cause: String) {
        lose(ClientError.lost(endpoint, cause))
    }

    /// Fails everything that is pending, once, in the order of the requests.
    private func lose(_ error: ClientError) {
        guard !isClosed else { return }
        let questions = questions.sorted { $0.key < $1.key }.map(\.value)
        let barriers = barriers
        let submissions = submissions.values.filter { $0.run == nil || $0.level == nil }
        let handlers =
            submissions.map { ($0.number, $0.handler) }
            + followed.values.map { ($0.number, $0.handler) }
        let onLost = onLost
        connection.close()
        forget()
        for question in questions { question.then(.failure(error)) }
        for barrier in barriers { barrier.then(.failure(error)) }
        for (_, handler) in handlers.sorted(by: { $0.0 < $1.0 }) { handler(.failed(error)) }
        onLost?(error)
    }

    private func forget() {
        isClosed = true
        silence?.close()
        silence = nil
        questions = [:]
        submissions = [:]
        followed = [:]
        watches = [:]
        barriers = []
        onLost = nil
    }

    // MARK: - Silence

    private var heartbeat: Duration {
        .milliseconds(max(welcome.heartbeatMilliseconds, 100))
    }

    /// How long to wait for a silent coordinator: it may have been paused for longer than a lease
    /// and still have all its state, but is replaced by then if there are others.
    private var longestSilence: Duration {
        let lease = Duration.milliseconds(welcome.leaseMilliseconds)
        return hasOthers ? lease : max(heartbeat * 4, lease * 2)
    }

    /// Pings a silent coordinator, and drops the connection if it does not answer.
    private func checkSilence() {
        guard !isClosed else { return }
        if isPaused { lastHeard = loop.nowNanoseconds }
        let silent = Duration.nanoseconds(loop.nowNanoseconds - lastHeard)
        if silent < heartbeat {
            hasBeenSilent = false
        } else if silent > longestSilence {
            // This process may have been paused itself, with an unread answer.
            guard !hasBeenSilent else {
                var error = ClientError.lost(endpoint, "the coordinator does not answer any more")
                error.isSilence = true
                return lose(error)
            }
            hasBeenSilent = true
            connection.send(.ping(Ping(n: nextNumber())))
            silence?.schedule(after: .milliseconds(500))
            return
        } else {
            connection.send(.ping(Ping(n: nextNumber())))
        }
        silence?.schedule(after: heartbeat)
    }
}

@available(*, unavailable)
extension CoordinatorClient: Sendable {}
