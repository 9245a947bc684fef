// Workers that cannot start a tool: the nodes go elsewhere, no attempt is used up, and the tool
// pauses there. Also the placement of a retry after the tool itself failed.

import Core
import Scheduling
import Testing

@Suite("Refused starts")
struct RefusalTests {
    let scheduler = SchedulerHarness()
    let twice = ["t": ToolOffer(isIdempotent: true)]

    private func refuse(_ name: String) {
        scheduler.fail(name, code: .spawnFailed, retryable: true)
    }

    @Test("A node that cannot be started goes to another worker at once and uses up no attempt")
    func goesElsewhere() {
        scheduler.join("w1")
        scheduler.join("w2")
        scheduler.submit([node("a")])
        refuse("a")
        scheduler.expect("dispatch a/1 to w1", "retry a/1: spawn_failed", "dispatch a/2 to w2")
        #expect(scheduler.scheduler.tries(of: scheduler.reference("a")) == 1)
        scheduler.finish("a")
        scheduler.expect("a succeeded", "finish r")
    }

    @Test("A node fails when all workers with its tool have refused it, and names them")
    func nobodyIsLeft() throws {
        scheduler.join("w1")
        scheduler.join("w2")
        scheduler.join("w3", tools: ["u": ToolOffer()])
        scheduler.submit([node("a")])
        refuse("a")
        scheduler.handle(
            .attemptFailed(
                scheduler.attempt("a"),
                scheduler.worker("w2"),
                Failure(code: .spawnFailed, message: "no such file", isRetryable: true)
            )
        )
        scheduler.expect(
            "dispatch a/1 to w1",
            "retry a/1: spawn_failed",
            "dispatch a/2 to w2",
            "a failed: spawn_failed",
            "finish r"
        )
        #expect(
            scheduler.messages.last
                == "no such file (workers w1, w2 could not start it, and no other worker can run it)"
        )
    }

    @Test("Nodes of a single worker that cannot start the tool fail at once")
    func alone() {
        scheduler.join("w", slots: 2)
        scheduler.submit([node("a"), node("b"), node("c")])
        for name in ["a", "b", "c"] { refuse(name) }
        scheduler.expect(
            "dispatch a/1 to w",
            "dispatch b/1 to w",
            "a failed: spawn_failed",
            "dispatch c/1 to w",
            "b failed: spawn_failed",
            "c failed: spawn_failed",
            "finish r"
        )
        #expect(scheduler.now == .zero)
    }

    @Test("A refused node goes to the other worker when its pause ends")
    func pauseEnds() {
        scheduler.join("sick")
        scheduler.join("well")
        scheduler.submit([node("a")])
        _ = scheduler.take()
        refuse("a")
        scheduler.expect("retry a/1: spawn_failed", "dispatch a/2 to well")
        // The worker says that it has no room, and gets nothing for a moment.
        scheduler.reject("a", .returned(.busy))
        scheduler.expect("returned a/2")
        scheduler.advance(.milliseconds(200))
        scheduler.expect("dispatch a/3 to well")
    }

    @Test("A refused node waits for a busy worker instead of returning to the one that refused")
    func waitsForTheHealthyOne() {
        scheduler.join("sick")
        scheduler.join("well")
        scheduler.submit([node("a"), node("b")])
        _ = scheduler.take()
        refuse("a")
        scheduler.advance(.seconds(60))
        scheduler.expect("retry a/1: spawn_failed")
        scheduler.finish("b")
        scheduler.expect("b succeeded", "dispatch a/2 to well")
    }

    @Test("A worker that refuses every start does not fail nodes that another one can run")
    func twoHundredNodes() {
        scheduler.validates = false
        scheduler.join("sick", slots: 2)
        scheduler.join("well", slots: 2)
        scheduler.submit((0..<200).map { node("n\($0)") })
        var refusals = 0
        for _ in 0..<1_000 {
            let held = (0..<200).map { "n\($0)" }.filter { scheduler.holder($0).number > 0 }
            guard !held.isEmpty else { break }
            for name in held {
                if scheduler.holder(name) == scheduler.worker("sick") {
                    refusals += 1
                    refuse(name)
                } else if refusals % 2 == 0 {
                    scheduler.finish(name)
                }
            }
            scheduler.advance(.milliseconds(50))
            for name in held where scheduler.holder(name) == scheduler.worker("well") {
                scheduler.finish(name)
            }
        }
        let lines = scheduler.take()
        #expect(lines.count { $0.hasSuffix("succeeded") } == 200)
        #expect(lines.last == "finish r")
        // Two at first, and then one after each pause.
        #expect(refusals < 12)
    }

    @Test("After a refusal the tool pauses there, longer each time, until it starts again")
    func pausesDouble() throws {
        scheduler.join("sick", tools: ["t": ToolOffer(), "u": ToolOffer()])
        scheduler.join("well")
        scheduler.submit("r0", [node("x")])
        scheduler.submit("r1", [node("y")])
        #expect(scheduler.take() == ["dispatch r0.x/1 to sick", "dispatch r1.y/1 to well"])
        scheduler.fail("x", "r0", code: .spawnFailed, retryable: true)
        var pauses: [Duration] = []
        for index in 2..<9 {
            let sick = scheduler.scheduler.coolingTools(
                on: scheduler.worker("sick"),
                at: scheduler.now
            )
            pauses.append(try #require(sick.first).pause)
            scheduler.submit("r\(index)", [node("z")])
            scheduler.advance(pauses[pauses.count - 1] - .milliseconds(1))
            #expect(scheduler.holder("z", "r\(index)").number == 0)
            scheduler.advance(.milliseconds(1))
            #expect(scheduler.holder("z", "r\(index)") == scheduler.worker("sick"))
            scheduler.fail("z", "r\(index)", code: .spawnFailed, retryable: true)
        }
        #expect(pauses.first == .milliseconds(250))
        #expect(pauses.dropFirst(2).first == .seconds(1))
        // Another tool of the same worker does not pause.
        scheduler.submit("r20", [node("v", tool: "u")])
        #expect(scheduler.holder("v", "r20") == scheduler.worker("sick"))
        scheduler.finish("v", "r20")
        scheduler.submit("r21", [node("z")])
        scheduler.advance(.seconds(60))
        scheduler.start("z", "r21")
        #expect(
            scheduler.scheduler.coolingTools(on: scheduler.worker("sick"), at: scheduler.now) == []
        )
    }

    @Test("After a pause one attempt is a trial; the others follow when it has begun")
    func oneTrial() {
        scheduler.join("sick", slots: 3)
        scheduler.submit("r0", [node("x")])
        scheduler.join("well")
        scheduler.fail("x", "r0", code: .spawnFailed, retryable: true)
        scheduler.submit([node("a"), node("b"), node("c")])
        _ = scheduler.take()
        scheduler.advance(.milliseconds(250))
        scheduler.expect("dispatch a/1 to sick")
        scheduler.start("a")
        scheduler.expect("dispatch b/1 to sick", "dispatch c/1 to sick")
    }

    private func lackResources(_ name: String) {
        scheduler.turn(
            .attemptLackedResources(
                scheduler.attempt(name),
                scheduler.holder(name),
                reason: "too many open files"
            )
        )
    }

    @Test("A node that meets a shortage goes to another worker at once")
    func shortageElsewhere() {
        scheduler.join("sick")
        scheduler.join("well")
        scheduler.submit([node("a")])
        lackResources("a")
        scheduler.expect("dispatch a/1 to sick", "retry a/1: spawn_failed", "dispatch a/2 to well")
        #expect(scheduler.scheduler.tries(of: scheduler.reference("a")) == 1)
        scheduler.finish("a")
        scheduler.expect("a succeeded", "finish r")
    }

    @Test("A shortage at the only worker makes its nodes wait as long as it lasts")
    func shortageAlone() {
        scheduler.join("sick", slots: 2)
        scheduler.submit([node("a"), node("b")])
        lackResources("a")
        lackResources("b")
        scheduler.expect(
            "dispatch a/1 to sick",
            "dispatch b/1 to sick",
            "retry a/1: spawn_failed",
            "retry b/1: spawn_failed"
        )
        #expect(
            scheduler.scheduler.explain(
                scheduler.reference("a"),
                dependencies: [],
                at: scheduler.now
            ) == [.coolingDown([scheduler.worker("sick")], .milliseconds(250))]
        )
        for _ in 0..<200 {
            scheduler.advance(.seconds(2))
            let held = ["a", "b"].filter { scheduler.holder($0).number > 0 }
            #expect(held.count == 1, "one of them is a trial")
            for name in held { lackResources(name) }
        }
        scheduler.advance(.seconds(2))
        let trial = ["a", "b"].first { scheduler.holder($0).number > 0 } ?? "a"
        _ = scheduler.take()
        scheduler.start(trial)
        #expect(scheduler.take().count == 1, "the other one follows")
        #expect(scheduler.scheduler.tries(of: scheduler.reference(trial)) == 1)
    }

    @Test("Nodes that wait for the end of a shortage go to a worker that joins, at once")
    func shortageAndJoin() {
        scheduler.join("sick", slots: 2)
        scheduler.submit([node("a")])
        lackResources("a")
        _ = scheduler.take()
        scheduler.join("well")
        scheduler.expect("dispatch a/2 to well")
    }

    @Test("A node that another worker refused waits for the one with a shortage")
    func shortageAndRefusal() {
        scheduler.join("broken")
        scheduler.join("short")
        scheduler.submit([node("a")])
        refuse("a")
        scheduler.expect(
            "dispatch a/1 to broken",
            "retry a/1: spawn_failed",
            "dispatch a/2 to short"
        )
        lackResources("a")
        scheduler.advance(.milliseconds(250))
        scheduler.expect("retry a/2: spawn_failed", "dispatch a/3 to short")
    }

    @Test("A pause ends when no other worker can run the tool")
    func lastOneLeft() {
        scheduler.join("sick")
        scheduler.submit("r0", [node("x")])
        scheduler.join("well")
        scheduler.fail("x", "r0", code: .spawnFailed, retryable: true)
        scheduler.submit([node("a")])
        scheduler.expect(
            "dispatch r0.x/1 to sick",
            "retry r0.x/1: spawn_failed",
            "dispatch r0.x/2 to well"
        )
        scheduler.finish("x", "r0")
        scheduler.expect("r0.x succeeded", "finish r0", "dispatch a/1 to well")
        scheduler.submit("r2", [node("b")])
        scheduler.drain("well")
        scheduler.expect("dispatch r2.b/1 to sick")
    }

    @Test("A worker without an announced tool counts as one that refuses")
    func unknownTool() {
        scheduler.join("w1")
        scheduler.join("w2")
        scheduler.submit([node("a")])
        scheduler.reject("a", .unknownTool)
        scheduler.expect("dispatch a/1 to w1", "retry a/1: unknown_tool", "dispatch a/2 to w2")
    }

    @Test("Asks a worker that refused again after it comes back as a new session")
    func newSession() {
        scheduler.join("w1")
        scheduler.join("w2")
        scheduler.submit([node("a"), node("b")])
        refuse("a")
        _ = scheduler.take()
        scheduler.lose("w1")
        scheduler.join("w1")
        scheduler.expect("dispatch a/2 to w1")
    }

    @Test("A refused node fails when its last other worker leaves; without any worker it waits")
    func lastHopeLeaves() {
        scheduler.join("w1")
        scheduler.join("w2")
        scheduler.submit([node("a"), node("b")])
        refuse("a")
        _ = scheduler.take()
        scheduler.drain("w2")
        scheduler.expect("a failed: spawn_failed")
        scheduler.submit("r2", [node("c")])
        scheduler.submit("r3", [node("d", tool: "u")])
        _ = scheduler.take()
        #expect(scheduler.state("c", "r2")?.kind == .leased)
    }

    @Test("A failure to start that would happen on every worker is final")
    func notRetryable() {
        scheduler.join("w1")
        scheduler.join("w2")
        scheduler.submit([node("a")])
        scheduler.fail("a", code: .spawnFailed, retryable: false)
        scheduler.expect("dispatch a/1 to w1", "a failed: spawn_failed", "finish r")
    }

    @Test("After a retryable failure the node waits for a worker on which it has not failed")
    func retriesGoElsewhere() {
        let tools = ["t": ToolOffer(maxAttempts: 3)]
        scheduler.join("sick", slots: 8, tools: tools)
        scheduler.join("well", tools: tools)
        scheduler.submit([node("a"), node("b")])
        _ = scheduler.take()
        scheduler.fail("a", retryable: true)
        scheduler.advance(.seconds(30))
        scheduler.expect("retry a/1: tool_error")
        #expect(
            scheduler.scheduler.explain(
                scheduler.reference("a"),
                dependencies: [],
                at: scheduler.now
            ) == [.slotsBusy([scheduler.worker("well")]), .failedThere([scheduler.worker("sick")])]
        )
        scheduler.finish("b")
        scheduler.expect("b succeeded", "dispatch a/2 to well")
        // It has failed on both: either may try again.
        scheduler.fail("a", retryable: true)
        scheduler.advance(.seconds(30))
        scheduler.expect("retry a/2: tool_error", "dispatch a/3 to sick")
    }

    @Test("Explaining names the workers that refused and those that pause")
    func explained() {
        scheduler.join("sick")
        scheduler.join("well")
        scheduler.submit([node("a"), node("b"), node("c")])
        refuse("a")
        let (sick, well) = (scheduler.worker("sick"), scheduler.worker("well"))
        func reasons(_ name: String) -> [WaitReason] {
            scheduler.scheduler.explain(
                scheduler.reference(name),
                dependencies: [],
                at: scheduler.now
            )
        }
        #expect(reasons("a") == [.slotsBusy([well]), .refused([sick], "it broke")])
        #expect(
            reasons("c") == [.slotsBusy([well]), .coolingDown([sick], .milliseconds(250))]
        )
    }

    @Test("After a drain's deadline the nodes go elsewhere without using up attempts")
    func drainDeadline() {
        scheduler.join("w1", tools: twice)
        scheduler.join("w2", slots: 2, tools: ["u": ToolOffer()])
        scheduler.submit([node("a"), node("b", tool: "u")])
        scheduler.start("a")
        scheduler.start("b")
        scheduler.drain("w1")
        scheduler.drain("w2")
        scheduler.join("w3", tools: twice)
        _ = scheduler.take()
        scheduler.fail("a", code: .cancelled)
        scheduler.expect("retry a/1: worker_lost", "dispatch a/2 to w3")
        scheduler.fail("b", code: .cancelled)
        scheduler.expect("b failed: outcome_unknown")
    }
}
