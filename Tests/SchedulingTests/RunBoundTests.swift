// A run's own limit of attempts that workers hold at the same time.

import Core
import Scheduling
import Testing

@Suite("A run's limit of attempts")
struct RunBoundTests {
    let scheduler = SchedulerHarness()

    @Test("With a limit of one, nodes run one at a time, even with free slots")
    func one() {
        scheduler.join("w", slots: 8)
        scheduler.submit("r", [node("a"), node("b"), node("c", after: "a")], maxRunning: 1)
        scheduler.expect("dispatch a/1 to w")
        scheduler.place()
        scheduler.expect()
        scheduler.finish("a")
        #expect(scheduler.take() == ["a succeeded", "dispatch b/1 to w"])
        scheduler.finish("b")
        #expect(scheduler.take() == ["b succeeded", "dispatch c/1 to w"])
        scheduler.finish("c")
        #expect(scheduler.take() == ["c succeeded", "finish r"])
    }

    @Test("The limit covers all tools of the run, and no other run")
    func overTools() {
        scheduler.join("w", slots: 8, tools: ["t": ToolOffer(), "u": ToolOffer()])
        scheduler.submit("r", [node("a"), node("b", tool: "u"), node("c")], maxRunning: 2)
        #expect(scheduler.take() == ["dispatch a/1 to w", "dispatch c/1 to w"])
        scheduler.submit("s", [node("a"), node("b", tool: "u")])
        #expect(scheduler.take() == ["dispatch s.a/1 to w", "dispatch s.b/1 to w"])
        scheduler.finish("c")
        #expect(scheduler.take() == ["c succeeded", "dispatch b/1 to w"])
    }

    @Test("Each end of an attempt makes room: failure, loss, refusal and an attempt tried again")
    func everyEnd() {
        scheduler.join("w", slots: 4)
        let nodes = ["a", "b", "c", "d"].map { TestNode(name: $0, maxAttempts: 2) }
        scheduler.submit("r", nodes, maxRunning: 1)
        scheduler.expect("dispatch a/1 to w")
        scheduler.fail("a", retryable: true)
        #expect(scheduler.take().last == "dispatch b/1 to w")
        scheduler.fail("b")
        #expect(scheduler.take() == ["b failed: tool_error", "dispatch c/1 to w"])
        scheduler.reject("c", .draining)
        #expect(scheduler.take() == ["retry c/1: worker_lost", "dispatch d/1 to w"])
        scheduler.join("v", slots: 4)
        scheduler.lose("w")
        #expect(scheduler.take() == ["d failed: outcome_unknown"])
        // Two nodes wait for their next attempt, but only one may start it.
        scheduler.advance(.seconds(1))
        #expect(scheduler.take() == ["dispatch a/2 to v"])
        scheduler.finish("a")
        #expect(scheduler.take() == ["a succeeded", "dispatch c/2 to v"])
    }

    @Test("A node that waits for the limit says so")
    func explained() {
        scheduler.join("w", slots: 8)
        scheduler.submit("r", [node("a"), node("b")], maxRunning: 1)
        let reasons = scheduler.scheduler.explain(
            scheduler.reference("b"),
            dependencies: [],
            at: scheduler.now
        )
        #expect(reasons == [.runBoundReached(1)])
    }

    @Test("A cancelled run releases its waiting nodes")
    func cancelled() {
        scheduler.join("w", slots: 8)
        scheduler.submit("r", [node("a"), node("b")], maxRunning: 1)
        _ = scheduler.take()
        scheduler.cancel()
        #expect(scheduler.take() == ["cancel a/1 on w: cancelled", "b cancelled"])
        scheduler.fail("a", code: .cancelled)
        #expect(scheduler.take() == ["a cancelled", "finish r"])
    }
}
