// The nodes of a run by their dependencies: chains, and the one that bounded the wall time.

internal import Core
internal import Wire

/// The graph of a run by positions, in an order in which dependencies come first.
struct RunGraph {
    /// For each node, the positions of those that it depends on.
    let dependencies: [[Int]]
    private let order: [Int]

    init(_ facts: RunFacts) {
        var places: [NodeID: Int] = [:]
        for (place, node) in facts.nodes.enumerated() { places[node.id] = place }
        let dependencies = facts.nodes.map { $0.dependencies.compactMap { places[$0] } }
        var dependents = [[Int]](repeating: [], count: dependencies.count)
        var missing = dependencies.map(\.count)
        for (node, needed) in dependencies.enumerated() {
            for other in needed { dependents[other].append(node) }
        }
        var order = missing.indices.filter { missing[$0] == 0 }
        var next = 0
        while next < order.count {
            for dependent in dependents[order[next]] {
                missing[dependent] -= 1
                if missing[dependent] == 0 { order.append(dependent) }
            }
            next += 1
        }
        self.dependencies = dependencies
        self.order = order
    }

    /// How many nodes come before each one on the longest chain by number.
    var levels: [Int] {
        var levels = [Int](repeating: 0, count: dependencies.count)
        for node in order {
            levels[node] = dependencies[node].reduce(0) { max($0, levels[$1] + 1) }
        }
        return levels
    }

    /// The greatest sum along a chain.
    func longest(_ weight: (Int) -> Int) -> Int {
        var sums = [Int](repeating: 0, count: dependencies.count)
        for node in order {
            sums[node] = (dependencies[node].map { sums[$0] }.max() ?? 0) + weight(node)
        }
        return sums.max() ?? 0
    }

    /// When the last node would have ended, had each taken so much less time.
    func finish(_ facts: RunFacts, without saved: (Int) -> Int) -> Int {
        var ends = [Int](repeating: 0, count: dependencies.count)
        var shifted = ends
        for node in order {
            let fact = facts.nodes[node]
            let before = dependencies[node].map { ends[$0] }.max() ?? 0
            let earlier = dependencies[node].map { shifted[$0] }.max() ?? 0
            ends[node] = max(fact.endedAt ?? before, before)
            shifted[node] = earlier + max(ends[node] - before - saved(node), 0)
        }
        return shifted.max() ?? 0
    }
}

/// The nodes that bounded the wall time: the last one to end, the last one that it waited for, and so
/// on.
struct CriticalPath {
    /// Their positions, in the order of time.
    let nodes: [Int]

    init(of facts: RunFacts) {
        let dependencies = RunGraph(facts).dependencies
        func end(_ node: Int) -> Int { facts.nodes[node].endedAt ?? -1 }
        // A plan that a model wrote after the first one waited for nodes that its own do not name.
        let isReplanned = (facts.run.planning?.replans ?? 0) > 0
        let byEnd = isReplanned ? facts.nodes.indices.sorted { end($0) < end($1) } : []
        var path: [Int] = []
        var seen: Set<Int> = []
        var current = facts.nodes.indices.filter { end($0) >= 0 }.max { end($0) < end($1) }
        while let node = current, seen.insert(node).inserted {
            path.append(node)
            current = dependencies[node].filter { end($0) >= 0 }.max { end($0) < end($1) }
            guard current == nil, isReplanned, let ready = facts.nodes[node].readyAt else {
                continue
            }
            current = byEnd.last { end($0) >= 0 && end($0) <= ready && !seen.contains($0) }
        }
        nodes = path.reversed()
    }
}

extension RunFacts {
    /// The nodes of the critical path, by position, whose stories make an analysis exact.
    ///
    /// Reading a story is dear; one of a node that followed at once the one before it and ran once has
    /// nothing to add.
    package var criticalNodesWithMore: [Int] {
        var before = 0
        return CriticalPath(of: self).nodes.filter { node in
            let ready = nodes[node].attempts.first?.readyAt ?? before
            defer { before = nodes[node].endedAt ?? before }
            return nodes[node].hasMoreToTell || ready - before > 1_000
        }
    }
}
