// The slots of the workers as far as attempts show them: each attempt gets a lane of its worker, so
// that those of one lane follow each other.

/// The lanes of a run.
package struct Lanes: Sendable, Equatable {
    /// An attempt in its lane.
    package struct Bar: Sendable, Equatable {
        /// The position of the node.
        package var node: Int
        /// The position of the attempt among those of the node.
        package var attempt: Int
        /// The position of the worker.
        package var worker: Int
        /// The lane of that worker, from 0.
        package var lane: Int
        /// When the tool began and ended, in microseconds since the run was accepted.
        package var start: Int, end: Int
        /// When a lane of the worker was free for it; nil if one had never been used.
        var freeSince: Int?
        /// Lanes that were in use until then.
        var lanesSoFar: Int
    }

    /// The workers, in the order of their first bars.
    package private(set) var workers: [String] = []
    /// The attempts by their beginnings.
    package private(set) var bars: [Bar] = []
    /// How many lanes each worker has.
    package private(set) var lanes: [Int] = []

    /// Lanes that were used at the same time at most, worker by worker.
    package var count: Int { lanes.reduce(0, +) }

    /// Puts the attempts of a run into lanes.
    package init(of facts: RunFacts) {
        for (node, fact) in facts.nodes.enumerated() {
            for (attempt, one) in fact.attempts.enumerated() {
                bars.append(
                    Bar(
                        node: node,
                        attempt: attempt,
                        worker: 0,
                        lane: 0,
                        start: one.start,
                        end: one.end,
                        lanesSoFar: 0
                    )
                )
            }
        }
        bars.sort { ($0.start, $0.end, $0.node) < ($1.start, $1.end, $1.node) }
        var positions: [String: Int] = [:]
        var ends: [[Int]] = []
        for index in bars.indices {
            let name = facts.nodes[bars[index].node].attempts[bars[index].attempt].worker
            let worker = positions[name] ?? workers.count
            if worker == workers.count {
                positions[name] = worker
                workers.append(name)
                ends.append([])
            }
            bars[index].worker = worker
            bars[index].lanesSoFar = ends[worker].count
            // The lane that has been free for the longest: then nothing waited for another one.
            let first = ends[worker].indices.min { ends[worker][$0] < ends[worker][$1] }
            if let first, ends[worker][first] <= bars[index].start {
                bars[index].lane = first
                bars[index].freeSince = ends[worker][first]
                ends[worker][first] = bars[index].end
            } else {
                bars[index].lane = ends[worker].count
                ends[worker].append(bars[index].end)
            }
        }
        lanes = ends.map(\.count)
    }
}
