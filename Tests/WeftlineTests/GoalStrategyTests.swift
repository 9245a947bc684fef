// Goals that are only planned, joined by a tool, or run with fewer nodes at a time.
import Foundation
import TestKit
import Testing
import UVLoop
import Weftline

@Suite("Ways to a goal", .timeLimit(.minutes(Patience.factor)))
struct GoalStrategyTests {
    private let plan = writtenPlan(
        written("t1", "sum", #"{"terms":[40,2]}"#),
        written("t2", "echo", #"{"value":"$t1 threads"}"#)
    )

    @Test("Only plans a goal without running it; its plan can be run later")
    func onlyPlanned() async throws {
        let waiting = Waiting()
        let model = LanguageModel.scripted([
            writtenPlan(written("t1", "wait")), writtenPlan(written("t1", "echo", #"{"value":3}"#)),
        ])
        try await LocalCluster.with(tools: [waiting.tool, echo], model: model) { cluster in
            let first = try await cluster.plan(goal: "Wait.")
            #expect(first.nodes.map(\.tool) == ["wait"])
            #expect(waiting.started == 0)
            let second = try await cluster.plan(goal: "Three.")
            let result = try await cluster.run(second)
            #expect(try result.output(of: "t1") == 3)
        }
    }

    @Test(
        "Nodes join the plan one by one, or when it is complete",
        arguments: [(PlanningStrategy.streamed, [1, 1]), (.planned, [2])]
    )
    func strategies(strategy: PlanningStrategy, growth: [Int]) async throws {
        let model = LanguageModel.scripted([plan.replacing(",{", with: " , {")])
        try await LocalCluster.with(tools: [echo, sum], model: model) { cluster in
            let options = RunOptions(join: .json, planner: PlannerOptions(strategy: strategy))
            let run = try await cluster.start(goal: "How many threads?", options: options)
            var planned: [Int] = []
            for await event in run.events where event.kind == .planned {
                planned.append(event.plannedNodes.count)
            }
            #expect(planned == growth)
            #expect(try await run.result.answered().answer == ["t1": 42, "t2": "42 threads"])
        }
    }

    @Test("A growing plan gets calls that follow from an output while another call runs")
    func growing() async throws {
        let isOpen = Locked(false)
        let slow = FunctionTool(name: "slow", description: "Ends when it is opened.") { _, _ in
            #expect(await eventually { isOpen.withLock { $0 } })
            return "ended"
        }
        let open = FunctionTool(name: "open", description: "Opens.") { call, _ in
            isOpen.withLock { $0 = true }
            return call["by"] ?? nil
        }
        let model = LanguageModel.scripted([
            writtenPlan(written("t1", "echo", #"{"value":7}"#), written("t2", "slow")),
            writtenPlan(written("t3", "open", #"{"by":"$t1"}"#)), writtenPlan(), writtenPlan(),
        ])
        let planner = PlannerOptions(strategy: .growing)
        let result = try await LocalCluster.with(tools: [echo, slow, open], model: model) {
            try await $0.run(goal: "Open.", options: RunOptions(join: .json, planner: planner))
        }
        #expect(try result.answered().answer == ["t1": 7, "t2": "ended", "t3": 7])
        #expect(result.planning?.calls ?? 0 >= 2)
    }

    @Test("A tool may join: its output is the answer")
    func joinedByTool() async throws {
        let report = FunctionTool(name: "report", description: "Reports.") { call, _ in
            ["threads": call["outputs"]?["t1"] ?? nil]
        }
        let options = RunOptions(join: .tool("report"))
        let result = try await LocalCluster.with(
            tools: [echo, sum, report],
            model: .scripted([plan])
        ) { cluster in
            try await cluster.run(goal: "How many threads?", options: options)
        }
        #expect(result.answer == ["threads": 42])
    }

    @Test("Only the allowed number of nodes is with workers at the same time")
    func bounded() async throws {
        let state = Locked((running: 0, peak: 0))
        let tool = FunctionTool(name: "count", description: "Counts who runs.") { _, _ in
            state.withLock {
                $0.running += 1
                $0.peak = max($0.peak, $0.running)
            }
            try await Task.sleep(for: .milliseconds(5))
            state.withLock { $0.running -= 1 }
            return nil
        }
        let many = writtenPlan(
            written("t1", "count"),
            written("t2", "count"),
            written("t3", "count"),
            written("t4", "count")
        )
        let options = RunOptions(join: .concat, maxRunning: 1)
        try await LocalCluster.with(tools: [tool], model: .scripted([many])) { cluster in
            _ = try await cluster.run(goal: "Count.", options: options)
        }
        #expect(state.withLock { $0.peak } == 1)
        let bad = RunOptions(maxRunning: 0)
        try await LocalCluster.with(tools: [tool], model: .scripted([])) { cluster in
            let error = try await #require(throws: ClientError.self) {
                try await cluster.run(goal: "Count.", options: bad)
            }
            #expect(error.kind == .rejected)
        }
    }
}
