// Nodes that keep away from some workers: what happened to each, and where those that are ready
// wait. How they are placed is in Scheduler+Careful, what leads to restrictions in Scheduler+Trouble.

internal import Core

/// The nodes with restrictions.
struct CarefulNodes: Sendable {
    private var troubles: [NodeSlot: Trouble] = [:]
    /// Ready nodes, by what they keep away from.
    private(set) var queues: [CarefulQueue] = []
    /// Whether the next pass checks them.
    private(set) var isOpen = false
    /// The next number of a group of suspects; 0 means none.
    private var nextSuspects = 1

    /// Whether ready nodes are to be checked.
    var haveOpenings: Bool { isOpen && !queues.isEmpty }

    func trouble(of node: NodeSlot) -> Trouble? { troubles[node] }

    func restrictions(of node: NodeSlot) -> Restrictions {
        troubles[node]?.restrictions ?? Restrictions()
    }

    /// Changes what happened to a node; says whether it has restrictions now.
    mutating func change(_ node: NodeSlot, _ change: (inout Trouble) -> Void) -> Bool {
        var trouble = troubles[node] ?? Trouble()
        change(&trouble)
        let isTroubled = !trouble.restrictions.isEmpty
        troubles[node] = isTroubled ? trouble : nil
        return isTroubled
    }

    mutating func forget(_ node: NodeSlot) { troubles[node] = nil }

    /// Notes that watchers hear now that no worker can run the node; false if they did before.
    mutating func announce(_ node: NodeSlot) -> Bool {
        guard troubles[node]?.isAnnounced == false else { return false }
        troubles[node]?.isAnnounced = true
        return true
    }

    /// Numbers for so many groups of suspects: the first of them.
    mutating func makeGroups(_ count: Int) -> Int {
        defer { nextSuspects += count }
        return nextSuspects
    }

    // MARK: - Ready nodes

    /// Something has changed that may let them run: the next pass checks them.
    mutating func open() { isOpen = true }

    /// Puts a ready node at the end of the queue of its class and restrictions.
    mutating func enqueue(_ entry: CarefulQueue.Entry, _ placement: Int) {
        let restrictions = restrictions(of: entry.node)
        let known = queues.firstIndex {
            $0.placement == placement && $0.restrictions == restrictions
        }
        if let known { return queues[known].nodes.append(entry) }
        var queue = CarefulQueue(placement: placement, restrictions: restrictions)
        queue.nodes.append(entry)
        queues.append(queue)
    }

    /// Takes all queues out to look at them.
    mutating func takeQueues() -> [CarefulQueue] {
        isOpen = false
        return exchange(&queues, with: [])
    }

    /// Puts back what is left of a queue.
    mutating func putBack(_ queue: CarefulQueue) {
        if !queue.nodes.isEmpty { queues.append(queue) }
    }
}
