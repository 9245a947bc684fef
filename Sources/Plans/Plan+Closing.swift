// The end of growth: what is wrong with the plan as a whole, and what becomes of the last holds.

extension Plan {
    /// Ends growth.
    ///
    /// Throws every problem of the plan as a whole (no nodes, a declared dependency that is not in
    /// the plan, cycles) and then changes nothing. References to ids that never came become text,
    /// unless they were declared; returned are the nodes that waited for them, once for each id.
    @discardableResult
    public mutating func close() throws(PlanProblems) -> [Int] {
        if isClosed { return [] }
        let problems = closingProblems()
        guard problems.isEmpty else { throw PlanProblems(problems.finished()) }
        isClosed = true
        var released: [Int] = []
        if !waiting.isEmpty {
            for (node, target) in pendingTargets() {
                targets[target] = Plan.dropped
                released.append(node)
            }
        }
        holds = []
        freeHold = -1
        waiting = [:]
        return released
    }

    /// What would be wrong if the plan were closed now.
    func closingProblems() -> ProblemList {
        var problems = ProblemList()
        if nodes.isEmpty {
            problems.add(PlanProblem(code: .emptyPlan, message: "the plan has no nodes"))
        }
        if !waiting.isEmpty {
            for (node, target) in pendingTargets() {
                guard let place = Plan.hold(in: targets[target]), holds[place].isDeclared else {
                    continue
                }
                let id = nodes[node].id
                problems.add(
                    PlanProblem(
                        code: .unknownDependency,
                        node: id.text,
                        message: "node \(id) depends on \(holds[place].id), which is not in the "
                            + "plan"
                    )
                )
            }
        }
        if hasForwardEdge {
            for cycle in cycles() { problems.add(problem(of: cycle)) }
        }
        return problems
    }

    /// The targets that still wait for an id, in the order of the plan.
    private func pendingTargets() -> [(node: Int, target: Int)] {
        var pending: [(node: Int, target: Int)] = []
        for node in nodes.indices {
            for target in slots(of: node) where Plan.hold(in: targets[target]) != nil {
                pending.append((node, target))
            }
        }
        return pending
    }

    // MARK: - Cycles

    private func problem(of cycle: [Int]) -> PlanProblem {
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

    /// Cycles that keep nodes from ever being ready, each as a path along dependencies from its
    /// first node; no two share a node.
    private func cycles() -> [[Int]] {
        let stuck = stuckNodes()
        guard stuck.contains(true) else { return [] }
        // Every stuck node has a stuck dependency, so following the first one must run in circles.
        var walk = [Int32](repeating: 0, count: count)
        var found: [[Int]] = []
        for start in nodes.indices where stuck[start] && walk[start] == 0 {
            let mark = Int32(start + 1)
            var path: [Int] = []
            var node = start
            while walk[node] == 0 {
                walk[node] = mark
                path.append(node)
                node = firstStuckDependency(of: node, stuck) ?? node
            }
            // A node of this very walk closes a new circle; one of an earlier walk does not.
            if walk[node] == mark, let first = path.firstIndex(of: node) {
                found.append(rotated(Array(path[first...])))
            }
        }
        return found
    }

    private func firstStuckDependency(of node: Int, _ stuck: [Bool]) -> Int? {
        for slot in slots(of: node) {
            let target = Int(targets[slot])
            if target >= 0, stuck[target] { return target }
        }
        return nil
    }

    /// The same circle, starting at the node that came first.
    private func rotated(_ cycle: [Int]) -> [Int] {
        guard let first = cycle.indices.min(by: { cycle[$0] < cycle[$1] }) else { return cycle }
        return Array(cycle[first...] + cycle[..<first])
    }

    /// Which nodes remain when nodes are taken away as their dependencies are (Kahn's algorithm).
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
