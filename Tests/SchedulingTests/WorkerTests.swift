// Workers that join, fall silent, drain and are lost.

import Core
import Scheduling
import Testing

@Suite("Workers")
struct WorkerTests {
    let scheduler = SchedulerHarness()
    let twice = ["t": ToolOffer(isIdempotent: true)]

    @Test("A suspected worker keeps its attempts and gets nothing new until it recovers")
    func suspected() {
        scheduler.join("w", slots: 2)
        scheduler.submit([node("a")])
        scheduler.suspect("w")
        scheduler.submit("r2", [node("b")])
        scheduler.expect("dispatch a/1 to w")
        scheduler.finish("a")
        scheduler.expect("a succeeded", "finish r")
        scheduler.recover("w")
        scheduler.expect("dispatch r2.b/1 to w")
    }

    @Test("Places nodes that became ready during a suspicion when the worker recovers")
    func suspectedBeforeLook() {
        scheduler.join("w", slots: 4)
        scheduler.suspect("w")
        scheduler.submit([node("a"), node("b", after: "a")])
        scheduler.recover("w")
        scheduler.expect("dispatch a/1 to w")
        scheduler.suspect("w")
        scheduler.finish("a")
        scheduler.suspect("w")
        scheduler.recover("w")
        scheduler.expect("a succeeded", "dispatch b/1 to w")
    }

    @Test("A draining worker finishes its attempts and gets nothing new, suspected or not")
    func draining() {
        scheduler.join("w1", slots: 2)
        scheduler.submit([node("a"), node("b"), node("c")])
        scheduler.expect("dispatch a/1 to w1", "dispatch b/1 to w1")
        scheduler.drain("w1")
        scheduler.finish("a")
        scheduler.suspect("w1")
        scheduler.recover("w1")
        scheduler.expect("unplaceable c", "a succeeded")
        scheduler.join("w2")
        scheduler.expect("dispatch c/1 to w2")
        scheduler.finish("b")
        scheduler.expect("b succeeded")
    }

    @Test("An idempotent attempt of a lost worker goes to another one at once")
    func lostIdempotent() {
        scheduler.join("w1", tools: twice)
        scheduler.submit([node("a")])
        scheduler.start("a")
        scheduler.join("w2", tools: twice)
        scheduler.lose("w1")
        scheduler.expect("dispatch a/1 to w1", "retry a/1: worker_lost", "dispatch a/2 to w2")
    }

    @Test("A lost attempt of a tool that is not idempotent fails as unknown, started or not")
    func lostOnce() {
        scheduler.join("w1", slots: 2)
        scheduler.join("w2", slots: 0 + 1)
        scheduler.submit([node("a"), node("b"), node("c"), node("d", after: "a")])
        scheduler.start("a")
        _ = scheduler.take()
        scheduler.lose("w1")
        let lines = scheduler.take()
        #expect(
            Set(lines) == [
                "a failed: outcome_unknown", "d skipped by a", "c failed: outcome_unknown",
            ]
        )
    }

    @Test("A node that three workers were lost with fails as worker_lost")
    func poison() {
        scheduler.submit([node("a")])
        for index in 1...3 {
            scheduler.join("w\(index)", tools: twice)
            scheduler.lose("w\(index)")
        }
        scheduler.expect(
            "unplaceable a",
            "dispatch a/1 to w1",
            "retry a/1: worker_lost",
            "unplaceable a",
            "dispatch a/2 to w2",
            "retry a/2: worker_lost",
            "unplaceable a",
            "dispatch a/3 to w3",
            "a failed: worker_lost",
            "finish r"
        )
    }

    @Test("Counts failures reported by the tool and lost workers separately")
    func countedApart() {
        let tools = ["t": ToolOffer(isIdempotent: true, maxAttempts: 2)]
        scheduler.join("w1", tools: tools)
        scheduler.submit([node("a")])
        scheduler.lose("w1")
        scheduler.join("w2", tools: tools)
        scheduler.lose("w2")
        scheduler.join("w3", tools: tools)
        scheduler.fail("a", retryable: true)
        scheduler.advance(.seconds(1))
        _ = scheduler.take()
        scheduler.finish("a")
        scheduler.expect("a succeeded", "finish r")
    }

    @Test("Outcomes of a lost worker change nothing, also when its slot has a new owner")
    func lostWorkerIsFenced() {
        let lost = scheduler.join("w1", tools: twice)
        scheduler.submit([node("a")])
        let old = scheduler.attempt("a")
        scheduler.lose("w1")
        scheduler.join("w2", tools: twice)
        _ = scheduler.take()
        scheduler.turn(.attemptSucceeded(old, lost, microseconds: 1))
        scheduler.turn(.attemptSucceeded(old, scheduler.worker("w2"), microseconds: 1))
        scheduler.turn(.attemptSucceeded(scheduler.attempt("a"), lost, microseconds: 1))
        scheduler.expect()
        #expect(scheduler.scheduler.isCurrent(scheduler.attempt("a"), on: scheduler.worker("w2")))
        #expect(!scheduler.scheduler.isCurrent(old, on: scheduler.worker("w2")))
    }

    @Test("Losing an idle, unknown or already lost worker does no harm")
    func losingNothing() {
        scheduler.join("w1")
        scheduler.lose("w1")
        scheduler.lose("w1")
        scheduler.turn(.workerLost(WorkerID(77)))
        scheduler.suspect("w1")
        scheduler.recover("w1")
        scheduler.drain("w1")
        scheduler.expect()
        scheduler.join("w2")
        scheduler.submit([node("a")])
        scheduler.expect("dispatch a/1 to w2")
    }

    @Test("Does not remove a drained worker twice when it is lost")
    func drainedThenLost() {
        scheduler.join("w1")
        scheduler.join("w2")
        scheduler.submit([node("a"), node("b")])
        scheduler.drain("w1")
        scheduler.lose("w1")
        _ = scheduler.take()
        scheduler.submit("r2", [node("c")])
        scheduler.expect()
        scheduler.finish("b")
        scheduler.expect("b succeeded", "finish r", "dispatch r2.c/1 to w2")
    }
}

@Suite("Stale attempts")
struct StaleTests {
    @Test("Events about an attempt that is not current change nothing")
    func staleEvents() {
        let scheduler = SchedulerHarness()
        scheduler.join("w1", slots: 2, tools: ["t": ToolOffer(isIdempotent: true, maxAttempts: 9)])
        scheduler.join("w2", slots: 2, tools: ["t": ToolOffer(isIdempotent: true, maxAttempts: 9)])
        scheduler.submit([node("a"), node("b", after: "a")])
        scheduler.fail("a", retryable: true)
        scheduler.advance(.seconds(1))
        scheduler.expect("dispatch a/1 to w1", "retry a/1: tool_error", "dispatch a/2 to w2")
        let failure = Failure(code: .toolError, message: "late", isRetryable: true)
        let current = scheduler.attempt("a")
        let old = scheduler.attempt("a", number: 1)
        let future = scheduler.attempt("a", number: 3)
        let unknownNode = AttemptID(run: current.run, node: 99, number: 1)
        let w1 = scheduler.worker("w1")
        let w2 = scheduler.worker("w2")
        for (attempt, worker) in [
            (old, w1), (old, w2), (current, w1), (future, w2), (unknownNode, w1),
            (current, WorkerID(50)),
        ] {
            scheduler.turn(.attemptStarted(attempt, worker))
            scheduler.turn(.attemptSucceeded(attempt, worker, microseconds: 5))
            scheduler.turn(.attemptFailed(attempt, worker, failure))
            scheduler.turn(.attemptRejected(attempt, worker, .returned(.busy)))
            scheduler.turn(.attemptForgotten(attempt, worker))
        }
        scheduler.expect()
        #expect(scheduler.state("a") == .leased(w2))
        scheduler.finish("a")
        scheduler.finish("b")
        #expect(scheduler.take().last == "finish r")
    }
}
