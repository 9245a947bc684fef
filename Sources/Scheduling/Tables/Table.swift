// Two containers that forget their members without searching for them: a table whose slots are used
// again, and a list whose former members are skipped. What they contain is the scheduler's business.

/// A slot of a table together with which use of it is meant.
struct Ticket: Sendable, Hashable {
    var slot: Int32
    var generation: UInt32

    var index: Int { Int(slot) }
}

/// Elements by slot.
///
/// Slots of removed elements are used again; a ticket tells whether its element is still there.
struct Table<Element: Sendable>: Sendable {
    private var elements: [Element] = []
    /// Odd while the slot is in use.
    private var generations: [UInt32] = []
    private var vacancies: [Int32] = []

    /// How many elements there are.
    var count: Int { elements.count - vacancies.count }

    /// The slots in use, in ascending order.
    var slots: [Int] { generations.indices.filter { generations[$0] % 2 == 1 } }

    subscript(slot: Int) -> Element {
        get { elements[slot] }
        _modify { yield &elements[slot] }
    }

    func has(_ ticket: Ticket) -> Bool { generations[ticket.index] == ticket.generation }

    func ticket(of slot: Int) -> Ticket {
        Ticket(slot: Int32(slot), generation: generations[slot])
    }

    /// Puts an element into a free slot.
    mutating func insert(_ element: Element) -> Int {
        guard let slot = vacancies.popLast() else {
            elements.append(element)
            generations.append(1)
            return elements.count - 1
        }
        elements[Int(slot)] = element
        generations[Int(slot)] &+= 1
        return Int(slot)
    }

    /// Frees a slot; `blank` takes its place, so that nothing is kept alive.
    mutating func remove(_ slot: Int, leaving blank: Element) {
        elements[slot] = blank
        generations[slot] &+= 1
        vacancies.append(Int32(slot))
    }
}

/// Members in the order in which they came.
///
/// Those that left stay in the list until they are the majority; a walk over the list skips them.
public struct Roster<Member: Sendable>: Sendable {
    /// Everybody who came, and some who have left since.
    public private(set) var members: [Member] = []
    /// How many of the members are still there.
    public private(set) var count = 0

    /// A list without members.
    public init() {}

    /// Takes a member in, as the last one.
    public mutating func add(_ member: Member) {
        members.append(member)
        count += 1
    }

    /// Takes out members that will be counted out by `removeOne`, so that they can come back.
    public mutating func drop(where isGone: (Member) -> Bool) {
        members.removeAll(where: isGone)
    }

    /// One member has left: `isThere` says no for it from now on.
    ///
    /// Takes a step for each member now and then, and one otherwise.
    public mutating func removeOne(where isThere: (Member) -> Bool) {
        count -= 1
        if members.count > 2 * count + 8 { members.removeAll { !isThere($0) } }
    }
}
