// Many nodes that are skipped or cancelled: a limited number each turn, each node once.

import Core
import Scheduling
import Testing

@Suite("Ends of many nodes at once")
struct SweepTests {
    let scheduler: SchedulerHarness

    init() {
        var limits = SchedulerLimits()
        limits.settlementsPerTurn = 3
        scheduler = SchedulerHarness(limits: limits)
    }

    @Test("Ends a cancelled run over several turns; none of its nodes starts in between")
    func cancelled() {
        scheduler.join("w")
        scheduler.submit(
            [node("held")] + (0..<5).map { node("ready\($0)") } + [node("behind", after: "held")]
        )
        scheduler.expect("dispatch held/1 to w")
        // One turn's share is settled at once, the next one's at the end of the turn.
        scheduler.handle(.cancelRequested(scheduler.runID("r")))
        scheduler.expect(
            "cancel held/1 on w: cancelled",
            "ready0 cancelled",
            "ready1 cancelled",
            "ready2 cancelled"
        )
        #expect(scheduler.scheduler.hasSweeps)
        // The slot is free again, and the attempt's dependents have no open dependency.
        scheduler.handle(
            .attemptSucceeded(
                scheduler.attempt("held"),
                scheduler.holder("held"),
                microseconds: nil
            )
        )
        scheduler.expect("held succeeded", "ready behind")
        scheduler.place()
        scheduler.expect("ready3 cancelled", "ready4 cancelled", "behind cancelled", "finish r")
        #expect(!scheduler.scheduler.hasSweeps)
    }

    @Test("Skips all dependents of a failure over several turns; other runs continue")
    func skipped() {
        scheduler.join("w", slots: 2)
        scheduler.submit([node("root")] + (0..<7).map { node("leaf\($0)", after: "root") })
        scheduler.submit("other", [node("a")])
        _ = scheduler.take()
        scheduler.handle(
            .attemptFailed(
                scheduler.attempt("root"),
                scheduler.holder("root"),
                Failure(code: .toolError, message: "it broke")
            )
        )
        #expect(scheduler.take().count == 1 + 3)
        scheduler.finish("a", "other")
        let turn = scheduler.take()
        #expect(turn.filter { $0.contains("skipped") }.count == 3)
        #expect(turn.contains("finish other"))
        scheduler.place()
        #expect(scheduler.take().last == "finish r")
        #expect(!scheduler.scheduler.hasSweeps)
    }

    @Test("A run that is cancelled while nodes are skipped ends once")
    func skippedAndCancelled() {
        scheduler.join("w")
        scheduler.submit([node("root")] + (0..<9).map { node("leaf\($0)", after: "root") })
        _ = scheduler.take()
        scheduler.handle(
            .attemptFailed(
                scheduler.attempt("root"),
                scheduler.holder("root"),
                Failure(code: .toolError, message: "it broke")
            )
        )
        scheduler.handle(.cancelRequested(scheduler.runID("r")))
        for _ in 0..<4 { scheduler.place() }
        let lines = scheduler.take()
        #expect(lines.count { $0.hasPrefix("leaf") } == 9)
        #expect(lines.count { $0 == "finish r" } == 1)
        #expect(!scheduler.scheduler.hasSweeps)
    }

    @Test("A run that ended and was forgotten leaves no work for the next one")
    func slotUsedAgain() {
        scheduler.join("w")
        scheduler.submit([node("root")] + (0..<9).map { node("leaf\($0)", after: "root") })
        scheduler.handle(.cancelRequested(scheduler.runID("r")))
        for _ in 0..<4 { scheduler.place() }
        scheduler.fail("root", code: .cancelled)
        scheduler.handle(.runReleased(scheduler.runID("r")))
        _ = scheduler.take()
        scheduler.submit("next", [node("a"), node("b", after: "a")])
        scheduler.finish("a", "next")
        scheduler.finish("b", "next")
        #expect(scheduler.take().last == "finish next")
    }
}
