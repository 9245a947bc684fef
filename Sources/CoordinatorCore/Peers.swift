// Who is at the other end of each connection, from the first byte to the last, and how much waits to
// be sent to each. What peers say is not handled here.

internal import Core
internal import DequeModule
internal import Wire

/// A connection as the core sees it.
struct Peer: Sendable {
    let id: ConnectionID
    var state: State
    /// The key that it has proved to hold, and whose that is; nil before that.
    var access: Keyring.Entry?
    /// When anything was last heard from it, on the judging clock.
    var lastHeard: Instant
    /// Messages of unknown type so far.
    var unknownTypes = 0
    /// What waits for it, as it was told last.
    fileprivate(set) var backlog = Backlog()
    /// The values that wait for it or leave right now, in order.
    fileprivate(set) var values: Deque<SentValue> = []
    /// Since when it has taken nothing of what waits for it, on the judging clock; nil while
    /// nothing waits.
    fileprivate(set) var stalledSince: Instant?
    /// Bytes of events that it was sent in this turn.
    fileprivate(set) var toldBytes = 0
    /// The runs of which it has not been told all that there is to tell.
    var lags: [Lag] = []
    /// A question that waits for room; until then nothing is read from the peer.
    fileprivate(set) var question: Get?

    /// Whether it has something to take.
    var isOwed: Bool { backlog.encodedBytes > 0 || !values.isEmpty }
    /// Bytes that wait for it, also those that it shares with others.
    var owedBytes: Int { values.reduce(backlog.encodedBytes) { $0 + $1.bytes } }

    enum State: Sendable {
        /// Has not proved itself.
        case handshaking(HandshakeResponder)
        /// A worker that has not registered yet.
        case registering(name: String, session: String, resume: Hello.Resume?)
        /// A worker.
        case worker(WorkerID)
        /// A client or viewer.
        case observer(Role, name: String)

        var sender: Sender {
            switch self {
            // Before the handshake only hello and auth are read, which all roles may send.
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

/// All connections, with what waits for them.
struct Peers: Sendable {
    private var peers = KeyedTable<ConnectionID, Peer>()
    /// The deadline of each handshake, on the judging clock.
    private var handshakes = DueTimes<ConnectionID>()
    private var unsent = UnsentBytes()
    /// Peers whose questions wait for room, in the order of asking.
    private var questioners: [ConnectionID] = []
    /// Peers that were sent events in this turn.
    private var told: [ConnectionID] = []

    var count: Int { peers.count }
    var isEmpty: Bool { peers.isEmpty }
    /// Bytes that wait for all peers.
    var unsentBytes: Int { unsent.total }
    /// Whether questions wait for room.
    var haveQuestions: Bool { !questioners.isEmpty }
    /// The connections in the order in which they came.
    var ids: ArrivalOrder<ConnectionID> { peers.keys }

    subscript(id: ConnectionID) -> Peer? { peers[id] }

    /// Reads or changes a peer where it stands; what is read by the subscript is copied whole.
    @discardableResult
    @inline(__always)
    mutating func inPlace<Value>(_ id: ConnectionID, _ body: (inout Peer) -> Value) -> Value? {
        peers.inPlace(id, body)
    }

    /// What a peer is; nil before it has proved that.
    func role(of id: ConnectionID) -> Role? {
        switch peers[id]?.state {
        case .handshaking, nil: nil
        case .registering, .worker: .worker
        case .observer(let role, _): role
        }
    }

    // MARK: - Arrival and departure

    /// Adds a connection that has to prove itself by a deadline.
    mutating func add(_ peer: Peer, handshakeDeadline: Instant) {
        peers[peer.id] = peer
        handshakes.set(peer.id, at: handshakeDeadline)
    }

    /// Forgets a connection and what waits for it.
    mutating func remove(_ id: ConnectionID) {
        guard let peer = peers.removeValue(forKey: id) else { return }
        handshakes.remove(id)
        unsent.change(encodedBytes: -peer.backlog.encodedBytes)
        for value in peer.values { unsent.remove(value) }
        if peer.question != nil { questioners.removeAll { $0 == id } }
    }

    /// When the next handshake is late.
    var nextHandshakeDeadline: Instant? { handshakes.next }
    /// How many connections have not proved themselves.
    var handshakeCount: Int { handshakes.count }
    /// The connection whose handshake has taken the longest.
    var oldestHandshake: ConnectionID? { handshakes.first }

    /// A connection has proved itself.
    mutating func endHandshake(of id: ConnectionID) { handshakes.remove(id) }

    /// A connection whose handshake is late; nil if there is none.
    mutating func popLateHandshake(at time: Instant) -> ConnectionID? {
        handshakes.popDue(until: time)
    }

    // MARK: - What waits

    /// Notes a value that was sent to a peer.
    mutating func noteValue(_ value: SentValue, to id: ConnectionID) {
        guard peers.inPlace(id, { $0.values.append(value) }) != nil else { return }
        unsent.add(value)
    }

    /// Notes what waits for a peer now; says whether it has taken something since the last time.
    mutating func noteBacklog(_ backlog: Backlog, of id: ConnectionID, at time: Instant) -> Bool {
        guard var peer = peers[id] else { return false }
        let hasTaken = backlog.takenBytes > peer.backlog.takenBytes
        unsent.change(encodedBytes: backlog.encodedBytes - peer.backlog.encodedBytes)
        for _ in 0..<max(backlog.values - peer.backlog.values, 0) {
            if let value = peer.values.popFirst() { unsent.remove(value) }
        }
        peer.backlog = backlog
        // What it was told in this turn is among the encoded bytes.
        peer.toldBytes = 0
        // A peer that reads is there, though its answer to a ping waits behind what it reads.
        if hasTaken { peer.lastHeard = time }
        if !peer.isOwed {
            peer.stalledSince = nil
        } else if hasTaken || peer.stalledSince == nil {
            peer.stalledSince = time
        }
        peers[id] = peer
        return hasTaken
    }

    /// Counts the bytes of an event that was sent to a peer in this turn.
    mutating func noteTold(_ bytes: Int, to id: ConnectionID) {
        let before = peers.inPlace(id) { peer in
            defer { peer.toldBytes += bytes }
            return peer.toldBytes
        }
        if before == 0 { told.append(id) }
    }

    /// Ends the count of events sent in this turn: the connections have them now.
    mutating func forgetTold() {
        for id in told { peers.inPlace(id) { $0.toldBytes = 0 } }
        told.removeAll(keepingCapacity: true)
    }

    // MARK: - Questions

    /// Keeps a question until there is room for its answer.
    mutating func postpone(_ question: Get, of id: ConnectionID) {
        guard peers.inPlace(id, { $0.question = question }) != nil else { return }
        questioners.append(id)
    }

    /// Takes out the questions that can be answered, in the order of asking.
    mutating func takeQuestions() -> [(id: ConnectionID, question: Get)] {
        exchange(&questioners, with: []).compactMap { id in
            peers.inPlace(id) { exchange(&$0.question, with: nil) }?.map { (id, $0) }
        }
    }

    // MARK: - Checks

    /// Counts again what waits, and compares the lists with the peers.
    func validate() throws(InvariantViolation) {
        var counted = UnsentBytes()
        for id in peers.keys {
            guard let peer = peers[id] else { continue }
            counted.change(encodedBytes: peer.backlog.encodedBytes)
            for value in peer.values { counted.add(value) }
            guard (peer.question != nil) == questioners.contains(id) else {
                throw InvariantViolation(
                    "\(id) waits for room and is not listed, or is listed and does not wait"
                )
            }
        }
        guard counted.total == unsent.total else {
            throw InvariantViolation("\(counted.total) bytes wait, not \(unsent.total)")
        }
    }
}
