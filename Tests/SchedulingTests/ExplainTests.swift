// Why a node waits, for every possible reason.

import Core
import Scheduling
import Testing

@Suite("Explain")
struct ExplainTests {
    let scheduler = SchedulerHarness()

    private func reasons(_ name: String, dependencies: [Int] = []) -> [WaitReason] {
        scheduler.scheduler.explain(
            scheduler.reference(name),
            dependencies: dependencies,
            at: scheduler.now
        )
    }

    @Test("A waiting node names its first ten open dependencies and their number")
    func dependencies() {
        scheduler.join("w", slots: 20)
        scheduler.open()
        scheduler.add((0..<12).map { node("n\($0)") })
        scheduler.add([TestNode(name: "last", after: (0..<12).map { "n\($0)" })])
        scheduler.place()
        #expect(
            reasons("last", dependencies: Array(0..<12))
                == [.dependencies(Array(0..<10), total: 12)]
        )
        scheduler.finish("n0")
        #expect(
            reasons("last", dependencies: Array(0..<12))
                == [.dependencies(Array(1..<11), total: 11)]
        )
    }

    @Test("A held node waits for the plan to grow")
    func growingPlan() {
        scheduler.open()
        scheduler.add([node("a")])
        scheduler.add([node("b", after: "a")], held: ["b"])
        #expect(
            reasons("b", dependencies: [0]) == [.dependencies([0], total: 1), .growingPlan]
        )
    }

    @Test("Distinguishes a missing tool, missing labels and draining workers")
    func nobodyCan() {
        scheduler.join("w")
        scheduler.submit([node("a", tool: "u"), node("b", requires: ["gpu": "yes"])])
        #expect(reasons("a") == [.toolMissing("u")])
        #expect(reasons("b") == [.labelsMissing(["gpu": "yes"])])
        let u = scheduler.join("wu", tools: ["u": ToolOffer()])
        scheduler.submit("r2", [])
        scheduler.drain("wu")
        scheduler.turn(.attemptRejected(scheduler.attempt("a"), u, .returned(.recalled)))
        #expect(reasons("a") == [.draining([u])])
    }

    @Test("Names busy slots, a tool's own limit, silence and drain")
    func noRoom() {
        let w1 = scheduler.join("w1")
        let w2 = scheduler.join("w2", slots: 2, tools: ["t": ToolOffer(concurrency: 1)])
        let w3 = scheduler.join("w3")
        let w4 = scheduler.join("w4")
        scheduler.suspect("w3")
        scheduler.drain("w4")
        scheduler.submit([node("a"), node("b"), node("c")])
        #expect(
            reasons("c")
                == [.slotsBusy([w1]), .concurrencyReached([w2]), .suspect([w3]), .draining([w4])]
        )
    }

    @Test("Distinguishes nodes on a worker, in a backoff and about to start")
    func onItsWay() {
        let w = scheduler.join("w", slots: 1, tools: ["t": ToolOffer(maxAttempts: 2)])
        scheduler.handle(.runAdded(scheduler.runID("r"), .wait))
        scheduler.add([node("a")])
        #expect(reasons("a") == [.aboutToStart])
        scheduler.place()
        #expect(reasons("a") == [.leased(w)])
        scheduler.start("a")
        #expect(reasons("a") == [.running(w)])
        scheduler.fail("a", retryable: true)
        guard case .backingOff(let delay) = reasons("a").first else {
            Issue.record("no backoff")
            return
        }
        #expect(delay > .zero && delay <= .milliseconds(100))
        scheduler.advance(.seconds(1))
        scheduler.cancel()
        #expect(reasons("a") == [.cancelling(w)])
        scheduler.fail("a", code: .cancelled)
        #expect(reasons("a").isEmpty)
    }

    @Test("Explains nothing for unknown nodes")
    func unknown() {
        #expect(reasons("nobody").isEmpty)
    }
}
