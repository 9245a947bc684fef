// When results are acknowledged: before the next dispatch to their worker, when they are many, or a
// little later.

internal import Core
internal import Wire

extension CoordinatorMachine {
    /// Tells the worker of a result that was stored, or that is not needed any more.
    mutating func acknowledge(_ attempt: AttemptID, _ worker: WorkerID, isStale: Bool) {
        let batch = limits.ackBatch
        let owed = workers[worker]?.acknowledge(attempt, isStale: isStale, batch: batch)
        guard let owed else { return }
        if owed.isFirst { unacknowledged.append(worker) }
        if owed.isDue { dueAcknowledgements.append(worker) }
    }

    /// Sends a worker's acknowledgements when they are many or have waited long enough.
    ///
    /// Before a dispatch to the worker they were sent already. A single acknowledgement would wake a
    /// worker that has nothing else to do. It can wait: only the worker's memory, and a worker that
    /// drains, depend on it. Waiting costs nothing here.
    mutating func sendDueAcknowledgements(in turn: inout CoordinatorTurn) {
        if !dueAcknowledgements.isEmpty {
            for id in dueAcknowledgements { sendAcknowledgements(to: id, in: &turn) }
            dueAcknowledgements.removeAll(keepingCapacity: true)
        }
        if let nextAck, nextAck <= turn.now {
            for id in unacknowledged {
                workers[id]?.isUnacknowledged = false
                sendAcknowledgements(to: id, in: &turn)
            }
            unacknowledged.removeAll(keepingCapacity: true)
            self.nextAck = nil
        }
        // Most of these were sent before the dispatches of this turn.
        while let last = unacknowledged.last, workers[last]?.leaveUnacknowledged() != false {
            unacknowledged.removeLast()
        }
        if unacknowledged.isEmpty {
            nextAck = nil
        } else if nextAck == nil {
            nextAck = turn.now + limits.ackDelay
        }
    }

    /// Sends a worker the acknowledgements that wait for it, if there are any.
    mutating func sendAcknowledgements(to id: WorkerID, in turn: inout CoordinatorTurn) {
        if let (connection, ack) = workers[id]?.takeAcknowledgements() {
            turn.append(.send(connection, .ack(ack)))
        }
    }
}

// In place: a session is large, and reading a part of it by way of the dictionary copies it whole.
extension WorkerSession {
    /// Notes a result to acknowledge; says whether the session has to be listed for that, and
    /// whether it leaves in this turn.
    fileprivate mutating func acknowledge(
        _ attempt: AttemptID,
        isStale: Bool,
        batch: Int
    ) -> (isFirst: Bool, isDue: Bool) {
        if isStale { stale.append(attempt) } else { acknowledged.append(attempt) }
        let isFirst = !isUnacknowledged
        isUnacknowledged = true
        return (isFirst, isStale || isDraining || acknowledged.count == batch)
    }

    fileprivate mutating func takeAcknowledgements() -> (ConnectionID, Ack)? {
        guard let connection, !acknowledged.isEmpty || !stale.isEmpty else { return nil }
        let ack = Ack(attempts: acknowledged, stale: stale)
        acknowledged.removeAll(keepingCapacity: false)
        stale.removeAll(keepingCapacity: false)
        return (connection, ack)
    }

    /// Takes the session off the list if it has nothing to acknowledge.
    fileprivate mutating func leaveUnacknowledged() -> Bool {
        guard acknowledged.isEmpty, stale.isEmpty else { return false }
        isUnacknowledged = false
        return true
    }

    /// A dispatch leaves in this turn; says whether it is the first one.
    mutating func noteMail() -> Bool {
        defer { hasMail = true }
        return !hasMail
    }
}
