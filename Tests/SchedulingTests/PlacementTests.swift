// Where ready nodes are placed: urgency, fairness, spread, limits, labels, missing tools.

import Core
import Plans
import Testing

@testable import Scheduling

@Suite("Placement")
struct PlacementTests {
    let scheduler = SchedulerHarness()

    @Test("The longest remaining path goes first, then the older node")
    func urgency() {
        scheduler.submit([
            node("short"), node("other"), node("long"), node("x", after: "long"),
            node("y", after: "x"), node("medium"), node("z", after: "medium"),
        ])
        scheduler.join("w", slots: 4)
        scheduler.expect(
            "ready short",
            "ready other",
            "ready long",
            "ready medium",
            "unplaceable long",
            "dispatch long/1 to w",
            "dispatch medium/1 to w",
            "dispatch short/1 to w",
            "dispatch other/1 to w"
        )
    }

    @Test("Urgency counts nodes that were added later")
    func urgencyGrows() {
        scheduler.open()
        scheduler.add([node("a"), node("b")])
        scheduler.add([node("c", after: "b"), node("d", after: "c")])
        _ = scheduler.take()
        // Earlier ready nodes keep their rank; new ones get the new rank.
        scheduler.add([node("e"), node("f"), node("g", after: "f")])
        scheduler.join("w", slots: 5)
        let order = scheduler.take()
        #expect(order.firstIndex(of: "dispatch f/1 to w") == 0)
    }

    @Test("Runs take turns, independent of their size")
    func fairness() {
        scheduler.submit("r1", (0..<6).map { node("a\($0)") })
        scheduler.submit("r2", (0..<2).map { node("b\($0)") })
        _ = scheduler.take()
        scheduler.join("w", slots: 8)
        scheduler.expect(
            "dispatch r1.a0/1 to w",
            "dispatch r2.b0/1 to w",
            "dispatch r1.a1/1 to w",
            "dispatch r2.b1/1 to w",
            "dispatch r1.a2/1 to w",
            "dispatch r1.a3/1 to w",
            "dispatch r1.a4/1 to w",
            "dispatch r1.a5/1 to w"
        )
    }

    @Test("Nodes spread over workers instead of filling the first")
    func spread() {
        scheduler.join("w1", slots: 2)
        scheduler.join("w2", slots: 2)
        scheduler.submit((0..<5).map { node("n\($0)") })
        scheduler.expect(
            "dispatch n0/1 to w1",
            "dispatch n1/1 to w2",
            "dispatch n2/1 to w1",
            "dispatch n3/1 to w2"
        )
        scheduler.finish("n1")
        scheduler.expect("n1 succeeded", "dispatch n4/1 to w2")
    }

    @Test("Frees a slot exactly when its attempt has ended")
    func slots() {
        scheduler.join("w", slots: 2)
        scheduler.submit((0..<4).map { node("n\($0)") })
        scheduler.expect("dispatch n0/1 to w", "dispatch n1/1 to w")
        scheduler.start("n0")
        scheduler.expect()
        scheduler.finish("n0")
        scheduler.expect("n0 succeeded", "dispatch n2/1 to w")
        scheduler.fail("n1")
        scheduler.expect("n1 failed: tool_error", "dispatch n3/1 to w")
    }

    @Test("A tool's own limit applies to each worker, and leaves slots to other tools")
    func concurrency() {
        let tools = ["t": ToolOffer(concurrency: 1), "u": ToolOffer()]
        scheduler.join("w1", slots: 3, tools: tools)
        scheduler.join("w2", slots: 3, tools: tools)
        scheduler.submit([
            node("a"), node("b"), node("c"), node("x", tool: "u"), node("y", tool: "u"),
        ])
        scheduler.expect(
            "dispatch a/1 to w1",
            "dispatch b/1 to w2",
            "dispatch x/1 to w1",
            "dispatch y/1 to w2"
        )
        scheduler.finish("x")
        scheduler.expect("x succeeded")
        scheduler.finish("b")
        scheduler.expect("b succeeded", "dispatch c/1 to w2")
    }

    @Test("Places a node with required labels only on workers that have all of them")
    func labels() {
        scheduler.join("plain")
        scheduler.join("east", labels: ["zone": "east", "gpu": "yes"])
        scheduler.submit([
            node("a", requires: ["zone": "east", "gpu": "yes"]),
            node("b", requires: ["zone": "west"]),
            node("c"),
        ])
        scheduler.expect(
            "dispatch a/1 to east",
            "unplaceable b",
            "dispatch c/1 to plain"
        )
        scheduler.join("west", labels: ["zone": "west"])
        scheduler.expect("dispatch b/1 to west")
    }

    @Test("Reports a node whose tool is missing once; it waits for a worker with the tool")
    func missingToolWaits() {
        scheduler.join("w", tools: ["other": ToolOffer()])
        scheduler.submit([node("a"), node("b")])
        scheduler.expect("unplaceable a")
        scheduler.submit("r2", [node("c")])
        scheduler.expect("unplaceable r2.c")
        scheduler.join("w2", slots: 3)
        scheduler.expect("dispatch a/1 to w2", "dispatch r2.c/1 to w2", "dispatch b/1 to w2")
        scheduler.drain("w2")
        scheduler.submit("r3", [node("d")])
        scheduler.expect("unplaceable r3.d")
    }

    @Test("A node whose tool is missing fails if the run says so, and skips its dependents")
    func missingToolFails() {
        scheduler.join("w", tools: ["other": ToolOffer()])
        scheduler.submit(
            [node("a"), node("b", after: "a"), node("c", tool: "other")],
            missing: .fail
        )
        scheduler.expect(
            "a failed: unknown_tool",
            "b skipped by a",
            "dispatch c/1 to w"
        )
        scheduler.finish("c")
        scheduler.expect("c succeeded", "finish r")
    }

    @Test("If the last worker with a tool goes, its runs fail or are told, as they chose")
    func toolGoesMissing() {
        scheduler.join("w")
        scheduler.submit("r1", [node("a"), node("b")])
        scheduler.submit("r2", [node("c")], missing: .fail)
        scheduler.expect("dispatch r1.a/1 to w")
        scheduler.drain("w")
        scheduler.expect("unplaceable r1.b", "r2.c failed: unknown_tool", "finish r2")
        scheduler.finish("a", "r1")
        scheduler.expect("r1.a succeeded")
        scheduler.lose("w")
        scheduler.expect()
        scheduler.join("w2")
        scheduler.expect("dispatch r1.b/1 to w2")
    }

    @Test("Runs that ended behind a missing tool leave nothing")
    func missingToolLeavesNoTurns() {
        scheduler.submit("kept", [node("k")])
        for index in 0..<2_000 {
            scheduler.validates = index % 100 == 0
            scheduler.submit("r\(index)", [node("a")], missing: index % 2 == 0 ? .fail : .wait)
            scheduler.cancel("r\(index)")
            scheduler.handle(.runReleased(scheduler.runID("r\(index)")))
        }
        _ = scheduler.take()
        scheduler.validates = true
        let classes = scheduler.scheduler.classes
        #expect(classes.slots.count == 1)
        #expect(classes.slots.allSatisfy { classes[$0].turns.count < 20 })
        scheduler.submit("last", [node("a")])
        scheduler.expect("unplaceable last.a")
        scheduler.join("w", slots: 2)
        scheduler.expect("dispatch kept.k/1 to w", "dispatch last.a/1 to w")
    }

    @Test(
        "Adds, places and finishes a plan of 100,000 nodes in bounded time",
        .timeLimit(.minutes(1))
    )
    func largePlan() {
        scheduler.validates = false
        scheduler.join("w1", slots: 64)
        scheduler.join("w2", slots: 64)
        let count = 100_000
        let run = scheduler.runID("r")
        var recorded: [Scheduler.Action] = []
        var large = Scheduler(seed: 1)
        let profile = WorkerProfile(name: "w", slots: 64, tools: ["t": ToolOffer()])
        large.handle(.workerJoined(WorkerID(1), profile), at: .zero, into: &recorded)
        large.handle(.runAdded(run, .wait), at: .zero, into: &recorded)
        // A fan of 50,000 into a chain of 50,000.
        var edges = (0..<50_000).map { Plan.Edge(dependency: $0, dependent: 50_000) }
        edges += (50_000..<(count - 1)).map { Plan.Edge(dependency: $0, dependent: $0 + 1) }
        let specs = [NodeSpec](repeating: NodeSpec(tool: "t"), count: count)
        large.handle(.nodesAdded(run, specs, edges: edges, held: []), at: .zero, into: &recorded)
        large.handle(.runClosed(run), at: .zero, into: &recorded)
        var settled = 0
        var isFinished = false
        recorded.removeAll()
        large.place(at: .zero, into: &recorded)
        while !recorded.isEmpty {
            let batch = recorded
            recorded.removeAll(keepingCapacity: true)
            for action in batch {
                switch action {
                case .dispatch(let attempt, let worker, _, _):
                    large.handle(
                        .attemptSucceeded(attempt, worker, microseconds: 10),
                        at: .zero,
                        into: &recorded
                    )
                case .settle: settled += 1
                case .finish: isFinished = true
                default: break
                }
            }
            large.place(at: .zero, into: &recorded)
        }
        #expect(settled == count)
        #expect(isFinished)
    }

    @Test("A failure at the head of a chain of 100,000 nodes skips them all")
    func deepSkip() throws {
        scheduler.validates = false
        scheduler.join("w")
        let count = 100_000
        let run = scheduler.runID("r")
        var recorded: [Scheduler.Action] = []
        var large = Scheduler(seed: 1)
        let profile = WorkerProfile(name: "w", slots: 1, tools: ["t": ToolOffer()])
        large.handle(.workerJoined(WorkerID(1), profile), at: .zero, into: &recorded)
        large.handle(.runAdded(run, .wait), at: .zero, into: &recorded)
        let edges = (0..<(count - 1)).map { Plan.Edge(dependency: $0, dependent: $0 + 1) }
        let specs = [NodeSpec](repeating: NodeSpec(tool: "t"), count: count)
        large.handle(.nodesAdded(run, specs, edges: edges, held: []), at: .zero, into: &recorded)
        large.handle(.runClosed(run), at: .zero, into: &recorded)
        large.place(at: .zero, into: &recorded)
        recorded.removeAll()
        let attempt = AttemptID(run: run, node: 0, number: 1)
        let failure = Failure(code: .toolError, message: "it broke")
        large.handle(.attemptFailed(attempt, WorkerID(1), failure), at: .zero, into: &recorded)
        #expect(recorded.count <= SchedulerLimits().settlementsPerTurn + 1)
        while large.hasSweeps { large.continueSweeps(into: &recorded) }
        #expect(recorded.count == count + 1)
        #expect(recorded.last == .finish(run))
        try large.validate()
    }
}
