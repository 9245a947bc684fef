// Who is at the other end of a connection, from the first byte to the last.

internal import Core
internal import DequeModule
internal import OrderedCollections
internal import Wire

/// A connection as the core sees it.
struct Peer: Sendable {
    let id: ConnectionID
    var state: State
    /// When anything was last heard from it, on the judging clock.
    var lastHeard: Instant
    /// Messages of unknown type so far.
    var unknownTypes = 0
    /// What waits for it, as it was told last.
    var backlog = Backlog()
    /// The values that wait for it or leave right now, in order.
    var values: Deque<SentValue> = []
    /// Since when it has taken nothing of what waits for it, on the judging clock; nil while
    /// nothing waits.
    var stalledSince: Instant?
    /// Bytes of events that it was sent in this turn.
    var toldBytes = 0
    /// The runs of which it has not been told all that there is to tell.
    var lags: [Lag] = []
    /// A question that waits for room; until then nothing is read from the peer.
    var question: Get?

    /// Whether it has something to take.
    var isOwed: Bool { backlog.encodedBytes > 0 || !values.isEmpty }
    /// Bytes that wait for it, whoever else shares them.
    var owedBytes: Int { values.reduce(backlog.encodedBytes) { $0 + $1.bytes } }

    enum State: Sendable {
        /// Has not proved itself.
        case handshaking(HandshakeResponder)
        /// A worker that has not registered yet.
        case registering(name: String, session: String, resume: Hello.Resume?)
        /// A worker.
        case worker(WorkerID)
        /// A client or viewer, with the runs that it watches.
        case observer(Role, name: String)

        var sender: Sender {
            switch self {
            // Before the handshake only hello and auth are looked at, which all roles may send.
            case .handshaking: .client
            case .registering, .worker: .worker
            case .observer(let role, _): Sender(role)
            }
        }
    }

    var isAuthenticated: Bool {
        if case .handshaking = state { return false }
        return true
    }
}

/// A worker's session, which outlives a lost connection for the resume window.
struct WorkerSession: Sendable {
    let id: WorkerID
    let name: String
    /// The session's name on the wire, needed to resume it.
    var session: String
    var connection: ConnectionID?
    /// The newest connection that it was on; what arrives over an older one is out of date.
    var latestConnection: ConnectionID
    var slots: Int
    /// The names of its tools that the catalogue took.
    var tools: [String]
    /// Names of its tools that were refused, each with the reason.
    var refusedTools: [WithheldTool] = []
    /// Its tools that cannot run for now, as it says.
    var withheld: [WithheldTool] = []
    var labels: OrderedDictionary<String, String>
    var host: String?
    var processID: Int?
    var software: String?
    var joinedAt: Instant
    var isDraining = false
    /// What it was told when somebody asked to drain it, and when.
    var drainOrder: (drain: Drain, at: Instant)?
    var isSilent = false
    var isCongested = false
    /// Whether a dispatch leaves in this turn, so that acknowledgements can go along.
    var hasDispatchThisTurn = false
    /// Whether it is listed among the workers with acknowledgements that may wait.
    var isUnacknowledged = false
    /// Attempts to acknowledge, with the next dispatch or a little later.
    var acknowledged: [AttemptID] = []
    var stale: [AttemptID] = []
    /// What it held when the last ping left, to find attempts that it does not know.
    var heldAtPing: [AttemptID] = []
    var pingNumber = 0
    /// Attempts that it holds in the books only, because their arguments have not left.
    var unsent = UnsentAttempts()
    /// Whether it is among the workers with unsent attempts.
    var isListedAsUnsent = false
    /// Streamed bytes of an attempt that were not granted again yet.
    var consumed: [AttemptID: Int] = [:]

    /// Whether it may get new attempts as far as its connection is concerned.
    var isReachable: Bool { connection != nil && !isSilent && !isCongested }

    /// The drain that it was told, with the time that is left.
    func orderedDrain(at now: Instant) -> Drain? {
        guard let (drain, orderedAt) = drainOrder else { return nil }
        let passed = (now - orderedAt).wholeMilliseconds
        return Drain(
            reason: drain.reason,
            deadlineMilliseconds: drain.deadlineMilliseconds.map { max($0 - passed, 0) }
        )
    }
}

/// A worker that wants the name of one that is connected.
struct WaitingTwin: Sendable {
    let connection: ConnectionID
    let register: Register
    let name: String
    let session: String
    /// The ping by whose answer the first one shows that it lives.
    let ping: Int
    /// When the first one was asked, on the judging clock.
    let asked: Instant
    /// When the first one counts as gone, on the judging clock; later if it was heard of just
    /// before it was asked.
    var until: Instant
}
