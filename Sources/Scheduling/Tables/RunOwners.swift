// Whose runs share a bound: together, workers hold no more attempts of them than their owner may have.
// Which runs are served next is decided in Scheduler+Bounds.

internal import Core
internal import DequeModule

/// Whom a run belongs to, where all runs of the same one share a bound.
public struct RunOwner: Sendable, Equatable {
    /// Its name.
    public var name: String
    /// How many attempts of its runs workers may hold at a time; the latest run decides.
    public var maxRunning: Int

    /// Describes an owner.
    public init(name: String, maxRunning: Int) {
        self.name = name
        self.maxRunning = maxRunning
    }
}

/// The owners of runs by slot; slots of owners without runs are used again.
struct RunOwners: Sendable {
    struct Entry: Sendable {
        let name: String
        var maxRunning: Int32
        /// How many attempts of its runs workers hold.
        var liveAttempts: Int32 = 0
        var runCount = 0
        /// Runs with queues that gave up their turn because of this bound, the first one first.
        var waiting: Deque<ScheduledRun.Use> = []
        /// Whether the next pass serves it.
        var isListed = false
    }

    private var entries: [Entry] = []
    private var slots: [String: Int] = [:]
    private var vacancies: [Int] = []
    private var listed: [Int] = []

    subscript(slot: Int32) -> Entry { entries[Int(slot)] }

    /// The slots of the owners that have runs.
    var slotsInUse: [Int32] { slots.values.map(Int32.init).sorted() }

    /// Notes one more run of an owner and returns the owner's slot.
    mutating func addRun(of owner: RunOwner) -> Int32 {
        let bound = Int32(clamping: max(owner.maxRunning, 1))
        let slot: Int
        if let known = slots[owner.name] {
            slot = known
            entries[slot].maxRunning = bound
            list(slot)
        } else {
            let entry = Entry(name: owner.name, maxRunning: bound)
            slot = vacancies.popLast() ?? entries.count
            if slot == entries.count { entries.append(entry) } else { entries[slot] = entry }
            slots[owner.name] = slot
        }
        entries[slot].runCount += 1
        return Int32(slot)
    }

    mutating func removeRun(of slot: Int32) {
        let slot = Int(slot)
        entries[slot].runCount -= 1
        guard entries[slot].runCount == 0 else { return }
        slots[entries[slot].name] = nil
        vacancies.append(slot)
    }

    func isAtBound(_ slot: Int32) -> Bool {
        entries[Int(slot)].liveAttempts >= entries[Int(slot)].maxRunning
    }

    mutating func beginAttempt(of slot: Int32) { entries[Int(slot)].liveAttempts += 1 }

    /// The next pass serves those that wait for the room.
    mutating func endAttempt(of slot: Int32) {
        entries[Int(slot)].liveAttempts -= 1
        list(Int(slot))
    }

    // MARK: - Waiting

    mutating func wait(_ run: ScheduledRun.Use, for slot: Int32) {
        entries[Int(slot)].waiting.append(run)
    }

    mutating func nextWaiting(for slot: Int32) -> ScheduledRun.Use? {
        entries[Int(slot)].waiting.popFirst()
    }

    /// Whether runs that wait for their owner may have room now.
    var areListed: Bool { !listed.isEmpty }

    private mutating func list(_ slot: Int) {
        guard !entries[slot].isListed, !entries[slot].waiting.isEmpty else { return }
        entries[slot].isListed = true
        listed.append(slot)
    }

    mutating func takeListed() -> [Int32] {
        for slot in listed { entries[slot].isListed = false }
        return exchange(&listed, with: []).map(Int32.init)
    }
}
