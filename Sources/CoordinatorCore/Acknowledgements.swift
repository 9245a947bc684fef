// Acknowledgements that were not sent yet: for which results each worker gets them, and when.
// They are sent before the next dispatch to their worker, when they are many, or a little later.

internal import Core
internal import Wire

/// The results to acknowledge to one worker.
struct OwedAcknowledgements: Sendable {
    private var stored: [AttemptID] = []
    private var stale: [AttemptID] = []
    /// Whether the worker is listed among those with acknowledgements that may wait.
    fileprivate var isListed = false

    var isEmpty: Bool { stored.isEmpty && stale.isEmpty }
    /// How many results were stored.
    var storedCount: Int { stored.count }

    /// Notes a result that was stored, or one that is not needed any more.
    mutating func add(_ attempt: AttemptID, isStale: Bool) {
        if isStale { stale.append(attempt) } else { stored.append(attempt) }
    }

    mutating func removeAll() {
        stored = []
        stale = []
    }

    fileprivate mutating func removeAllAsMessage() -> Ack? {
        guard !isEmpty else { return nil }
        defer { removeAll() }
        return Ack(attempts: stored, stale: stale)
    }
}

/// Which workers have acknowledgements that were not sent, and when they are.
struct AcknowledgementTimes: Sendable {
    /// Workers with acknowledgements; those that got theirs earlier may remain.
    fileprivate var waiting: [WorkerID] = []
    /// Workers whose acknowledgements are sent in this turn.
    fileprivate var dueNow: [WorkerID] = []
    /// When those of all waiting workers are sent at the latest.
    fileprivate(set) var due: Instant?
}

extension Fleet {
    /// Notes a result to acknowledge to a worker: it was stored, or is not needed any more.
    mutating func acknowledge(
        _ attempt: AttemptID,
        of worker: WorkerID,
        isStale: Bool,
        batch: Int
    ) {
        // In place: a session is large, and reading a part of it by the subscript copies it whole.
        let owed = inPlace(worker) { session in
            session.acknowledgements.add(attempt, isStale: isStale)
            let isFirst = !session.acknowledgements.isListed
            session.acknowledgements.isListed = true
            let isMany = session.acknowledgements.storedCount == batch
            return (isFirst: isFirst, isDue: isStale || session.drain.isDraining || isMany)
        }
        guard let owed else { return }
        if owed.isFirst { acknowledgementTimes.waiting.append(worker) }
        if owed.isDue { acknowledgementTimes.dueNow.append(worker) }
    }

    /// The acknowledgements that wait for a worker, and its connection; nil if there are none, or if
    /// it is away.
    mutating func takeAcknowledgements(of worker: WorkerID) -> (ConnectionID, Ack)? {
        inPlace(worker) { session in
            guard let connection = session.connection else { return nil }
            return session.acknowledgements.removeAllAsMessage().map { (connection, $0) }
        } ?? nil
    }

    /// The workers whose acknowledgements are to be sent now: they are many, or have waited long
    /// enough.
    ///
    /// Before a dispatch to its worker an acknowledgement was sent already. A single one would wake
    /// a worker that has nothing else to do. It can wait: only the worker's memory, and a worker
    /// that drains, depend on it.
    mutating func takeDueAcknowledgements(at now: Instant) -> [WorkerID] {
        var workers: [WorkerID] = []
        if !acknowledgementTimes.dueNow.isEmpty {
            workers = exchange(&acknowledgementTimes.dueNow, with: [])
        }
        guard let due = acknowledgementTimes.due, due <= now else { return workers }
        acknowledgementTimes.due = nil
        for worker in exchange(&acknowledgementTimes.waiting, with: []) {
            inPlace(worker) { $0.acknowledgements.isListed = false }
            workers.append(worker)
        }
        return workers
    }

    /// Sets when the acknowledgements that remain are sent, unless that is set.
    mutating func setAcknowledgementTime(_ time: Instant) {
        // Most of those that were listed were sent before the dispatches of this turn.
        while let last = acknowledgementTimes.waiting.last, !isOwed(last) {
            acknowledgementTimes.waiting.removeLast()
        }
        let isNeeded = !acknowledgementTimes.waiting.isEmpty
        acknowledgementTimes.due = isNeeded ? acknowledgementTimes.due ?? time : nil
    }

    /// Whether a listed worker has acknowledgements; one that has none is on the list no longer.
    private mutating func isOwed(_ worker: WorkerID) -> Bool {
        inPlace(worker) { session in
            if session.acknowledgements.isEmpty { session.acknowledgements.isListed = false }
            return session.acknowledgements.isListed
        } ?? false
    }
}
