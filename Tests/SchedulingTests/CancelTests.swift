// Cancelling a run with nodes in every state.

import Core
import Scheduling
import Testing

@Suite("Cancelling")
struct CancelTests {
    let scheduler = SchedulerHarness()

    /// A run with a node in each state that is not final; returns their names by state.
    private func prepare() {
        scheduler.join(
            "w",
            slots: 3,
            tools: ["t": ToolOffer(isIdempotent: true, maxAttempts: 2), "done": ToolOffer()]
        )
        scheduler.submit([
            node("succeeded", tool: "done"), node("failed", tool: "done"),
            node("skipped", after: "failed"), node("backingOff"), node("leased"),
            node("running"), node("waiting", after: "running"), node("ready", tool: "nobody"),
        ])
        scheduler.finish("succeeded")
        scheduler.fail("failed")
        scheduler.fail("backingOff", retryable: true)
        scheduler.start("running")
        _ = scheduler.take()
        #expect(scheduler.state("backingOff")?.kind == .backingOff)
        #expect(scheduler.state("leased")?.kind == .leased)
        #expect(scheduler.state("running")?.kind == .running)
        #expect(scheduler.state("waiting")?.kind == .waiting)
        #expect(scheduler.state("ready")?.kind == .ready)
    }

    @Test("Cancelling ends nodes without a worker at once and recalls the others")
    func everyState() {
        prepare()
        scheduler.cancel()
        scheduler.expect(
            "cancel leased/1 on w: cancelled",
            "cancel running/1 on w: cancelled",
            "backingOff cancelled",
            "waiting cancelled",
            "ready cancelled"
        )
        scheduler.cancel()
        scheduler.expect()
        scheduler.reject("leased", .returned(.recalled))
        scheduler.expect("leased cancelled")
        scheduler.fail("running", code: .cancelled)
        scheduler.expect("running cancelled", "finish r")
        scheduler.cancel()
        scheduler.expect()
    }

    @Test("Keeps a success that came before the cancel")
    func lateSuccess() {
        prepare()
        scheduler.cancel()
        _ = scheduler.take()
        scheduler.finish("running")
        scheduler.expect("running succeeded")
        scheduler.finish("leased")
        scheduler.expect("leased succeeded", "finish r")
    }

    @Test("A start that crosses the cancel changes nothing")
    func lateStart() {
        prepare()
        scheduler.cancel()
        _ = scheduler.take()
        scheduler.start("leased")
        scheduler.expect()
        #expect(scheduler.state("leased")?.kind == .cancelling)
    }

    @Test("A failure, refusal or loss after the cancel ends as cancelled, without retry")
    func otherEnds() {
        prepare()
        scheduler.cancel()
        _ = scheduler.take()
        scheduler.fail("running", retryable: true)
        scheduler.expect("running cancelled")
        scheduler.lose("w")
        scheduler.expect("leased cancelled", "finish r")
        scheduler.advance(.seconds(100))
        scheduler.expect()
    }

    @Test("Gives up an unanswered cancel after the grace period and the margin")
    func unanswered() {
        prepare()
        scheduler.cancel()
        _ = scheduler.take()
        scheduler.advance(.milliseconds(6_900))
        scheduler.expect()
        scheduler.advance(.milliseconds(200))
        let ends = scheduler.take()
        #expect(Set(ends) == ["leased cancelled", "running cancelled", "finish r"])
        #expect(ends.last == "finish r")
    }

    @Test("A cancelled attempt counts for its worker until its end is known")
    func slotStaysTaken() {
        scheduler.join("w")
        scheduler.submit("r1", [node("a")])
        scheduler.submit("r2", [node("b")])
        scheduler.cancel("r1")
        scheduler.expect("dispatch r1.a/1 to w", "cancel r1.a/1 on w: cancelled")
        scheduler.fail("a", "r1", code: .cancelled)
        scheduler.expect("r1.a cancelled", "finish r1", "dispatch r2.b/1 to w")
    }

    @Test("A cancelled growing run cancels later nodes and ends when closed")
    func growing() {
        scheduler.join("w")
        scheduler.open()
        scheduler.add([node("a")])
        scheduler.cancel()
        scheduler.expect("a cancelled")
        scheduler.add([node("b"), node("c", after: "a")])
        let lines = scheduler.take()
        #expect(lines.contains("b cancelled"))
        #expect(lines.count == 2)
        scheduler.close()
        scheduler.expect("finish r")
    }

    @Test("Cancelling one run leaves the others alone")
    func otherRuns() {
        scheduler.join("w", slots: 2)
        scheduler.submit("r1", [node("a"), node("b")])
        scheduler.submit("r2", [node("c"), node("d")])
        scheduler.cancel("r1")
        scheduler.expect(
            "dispatch r1.a/1 to w",
            "dispatch r1.b/1 to w",
            "cancel r1.a/1 on w: cancelled",
            "cancel r1.b/1 on w: cancelled"
        )
        scheduler.fail("a", "r1", code: .cancelled)
        scheduler.expect("r1.a cancelled", "dispatch r2.c/1 to w")
    }

    @Test("A cancel after a timeout ends the node as cancelled")
    func cancelDuringTimeout() {
        scheduler.join("w", tools: ["t": ToolOffer(timeout: .seconds(1))])
        scheduler.submit([node("a")])
        scheduler.start("a")
        scheduler.advance(.seconds(6))
        scheduler.cancel()
        scheduler.fail("a", code: .cancelled)
        scheduler.expect(
            "dispatch a/1 to w",
            "cancel a/1 on w: timeout",
            "a cancelled",
            "finish r"
        )
    }
}
