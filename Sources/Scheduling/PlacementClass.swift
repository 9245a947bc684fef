// Nodes that may run on the same workers: one tool, one set of required labels. Each class keeps
// the rotation of runs with ready nodes (fairness) and of workers with room (spread), so that
// placing one node costs O(log n) in the ready nodes of a run and O(1) in runs and workers.

internal import DequeModule
internal import Plans

struct PlacementClass: Sendable {
    let tool: String
    let requires: [String: String]
    /// Runs with ready nodes of this class, the next one first.
    ///
    /// May name runs that have none left.
    var turns: Deque<Turn> = []
    /// Workers, by slot, that can run the class and had a free slot when last looked at.
    var front: Deque<Int> = []
    /// Workers, by slot, whose slots are full and who may prefetch.
    var prefetch: Deque<Int> = []
    /// How many connected workers can run the class, whether or not they have room.
    var workerCount = 0
    /// Mean time of an attempt in microseconds, 1/8 of the newest value; nil before the first.
    private var meanMicroseconds: Double?

    struct Key: Hashable, Sendable {
        var tool: String
        var requires: [String: String]
    }

    /// A run's place in the rotation.
    struct Turn: Sendable {
        var run: Int
        var generation: UInt32
        var queue: Int
        /// Whether somebody was told that nobody can run the run's nodes of this class.
        var isAnnounced = false
    }

    init(tool: String, requires: [String: String]) {
        self.tool = tool
        self.requires = requires
    }

    mutating func observe(microseconds: Int) {
        let value = Double(microseconds)
        meanMicroseconds = meanMicroseconds.map { $0 + (value - $0) / 8 } ?? value
    }

    /// Whether the worker misses a label that the class requires.
    func lacksLabels(of profile: WorkerProfile) -> Bool {
        requires.contains { profile.labels[$0.key] != $0.value }
    }

    /// How many attempts beyond one a slot may hold, by the time that they have taken so far.
    func prefetchPerSlot(limits: SchedulerLimits) -> Int {
        guard let meanMicroseconds else { return 0 }
        let wanted = (limits.prefetchTime / .microseconds(1)) / max(meanMicroseconds, 1)
        return min(Int(wanted), limits.prefetchPerSlot)
    }
}
