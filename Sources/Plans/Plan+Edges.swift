// All that nodes wait for, listed from the plan as it is: who takes up a run again needs it at once,
// not as it grew.

extension Plan {
    /// Every edge that is known.
    public var edges: [Edge] {
        var edges: [Edge] = []
        edges.reserveCapacity(targets.count)
        for node in nodes.indices {
            for slot in slots(of: node) where targets[slot] >= 0 {
                edges.append(Edge(dependency: Int(targets[slot]), dependent: node))
            }
        }
        return edges
    }

    /// The nodes that wait for an id that is not in the plan, once for each such id.
    public var held: [Int] {
        guard !waiting.isEmpty else { return [] }
        return nodes.indices.flatMap { node in
            slots(of: node).filter { Self.hold(in: targets[$0]) != nil }.map { _ in node }
        }
    }
}
