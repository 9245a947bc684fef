// Cycles: nodes that can never be ready because they depend on themselves, directly or not.

import Core

extension Plan {
    /// The problem of a cycle, with the path through it; a long path is shortened.
    func cycleProblem(_ cycle: [Int]) -> PlanProblem {
        let named = 16
        var path = cycle.prefix(named).map { nodes[$0].id.text }
        if cycle.count > named { path.append("… \(cycle.count - named) more …") }
        path.append(nodes[cycle[0]].id.text)
        return PlanProblem(
            code: .cycle,
            node: nodes[cycle[0]].id.text,
            message: "nodes depend on each other in a circle: "
                + path.joined(separator: " → ")
        )
    }

    /// Cycles, each as a path along dependencies that starts with its earliest node.
    ///
    /// No two cycles share a node, and each group of nodes that all depend on each other has at
    /// least one.
    func cycles() -> [[Int]] {
        let stuck = stuckNodes()
        guard stuck.contains(true) else { return [] }
        var search = CycleSearch(count: count)
        for start in nodes.indices where stuck[start] {
            search.enter(start)
            while let node = search.path.last {
                // Each visit continues with the next dependency of the node, so none is visited
                // twice.
                let slot = Int(starts[node]) + search.nextDependency(of: node)
                guard slot < Int(starts[node + 1]) else {
                    search.leave()
                    continue
                }
                let target = Int(targets[slot])
                if target >= 0, stuck[target] { search.follow(to: target) }
            }
        }
        return search.found
    }

    /// The nodes that remain when nodes without dependencies are removed repeatedly (Kahn's
    /// algorithm).
    private func stuckNodes() -> [Bool] {
        // The dependents of each node, laid out flat like the dependencies.
        var ends = [Int32](repeating: 0, count: count + 1)
        for target in targets where target >= 0 { ends[Int(target) + 1] += 1 }
        for node in nodes.indices { ends[node + 1] += ends[node] }
        var dependents = [Int32](repeating: 0, count: Int(ends[count]))
        var inDegree = [Int32](repeating: 0, count: count)
        var next = ends
        for node in nodes.indices {
            for slot in slots(of: node) where targets[slot] >= 0 {
                let target = Int(targets[slot])
                dependents[Int(next[target])] = Int32(node)
                next[target] += 1
                inDegree[node] += 1
            }
        }
        var ready = nodes.indices.filter { inDegree[$0] == 0 }
        var stuck = [Bool](repeating: true, count: count)
        while let node = ready.popLast() {
            stuck[node] = false
            for place in Int(ends[node])..<Int(ends[node + 1]) {
                let dependent = Int(dependents[place])
                inDegree[dependent] -= 1
                if inDegree[dependent] == 0 { ready.append(dependent) }
            }
        }
        return stuck
    }
}

/// A depth-first walk along dependencies that records the cycles it finds.
private struct CycleSearch {
    private(set) var path: [Int] = []
    private(set) var found: [[Int]] = []
    /// For each node how many of its dependencies were visited; -1 before it was first entered.
    private var steps: [Int32]
    /// For each node its position on the path, or -1.
    private var places: [Int32]
    /// Positions on the path of nodes that are already part of a found cycle, ascending.
    private var taken: [Int] = []

    init(count: Int) {
        steps = Array(repeating: -1, count: count)
        places = Array(repeating: -1, count: count)
    }

    mutating func enter(_ node: Int) {
        guard steps[node] < 0 else { return }
        steps[node] = 0
        places[node] = Int32(path.count)
        path.append(node)
    }

    mutating func nextDependency(of node: Int) -> Int {
        defer { steps[node] += 1 }
        return Int(steps[node])
    }

    mutating func leave() {
        guard let node = path.popLast() else { return }
        places[node] = -1
        if taken.last == path.count { taken.removeLast() }
    }

    mutating func follow(to target: Int) {
        let place = Int(places[target])
        guard place >= 0 else {
            enter(target)
            return
        }
        if let last = taken.last, last >= place { return }
        let cycle = path[place...]
        taken.append(contentsOf: cycle.indices)
        guard let first = cycle.indices.min(by: { path[$0] < path[$1] }) else { return }
        found.append(Array(cycle[first...] + cycle[..<first]))
    }
}
