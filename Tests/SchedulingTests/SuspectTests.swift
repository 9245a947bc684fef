// Nodes that were on the same lost worker: one of them may be what took it down.

import Core
import Scheduling
import Testing

@Suite("Suspects of a lost worker")
struct SuspectTests {
    let scheduler = SchedulerHarness()
    let twice = ["t": ToolOffer(isIdempotent: true)]

    /// Loses the worker that holds the killer, and lets another one join, until the killer has
    /// failed.
    ///
    /// Innocent nodes never end meanwhile. Returns how many workers it took.
    private func isolate(_ killer: String, slots: Int, workers: Int) -> Int {
        var names = (1...workers).map { "w\($0)" }
        for name in names { scheduler.join(name, slots: slots, tools: twice) }
        var kills = 0
        while kills < 40, scheduler.state(killer)?.kind.isTerminal == false {
            let holder = scheduler.holder(killer)
            if holder.number > 0 {
                kills += 1
                for node in [killer] + (0..<64).map({ "n\($0)" }) where scheduler.state(node) != nil
                {
                    if scheduler.state(node)?.kind == .leased { scheduler.start(node) }
                }
                let name = names.first { scheduler.worker($0) == holder } ?? ""
                scheduler.lose(name)
                names.removeAll { $0 == name }
                let fresh = "v\(kills)"
                names.append(fresh)
                scheduler.join(fresh, slots: slots, tools: twice)
            } else {
                // It waits for suspects of another group: one of those comes to its end.
                guard
                    let other = (0..<64).map({ "n\($0)" }).first(where: {
                        scheduler.state($0) != nil && scheduler.holder($0).number > 0
                    })
                else { break }
                scheduler.finish(other)
            }
        }
        return kills
    }

    @Test("A node that kills its workers fails alone; a long one beside it goes on")
    func pair() {
        scheduler.submit([node("killer"), node("n0")])
        let kills = isolate("killer", slots: 4, workers: 2)
        #expect(kills == 3)
        #expect(scheduler.state("killer")?.kind == .failed)
        #expect(scheduler.state("n0")?.kind == .running || scheduler.state("n0")?.kind == .leased)
    }

    @Test(
        "Finds the killer among many suspects, and no other node fails",
        arguments: [(2, 1), (2, 2), (8, 1), (8, 2), (8, 4), (32, 2), (32, 8)]
    )
    func many(count: Int, workers: Int) {
        scheduler.submit([node("killer")] + (1..<count).map { node("n\($0)") })
        let kills = isolate("killer", slots: 64, workers: workers)
        #expect(scheduler.state("killer")?.kind == .failed)
        for index in 1..<count {
            #expect(scheduler.state("n\(index)")?.kind != .failed)
        }
        #expect(kills <= 8)
    }

    @Test("On one worker suspects take turns, and other nodes do not wait for them")
    func turns() {
        scheduler.join("w1", slots: 4, tools: twice)
        scheduler.submit([node("a"), node("b")])
        for name in ["a", "b"] { scheduler.start(name) }
        scheduler.lose("w1")
        scheduler.join("w2", slots: 4, tools: twice)
        _ = scheduler.take()
        #expect(scheduler.holder("a") == scheduler.worker("w2"))
        #expect(scheduler.state("b") == .ready)
        #expect(
            scheduler.scheduler.explain(
                scheduler.reference("b"),
                dependencies: [],
                at: scheduler.now
            ) == [.keptApart([scheduler.worker("w2")])]
        )
        scheduler.submit("r2", [node("c")])
        #expect(scheduler.holder("c", "r2") == scheduler.worker("w2"))
        scheduler.finish("a")
        #expect(scheduler.holder("b") == scheduler.worker("w2"))
        scheduler.finish("b")
        #expect(scheduler.take().suffix(1) == ["finish r"])
    }

    @Test("Suspects of one group share a worker, so that after a loss not all wait in line")
    func groups() {
        scheduler.join("w1", slots: 8, tools: twice)
        scheduler.submit((0..<8).map { node("n\($0)") })
        for index in 0..<8 { scheduler.start("n\(index)") }
        scheduler.lose("w1")
        scheduler.join("w2", slots: 8, tools: twice)
        #expect((0..<8).count { scheduler.holder("n\($0)").number > 0 } == 4)
        scheduler.join("w3", slots: 8, tools: twice)
        #expect((0..<8).count { scheduler.holder("n\($0)").number > 0 } == 8)
    }

    @Test("After one loss a suspect waits a minute at most, after more as long as necessary")
    func patience() {
        scheduler.join("w1", slots: 4, tools: twice)
        scheduler.submit([node("a"), node("b")])
        for name in ["a", "b"] { scheduler.start(name) }
        scheduler.lose("w1")
        scheduler.join("w2", slots: 4, tools: twice)
        scheduler.advance(.seconds(59))
        #expect(scheduler.state("b") == .ready)
        scheduler.advance(.seconds(2))
        #expect(scheduler.holder("b") == scheduler.worker("w2"))
        scheduler.lose("w2")
        scheduler.join("w3", slots: 4, tools: twice)
        scheduler.advance(.seconds(600))
        #expect(["a", "b"].count { scheduler.state($0) == .ready } == 1)
    }

    @Test("Nodes that had not begun when their worker was lost go on at once")
    func unstarted() {
        scheduler.join("w1", slots: 4, tools: twice)
        scheduler.submit((0..<4).map { node("n\($0)") })
        scheduler.start("n0")
        scheduler.lose("w1")
        scheduler.join("w2", slots: 4, tools: twice)
        #expect((0..<4).count { scheduler.holder("n\($0)").number > 0 } == 4)
    }

    @Test("A suspect that reports an outcome is no longer one")
    func answers() {
        let tools = ["t": ToolOffer(isIdempotent: true, maxAttempts: 3)]
        scheduler.join("w1", slots: 4, tools: tools)
        scheduler.submit([node("a"), node("b")])
        for name in ["a", "b"] { scheduler.start(name) }
        scheduler.lose("w1")
        scheduler.join("w2", slots: 4, tools: tools)
        scheduler.fail("a", retryable: true)
        #expect(scheduler.holder("b") == scheduler.worker("w2"))
        scheduler.advance(.seconds(1))
        #expect(scheduler.holder("a") == scheduler.worker("w2"))
    }

    @Test("A node that ten workers were lost with fails, for any other nodes on them")
    func sharedLosses() {
        let scheduler = SchedulerHarness()
        scheduler.submit([node("a")])
        for index in 1...10 {
            // Each time with a new node, which does not come back.
            scheduler.submit("r\(index)", [node("x", tool: "once")])
            scheduler.join(
                "w\(index)",
                slots: 4,
                tools: ["t": ToolOffer(isIdempotent: true), "once": ToolOffer()]
            )
            if index == 1 { #expect(scheduler.holder("a").number == 1) }
            scheduler.lose("w\(index)")
            if scheduler.state("a")?.kind == .failed { break }
        }
        #expect(scheduler.state("a")?.kind == .failed)
    }
}
