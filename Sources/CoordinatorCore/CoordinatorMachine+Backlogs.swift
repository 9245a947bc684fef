// What waits to be sent to peers: how much it is, which peers do not read, and which questions have
// to wait until there is room.
// A peer is slow when it takes nothing for a time, never because much waits for it.

internal import Core
internal import DequeModule
internal import JSON
internal import Scheduling
internal import Wire

extension CoordinatorMachine {
    /// Bytes for one peer below which it gets more: its next large answer, and further events while
    /// much waits for others.
    static let roomPerPeer = 1 << 20

    /// Sends a message with a value, which waits until the connection has encoded all of it.
    mutating func send(
        _ message: Message,
        with value: SentValue,
        to id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        if value.bytes > limits.announced.largestInline, peers[id] != nil {
            peers[id]?.values.append(value)
            unsent.add(value)
        }
        turn.append(.send(id, message))
    }

    /// Whether a large message may be sent to the peer: it has read most of what was sent to it,
    /// and not too much waits for all peers together.
    func hasRoom(for id: ConnectionID) -> Bool {
        guard let peer = peers[id], unsent.total < limits.allUnsentBytes else { return false }
        return peer.owedBytes < Self.roomPerPeer
    }

    mutating func takeBacklog(
        _ backlog: Backlog,
        of id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        guard let peer = peers[id] else { return }
        let time = presence.judgingTime(at: turn.now)
        let wasFull = unsent.total >= limits.allUnsentBytes
        let hasTaken = backlog.takenBytes > peer.backlog.takenBytes
        unsent.change(encodedBytes: backlog.encodedBytes - peer.backlog.encodedBytes)
        for _ in 0..<max(backlog.values - peer.backlog.values, 0) {
            if let value = peers[id]?.values.popFirst() { unsent.remove(value) }
        }
        peers[id]?.backlog = backlog
        // What it was told in this turn is among the encoded bytes.
        peers[id]?.toldBytes = 0
        // A peer that reads is there, though its answer to a ping waits behind what it reads.
        if hasTaken { peers[id]?.lastHeard = time }
        if peers[id]?.isOwed == false {
            peers[id]?.stalledSince = nil
        } else if hasTaken || peer.stalledSince == nil {
            peers[id]?.stalledSince = time
        }
        if case .worker(let worker) = peer.state {
            if hasTaken { hear(worker, in: &turn) }
            noteCongestion(of: worker, peers[id]?.owedBytes ?? 0, in: &turn)
        }
        catchUp(id, in: &turn)
        if peer.question != nil || wasFull { answerWaiting(in: &turn) }
    }

    /// Forgets what waits for a peer that leaves.
    mutating func forgetBacklog(of id: ConnectionID) {
        guard let peer = peers[id] else { return }
        unsent.change(encodedBytes: -peer.backlog.encodedBytes)
        for value in peer.values { unsent.remove(value) }
        peers[id]?.values = []
        peers[id]?.backlog.encodedBytes = 0
        if peer.question != nil { questioners.removeAll { $0 == id } }
    }

    /// A worker for which much waits gets nothing new until half of it has left.
    private mutating func noteCongestion(
        of worker: WorkerID,
        _ bytes: Int,
        in turn: inout CoordinatorTurn
    ) {
        guard let session = workers[worker] else { return }
        if !session.isCongested, bytes > limits.outboxHighWater {
            workers[worker]?.isCongested = true
            schedule(.workerSuspected(worker), in: &turn)
        } else if session.isCongested, bytes <= limits.outboxHighWater / 2 {
            workers[worker]?.isCongested = false
            recoverIfReachable(worker, in: &turn)
        }
    }

    // MARK: - Waiting for room

    /// Whether a question may be answered now; if not, it waits, and so does all else that the peer
    /// says: an answer is made only when there is room for it.
    mutating func admit(_ get: Get, _ id: ConnectionID, in turn: inout CoordinatorTurn) -> Bool {
        let isSmall = get.what == .status || get.what == .run
        if isSmall && peers[id]?.isOwed == false || hasRoom(for: id) {
            if hasAnswer(for: get) { return true }
        }
        peers[id]?.question = get
        questioners.append(id)
        turn.append(.pauseReading(id))
        return false
    }

    /// Answers the questions for which there is room now, in the order of asking.
    mutating func answerWaiting(in turn: inout CoordinatorTurn) {
        guard !questioners.isEmpty, unsent.total < limits.allUnsentBytes else { return }
        let waiting = questioners
        questioners = []
        for id in waiting {
            guard let question = peers[id]?.question else { continue }
            guard hasRoom(for: id), hasAnswer(for: question) else {
                questioners.append(id)
                continue
            }
            peers[id]?.question = nil
            // Its messages were not read while it waited, so its silence does not count.
            peers[id]?.lastHeard = presence.judgingTime(at: turn.now)
            turn.append(.resumeReading(id))
            answer(question, id, in: &turn)
        }
    }

    // MARK: - Peers that do not read

    /// Dismisses a peer that has taken nothing of what waits for it for the length of a lease; asks
    /// how it is with any other.
    mutating func checkStall(of peer: Peer, in turn: inout CoordinatorTurn) -> Bool {
        let time = presence.judgingTime(at: turn.now)
        guard let since = peer.stalledSince, time - since >= limits.lease else {
            turn.append(.measureBacklog(peer.id))
            return false
        }
        dismissStalled(peer.id, in: &turn)
        return true
    }

    /// Makes room when questions or arguments wait because too much waits for other peers.
    ///
    /// Peers that have read nothing since the last heartbeat are dismissed, the one with the most
    /// bytes first, until half of the room is free.
    mutating func makeRoom(in turn: inout CoordinatorTurn) {
        guard unsent.total >= limits.allUnsentBytes, !questioners.isEmpty || isArgumentWaiting
        else { return }
        let time = presence.judgingTime(at: turn.now)
        let stalled = peerOrder.filter { id in
            guard let since = peers[id]?.stalledSince else { return false }
            return time - since >= limits.heartbeat
        }
        let debtors = stalled.sorted { (peers[$0]?.owedBytes ?? 0) > (peers[$1]?.owedBytes ?? 0) }
        for id in debtors where unsent.total >= limits.allUnsentBytes / 2 {
            dismissStalled(id, in: &turn)
        }
        answerWaiting(in: &turn)
    }

    private mutating func dismissStalled(_ id: ConnectionID, in turn: inout CoordinatorTurn) {
        guard let peer = peers[id], let since = peer.stalledSince else { return }
        let time = presence.judgingTime(at: turn.now)
        turn.append(.discardBacklog(id))
        let error = WireError(
            code: .limit,
            message: "You have read nothing for \((time - since).wholeMilliseconds) ms,"
                + " though \(peer.owedBytes) bytes wait for you."
        )
        violate(id, error, in: &turn)
    }

    // MARK: - Checks

    func validateBacklogs() throws(InvariantViolation) {
        var counted = UnsentBytes()
        for id in peerOrder {
            guard let peer = peers[id] else { continue }
            counted.change(encodedBytes: peer.backlog.encodedBytes)
            for value in peer.values { counted.add(value) }
            guard (peer.question != nil) == questioners.contains(id) else {
                throw InvariantViolation("\(id) waits for room and is not listed, or is in vain")
            }
        }
        guard counted.total == unsent.total else {
            throw InvariantViolation("\(counted.total) bytes wait, not \(unsent.total)")
        }
    }
}
