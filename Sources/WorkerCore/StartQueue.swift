// Which attempt starts next: the oldest one whose tool may run once more, if there is a slot.
internal import Core
internal import DequeModule

/// The attempts that wait to be started, first in first out among those that may, and the number of
/// those that run.
///
/// An attempt in `fresh` is younger than all the others: attempts leave it from its front only, to
/// be started or, if their tool is at its limit, to wait for the tool in `blocked`. From there they
/// come one at a time to `released` as the tool's attempts end.
struct StartQueue: Sendable {
    /// A waiting attempt.
    struct Ticket: Sendable, Equatable {
        let sequence: UInt64
        let index: Int
        let tool: Int
    }

    private struct Tool: Sendable {
        /// How many attempts of it may run; nil for any number.
        var limit: Int?
        /// How many run or are released.
        var taken = 0
        var blocked: Deque<Ticket> = []

        var isBelowLimit: Bool { limit.map { taken < $0 } ?? true }
    }

    private let slots: Int
    private var fresh: Deque<Ticket> = []
    private var released: Deque<Ticket> = []
    private var tools: [Tool]
    private var stalls = Stalls()
    /// How many attempts wait, and how many run.
    private(set) var waiting = 0
    private(set) var running = 0

    /// An empty queue for that many slots and for tools with these limits.
    init(slots: Int, limits: [Int?]) {
        self.slots = slots
        tools = limits.map { Tool(limit: $0) }
    }

    /// Sets how many attempts of a tool may run; the tool may be the next one after the others.
    mutating func setLimit(_ limit: Int?, ofTool tool: Int) {
        if tool == tools.count { tools.append(Tool(limit: limit)) }
        tools[tool].limit = limit
        while !tools[tool].blocked.isEmpty, mayStart(tool) { release(from: tool) }
    }

    /// Adds an attempt that is younger than all the others.
    mutating func add(_ ticket: Ticket) {
        fresh.append(ticket)
        waiting += 1
    }

    /// Removes the oldest attempt that may start and counts it as running; nil if none may.
    mutating func startNext() -> Ticket? {
        guard running < slots, let ticket = popStartable() else { return nil }
        waiting -= 1
        running += 1
        return ticket
    }

    private func mayStart(_ tool: Int) -> Bool {
        tools[tool].isBelowLimit && !stalls.isStalled(tool: tool)
    }

    private mutating func popStartable() -> Ticket? {
        if !released.isEmpty { return released.removeFirst() }
        while let ticket = fresh.popFirst() {
            if !mayStart(ticket.tool) {
                tools[ticket.tool].blocked.append(ticket)
                continue
            }
            tools[ticket.tool].taken += 1
            return ticket
        }
        return nil
    }

    /// An attempt that `startNext` gave has ended.
    mutating func noteEnd(ofTool tool: Int) {
        running -= 1
        tools[tool].taken -= 1
        release(from: tool)
    }

    private mutating func block(_ ticket: Ticket) {
        let position = tools[ticket.tool].blocked.partition(before: ticket.sequence)
        tools[ticket.tool].blocked.insert(ticket, at: position)
    }

    /// Removes an attempt from the queue, wherever it waits in it.
    mutating func remove(_ sequence: UInt64, tool: Int) {
        waiting -= 1
        if let position = position(of: sequence, in: fresh) {
            fresh.remove(at: position)
        } else if let position = position(of: sequence, in: tools[tool].blocked) {
            tools[tool].blocked.remove(at: position)
        } else if let position = position(of: sequence, in: released) {
            released.remove(at: position)
            tools[tool].taken -= 1
            release(from: tool)
        }
    }

    private mutating func release(from tool: Int) {
        guard mayStart(tool), let ticket = tools[tool].blocked.popFirst() else { return }
        tools[tool].taken += 1
        let position = released.partition(before: ticket.sequence)
        released.insert(ticket, at: position)
    }

    private func position(of sequence: UInt64, in tickets: Deque<Ticket>) -> Int? {
        let position = tickets.partition(before: sequence)
        guard position < tickets.endIndex, tickets[position].sequence == sequence else {
            return nil
        }
        return position
    }
}

// MARK: - Stalls

extension StartQueue {
    /// The tool of an attempt that `startNext` gave runs: it lacks nothing.
    mutating func noteStart(ofTool tool: Int) { stalls.noteStart(ofTool: tool) }

    /// An attempt that `startNext` gave could not be started, and none of its tool starts until the
    /// tool is resumed; returns whether that is new.
    ///
    /// The attempt waits again, before those that are younger.
    mutating func putBack(_ ticket: Ticket, at now: Instant) -> Bool {
        let tool = ticket.tool
        let isNew = stalls.noteFailure(ofTool: tool, at: now)
        running -= 1
        waiting += 1
        let pausing = released.filter { $0.tool == tool } + [ticket]
        released.removeAll { $0.tool == tool }
        tools[tool].taken -= pausing.count
        for ticket in pausing { block(ticket) }
        return isNew
    }

    /// Whether a start of the tool that fails now is one too many for the worker to wait longer.
    func isOutOfPatience(tool: Int, at now: Instant) -> Bool {
        stalls.isOutOfPatience(tool: tool, at: now)
    }

    /// The attempts of the tool are handed back; returns whether that is new.
    mutating func noteHandBack(ofTool tool: Int) -> Bool { stalls.noteHandBack(ofTool: tool) }

    /// The tool's attempts may start again.
    mutating func resume(tool: Int) {
        guard stalls.isStalled(tool: tool) else { return }
        stalls.noteRetry(ofTool: tool)
        while !tools[tool].blocked.isEmpty, mayStart(tool) { release(from: tool) }
    }

    /// The attempts of all tools may start again.
    mutating func resumeAll() {
        guard !stalls.isEmpty else { return }
        for tool in stalls.pausing { resume(tool: tool) }
    }

    /// When the next tool is to be resumed.
    var resumeDeadline: Instant? { stalls.earliest }
}

// MARK: - Checking

extension StartQueue {
    /// All waiting attempts.
    var tickets: [Ticket] {
        Array(fresh) + Array(released) + tools.flatMap(\.blocked)
    }

    /// The numbers of all tools.
    var toolNumbers: Range<Int> { tools.indices }

    /// How many attempts of a tool run or are released, and how many are released.
    func taken(tool: Int) -> (all: Int, released: Int) {
        (tools[tool].taken, released.count { $0.tool == tool })
    }

    /// What is wrong with the queue; nil if nothing is.
    func flaw() -> String? {
        if running > slots { return "more attempts run than there are slots" }
        if tickets.count != waiting { return "the waiting attempts are not counted" }
        for (number, tool) in tools.enumerated() {
            let limit = tool.limit ?? .max
            if tool.taken > limit { return "tool \(number) is over its limit" }
            if !tool.blocked.isEmpty, mayStart(number) {
                return "tool \(number) is below its limit, but attempts wait for it"
            }
            if let last = tool.blocked.last, let first = fresh.first,
                last.sequence > first.sequence
            {
                return "tool \(number) has a younger attempt waiting than the fresh ones"
            }
        }
        for (left, right) in zip(released, released.dropFirst())
        where left.sequence >= right.sequence {
            return "the released attempts are out of order"
        }
        return nil
    }

    /// Whether some attempt could start now.
    var hasStartable: Bool {
        running < slots && (!released.isEmpty || fresh.contains { mayStart($0.tool) })
    }
}

extension Deque where Element == StartQueue.Ticket {
    /// The position of the first ticket that does not come before a sequence number.
    fileprivate func partition(before sequence: UInt64) -> Int {
        var low = startIndex
        var high = endIndex
        while low < high {
            let middle = low + (high - low) / 2
            if self[middle].sequence < sequence { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
