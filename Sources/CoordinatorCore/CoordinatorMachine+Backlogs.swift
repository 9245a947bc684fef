// What waits for peers: how much it is, who takes nothing of it, and who gets nothing new.
// A peer is slow when it takes nothing for a time, never because much waits for it.

internal import JSON
internal import Plans
internal import Scheduling
internal import Wire

extension CoordinatorMachine {
    /// Sends a message with a value, which counts as waiting until the connection tells more.
    mutating func send(
        _ message: Message,
        with value: RawJSON,
        to id: ConnectionID,
        _ actions: inout [Action]
    ) {
        if value.count > limits.announced.largestInline, let peer = peers[id] {
            noteBacklog(of: id, heldBytes: peer.backlog.heldBytes + value.count)
        }
        actions.append(.send(id, message))
    }

    mutating func takeBacklog(
        _ backlog: Backlog,
        of id: ConnectionID,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        guard let peer = peers[id] else { return }
        noteBacklog(of: id, heldBytes: backlog.heldBytes)
        let hasTaken = backlog.takenBytes > peer.backlog.takenBytes
        if hasTaken {
            peers[id]?.backlog.takenBytes = backlog.takenBytes
            // A peer that reads is there, though its answer to a ping waits behind what it reads.
            peers[id]?.lastHeard = now
        }
        if backlog.heldBytes == 0 {
            peers[id]?.stalledSince = nil
        } else if hasTaken || peer.stalledSince == nil {
            peers[id]?.stalledSince = now
        }
        if case .worker(let worker) = peer.state {
            if hasTaken { hear(worker, now, &actions) }
            noteCongestion(of: worker, backlog.heldBytes, now, &actions)
        }
    }

    /// Sets how much waits for a connection.
    mutating func noteBacklog(of id: ConnectionID, heldBytes: Int) {
        guard let peer = peers[id] else { return }
        unsentBytes += heldBytes - peer.backlog.heldBytes
        peers[id]?.backlog.heldBytes = heldBytes
    }

    /// A worker for which much waits gets nothing new until most of it has left.
    private mutating func noteCongestion(
        of worker: WorkerID,
        _ heldBytes: Int,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        guard let session = workers[worker] else { return }
        if !session.isCongested, heldBytes > limits.outboxHighWater {
            workers[worker]?.isCongested = true
            schedule(.workerSuspected(worker), now, &actions)
        } else if session.isCongested, heldBytes <= limits.outboxHighWater / 2 {
            workers[worker]?.isCongested = false
            recoverIfReachable(worker, now, &actions)
        }
    }

    /// Dismisses a peer that has taken nothing of what waits for it for the length of a lease; asks
    /// how it is with any other.
    mutating func checkStall(
        of peer: Peer,
        _ now: Instant,
        _ actions: inout [Action]
    ) -> Bool {
        guard let since = peer.stalledSince, now - since >= limits.lease else {
            actions.append(.measureBacklog(peer.id))
            return false
        }
        actions.append(.discardBacklog(peer.id))
        let error = WireError(
            code: .limit,
            message: "You have read nothing for \((now - since) / .milliseconds(1)) ms,"
                + " though \(peer.backlog.heldBytes) bytes wait for you."
        )
        violate(peer.id, error, now, &actions)
        return true
    }
}
