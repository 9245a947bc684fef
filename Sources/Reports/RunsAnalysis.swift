// The analyses of many runs together: where their time went, the slowest of them, and the tools that
// they used. Not here: asking for the runs, printing.

package import Core
package import Wire

/// The sum of many analyses; times are in microseconds.
package struct RunsAnalysis: Sendable, Equatable {
    /// One run.
    package struct Entry: Sendable, Equatable {
        /// Its name.
        package var run: RunID
        /// What its author calls it.
        package var label: String?
        /// How it ended, or that it goes on.
        package var status: RunStatus
        /// Its nodes.
        package var nodes: Int
        /// Its wall time as a sum.
        package var parts: Analysis.Parts
    }

    /// What one tool did in all runs.
    package struct Tool: Sendable, Equatable {
        /// Its name.
        package var name: String
        /// Nodes that call it and have run.
        package var nodes = 0
        /// Attempts that ran.
        package var attempts = 0
        /// Nodes that failed.
        package var failed = 0
        /// How long it worked, in all attempts that are known.
        package var work = 0
        /// What it adds to wall times: its work on critical paths.
        package var critical = 0
        /// How long its nodes on critical paths waited for slots.
        package var slots = 0
    }

    /// Where the wall times of all runs went.
    package private(set) var parts = Analysis.Parts()
    /// How long models took, beside nodes that ran meanwhile.
    package private(set) var modelTime = 0
    /// The nodes of all runs.
    package private(set) var nodes = 0
    private var entries: [Entry] = []
    private var byName: [String: Tool] = [:]

    /// Sums up nothing yet.
    package init() {}

    /// The runs, the slowest first.
    package var runs: [Entry] {
        entries.sorted { ($0.parts.sum, $1.run.text) > ($1.parts.sum, $0.run.text) }
    }

    /// The tools, those that add most to wall times first.
    package var tools: [Tool] {
        byName.values.sorted { first, second in
            let (one, other) = (first.critical + first.slots, second.critical + second.slots)
            return (one, first.work, second.name) > (other, second.work, first.name)
        }
    }

    /// How many runs stand so.
    package func count(_ status: RunStatus) -> Int { entries.count { $0.status == status } }

    /// Adds a run.
    package mutating func add(_ facts: RunFacts) {
        let analysis = Analysis(of: facts)
        parts.add(analysis.parts)
        modelTime += facts.run.planning?.modelTime ?? 0
        nodes += facts.nodes.count
        entries.append(
            Entry(
                run: facts.run.run,
                label: facts.run.label,
                status: facts.run.status,
                nodes: facts.nodes.count,
                parts: analysis.parts
            )
        )
        for node in facts.nodes where node.tries > 0 {
            var tool = byName[node.tool] ?? Tool(name: node.tool)
            tool.nodes += 1
            tool.attempts += node.tries
            tool.failed += node.status == .failed ? 1 : 0
            tool.work += node.work
            byName[node.tool] = tool
        }
        for step in analysis.path {
            byName[step.tool]?.critical += step.parts.tools
            byName[step.tool]?.slots += step.parts.slots
        }
    }
}
