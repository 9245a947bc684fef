// The cost of a node must not grow with the number of workers, tools, labels and runs: memory,
// work, and what is forgotten.

import Core
import Testing

@testable import Scheduling

@Suite("Many workers, tools and runs")
struct ScaleTests {
    let scheduler = SchedulerHarness()

    private func tools(_ count: Int, prefix: String = "tool") -> [String: ToolOffer] {
        var tools: [String: ToolOffer] = [:]
        for number in 0..<count { tools["\(prefix)\(number)"] = ToolOffer(isIdempotent: true) }
        return tools
    }

    // MARK: - Forgetting

    @Test("Forgets classes that no run uses, with their labels and pools")
    func classesAreForgotten() {
        var limits = SchedulerLimits()
        limits.idleClasses = 10
        let scheduler = SchedulerHarness(limits: limits)
        scheduler.join("w", slots: 2, tools: tools(50), labels: ["zone": "a", "host": "w"])
        for number in 0..<300 {
            scheduler.validates = number % 50 == 0
            let labels = ["zone": number % 3 == 0 ? "a" : "nowhere-\(number)"]
            scheduler.submit(
                "r\(number)",
                [
                    node("a", tool: "tool\(number % 50)", requires: labels),
                    node("b", tool: "unknown\(number)"),
                ]
            )
            scheduler.cancel("r\(number)")
            if case .cancelling = scheduler.state("a", "r\(number)") {
                scheduler.finish("a", "r\(number)")
            }
            scheduler.handle(.runReleased(scheduler.runID("r\(number)")))
        }
        scheduler.validates = true
        _ = scheduler.take()
        let core = scheduler.scheduler
        #expect(core.classes.count <= 10)
        #expect(core.demands.slots.count <= 11)
        #expect(core.pools.count <= 2)
        #expect(core.workers[0].lanes.standings.count <= 4)
        scheduler.submit("last", [node("a", tool: "tool1", requires: ["zone": "a"])])
        scheduler.expect("dispatch last.a/1 to w")
    }

    @Test("Runs share a class, which exists as long as one of them needs it")
    func classesAreCounted() {
        var limits = SchedulerLimits()
        limits.idleClasses = 0
        let scheduler = SchedulerHarness(limits: limits)
        scheduler.join("w", slots: 4)
        scheduler.submit("r1", [node("a"), node("b")])
        scheduler.submit("r2", [node("a")])
        #expect(scheduler.scheduler.classes.count == 1)
        scheduler.finish("a", "r2")
        #expect(scheduler.scheduler.classes.count == 1)
        scheduler.finish("a", "r1")
        scheduler.finish("b", "r1")
        #expect(scheduler.scheduler.classes.count == 0)
    }

    @Test("Finds the class of a run's tools by hash: adds a plan of 100,000 tools at once")
    func manyToolsInOnePlan() {
        var large = Scheduler(seed: 1)
        var actions: [Scheduler.Action] = []
        let run = scheduler.runID("r")
        large.handle(.runAdded(run, .fail), at: .zero, into: &actions)
        let specs = (0..<100_000).map { NodeSpec(tool: "tool\($0)") }
        let clock = ContinuousClock()
        let taken = clock.measure {
            large.handle(.nodesAdded(run, specs, edges: [], held: []), at: .zero, into: &actions)
            large.handle(.runClosed(run), at: .zero, into: &actions)
            large.place(at: .zero, into: &actions)
        }
        #expect(actions.count { if case .settle = $0 { true } else { false } } == 100_000)
        #expect(large.classes.count <= SchedulerLimits().idleClasses)
        // Searching linearly took minutes.
        #expect(taken < .seconds(60))
    }

    @Test("Workers and groups that have gone leave nothing")
    func workersAreForgotten() {
        scheduler.submit([node("a", tool: "none", requires: ["zone": "a"])])
        for number in 0..<400 {
            scheduler.validates = number % 40 == 0
            scheduler.join(
                "w\(number)",
                tools: tools(3, prefix: "own\(number % 7)-"),
                labels: ["host": "h\(number)", "zone": "a"]
            )
            if number >= 5 { scheduler.lose("w\(number - 5)") }
        }
        let core = scheduler.scheduler
        #expect(core.groups.slots.count <= 5)
        #expect(core.pools.count <= 5)
        #expect(core.workers.keptEntries.labels <= 6)
        #expect(core.groups.keptTools <= 15)
        #expect(core.workers.keptEntries.slots <= 6)
        #expect(core.workers.keptEntries.order <= 20)
    }

    // MARK: - Touching

    @Test("A worker is in a pool for its tools and one for each set of labels in use")
    func standings() {
        scheduler.validates = false
        for number in 0..<30 {
            scheduler.join(
                "w\(number)",
                tools: tools(200),
                labels: ["host": "h\(number)", "zone": number % 2 == 0 ? "a" : "b"]
            )
        }
        let nodes =
            (0..<200).map { node("n\($0)", tool: "tool\($0)") }
            + (0..<30).map { node("h\($0)", tool: "tool1", requires: ["host": "h\($0)"]) }
            + [node("z", tool: "tool2", requires: ["zone": "a"])]
        scheduler.validates = true
        scheduler.submit(nodes)
        let core = scheduler.scheduler
        #expect(core.groups.slots.count == 1)
        #expect(core.classes.count == 231)
        for worker in core.workers.connected {
            #expect(core.workers[worker].lanes.standings.count <= 3)
        }
    }

    @Test("A worker that joins checks no class that it cannot run")
    func joinTouchesOwnClasses() {
        scheduler.submit(
            (0..<500).map { node("n\($0)", tool: "missing\($0)") }
                + (0..<500).map { node("m\($0)", tool: "t", requires: ["host": "h\($0)"]) }
        )
        _ = scheduler.take()
        let profile = WorkerProfile(
            name: "w",
            slots: 1,
            tools: ["t": ToolOffer()],
            labels: ["host": "h7"]
        )
        scheduler.handle(.workerJoined(WorkerID(1), profile))
        let core = scheduler.scheduler
        #expect(core.classes.opened.count == 1)
        #expect(core.workers[0].lanes.standings.count == 2)
        scheduler.place()
        #expect(scheduler.take().count == 1)
    }

    @Test("Checks no waiting class before there is room")
    func waitingClassesRest() {
        scheduler.join("w", slots: 2, tools: tools(100))
        scheduler.submit((0..<300).map { node("n\($0)", tool: "tool\($0 % 100)") })
        #expect(scheduler.take().count == 2)
        #expect(!scheduler.scheduler.hasOpenings)
        // One slot, one class, and the classes take turns.
        var held = (0..<300).filter { scheduler.holder("n\($0)").number > 0 }
        var order: [Int] = []
        for _ in 0..<90 {
            scheduler.finish("n\(held.removeFirst())")
            let dispatched = scheduler.take().filter { $0.hasPrefix("dispatch n") }
            #expect(dispatched.count == 1)
            let digits = dispatched.first?.dropFirst("dispatch n".count).prefix { $0 != "/" }
            guard let number = digits.flatMap({ Int($0) }) else { return }
            held.append(number)
            order.append(number % 100)
        }
        #expect(Set(order).count == 90)
    }

    @Test("A tool at its own limit does not hide the worker's room from other tools")
    func manyLimitedTools() {
        var limited: [String: ToolOffer] = [:]
        for number in 0..<20 { limited["tool\(number)"] = ToolOffer(concurrency: 1) }
        for name in ["w1", "w2", "w3"] { scheduler.join(name, slots: 10, tools: limited) }
        scheduler.submit((0..<100).map { node("n\($0)", tool: "tool\($0 % 20)") })
        #expect(scheduler.take().count == 30)
        var left = Set(0..<100)
        while let number = left.first(where: { scheduler.holder("n\($0)").number > 0 }) {
            scheduler.finish("n\(number)")
            left.remove(number)
        }
        #expect(left.isEmpty)
    }

    @Test("Reports runs that wait for a missing tool once each")
    func manyRunsMissATool() {
        for number in 0..<1_000 {
            scheduler.validates = number % 200 == 0
            scheduler.submit("r\(number)", [node("a", tool: "missing")])
            #expect(scheduler.take() == ["unplaceable r\(number).a"])
        }
        scheduler.join("w", slots: 1_000, tools: ["missing": ToolOffer()])
        #expect(scheduler.take().count == 1_000)
        scheduler.lose("w")
        // Nothing is idempotent here: all ended.
        #expect(scheduler.take().count { $0.hasSuffix("failed: outcome_unknown") } == 1_000)
    }

    @Test("A run at its limit gives each free place to one of its tools, in turn")
    func boundOverManyTools() {
        scheduler.join("w", slots: 8, tools: tools(100))
        scheduler.submit(
            "r",
            (0..<200).map { node("n\($0)", tool: "tool\($0 % 100)") },
            maxRunning: 1
        )
        scheduler.expect("dispatch n0/1 to w")
        var order: [Int] = []
        for _ in 0..<200 {
            guard let held = (0..<200).first(where: { scheduler.holder("n\($0)").number > 0 })
            else {
                break
            }
            order.append(held % 100)
            scheduler.handle(
                .attemptSucceeded(
                    scheduler.attempt("n\(held)"),
                    scheduler.holder("n\(held)"),
                    microseconds: 1
                )
            )
            // One queue comes back, not all of them.
            #expect(scheduler.scheduler.classes.opened.count <= 1)
            scheduler.place()
            #expect(scheduler.take().count { $0.hasPrefix("dispatch") } <= 1)
        }
        #expect(order.count == 200)
        #expect(Set(order.prefix(100)).count >= 99)
    }

    // MARK: - Time

    @Test("A node costs about the same with 1,000 workers and 200 tools as with two and one")
    func costs() {
        let few = microsecondsPerNode(workers: 2, tools: 1, nodes: 4_000)
        let many = microsecondsPerNode(workers: 1_000, tools: 200, nodes: 20_000)
        // About the same; a scan of the workers or the tools would be a hundred times that. Other
        // processes may be in the way.
        #expect(many < 10 * few, "\(many) µs a node, and \(few) µs with two workers")
    }

    private func microsecondsPerNode(workers: Int, tools count: Int, nodes: Int) -> Double {
        var core = Scheduler(seed: 1)
        var actions: [Scheduler.Action] = []
        let tools = tools(count)
        for number in 1...workers {
            let profile = WorkerProfile(name: "w\(number)", slots: 4, tools: tools)
            core.handle(.workerJoined(WorkerID(number), profile), at: .zero, into: &actions)
        }
        let run = scheduler.runID("r")
        let specs = (0..<nodes).map { NodeSpec(tool: "tool\($0 % count)") }
        core.handle(.runAdded(run, .wait), at: .zero, into: &actions)
        core.handle(.nodesAdded(run, specs, edges: [], held: []), at: .zero, into: &actions)
        core.handle(.runClosed(run), at: .zero, into: &actions)
        actions.removeAll()
        var sent: [(AttemptID, WorkerID)] = []
        var answered = 0
        let clock = ContinuousClock()
        let taken = clock.measure {
            core.place(at: .zero, into: &actions)
            while true {
                for case .dispatch(let attempt, let worker, _, _) in actions {
                    sent.append((attempt, worker))
                }
                actions.removeAll(keepingCapacity: true)
                guard answered < sent.count else { break }
                for (attempt, worker) in sent[answered..<min(answered + 64, sent.count)] {
                    core.handle(
                        .attemptSucceeded(attempt, worker, microseconds: 1),
                        at: .zero,
                        into: &actions
                    )
                }
                answered = min(answered + 64, sent.count)
                core.place(at: .zero, into: &actions)
            }
        }
        #expect(sent.count == nodes)
        return taken / .microseconds(1) / Double(nodes)
    }
}
