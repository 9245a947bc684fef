// The attempts that wait or run, and which of them starts next. What is said of them to the
// coordinator and to tools is decided by ActiveAttempts.
internal import Core
internal import JSON
internal import Wire

/// The attempts by id and by index; an index stays the same while the attempt is there.
///
/// An attempt is in the start queue as long as its state is `queued`, and takes a slot as long as
/// it is `running`.
struct AttemptTable: Sendable {
    private var entries: [Attempt] = []
    private var indexes: [AttemptID: Int] = [:]
    private var vacancies: [Int] = []
    private var nextSequence: UInt64 = 0
    private var queue: StartQueue

    init(slots: Int, limits: [Int?]) {
        queue = StartQueue(slots: slots, limits: limits)
    }

    /// How many attempts of a tool may run; the tool may be new.
    mutating func setLimit(_ limit: Int?, ofTool tool: Int) {
        queue.setLimit(limit, ofTool: tool)
    }

    var count: Int { indexes.count }
    var queued: Int { queue.waiting }
    var running: Int { queue.running }

    func index(of id: AttemptID) -> Int? { indexes[id] }

    subscript(index: Int) -> Attempt {
        // Not `_read`: what a switch over a part of the yielded attempt binds was read from it after
        // the coroutine had ended (Swift 6.3, without optimisation), which is freed memory.
        get { entries[index] }
        _modify { yield &entries[index] }
    }

    /// Whether the attempt of that sequence number is still at the index.
    func has(_ sequence: UInt64, at index: Int) -> Bool {
        entries[index].sequence == sequence && !entries[index].isVacant
    }

    /// The indexes of all attempts in the order they were taken on.
    var indexesInOrder: [Int] {
        var held = entries.indices.filter { !entries[$0].isVacant }
        held.sort { entries[$0].sequence < entries[$1].sequence }
        return held
    }

    /// Gives every attempt that much room for its chunks.
    mutating func setWindows(_ window: SendWindow) {
        for index in entries.indices { entries[index].output.window = window }
    }

    // MARK: - Adding and removing

    /// Queues an attempt with an id that is not there yet.
    mutating func add(_ new: Attempt) {
        var attempt = new
        attempt.sequence = nextSequence
        nextSequence += 1
        let index: Int
        if let vacancy = vacancies.popLast() {
            index = vacancy
            entries[index] = attempt
        } else {
            index = entries.count
            entries.append(attempt)
        }
        indexes[attempt.id] = index
        queue.add(ticket(at: index))
    }

    private func ticket(at index: Int) -> StartQueue.Ticket {
        StartQueue.Ticket(
            sequence: entries[index].sequence,
            index: index,
            tool: entries[index].tool
        )
    }

    /// Removes an attempt, wherever it is in its life; returns it as it was.
    @discardableResult
    mutating func remove(at index: Int) -> Attempt {
        indexes[entries[index].id] = nil
        return vacate(index)
    }

    /// Removes an attempt; nil if there was none that ran.
    mutating func removeRunning(_ id: AttemptID) -> Attempt? {
        guard let index = indexes.removeValue(forKey: id) else { return nil }
        let attempt = vacate(index)
        return attempt.isRunning ? attempt : nil
    }

    private mutating func vacate(_ index: Int) -> Attempt {
        let attempt = entries[index]
        switch attempt.state {
        case .queued: queue.remove(attempt.sequence, tool: attempt.tool)
        case .running: queue.noteEnd(ofTool: attempt.tool)
        case .vacant: preconditionFailure("there is no attempt at \(index)")
        }
        entries[index].vacate()
        vacancies.append(index)
        return attempt
    }

    // MARK: - Starting

    /// Makes the next attempt that may start a running one; returns it as it was, and its index.
    mutating func startNext() -> (attempt: Attempt, index: Int)? {
        guard let ticket = queue.startNext() else { return nil }
        let attempt = entries[ticket.index]
        entries[ticket.index].start()
        return (attempt, ticket.index)
    }

    /// An attempt that was started runs: its tool lacks nothing.
    mutating func noteStart(at index: Int) { queue.noteStart(ofTool: entries[index].tool) }

    /// Queues an attempt again that could not be started, and lets its tool pause; returns whether
    /// the tool could be started until now.
    mutating func requeue(at index: Int, _ arguments: RawJSON, at now: Instant) -> Bool {
        entries[index].requeue(arguments)
        return queue.putBack(ticket(at: index), at: now)
    }

    /// Whether a start of the tool that fails now is one too many for the worker to wait longer.
    func isOutOfPatience(tool: Int, at now: Instant) -> Bool {
        queue.isOutOfPatience(tool: tool, at: now)
    }

    /// The attempts of the tool are handed back; returns whether that is new.
    mutating func noteHandBack(ofTool tool: Int) -> Bool { queue.noteHandBack(ofTool: tool) }

    /// Lets the tool start attempts again.
    mutating func resume(tool: Int) { queue.resume(tool: tool) }

    /// Lets all tools that pause start attempts again.
    mutating func resumeAll() { queue.resumeAll() }

    /// When a tool that pauses is tried again.
    var resumeDeadline: Instant? { queue.resumeDeadline }

    // MARK: - Checking

    /// What is wrong with the table; nil if nothing is.
    func flaw(isOpen: Bool) -> String? {
        for (index, attempt) in entries.enumerated() where !attempt.isVacant {
            if indexes[attempt.id] != index { return "\(attempt.id) is not found by its id" }
            if attempt.sequence >= nextSequence { return "\(attempt.id) has not been counted" }
        }
        let held = entries.count { !$0.isVacant }
        if held != indexes.count { return "some id belongs to no attempt" }
        if vacancies.count != entries.count - held
            || !vacancies.allSatisfy({ entries[$0].isVacant })
        {
            return "the vacancies are not those of the table"
        }
        return queue.flaw() ?? queueFlaw(isOpen: isOpen)
    }

    private func queueFlaw(isOpen: Bool) -> String? {
        let running = entries.filter(\.isRunning)
        if queue.running != running.count { return "the running attempts are not counted" }
        if queue.waiting != entries.count(where: \.isQueued) {
            return "some queued attempt does not wait in the queue"
        }
        for ticket in queue.tickets {
            if !has(ticket.sequence, at: ticket.index) || !entries[ticket.index].isQueued
                || entries[ticket.index].tool != ticket.tool
            {
                return "an attempt that waits in the queue is not queued"
            }
        }
        if isOpen, queue.hasStartable { return "an attempt waits that could run" }
        for tool in queue.toolNumbers {
            let taken = queue.taken(tool: tool)
            if taken.all != running.count(where: { $0.tool == tool }) + taken.released {
                return "the attempts of tool \(tool) are not counted"
            }
        }
        return nil
    }
}
