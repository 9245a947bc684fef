// A worker's session: what it said of itself, what it offers, its connection, and what is still to be
// told to it. It outlives a lost connection for the resume window. All sessions are in Fleet.swift.

internal import Core
internal import OrderedCollections
internal import Scheduling
internal import Wire

/// A worker as the coordinator knows it.
struct WorkerSession: Sendable {
    let id: WorkerID
    let name: String
    var about: About
    var offered: SessionTools
    var link: Link
    var drain = DrainState()
    var pings = Pings()
    /// Results to acknowledge, with the next dispatch or a little later.
    var acknowledgements = OwedAcknowledgements()
    /// Attempts that it holds in the books only, because their arguments have not left.
    var unsent = UnsentAttempts()
    /// Streamed bytes of an attempt that were not granted again yet.
    var consumed: [AttemptID: Int] = [:]
    /// Whether a dispatch leaves in this turn, so that acknowledgements can go along.
    private(set) var hasDispatchThisTurn = false

    /// The connection that it is on; nil while it is away.
    var connection: ConnectionID? { link.connection }

    /// Whether it may get new attempts as far as its connection is concerned.
    var isReachable: Bool { link.connection != nil && !link.isSilent && !link.isCongested }

    /// What it said of itself when it joined.
    struct About: Sendable {
        private(set) var host: String?
        private(set) var processID: Int?
        private(set) var software: String?
        let labels: OrderedDictionary<String, String>
        let joinedAt: Instant
        /// Who proved to be the worker.
        let identity: String?

        init(_ register: Register, joinedAt: Instant, identity: String?) {
            self.identity = identity
            host = register.host
            processID = register.pid
            software = register.software
            labels = register.labels
            self.joinedAt = joinedAt
        }

        /// A worker of which only this is known, because another coordinator had it.
        init(
            labels: OrderedDictionary<String, String>,
            joinedAt: Instant,
            identity: String?
        ) {
            self.labels = labels
            self.joinedAt = joinedAt
            self.identity = identity
        }

        /// The worker is back, and says again who it is.
        mutating func update(by register: Register) {
            host = register.host
            processID = register.pid
            software = register.software
        }
    }

    /// The way to the worker.
    struct Link: Sendable {
        /// The session's name on the wire, needed to resume it.
        let session: String
        fileprivate(set) var connection: ConnectionID?
        /// The newest connection that it was on; what arrives over an older one is out of date.
        fileprivate(set) var latestConnection: ConnectionID
        /// Whether nothing was heard from it for several heartbeats.
        var isSilent = false
        /// Whether much waits for it.
        var isCongested = false

        init(session: String, connection: ConnectionID) {
            self.session = session
            self.connection = connection
            latestConnection = connection
        }

        /// A session that has no connection of this coordinator yet.
        init(restored session: String) {
            self.session = session
            latestConnection = ConnectionID(0)
        }
    }

    /// A dispatch leaves in this turn; says whether it is the first one.
    mutating func noteDispatchThisTurn() -> Bool {
        defer { hasDispatchThisTurn = true }
        return !hasDispatchThisTurn
    }

    mutating func endTurn() { hasDispatchThisTurn = false }

    /// The worker is on another connection, which begins with nothing on its way.
    mutating func connect(to connection: ConnectionID) {
        link = Link(session: link.session, connection: connection)
        pings.forgetHeld()
        acknowledgements.removeAll()
        consumed = [:]
    }

    /// The connection broke.
    ///
    /// A worker that resumes lists the results whose acknowledgements were lost, and gets them then.
    mutating func disconnect() {
        link.connection = nil
        acknowledgements.removeAll()
    }
}

/// The slots and tools that a worker offers, as far as they were taken in.
struct SessionTools: Sendable {
    var slots: Int
    /// The names of its tools that the catalogue took.
    var names: [String] = []
    /// Names of its tools that were refused, each with the reason.
    var refused: [WithheldTool] = []
    /// Its tools that cannot run for now, as it says.
    var withheld: [WithheldTool] = []
}

/// Whether a worker gets new attempts or finishes what it has, and who wants that.
struct DrainState: Sendable {
    private(set) var isDraining = false
    /// The order to drain that it was sent, and when.
    private var order: (drain: Drain, at: Instant)?

    /// Whether it was told to drain, for checks.
    var isOrdered: Bool { order != nil }

    /// It gets nothing new; with an order if a client wants that.
    mutating func begin(order drain: Drain?, at now: Instant) {
        isDraining = true
        if let drain { order = (drain, now) }
    }

    /// The drain that it was told, with the time that is left.
    func order(at now: Instant) -> Drain? {
        guard let (drain, orderedAt) = order else { return nil }
        let passed = (now - orderedAt).wholeMilliseconds
        return Drain(
            reason: drain.reason,
            deadlineMilliseconds: drain.deadlineMilliseconds.map { max($0 - passed, 0) }
        )
    }
}

/// The pings that a worker was sent, by which attempts are found that it does not know.
struct Pings: Sendable {
    /// The number of the last one.
    private(set) var latest = 0
    /// What the worker held when the last one left.
    private var held: [AttemptID] = []

    /// Counts a ping that leaves while the worker holds these attempts.
    mutating func next(held: [AttemptID]) -> Ping {
        latest += 1
        self.held = held
        return Ping(n: latest)
    }

    mutating func forgetHeld() { held = [] }

    /// The attempts that the worker had to know when the ping of this answer left, and does not
    /// list; none for the answer to an older ping.
    mutating func missing(in pong: Pong) -> [AttemptID] {
        guard pong.n == latest, !held.isEmpty, let listed = pong.inFlight else { return [] }
        let known = Set(listed)
        return exchange(&held, with: []).filter { !known.contains($0) }
    }
}
