// The next step after a failed, refused, forgotten or overdue attempt.

import Core
import Scheduling
import Testing

@Suite("Retries")
struct RetryTests {
    let scheduler = SchedulerHarness()

    @Test("A failure that is not retryable is final, for any limit of attempts")
    func notRetryable() {
        scheduler.join("w", tools: ["t": ToolOffer(isIdempotent: true, maxAttempts: 5)])
        scheduler.submit([node("a", maxAttempts: 9)])
        scheduler.fail("a")
        scheduler.expect("dispatch a/1 to w", "a failed: tool_error", "finish r")
    }

    @Test("Retries a retryable failure up to the tool's limit, after a growing delay")
    func toolLimit() throws {
        scheduler.join("w", tools: ["t": ToolOffer(maxAttempts: 3)])
        scheduler.submit([node("a")])
        scheduler.fail("a", retryable: true)
        scheduler.expect("dispatch a/1 to w", "retry a/1: tool_error")
        let first = try #require(scheduler.scheduler.nextDeadline())
        #expect((.milliseconds(50)...(.milliseconds(100))).contains(first - scheduler.now))
        scheduler.advance(.milliseconds(100))
        scheduler.expect("dispatch a/2 to w")
        scheduler.fail("a", retryable: true)
        scheduler.expect("retry a/2: tool_error")
        let second = try #require(scheduler.scheduler.nextDeadline())
        #expect((.milliseconds(100)...(.milliseconds(200))).contains(second - scheduler.now))
        scheduler.advance(.milliseconds(200))
        scheduler.fail("a", retryable: true)
        scheduler.expect("dispatch a/3 to w", "a failed: tool_error", "finish r")
    }

    @Test("The plan's limit of attempts replaces the tool's, also when it is lower")
    func planLimit() {
        scheduler.join("w", tools: ["t": ToolOffer(maxAttempts: 3), "u": ToolOffer()])
        scheduler.submit([node("a", maxAttempts: 1), node("b", tool: "u", maxAttempts: 2)])
        scheduler.fail("a", retryable: true)
        scheduler.expect("dispatch a/1 to w", "a failed: tool_error", "dispatch b/1 to w")
        scheduler.fail("b", retryable: true)
        scheduler.advance(.seconds(1))
        scheduler.finish("b")
        scheduler.expect(
            "retry b/1: tool_error",
            "dispatch b/2 to w",
            "b succeeded",
            "finish r"
        )
    }

    @Test("No delay is longer than the longest backoff")
    func longestBackoff() throws {
        scheduler.join("w", tools: ["t": ToolOffer(maxAttempts: 60)])
        scheduler.submit([node("a")])
        for _ in 1..<60 {
            scheduler.fail("a", retryable: true)
            let next = try #require(scheduler.scheduler.nextDeadline())
            #expect(next - scheduler.now <= .seconds(30))
            scheduler.advance(.seconds(30))
        }
        scheduler.fail("a", retryable: true)
        #expect(scheduler.take().suffix(2) == ["a failed: tool_error", "finish r"])
    }

    @Test("Tries another worker first after a failure, or the same one if there is no other")
    func otherWorkerFirst() {
        let tools = ["t": ToolOffer(maxAttempts: 3)]
        scheduler.join("w1", tools: tools)
        scheduler.submit([node("a")])
        scheduler.fail("a", retryable: true)
        scheduler.advance(.seconds(1))
        scheduler.expect("dispatch a/1 to w1", "retry a/1: tool_error", "dispatch a/2 to w1")
        scheduler.join("w2", tools: tools)
        scheduler.fail("a", retryable: true)
        scheduler.advance(.seconds(1))
        scheduler.expect("retry a/2: tool_error", "dispatch a/3 to w2")
    }

    @Test("Retries a timeout only for idempotent tools with attempts left")
    func timeoutRetry() {
        scheduler.join(
            "w",
            slots: 2,
            tools: [
                "t": ToolOffer(maxAttempts: 3), "i": ToolOffer(isIdempotent: true, maxAttempts: 2),
            ]
        )
        scheduler.submit([node("a"), node("b", tool: "i")])
        _ = scheduler.take()
        scheduler.fail("a", code: .timeout, retryable: true)
        scheduler.expect("a failed: timeout")
        scheduler.fail("b", code: .timeout, retryable: true)
        scheduler.expect("retry b/1: timeout")
    }

    @Test("Recalls an attempt that its worker does not end in time, then gives it up")
    func overdue() {
        let offer = ToolOffer(isIdempotent: true, maxAttempts: 2, timeout: .seconds(1))
        scheduler.join("w", slots: 2, tools: ["t": offer])
        scheduler.submit([node("a"), node("b", timeout: .seconds(100))])
        scheduler.start("a")
        scheduler.start("b")
        _ = scheduler.take()
        scheduler.advance(.milliseconds(5_900))
        scheduler.expect()
        scheduler.advance(.milliseconds(200))
        scheduler.expect("cancel a/1 on w: timeout")
        scheduler.advance(.seconds(8))
        scheduler.expect("retry a/1: timeout", "dispatch a/2 to w")
        scheduler.turn(
            .attemptSucceeded(
                scheduler.attempt("a", number: 1),
                scheduler.worker("w"),
                microseconds: nil
            )
        )
        scheduler.expect()
        scheduler.advance(.seconds(80))
        scheduler.expect()
    }

    @Test("A worker that ends an overdue attempt when asked makes it a timeout")
    func overdueAnswered() {
        let offer = ToolOffer(timeout: .seconds(1))
        scheduler.join("w", tools: ["t": offer])
        scheduler.submit([node("a")])
        scheduler.start("a")
        scheduler.advance(.seconds(6))
        scheduler.fail("a", code: .cancelled)
        scheduler.expect(
            "dispatch a/1 to w",
            "cancel a/1 on w: timeout",
            "a failed: timeout",
            "finish r"
        )
    }

    @Test("Accepts a success that comes while an overdue attempt is recalled")
    func overdueSucceeds() {
        scheduler.join("w", tools: ["t": ToolOffer(timeout: .seconds(1))])
        scheduler.submit([node("a")])
        scheduler.start("a")
        scheduler.advance(.seconds(6))
        scheduler.finish("a")
        scheduler.expect(
            "dispatch a/1 to w",
            "cancel a/1 on w: timeout",
            "a succeeded",
            "finish r"
        )
    }

    @Test("A refusal is not a failure of the node: it is placed again, elsewhere first")
    func rejections() {
        scheduler.join("w1")
        scheduler.join("w2")
        scheduler.submit([node("a")])
        scheduler.reject("a", .draining)
        scheduler.advance(.seconds(1))
        scheduler.expect("dispatch a/1 to w1", "retry a/1: worker_lost", "dispatch a/2 to w2")
        scheduler.fail("a", retryable: true)
        scheduler.expect("a failed: tool_error", "finish r")
    }

    @Test("A node that is refused again and again fails in the end")
    func endlessRejections() {
        scheduler.join("w")
        scheduler.submit([node("a")])
        for rejection in [Rejection.draining, .draining] {
            for _ in 0..<9 {
                scheduler.reject("a", rejection)
                scheduler.advance(.seconds(30))
            }
        }
        scheduler.reject("a", .draining)
        scheduler.advance(.seconds(30))
        _ = scheduler.take()
        scheduler.reject("a", .draining)
        scheduler.expect("a failed: worker_lost", "finish r")
    }

    @Test("Counts refusals from zero again after an attempt has begun")
    func rejectionsSinceStart() {
        scheduler.join("w", tools: ["t": ToolOffer(maxAttempts: 2)])
        scheduler.submit([node("a")])
        for _ in 0..<19 {
            scheduler.reject("a", .draining)
            scheduler.advance(.seconds(30))
        }
        scheduler.start("a")
        scheduler.fail("a", retryable: true)
        scheduler.advance(.seconds(30))
        scheduler.reject("a", .draining)
        scheduler.advance(.seconds(30))
        _ = scheduler.take()
        scheduler.finish("a")
        scheduler.expect("a succeeded", "finish r")
    }

    @Test("An attempt that was not delivered goes on at once and costs nothing")
    func undelivered() {
        scheduler.join("w", tools: ["t": ToolOffer()])
        scheduler.submit([node("a")])
        scheduler.expect("dispatch a/1 to w")
        for number in 1...30 {
            scheduler.reject("a", .returned(.undelivered))
            scheduler.expect("returned a/\(number)", "dispatch a/\(number + 1) to w")
        }
        scheduler.finish("a")
        scheduler.expect("a succeeded", "finish r")
        #expect(scheduler.now == .zero)
    }

    @Test("A started attempt was delivered: if its worker lacks it, it is lost")
    func undeliveredAfterStart() {
        scheduler.join(
            "w",
            slots: 2,
            tools: ["t": ToolOffer(), "i": ToolOffer(isIdempotent: true)]
        )
        scheduler.submit([node("a"), node("b", tool: "i")])
        scheduler.start("a")
        scheduler.start("b")
        _ = scheduler.take()
        scheduler.reject("a", .returned(.undelivered))
        scheduler.expect("a failed: outcome_unknown")
        scheduler.reject("b", .returned(.undelivered))
        scheduler.expect("retry b/1: worker_lost", "dispatch b/2 to w")
    }

    @Test("An attempt that its worker does not know is lost with it")
    func forgotten() {
        scheduler.join(
            "w1",
            slots: 2,
            tools: ["t": ToolOffer(isIdempotent: true), "u": ToolOffer()]
        )
        scheduler.submit([node("a"), node("b", tool: "u")])
        _ = scheduler.take()
        scheduler.forget("a")
        scheduler.expect("retry a/1: worker_lost", "dispatch a/2 to w1")
        scheduler.forget("b")
        scheduler.expect("b failed: outcome_unknown")
    }

    @Test("The same seed gives the same delays")
    func repeatable() {
        func delays(seed: UInt64) -> [Instant?] {
            let harness = SchedulerHarness(seed: seed)
            harness.join("w", tools: ["t": ToolOffer(maxAttempts: 9)])
            harness.submit([node("a")])
            return (0..<8).map { _ in
                harness.fail("a", retryable: true)
                defer { harness.advance(.seconds(30)) }
                return harness.scheduler.nextDeadline()
            }
        }
        #expect(delays(seed: 7) == delays(seed: 7))
        #expect(delays(seed: 7) != delays(seed: 8))
    }
}
