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

    @Test("Runs of one owner share its bound and take turns; other runs notice nothing")
    func owners() {
        scheduler.join("w", slots: 8, tools: ["t": ToolOffer(), "u": ToolOffer()])
        let owner = RunOwner(name: "alice", maxRunning: 2)
        scheduler.submit("r", [node("a"), node("b"), node("c"), node("d")], owner: owner)
        #expect(scheduler.take() == ["dispatch a/1 to w", "dispatch b/1 to w"])
        scheduler.submit("s", [node("a", tool: "u"), node("b")], owner: owner)
        scheduler.expect()
        scheduler.submit("x", [node("a")], owner: RunOwner(name: "bob", maxRunning: 1))
        #expect(scheduler.take() == ["dispatch x.a/1 to w"])
        scheduler.submit("y", [node("a")])
        #expect(scheduler.take() == ["dispatch y.a/1 to w"])
        let reasons = scheduler.scheduler.explain(
            scheduler.reference("a", "s"),
            dependencies: [],
            at: scheduler.now
        )
        #expect(reasons == [.ownerBoundReached("alice", 2)])
        scheduler.finish("a")
        #expect(scheduler.take() == ["a succeeded", "dispatch c/1 to w"])
        // The other run's turn has come.
        scheduler.finish("b")
        #expect(scheduler.take() == ["b succeeded", "dispatch s.a/1 to w"])
    }

    @Test("A run's own limit holds within that of its owner, and a wider one of the owner at once")
    func ownerAndRun() {
        scheduler.join("w", slots: 8)
        let nodes = [node("a"), node("b"), node("c")]
        scheduler.submit(
            "r",
            nodes,
            maxRunning: 1,
            owner: RunOwner(name: "alice", maxRunning: 2)
        )
        scheduler.expect("dispatch a/1 to w")
        scheduler.submit("s", nodes, owner: RunOwner(name: "alice", maxRunning: 2))
        #expect(scheduler.take() == ["dispatch s.a/1 to w"])
        scheduler.finish("a")
        let next = scheduler.take()
        #expect(next.count == 2 && next[0] == "a succeeded")
        scheduler.submit("q", nodes, owner: RunOwner(name: "alice", maxRunning: 9))
        // r may have one, s and q all of theirs.
        let dispatched = scheduler.take().filter { $0.hasPrefix("dispatch") }
        #expect(dispatched.count + 2 == 1 + 3 + 3)
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
