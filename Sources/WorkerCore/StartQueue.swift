// Which attempt starts next: the oldest one whose tool may run once more. Slots are counted by the
// machine.
internal import DequeModule

/// The attempts that wait to be started, first in first out among those that may.
///
/// Whoever waits in `fresh` is younger than all the others: attempts leave it from its front only,
/// to be started or, if their tool is at its limit, to wait for the tool in `blocked`. From there
/// they come one at a time to `released` as the tool's attempts end.
struct StartQueue: Sendable {
    /// A waiting attempt.
    struct Ticket: Sendable, Equatable {
        let sequence: UInt64
        let index: Int
        let tool: Int
    }

    private struct Tool: Sendable {
        /// How many attempts of it may run; nil for any number.
        let limit: Int?
        /// How many run or are released.
        var taken = 0
        /// Whether none of it may start for now.
        var isPaused = false
        var blocked: Deque<Ticket> = []

        var mayStart: Bool { !isPaused && limit.map { taken < $0 } ?? true }
    }

    private var fresh: Deque<Ticket> = []
    private var released: Deque<Ticket> = []
    private var tools: [Tool]

    /// An empty queue for tools with these limits.
    init(limits: [Int?]) {
        tools = limits.map { Tool(limit: $0) }
    }

    /// Adds an attempt that is younger than all the others.
    mutating func add(_ ticket: Ticket) {
        fresh.append(ticket)
    }

    /// Takes the oldest attempt that may start; its tool has one more running.
    mutating func next() -> Ticket? {
        if !released.isEmpty { return released.removeFirst() }
        while let ticket = fresh.popFirst() {
            if !tools[ticket.tool].mayStart {
                tools[ticket.tool].blocked.append(ticket)
                continue
            }
            tools[ticket.tool].taken += 1
            return ticket
        }
        return nil
    }

    /// An attempt taken by `next` has ended.
    mutating func ended(tool: Int) {
        tools[tool].taken -= 1
        release(from: tool)
    }

    /// An attempt taken by `next` could not be started and waits again, before those that are
    /// younger.
    mutating func putBack(_ ticket: Ticket) {
        tools[ticket.tool].taken -= 1
        block(ticket)
        release(from: ticket.tool)
    }

    /// None of the tool's attempts starts until `resume`.
    mutating func pause(tool: Int) {
        tools[tool].isPaused = true
        let waiting = released.filter { $0.tool == tool }
        guard !waiting.isEmpty else { return }
        released.removeAll { $0.tool == tool }
        tools[tool].taken -= waiting.count
        for ticket in waiting { block(ticket) }
    }

    /// The tool's attempts may start again.
    mutating func resume(tool: Int) {
        guard tools[tool].isPaused else { return }
        tools[tool].isPaused = false
        while !tools[tool].blocked.isEmpty, tools[tool].mayStart { release(from: tool) }
    }

    private mutating func block(_ ticket: Ticket) {
        let position = tools[ticket.tool].blocked.partition(before: ticket.sequence)
        tools[ticket.tool].blocked.insert(ticket, at: position)
    }

    /// Takes an attempt out of the queue, wherever it waits in it.
    mutating func remove(_ sequence: UInt64, tool: Int) {
        if let position = position(of: sequence, in: fresh) {
            fresh.remove(at: position)
        } else if let position = position(of: sequence, in: tools[tool].blocked) {
            tools[tool].blocked.remove(at: position)
        } else if let position = position(of: sequence, in: released) {
            released.remove(at: position)
            ended(tool: tool)
        }
    }

    private mutating func release(from tool: Int) {
        guard tools[tool].mayStart, let ticket = tools[tool].blocked.popFirst() else { return }
        tools[tool].taken += 1
        let position = released.partition(before: ticket.sequence)
        released.insert(ticket, at: position)
    }

    private func position(
        of sequence: UInt64,
        in tickets: Deque<Ticket>
    ) -> Int? {
        let position = tickets.partition(before: sequence)
        guard position < tickets.endIndex, tickets[position].sequence == sequence else {
            return nil
        }
        return position
    }
}

extension StartQueue {
    /// All waiting attempts.
    var tickets: [Ticket] {
        Array(fresh) + Array(released) + tools.flatMap(\.blocked)
    }

    func isPaused(tool: Int) -> Bool { tools[tool].isPaused }

    /// How many attempts of a tool run or are released, and how many are released.
    func taken(tool: Int) -> (all: Int, released: Int) {
        (tools[tool].taken, released.count { $0.tool == tool })
    }

    /// What is wrong with the queue; nil if nothing is.
    func flaw() -> String? {
        for (number, tool) in tools.enumerated() {
            let limit = tool.limit ?? .max
            if tool.taken > limit { return "tool \(number) is over its limit" }
            if !tool.blocked.isEmpty, tool.taken < limit, !tool.isPaused {
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

    /// Whether some attempt could start if there is a slot.
    var hasStartable: Bool {
        !released.isEmpty
            || fresh.contains { tools[$0.tool].mayStart }
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
