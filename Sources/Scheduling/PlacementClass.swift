// Nodes that may run on the same workers: one tool, one set of required labels. Each class keeps the
// rotation of runs with ready nodes (fairness) and of pools with room (spread), so that placing one
// node costs O(log n) in the ready nodes of a run and O(1) in runs, workers and other classes.

internal import DequeModule
internal import Plans

struct PlacementClass: Sendable {
    let tool: String
    /// The required labels, as an index into the scheduler's demands.
    let demand: Int
    let requires: [String: String]
    /// How many unfinished runs name the class.
    var runCount = 0
    /// Tells the latest time without any run from earlier ones.
    var idleSince: UInt64 = 0
    /// Whether the next pass checks it.
    var isOpen = false
    /// Runs with ready nodes of this class, the next one first.
    ///
    /// May name runs that have none left.
    var turns: Deque<QueueTurn> = []
    /// How many turns at the front belong to runs that were told that nobody can run the class.
    var toldCount = 0
    /// How many of them there were when spent ones were last dropped.
    var keptCount = 0
    /// The pools that can run the class; some may be gone.
    var pools = Roster<Ticket>()
    /// How many of them have workers that do not drain.
    var activePools = 0
    /// Pools that had a free slot when last checked, the next one first.
    var free: Deque<Ticket> = []
    /// Pools that might prefetch when last checked, the next one first; only those where the tool
    /// may run twice.
    var ahead: Deque<Ticket> = []
    /// Mean time of an attempt in microseconds, 1/8 of the newest value; nil before the first.
    private var meanMicroseconds: Double?
    /// How many attempts beyond one a slot may hold, by that time.
    private(set) var prefetchPerSlot = 0

    struct Key: Hashable, Sendable {
        var tool: String
        var demand: Int
    }

    /// A run's place in the rotation.
    struct QueueTurn: Sendable {
        var run: Int
        var generation: UInt32
        var queue: Int
    }

    static var blank: PlacementClass { PlacementClass(tool: "", demand: -1, requires: [:]) }

    init(tool: String, demand: Int, requires: [String: String]) {
        self.tool = tool
        self.demand = demand
        self.requires = requires
    }

    var key: Key { Key(tool: tool, demand: demand) }

    /// Takes in how long an attempt took; says whether the class may prefetch from now on.
    mutating func observe(microseconds: Int, limits: SchedulerLimits) -> Bool {
        let value = Double(microseconds)
        let mean = meanMicroseconds.map { $0 + (value - $0) / 8 } ?? value
        let wanted = limits.prefetchMicroseconds / max(mean, 1)
        defer { prefetchPerSlot = Int(min(wanted, Double(limits.prefetchPerSlot))) }
        meanMicroseconds = mean
        return prefetchPerSlot == 0 && wanted >= 1
    }
}
