// What waits to be sent to peers: how much it is, which peers do not read, and which questions have
// to wait until there is room.
// A peer is slow when it takes nothing for a time, never because much waits for it.

internal import Core
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
        if value.bytes > limits.announced.largestInline { peers.noteValue(value, to: id) }
        turn.append(.send(id, message))
    }

    /// Whether a large message may be sent to the peer: it has read most of what was sent to it,
    /// and not too much waits for all peers together.
    func hasRoom(for id: ConnectionID) -> Bool {
        guard let peer = peers[id], peers.unsentBytes < limits.allUnsentBytes else { return false }
        return peer.owedBytes < Self.roomPerPeer
    }

    /// Something has left, or more waits, at a connection.
    mutating func noteBacklog(
        _ backlog: Backlog,
        of id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        let time = presence.judgingTime(at: turn.now)
        let wasFull = peers.unsentBytes >= limits.allUnsentBytes
        let hasTaken = peers.noteBacklog(backlog, of: id, at: time)
        guard let peer = peers[id] else { return }
        if case .worker(let worker) = peer.state {
            if hasTaken { hear(worker, in: &turn) }
            noteCongestion(of: worker, peer.owedBytes, in: &turn)
        }
        catchUp(id, in: &turn)
        if peer.question != nil || wasFull { answerWaiting(in: &turn) }
    }

    /// A worker for which much waits gets nothing new until half of it has left.
    private mutating func noteCongestion(
        of worker: WorkerID,
        _ bytes: Int,
        in turn: inout CoordinatorTurn
    ) {
        guard let isCongested = fleet[worker]?.link.isCongested else { return }
        if !isCongested, bytes > limits.outboxHighWater {
            fleet.inPlace(worker) { $0.link.isCongested = true }
            schedule(.workerSuspected(worker), in: &turn)
        } else if isCongested, bytes <= limits.outboxHighWater / 2 {
            fleet.inPlace(worker) { $0.link.isCongested = false }
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
        peers.postpone(get, of: id)
        turn.append(.pauseReading(id))
        return false
    }

    /// Answers the questions for which there is room now, in the order of asking.
    mutating func answerWaiting(in turn: inout CoordinatorTurn) {
        guard peers.haveQuestions, peers.unsentBytes < limits.allUnsentBytes else { return }
        let time = presence.judgingTime(at: turn.now)
        for (id, question) in peers.takeQuestions() {
            guard hasRoom(for: id), hasAnswer(for: question) else {
                peers.postpone(question, of: id)
                continue
            }
            // Its messages were not read while it waited, so its silence does not count.
            peers.inPlace(id) { $0.lastHeard = time }
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
        guard peers.unsentBytes >= limits.allUnsentBytes,
            peers.haveQuestions || isArgumentWaiting
        else { return }
        let time = presence.judgingTime(at: turn.now)
        let stalled = peers.ids.filter { id in
            guard let since = peers[id]?.stalledSince else { return false }
            return time - since >= limits.heartbeat
        }
        let debtors = stalled.sorted { (peers[$0]?.owedBytes ?? 0) > (peers[$1]?.owedBytes ?? 0) }
        for id in debtors where peers.unsentBytes >= limits.allUnsentBytes / 2 {
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
}
