// Runs made by hand for the tests of reports.

import Core
import JSON
import Testing
import Wire

@testable import Reports

/// Runs with times that are easy to add up.
enum SampleRuns {
    static func id(_ text: String) -> NodeID { NodeID(checked: text) }

    /// A run of these nodes.
    static func run(
        _ nodes: [NodeFacts],
        wall: Int,
        planning: PlanningDocument? = nil
    ) throws -> RunFacts {
        let document = RunDocument(
            run: try #require(RunID("r1")),
            status: .succeeded,
            isGrowing: false,
            join: .json,
            startedAt: UnixTime(milliseconds: 1_700_000_000_250),
            ageMilliseconds: 0,
            counts: NodeCounts(),
            timing: RunTiming(wall: wall, criticalPath: 0, work: 0),
            planning: planning
        )
        return RunFacts(run: document, nodes: nodes)
    }

    /// A node with one attempt: ready, then dispatched after `queued`, back after `turnaround`, of
    /// which its tool ran for `work`.
    static func node(
        _ name: String,
        tool: String = "t",
        _ status: NodeStatus = .succeeded,
        after dependencies: [String] = [],
        on worker: String = "w",
        ready: Int,
        queued: Int = 0,
        turnaround: Int,
        work: Int,
        error: Failure? = nil
    ) -> NodeFacts {
        let document = NodeDocument(
            status: status,
            tool: tool,
            output: status == .succeeded ? RawJSON("ok") : nil,
            error: error,
            attempts: 1,
            worker: worker,
            readyAt: ready,
            queued: queued,
            turnaround: turnaround,
            run: work
        )
        var facts = NodeFacts(id(name), document)
        facts.dependencies = dependencies.map(id)
        return facts
    }

    /// A node that never ran.
    static func idle(
        _ name: String,
        tool: String = "t",
        _ status: NodeStatus = .skipped,
        after dependencies: [String] = []
    ) -> NodeFacts {
        var facts = NodeFacts(id(name), NodeDocument(status: status, tool: tool, attempts: 0))
        facts.dependencies = dependencies.map(id)
        return facts
    }
}
