// Where the nodes of a run are in a drawing: in columns by level, in each so that edges cross little.
// Many nodes are summed up. Not here: drawing.

internal import Core
internal import Wire

/// The boxes of a graph, column by column.
struct GraphLayout {
    /// A node, or several of one level, tool and state.
    struct Box {
        /// Its first line.
        var name: String
        /// The line below.
        var note: String
        /// All that is known, in one line.
        var description: String
        var status: NodeStatus
        /// Whether it, or one of them, is on the critical path.
        var isCritical: Bool
        /// The boxes that it depends on.
        var dependencies: [Int] = []
        /// Those among them that come before it on the critical path.
        var criticalDependencies: Set<Int> = []
    }

    private(set) var boxes: [Box] = []
    /// The boxes of each level, from the top.
    private(set) var columns: [[Int]] = []

    /// How often columns are put in order again.
    private static let sweeps = 4

    /// Lays out a run; with more nodes than that it sums them up.
    init(of facts: RunFacts, mostNodes: Int) {
        let graph = RunGraph(facts)
        let levels = graph.levels
        let path = CriticalPath(of: facts).nodes
        let critical = Set(path)
        let boxOf =
            facts.nodes.count > mostNodes
            ? addGroups(facts, levels, critical) : addNodes(facts, critical)
        var known = [Set<Int>](repeating: [], count: boxes.count)
        for (node, dependencies) in graph.dependencies.enumerated() {
            for dependency in dependencies {
                let (from, to) = (boxOf[dependency], boxOf[node])
                if known[to].insert(from).inserted { boxes[to].dependencies.append(from) }
            }
        }
        for (from, to) in zip(path, path.dropFirst()) {
            boxes[boxOf[to]].criticalDependencies.insert(boxOf[from])
        }
        columns = Array(repeating: [], count: (levels.max() ?? -1) + 1)
        var isPlaced = [Bool](repeating: false, count: boxes.count)
        for (node, box) in boxOf.enumerated() where !isPlaced[box] {
            isPlaced[box] = true
            columns[levels[node]].append(box)
        }
        putInOrder()
    }

    private mutating func addNodes(_ facts: RunFacts, _ critical: Set<Int>) -> [Int] {
        for (place, node) in facts.nodes.enumerated() {
            var words = [node.status.rawValue.replacing("_", with: " ")]
            if node.tries > 1 { words.append("\(node.tries) attempts") }
            if node.work > 0 { words.append("\(Self.time(node.work))") }
            if let error = node.error { words.append(error.description) }
            boxes.append(
                Box(
                    name: node.id.text,
                    note: node.tool,
                    description: "\(node.id.text), \(node.tool): \(words.joined(separator: ", "))",
                    status: node.status,
                    isCritical: critical.contains(place)
                )
            )
        }
        return Array(facts.nodes.indices)
    }

    private struct Group: Hashable {
        var level: Int
        var tool: String
        var status: NodeStatus
    }

    private mutating func addGroups(
        _ facts: RunFacts,
        _ levels: [Int],
        _ critical: Set<Int>
    ) -> [Int] {
        var places: [Group: Int] = [:]
        var counts: [Int] = []
        let boxOf = facts.nodes.indices.map { node in
            let fact = facts.nodes[node]
            let group = Group(level: levels[node], tool: fact.tool, status: fact.status)
            let place = places[group] ?? boxes.count
            if place == boxes.count {
                places[group] = place
                counts.append(0)
                boxes.append(
                    Box(
                        name: "",
                        note: fact.tool,
                        description: "",
                        status: fact.status,
                        isCritical: false
                    )
                )
            }
            counts[place] += 1
            if critical.contains(node) { boxes[place].isCritical = true }
            return place
        }
        for (place, count) in counts.enumerated() {
            boxes[place].name = count == 1 ? "1 node" : "\(count) nodes"
            let state = boxes[place].status.rawValue.replacing("_", with: " ")
            boxes[place].description = "\(boxes[place].name), \(boxes[place].note): \(state)"
        }
        return boxOf
    }

    /// Moves each box towards the middle of those that it depends on, then of those that depend on
    /// it, some times.
    private mutating func putInOrder() {
        var dependents = [[Int]](repeating: [], count: boxes.count)
        for (box, content) in boxes.enumerated() {
            for dependency in content.dependencies { dependents[dependency].append(box) }
        }
        var rows = [Double](repeating: 0, count: boxes.count)
        func note(_ column: [Int]) {
            for (row, box) in column.enumerated() {
                rows[box] = Double(row) - Double(column.count) / 2
            }
        }
        for column in columns { note(column) }
        for sweep in 0..<Self.sweeps {
            let isForward = sweep.isMultiple(of: 2)
            let order = isForward ? Array(columns.indices) : columns.indices.reversed()
            for column in order {
                let middles = columns[column].map { box in
                    let others = isForward ? boxes[box].dependencies : dependents[box]
                    guard !others.isEmpty else { return rows[box] }
                    return others.reduce(0) { $0 + rows[$1] } / Double(others.count)
                }
                let sorted = zip(columns[column], middles).enumerated().sorted { first, second in
                    (first.element.1, first.offset) < (second.element.1, second.offset)
                }
                columns[column] = sorted.map(\.element.0)
                note(columns[column])
            }
        }
    }

    /// Microseconds as milliseconds or seconds.
    private static func time(_ microseconds: Int) -> String {
        let milliseconds = (microseconds + 500) / 1_000
        guard milliseconds >= 10_000 else { return "\(milliseconds) ms" }
        return "\((milliseconds + 500) / 1_000) s"
    }
}
