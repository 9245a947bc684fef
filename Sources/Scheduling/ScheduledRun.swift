// One run as the scheduler sees it: nodes, edges to dependents, counts, ranks, ready heaps.
// It knows nothing of workers; moving nodes between states is the scheduler's business.

internal import Core
internal import DequeModule
internal import HeapModule
internal import Plans

/// A node by the slots of the scheduler's tables: no hashing on the way to it.
struct NodeSlot: Sendable, Hashable {
    var run: Int32
    var node: Int32

    init(run: Int, node: Int) {
        self.run = Int32(truncatingIfNeeded: run)
        self.node = Int32(truncatingIfNeeded: node)
    }
}

/// A ready node in the heap of its run and class: longest remaining path first, then age.
struct ReadyEntry: Sendable, Comparable {
    var rank: Int32
    var order: UInt32
    var node: Int32

    static func < (left: ReadyEntry, right: ReadyEntry) -> Bool {
        left.rank != right.rank ? left.rank < right.rank : left.order > right.order
    }
}

/// The ready nodes of one run in one placement class.
struct ReadyQueue: Sendable {
    /// The class, as an index into the scheduler's list.
    let placement: Int
    var heap = Heap<ReadyEntry>()
    /// Whether the class has a turn for this run in its rotation.
    var hasTurn = false
    /// Whether it gave up its turn because the run was at its bound.
    var isParked = false
}

struct ScheduledRun: Sendable {
    /// A slot in the table of runs, and which of its runs is meant.
    struct Use: Sendable, Equatable {
        var run: Int
        var generation: UInt32
    }

    let id: RunID
    let missingTool: MissingToolPolicy
    /// Tells this run from earlier ones in the same slot; another one once it has finished.
    var generation: UInt32
    var nodes: [ScheduledNode] = []
    /// Edges to dependents as linked lists in two flat arrays: adding one is O(1).
    private var edges = (targets: [Int32](), nexts: [Int32]())
    /// One queue for each placement class that the run's nodes name; nodes hold the index.
    ///
    /// None once the run has finished.
    var queues: [ReadyQueue] = []
    /// Queues by their class.
    var queueIndexes: [Int: Int] = [:]
    var isClosed = false
    var isCancelled = false
    var isFinished = false
    /// Whether another scheduler had it before.
    var isRestored = false
    /// How many attempts workers may hold at a time.
    var maxRunning = Int32.max
    /// The slot of its owner, with whose other runs it shares a bound; -1 for none.
    var owner: Int32 = -1
    /// Whether it waits for the bound of its owner.
    var waitsForOwner = false
    /// How many attempts workers hold.
    var liveAttempts: Int32 = 0
    /// Queues that gave up their turn because the run was at its bound, the first one first.
    var parkedQueues: Deque<Int> = []
    /// Whether the next pass checks it, because one of its attempts has ended.
    var isListed = false
    /// How many nodes have settled.
    var settledCount = 0
    /// How many nodes there were when the ranks were last computed over the whole run.
    private var rankedCount = 0
    private var nextOrder: UInt32 = 0

    init(id: RunID, missingTool: MissingToolPolicy, generation: UInt32) {
        self.id = id
        self.missingTool = missingTool
        self.generation = generation
    }

    var isSettled: Bool { isClosed && settledCount == nodes.count }

    /// Adds the edge and counts it, unless the dependency has succeeded already.
    mutating func connect(_ edge: Plan.Edge) {
        edges.targets.append(Int32(edge.dependent))
        edges.nexts.append(nodes[edge.dependency].firstEdge)
        nodes[edge.dependency].firstEdge = Int32(edges.targets.count - 1)
        if nodes[edge.dependency].state != .succeeded {
            nodes[edge.dependent].inDegree += 1
        }
    }

    /// Walks the nodes that depend on this one, the latest edge first.
    func forEachDependent(of node: Int, _ body: (Int) -> Void) {
        var edge = nodes[node].firstEdge
        while edge >= 0 {
            body(Int(edges.targets[Int(edge)]))
            edge = edges.nexts[Int(edge)]
        }
    }

    /// The dependents in the order in which their edges were added.
    func dependents(of node: Int) -> [Int] {
        guard nodes[node].firstEdge >= 0 else { return [] }
        var found: [Int] = []
        forEachDependent(of: node) { found.append($0) }
        found.reverse()
        return found
    }

    // MARK: - Ready nodes

    mutating func pushReady(_ node: Int) {
        let queue = Int(nodes[node].placement)
        queues[queue].heap.insert(
            ReadyEntry(rank: nodes[node].rank, order: nextOrder, node: Int32(node))
        )
        nextOrder &+= 1
    }

    /// Takes the most urgent ready node of the queue; entries of nodes that have moved on are
    /// dropped on the way.
    mutating func popReady(_ queue: Int) -> Int? {
        while let entry = queues[queue].heap.popMax() {
            if isReady(entry, in: queue) { return Int(entry.node) }
        }
        return nil
    }

    /// The most urgent ready node of the queue, which stays where it is.
    mutating func firstReady(_ queue: Int) -> Int? {
        while let entry = queues[queue].heap.max {
            if isReady(entry, in: queue) { return Int(entry.node) }
            queues[queue].heap.removeMax()
        }
        return nil
    }

    /// Whether the node of an entry is still ready and has not gone to another queue.
    private func isReady(_ entry: ReadyEntry, in queue: Int) -> Bool {
        let node = nodes[Int(entry.node)]
        return node.state == .ready && Int(node.placement) == queue
    }

    // MARK: - Ranks

    /// Computes the rank of every node when enough has been added since the last time; between
    /// times new nodes rank by their direct dependents only.
    ///
    /// Amortised O(1) a node.
    mutating func updateRanks(newEdges: [Plan.Edge]) {
        guard !newEdges.isEmpty else { return }
        guard nodes.count > rankedCount + rankedCount / 4 || nodes.count < 1_024 else {
            for edge in newEdges.reversed() {
                let rank = nodes[edge.dependent].rank + 1
                nodes[edge.dependency].rank = max(nodes[edge.dependency].rank, rank)
            }
            return
        }
        rankedCount = nodes.count
        for node in topologicalOrder().reversed() {
            var longest: Int32 = 0
            forEachDependent(of: Int(node)) { longest = max(longest, nodes[$0].rank) }
            nodes[Int(node)].rank = longest + 1
        }
    }

    /// Kahn's order; nodes on a cycle are left out.
    private func topologicalOrder() -> [Int32] {
        var open = [Int32](repeating: 0, count: nodes.count)
        for target in edges.targets { open[Int(target)] += 1 }
        var order: [Int32] = []
        order.reserveCapacity(nodes.count)
        for node in nodes.indices where open[node] == 0 { order.append(Int32(node)) }
        var next = 0
        while next < order.count {
            forEachDependent(of: Int(order[next])) { dependent in
                open[dependent] -= 1
                if open[dependent] == 0 { order.append(Int32(dependent)) }
            }
            next += 1
        }
        return order
    }
}
