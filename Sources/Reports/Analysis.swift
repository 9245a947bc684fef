// Why a run took as long as it did: its wall time as a sum, and what more slots or fewer levels would
// have given. Not here: how that is printed.

package import Core
internal import Wire

/// The explanation of a run's wall time; times are in microseconds.
package struct Analysis: Sendable, Equatable {
    /// The wall time as a sum: where the last node to end, those that it waited for, and so on back
    /// to the beginning spent it.
    package struct Parts: Sendable, Equatable {
        /// Nothing could go on because the plan was not there: a model or a client was writing it.
        package var planning = 0
        /// Waiting for a person's approval.
        package var approval = 0
        /// Ready, but every slot was taken.
        package var slots = 0
        /// Tools at work, in attempts that failed, too.
        package var tools = 0
        /// Pauses before further attempts, and attempts of which nothing is known any more.
        package var retries = 0
        /// Ways to workers and back, starts of tools, decisions.
        package var overhead = 0
        /// From the end of the last attempt to that of the run: joining, a plan that was still open,
        /// or nodes that no worker could run.
        package var ending = 0

        /// The wall time.
        package var sum: Int {
            planning + approval + slots + tools + retries + overhead + ending
        }

        mutating func add(_ other: Parts) {
            planning += other.planning
            approval += other.approval
            slots += other.slots
            tools += other.tools
            retries += other.retries
            overhead += other.overhead
            ending += other.ending
        }
    }

    /// A node of the critical path.
    package struct Step: Sendable, Equatable {
        /// Its name.
        package var node: NodeID
        /// The tool that it calls.
        package var tool: String
        /// Attempts that ran.
        package var tries: Int
        /// What it adds to the wall time, from the end of the step before to its own.
        package var parts: Parts
    }

    /// From the acceptance of the run to its end, or to now.
    package let wall: Int
    /// Where that went.
    package let parts: Parts
    /// The nodes of the critical path, in the order of time.
    package let path: [Step]
    /// Slots that were in use at the same time at most, added up over the workers.
    package let slots: Int
    /// All attempts, one after the other.
    package let work: Int
    /// The longest chain of dependent nodes, by the time of their tools alone.
    package let longestChain: Int
    /// About the wall time, had no node waited for a slot.
    package let wallWithEverySlot: Int
    /// Nodes on the longest chain by number.
    package let levels: Int
    /// About the wall time on these slots, had no node waited for another.
    package let wallWithOneLevel: Int

    /// The longest steps first.
    package var longestSteps: [Step] {
        path.sorted { ($0.parts.sum, $1.node) > ($1.parts.sum, $0.node) }
    }

    /// The work, divided evenly among the slots.
    package var workPerSlot: Int { slots > 0 ? work / slots : 0 }

    /// Analyses a run.
    ///
    /// Without stories of the nodes on the critical path, times before their latest attempts are
    /// counted as retries, and approvals as planning.
    package init(of facts: RunFacts) {
        let lanes = Lanes(of: facts)
        let waits = WorkerWaits(lanes)
        let path = CriticalPath(of: facts)
        wall = facts.run.timing.wall
        var course = Course(waits)
        var steps: [Step] = []
        for node in path.nodes {
            let fact = facts.nodes[node]
            let parts = course.pass(fact, node)
            steps.append(Step(node: fact.id, tool: fact.tool, tries: fact.tries, parts: parts))
        }
        self.path = steps
        var parts = Parts()
        for step in steps { parts.add(step.parts) }
        parts.ending = wall - course.time
        self.parts = parts

        slots = lanes.count
        work = facts.nodes.reduce(0) { $0 + $1.work }
        let graph = RunGraph(facts)
        longestChain = graph.longest { facts.nodes[$0].work }
        levels = graph.longest { facts.nodes[$0].attempts.isEmpty ? 0 : 1 }
        let withEverySlot = graph.finish(facts) { node in
            Course.slots(of: facts.nodes[node], node, waits)
        }
        wallWithEverySlot = min(withEverySlot + parts.ending, wall)
        let longestNode = facts.nodes.map(\.work).max() ?? 0
        let shared = slots > 0 ? work / slots : 0
        wallWithOneLevel = min(
            max(longestNode, shared) + (steps.first?.parts.planning ?? 0) + parts.ending,
            wall
        )
    }
}

extension NodeFacts {
    /// How long its tool ran in all attempts that are known.
    var work: Int { attempts.reduce(0) { $0 + ($1.work ?? 0) } }
}

/// Until when attempts waited at their workers because all lanes there were in use.
struct WorkerWaits {
    private struct Place: Hashable {
        var node: Int, attempt: Int
    }

    private var ends: [Place: Int] = [:]

    init(_ lanes: Lanes) {
        for bar in lanes.bars {
            // A lane that first came into use later was free.
            guard let free = bar.freeSince, bar.lanesSoFar == lanes.lanes[bar.worker] else {
                continue
            }
            ends[Place(node: bar.node, attempt: bar.attempt)] = free
        }
    }

    /// When a lane became free for the attempt; nil if one was free all the time.
    func end(of node: Int, _ attempt: Int) -> Int? { ends[Place(node: node, attempt: attempt)] }
}

/// The way through time along the critical path: each moment belongs to one part.
private struct Course {
    private(set) var time = 0
    private let waits: WorkerWaits

    init(_ waits: WorkerWaits) {
        self.waits = waits
    }

    /// What a node adds, from where the one before it ended.
    mutating func pass(_ node: NodeFacts, _ position: Int) -> Analysis.Parts {
        var parts = Analysis.Parts()
        let knowsFirst = node.attempts.count >= node.tries
        if let first = node.attempts.first {
            let firstReady = min(node.readyAt ?? first.readyAt, first.readyAt)
            let ready = knowsFirst ? firstReady : first.readyAt
            let gap = advance(to: ready)
            parts.approval = min(node.approval, gap)
            if knowsFirst {
                parts.planning = gap - parts.approval
            } else {
                parts.retries = gap - parts.approval
            }
        }
        for (index, attempt) in node.attempts.enumerated() {
            parts.retries += advance(to: attempt.readyAt)
            parts.slots += advance(to: attempt.dispatchedAt)
            if let free = waits.end(of: position, index) {
                parts.slots += advance(to: min(free, attempt.start))
            }
            parts.overhead += advance(to: attempt.start)
            parts.tools += advance(to: attempt.end)
        }
        return parts
    }

    /// How long a node waited for slots, in all its attempts.
    static func slots(of node: NodeFacts, _ position: Int, _ waits: WorkerWaits) -> Int {
        node.attempts.enumerated().reduce(0) { sum, entry in
            let (index, attempt) = entry
            let queued = attempt.dispatchedAt - attempt.readyAt
            guard let free = waits.end(of: position, index) else { return sum + queued }
            return sum + queued + max(min(free, attempt.start) - attempt.dispatchedAt, 0)
        }
    }

    private mutating func advance(to moment: Int) -> Int {
        let gained = max(moment - time, 0)
        time += gained
        return gained
    }
}
