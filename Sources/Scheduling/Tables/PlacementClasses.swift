// All placement classes: found by hash, counted by the unfinished runs that use them, and kept for
// some time after the last one. Their links to pools are in Scheduler+Classes.

internal import Core
internal import DequeModule

/// What nodes of unfinished runs ask for, and what those of a few runs before them asked for.
struct PlacementClasses: Sendable {
    private var classes = Table<PlacementClass>()
    private var indexes: [PlacementClass.Key: Int] = [:]
    /// Classes without a run, each with the time that it had none since; the oldest first.
    private var idle: Deque<(ticket: Ticket, since: UInt64)> = []
    private(set) var idleCount = 0
    private var idleClock: UInt64 = 0
    /// Classes with ready nodes that the next pass checks.
    private(set) var opened: [Ticket] = []

    subscript(index: Int) -> PlacementClass {
        @inline(__always) _read { yield classes[index] }
        @inline(__always) _modify { yield &classes[index] }
    }

    var count: Int { classes.count }
    var slots: [Int] { classes.slots }
    /// Whether each is found by its key; for checks.
    var isIndexed: Bool { indexes.count == classes.count }

    func has(_ ticket: Ticket) -> Bool { classes.has(ticket) }

    func ticket(of index: Int) -> Ticket { classes.ticket(of: index) }

    func index(of key: PlacementClass.Key) -> Int? { indexes[key] }

    /// Adds a class that no run uses yet.
    mutating func insert(_ new: PlacementClass) -> Int {
        let index = classes.insert(new)
        indexes[new.key] = index
        noteIdle(index)
        return index
    }

    mutating func remove(_ index: Int) {
        indexes[classes[index].key] = nil
        classes.remove(index, leaving: .blank)
    }

    // MARK: - Use

    mutating func use(_ index: Int) {
        if classes[index].runCount == 0 { idleCount -= 1 }
        classes[index].runCount += 1
    }

    /// An unfinished run less uses the class.
    mutating func disuse(_ index: Int) {
        classes[index].runCount -= 1
        guard classes[index].runCount == 0 else { return }
        classes[index].turns = []
        classes[index].toldCount = 0
        classes[index].keptCount = 0
        noteIdle(index)
    }

    /// Takes out the class that has had no run for the longest time; nil while at most `most`
    /// classes have none.
    mutating func popIdle(beyond most: Int) -> Int? {
        while idleCount > most, let oldest = idle.popFirst() {
            guard isIdle(oldest) else { continue }
            idleCount -= 1
            return oldest.ticket.index
        }
        return nil
    }

    private mutating func noteIdle(_ index: Int) {
        idleClock += 1
        classes[index].idleSince = idleClock
        idleCount += 1
        idle.append((ticket: classes.ticket(of: index), since: idleClock))
        if idle.count > 2 * idleCount + 64 { idle = Deque(idle.filter { isIdle($0) }) }
    }

    private func isIdle(_ entry: (ticket: Ticket, since: UInt64)) -> Bool {
        classes.has(entry.ticket) && classes[entry.ticket.index].runCount == 0
            && classes[entry.ticket.index].idleSince == entry.since
    }

    // MARK: - Classes with ready nodes

    /// The next pass checks the class.
    mutating func open(_ index: Int) {
        guard !classes[index].isOpen else { return }
        classes[index].isOpen = true
        opened.append(classes.ticket(of: index))
    }

    /// The next pass checks every class that a run uses.
    mutating func openAll() {
        for index in classes.slots where classes[index].runCount > 0 { open(index) }
    }

    /// Takes out the classes to look at, in the order in which they were opened.
    mutating func takeOpen() -> [Ticket] {
        let tickets = exchange(&opened, with: [])
        for ticket in tickets where classes.has(ticket) { classes[ticket.index].isOpen = false }
        return tickets
    }
}
