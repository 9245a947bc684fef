// Who can run what, kept small: workers with the same tools form a group, and the workers of a group
// that carry the same required labels form a pool. Within a pool it does not matter which worker a
// node gets, so classes of nodes deal with a few pools instead of every worker.

internal import DequeModule
internal import Plans

/// Workers that offer exactly the same tools.
struct WorkerGroup: Sendable {
    let tools: [String: ToolOffer]
    /// Whether a worker runs some of them fewer times at once than it has slots.
    let hasLimitedTools: Bool
    /// Their numbers.
    var members = Roster<Int32>()
    /// Its pools by demand: one for all tools without a limit, one for each tool with one.
    var pools: [Int: [Int]] = [:]

    init(tools: [String: ToolOffer]) {
        self.tools = tools
        hasLimitedTools = tools.values.contains { $0.concurrency != nil }
    }
}

/// Labels that nodes require, in use by at least one class.
struct Demand: Sendable {
    let labels: [String: String]
    /// How many classes require them.
    var classCount = 0

    func isMet(by profile: WorkerProfile) -> Bool {
        labels.allSatisfy { profile.labels[$0.key] == $0.value }
    }

    /// The label that the demand is found by; nil if nothing is required.
    var firstLabel: Label? { labels.min { $0.key < $1.key }.map { Label($0.key, $0.value) } }
}

/// One label with its value, as a key.
struct Label: Sendable, Hashable {
    var key: String
    var value: String

    init(_ key: String, _ value: String) {
        self.key = key
        self.value = value
    }
}

/// Workers of one group that meet one demand.
struct WorkerPool: Sendable {
    let group: Int
    let demand: Int
    /// The tool whose own limit on each worker the pool counts; nil for all tools without one.
    let limitedTool: String?
    var members = Roster<Member>()
    /// How many members may still get nodes as far as draining is concerned.
    var activeCount = 0
    /// The classes that the pool can run; some may be gone.
    var classes = Roster<Ticket>()
    /// Nodes that start at once.
    var free = Lane()
    /// Nodes that wait behind those that fill the worker's slots.
    var ahead = Lane()

    /// A worker, by number, and where it keeps its standing in the pool.
    struct Member: Sendable {
        var worker: Int32
        var standing: Int32
    }

    /// One of the two ways in which a pool takes nodes.
    struct Lane: Sendable {
        /// Members that had room when last checked, the next one first.
        var members: Deque<Member> = []
        /// Classes that found no room, the next one first.
        ///
        /// Each link of a class and a pool is either here or in the class's rotation of pools.
        var waiters: Deque<Ticket> = []
    }

    /// Whether it is the pool of all workers of its group for all tools without a limit, which
    /// lives as long as the group.
    var isBase: Bool { demand == 0 && limitedTool == nil }

    static var blank: WorkerPool { WorkerPool(group: -1, demand: -1, limitedTool: nil) }

    init(group: Int, demand: Int, limitedTool: String?) {
        self.group = group
        self.demand = demand
        self.limitedTool = limitedTool
    }
}
