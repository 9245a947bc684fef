// Attempts beyond the slots: only for idempotent tools known to be short, and recalled when they
// wait while another worker could start them.

import Core
import Scheduling
import Testing

@Suite("Prefetch")
struct PrefetchTests {
    let scheduler = SchedulerHarness()
    let quick = ["t": ToolOffer(isIdempotent: true)]

    /// Runs one node so that the tool's duration is known.
    private func teach(microseconds: Int) {
        scheduler.submit("teach", [node("lesson")])
        scheduler.finish("lesson", "teach", microseconds: microseconds)
        _ = scheduler.take()
    }

    @Test("Prefetches nothing before a duration is known")
    func unknownDuration() {
        scheduler.join("w", tools: quick)
        scheduler.submit([node("a"), node("b")])
        scheduler.expect("dispatch a/1 to w")
    }

    @Test("Prefetches a short idempotent tool by its mean duration, within the limit")
    func prefetches() {
        scheduler.join("w", slots: 2, tools: quick)
        teach(microseconds: 500)
        scheduler.submit((0..<20).map { node("n\($0)") })
        // 2 ms of 0.5 ms each are four more for each slot.
        #expect(scheduler.take().count == 2 + 2 * 4)
        scheduler.finish("n0", microseconds: 500)
        scheduler.expect("n0 succeeded", "dispatch n10/1 to w")
    }

    @Test("Never prefetches more than the limit")
    func prefetchLimit() {
        scheduler.join("w", slots: 1, tools: quick)
        teach(microseconds: 0)
        scheduler.submit((0..<200).map { node("n\($0)") })
        #expect(scheduler.take().count == 65)
    }

    @Test("A worker gets no more than it says it queues, and never more than the limit")
    func queueLimit() {
        for (slots, queue, expected) in [
            (4, 10, 14), (4, 0, 4), (4, nil, 68), (1_024, 100_000, 1_024 + 256), (4, 1_024, 260),
            (1, 1_024, 65),
        ] as [(Int, Int?, Int)] {
            let scheduler = SchedulerHarness()
            scheduler.join("w", slots: slots, tools: quick, queueLimit: queue)
            scheduler.submit("teach", [node("lesson")])
            scheduler.finish("lesson", "teach", microseconds: 1)
            _ = scheduler.take()
            scheduler.validates = false
            scheduler.submit((0..<1_500).map { node("n\($0)") })
            #expect(scheduler.take().count == expected, "\(slots) slots, queue \(queue ?? -1)")
        }
    }

    @Test("Recalls only as many attempts as others can start, the latest first")
    func recallsFew() {
        scheduler.join("w1", slots: 2, tools: quick)
        teach(microseconds: 100)
        scheduler.submit((0..<20).map { node("n\($0)") })
        scheduler.start("n0")
        scheduler.start("n1")
        // Ends and new dispatches have changed the order in which the worker holds them.
        scheduler.finish("n0")
        scheduler.start("n2")
        _ = scheduler.take()
        scheduler.advance(.milliseconds(25))
        scheduler.join("w2", slots: 1, tools: quick)
        scheduler.join("w3", slots: 2, tools: quick)
        scheduler.advance(.milliseconds(20))
        scheduler.expect(
            "cancel n19/1 on w1: recalled",
            "cancel n18/1 on w1: recalled",
            "cancel n17/1 on w1: recalled"
        )
        // The coming attempts will fill the slots.
        scheduler.advance(.milliseconds(100))
        scheduler.expect()
        scheduler.reject("n19", .returned(.recalled))
        scheduler.expect("returned n19/1", "dispatch n19/2 to w2")
        scheduler.advance(.milliseconds(100))
        scheduler.expect()
    }

    @Test("Several stalled workers share the free slots of the others")
    func recallsAreShared() {
        scheduler.join("w1", slots: 1, tools: quick)
        scheduler.join("w2", slots: 1, tools: quick)
        teach(microseconds: 100)
        scheduler.submit((0..<20).map { node("n\($0)") })
        scheduler.start("n0")
        scheduler.start("n1")
        _ = scheduler.take()
        scheduler.advance(.milliseconds(25))
        scheduler.join("w3", slots: 3, tools: quick)
        scheduler.advance(.milliseconds(20))
        #expect(scheduler.take().count == 3)
    }

    @Test("A node that a full worker refuses goes elsewhere at once, and does not fail")
    func busyWorkerRests() {
        scheduler.join("w1", slots: 2, tools: quick)
        scheduler.submit([node("a"), node("b"), node("c")])
        scheduler.expect("dispatch a/1 to w1", "dispatch b/1 to w1")
        scheduler.reject("b", .returned(.busy))
        // Its slots are not what it said: it gets nothing until an attempt ends there.
        scheduler.expect("returned b/1")
        #expect(
            scheduler.scheduler.explain(scheduler.reference("b"), dependencies: [], at: .zero)
                == [.slotsBusy([scheduler.worker("w1")])]
        )
        scheduler.finish("a")
        #expect(scheduler.take().first == "a succeeded")
        for _ in 0..<50 {
            guard let busy = ["b", "c"].first(where: { scheduler.holder($0).number > 0 }) else {
                scheduler.advance(.seconds(31))
                continue
            }
            scheduler.reject(busy, .returned(.busy))
        }
        _ = scheduler.take()
        scheduler.join("w2", slots: 2, tools: quick)
        #expect(
            scheduler.take() == [
                "dispatch b/\(scheduler.attempt("b").number) to w2",
                "dispatch c/\(scheduler.attempt("c").number) to w2",
            ]
        )
    }

    @Test("Tries a full worker without attempts again after a pause that doubles")
    func busyPauses() {
        scheduler.join("w", tools: quick)
        scheduler.submit([node("a")])
        scheduler.expect("dispatch a/1 to w")
        for (number, pause) in [100, 200, 400, 800].enumerated() {
            scheduler.reject("a", .returned(.busy))
            scheduler.expect("returned a/\(number + 1)")
            scheduler.advance(.milliseconds(pause - 1))
            scheduler.expect()
            scheduler.advance(.milliseconds(1))
            scheduler.expect("dispatch a/\(number + 2) to w")
        }
        scheduler.finish("a")
        scheduler.expect("a succeeded", "finish r")
        #expect(scheduler.scheduler.nextDeadline() == nil)
    }

    @Test("Never prefetches a tool that is not idempotent or not short")
    func neverPrefetched() {
        scheduler.join("w", tools: ["t": ToolOffer(), "slow": ToolOffer(isIdempotent: true)])
        teach(microseconds: 10)
        scheduler.submit([node("a"), node("b")])
        scheduler.expect("dispatch a/1 to w")
        scheduler.finish("a", microseconds: 10)
        scheduler.finish("b", microseconds: 10)
        _ = scheduler.take()
        scheduler.submit("slow", [node("x", tool: "slow")])
        scheduler.finish("x", "slow", microseconds: 3_000_000)
        _ = scheduler.take()
        scheduler.submit("r2", [node("y", tool: "slow"), node("z", tool: "slow")])
        scheduler.expect("dispatch r2.y/1 to w")
    }

    @Test("Free slots of other workers come before prefetching")
    func freeSlotsFirst() {
        scheduler.join("w1", tools: quick)
        teach(microseconds: 100)
        scheduler.join("w2", tools: quick)
        scheduler.submit([node("a"), node("b"), node("c")])
        let lines = scheduler.take()
        #expect(Set(lines.prefix(2)) == ["dispatch a/1 to w1", "dispatch b/1 to w2"])
        #expect(lines.count == 3)
    }

    @Test("A tool's own limit also limits prefetching")
    func prefetchWithinConcurrency() {
        scheduler.join(
            "w",
            slots: 2,
            tools: ["t": ToolOffer(isIdempotent: true, concurrency: 1)]
        )
        teach(microseconds: 100)
        scheduler.submit([node("a"), node("b")])
        scheduler.expect("dispatch a/1 to w")
    }

    @Test("Recalls a stalled prefetch when another worker has a free slot")
    func recall() {
        scheduler.join("w1", tools: quick)
        teach(microseconds: 1_000)
        scheduler.submit([node("a"), node("b")])
        scheduler.expect("dispatch a/1 to w1", "dispatch b/1 to w1")
        scheduler.start("a")
        scheduler.advance(.milliseconds(100))
        scheduler.expect()
        scheduler.join("w2", tools: quick)
        scheduler.advance(.milliseconds(100))
        scheduler.expect("cancel b/1 on w1: recalled")
        scheduler.reject("b", .returned(.recalled))
        scheduler.expect("returned b/1", "dispatch b/2 to w2")
        scheduler.finish("b")
        scheduler.finish("a")
        scheduler.expect("b succeeded", "a succeeded", "finish r")
    }

    @Test("A worker that still finishes attempts keeps what it prefetched")
    func noRecallWhileBusy() {
        scheduler.join("w1", tools: quick)
        teach(microseconds: 100)
        scheduler.submit((0..<10).map { node("n\($0)") })
        scheduler.join("w2", tools: quick)
        _ = scheduler.take()
        for index in 0..<5 {
            scheduler.advance(.milliseconds(15))
            scheduler.finish("n\(index)", microseconds: 100)
        }
        #expect(scheduler.take().allSatisfy { !$0.hasPrefix("cancel") })
    }

    @Test("Recalls only idempotent attempts, which may have begun meanwhile")
    func recallSparesOthers() {
        let tools = ["t": ToolOffer(isIdempotent: true), "once": ToolOffer()]
        scheduler.join("w1", slots: 2, tools: tools)
        teach(microseconds: 1_000)
        scheduler.submit([node("x", tool: "once"), node("a"), node("b")])
        scheduler.expect(
            "dispatch x/1 to w1",
            "dispatch a/1 to w1",
            "dispatch b/1 to w1"
        )
        scheduler.start("a")
        scheduler.join("w2", slots: 4, tools: tools)
        scheduler.advance(.milliseconds(50))
        scheduler.expect("cancel b/1 on w1: recalled")
    }

    @Test("A recalled attempt that had already begun continues and counts")
    func recallLosesRace() {
        scheduler.join("w1", tools: quick)
        teach(microseconds: 1_000)
        scheduler.submit([node("a"), node("b")])
        scheduler.start("a")
        scheduler.join("w2", tools: quick)
        scheduler.advance(.milliseconds(50))
        _ = scheduler.take()
        scheduler.finish("a")
        scheduler.start("b")
        scheduler.advance(.seconds(60))
        scheduler.expect("a succeeded")
        #expect(scheduler.holder("b") == scheduler.worker("w1"))
        scheduler.finish("b")
        scheduler.expect("b succeeded", "finish r")
    }

    @Test("A recalled attempt of a cancelled run ends by the cancel")
    func recallThenCancel() {
        scheduler.join("w1", tools: quick)
        teach(microseconds: 1_000)
        scheduler.submit([node("a"), node("b")])
        scheduler.start("a")
        scheduler.join("w2", tools: quick)
        scheduler.advance(.milliseconds(50))
        _ = scheduler.take()
        scheduler.cancel()
        scheduler.expect("cancel a/1 on w1: cancelled", "cancel b/1 on w1: cancelled")
        scheduler.advance(.milliseconds(6_900))
        scheduler.expect()
        scheduler.reject("b", .returned(.recalled))
        scheduler.fail("a", code: .cancelled)
        scheduler.expect("b cancelled", "a cancelled", "finish r")
    }

    @Test("Reviews nothing once no worker holds more than its slots")
    func reviewEnds() {
        scheduler.join("w", tools: quick)
        teach(microseconds: 1_000)
        scheduler.submit([node("a"), node("b")])
        #expect(scheduler.scheduler.nextDeadline() != nil)
        scheduler.finish("a", microseconds: 1_000)
        scheduler.advance(.milliseconds(100))
        #expect(scheduler.scheduler.nextDeadline() == nil)
    }
}
