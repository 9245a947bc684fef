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
        acknowledgements.note(worker, isFirst: owed.isFirst, isDue: owed.isDue)
    }

    /// Sends a worker's acknowledgements when they are many or have waited long enough.
    ///
    /// Before a dispatch to the worker they were sent already. A single acknowledgement would wake a
    /// worker that has nothing else to do. It can wait: only the worker's memory, and a worker that
    /// drains, depend on it. Waiting costs nothing here.
    mutating func sendDueAcknowledgements(in turn: inout CoordinatorTurn) {
        for id in acknowledgements.takeDue() { sendAcknowledgements(to: id, in: &turn) }
        for id in acknowledgements.takeLate(at: turn.now) {
            workers[id]?.isUnacknowledged = false
            sendAcknowledgements(to: id, in: &turn)
        }
        // Most of these were sent before the dispatches of this turn.
        while let last = acknowledgements.last, workers[last]?.leaveUnacknowledged() != false {
            acknowledgements.removeLast()
        }
        acknowledgements.setTime(turn.now + limits.ackDelay)
    }

    /// Sends a worker the acknowledgements that wait for it, if there are any.
    mutating func sendAcknowledgements(to id: WorkerID, in turn: inout CoordinatorTurn) {
        if let (connection, ack) = workers[id]?.takeAcknowledgements() {
            turn.append(.send(connection, .ack(ack)))
        }
    }
}

/// Which workers have acknowledgements that were not sent, and when they are.
struct AcknowledgementTimes: Sendable {
    /// Workers with acknowledgements; those that got theirs earlier may remain.
    private var waiting: [WorkerID] = []
    /// Workers whose acknowledgements are sent in this turn.
    private var dueNow: [WorkerID] = []
    /// When those of all waiting workers are sent at the latest.
    private(set) var due: Instant?

    /// The worker that was listed last.
    var last: WorkerID? { waiting.last }

    mutating func note(_ worker: WorkerID, isFirst: Bool, isDue: Bool) {
        if isFirst { waiting.append(worker) }
        if isDue { dueNow.append(worker) }
    }

    mutating func takeDue() -> [WorkerID] {
        guard !dueNow.isEmpty else { return [] }
        return exchange(&dueNow, with: [])
    }

    /// All workers, if their time has come.
    mutating func takeLate(at now: Instant) -> [WorkerID] {
        guard let due, due <= now else { return [] }
        self.due = nil
        return exchange(&waiting, with: [])
    }

    mutating func removeLast() { waiting.removeLast() }

    /// Sets the time for the workers that wait, unless there is one.
    mutating func setTime(_ time: Instant) {
        due = waiting.isEmpty ? nil : due ?? time
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
    mutating func noteDispatchThisTurn() -> Bool {
        defer { hasDispatchThisTurn = true }
        return !hasDispatchThisTurn
    }
}
