// Analyses of runs made by hand, with answers that are known.

import Core
import JSON
import Testing
import Wire

@testable import Reports

@Suite("Analysis")
struct AnalysisTests {
    @Test("A chain: each moment belongs to one part, and they add up to the wall time")
    func chain() throws {
        let run = try SampleRuns.run(
            [
                SampleRuns.node("a", ready: 5, queued: 10, turnaround: 105, work: 100),
                SampleRuns.node("short", ready: 5, turnaround: 20, work: 20),
                SampleRuns.node("b", after: ["short", "a"], ready: 120, turnaround: 60, work: 50),
                SampleRuns.idle("c", after: ["b"]),
            ],
            wall: 200
        )
        let analysis = Analysis(of: run)
        #expect(analysis.path.map(\.node.text) == ["a", "b"])
        #expect(
            analysis.parts
                == Analysis.Parts(planning: 5, slots: 10, tools: 150, overhead: 15, ending: 20)
        )
        #expect(analysis.parts.sum == 200)
        #expect(analysis.path[1].parts == Analysis.Parts(tools: 50, overhead: 10))
        #expect(analysis.longestSteps.map(\.node.text) == ["a", "b"])
        #expect(analysis.work == 170)
        #expect(analysis.longestChain == 150)
        #expect(analysis.levels == 2)
        #expect(analysis.slots == 2)
        #expect(analysis.workPerSlot == 85)
        #expect(analysis.wallWithEverySlot == 190)
        // The longest tool, what the plan took, and the end.
        #expect(analysis.wallWithOneLevel == 125)
    }

    @Test("Four equal nodes on one slot: every slot would give a quarter")
    func oneSlot() throws {
        let run = try SampleRuns.run(
            (0..<4).map {
                SampleRuns.node(
                    "n\($0)",
                    ready: 0,
                    queued: $0 * 100,
                    turnaround: 100,
                    work: 100
                )
            },
            wall: 400
        )
        let analysis = Analysis(of: run)
        #expect(analysis.path.map(\.node.text) == ["n3"])
        #expect(analysis.parts == Analysis.Parts(slots: 300, tools: 100))
        #expect(analysis.slots == 1)
        #expect(analysis.workPerSlot == 400)
        #expect(analysis.longestChain == 100)
        #expect(analysis.wallWithEverySlot == 100)
        #expect(analysis.wallWithOneLevel == 400)
    }

    @Test("Waiting at the worker for its slot is waiting for slots, too")
    func sentAhead() throws {
        let run = try SampleRuns.run(
            [
                SampleRuns.node("a", ready: 0, turnaround: 100, work: 98),
                SampleRuns.node("b", ready: 0, turnaround: 200, work: 95),
            ],
            wall: 200
        )
        let analysis = Analysis(of: run)
        #expect(analysis.slots == 1)
        #expect(analysis.parts == Analysis.Parts(slots: 100, tools: 95, overhead: 5))
        #expect(analysis.wallWithEverySlot == 100)
    }

    @Test("Where a lane was free, a late start is no waiting for slots")
    func freeLane() throws {
        let run = try SampleRuns.run(
            [
                SampleRuns.node("a", ready: 0, turnaround: 100, work: 100),
                SampleRuns.node("b", ready: 0, turnaround: 20, work: 20),
                SampleRuns.node("c", ready: 50, turnaround: 150, work: 100),
            ],
            wall: 200
        )
        #expect(
            Analysis(of: run).parts == Analysis.Parts(planning: 50, tools: 100, overhead: 50)
        )
    }

    @Test("A node that was tried again: pauses and lost attempts have a part of their own")
    func retries() throws {
        var node = SampleRuns.node("a", ready: 300, turnaround: 100, work: 100)
        node.tries = 2
        let latestOnly = try SampleRuns.run([node], wall: 400)
        #expect(Analysis(of: latestOnly).parts == Analysis.Parts(tools: 100, retries: 300))
        node.attempts.insert(
            AttemptFacts(
                number: 1,
                worker: "w",
                readyAt: 10,
                dispatchedAt: 20,
                endedAt: 120,
                work: 90,
                outcome: .retried
            ),
            at: 0
        )
        node.readyAt = 10
        let known = try SampleRuns.run([node], wall: 400)
        #expect(
            Analysis(of: known).parts
                == Analysis.Parts(planning: 10, slots: 10, tools: 190, retries: 180, overhead: 10)
        )
    }

    @Test("Stories are asked for where something happened before the attempt that is known")
    func stories() throws {
        var again = SampleRuns.node("c", after: ["b"], ready: 12_000, turnaround: 9, work: 9)
        again.tries = 2
        let run = try SampleRuns.run(
            [
                SampleRuns.node("a", ready: 5, turnaround: 995, work: 100),
                SampleRuns.node("b", after: ["a"], ready: 2_500, turnaround: 9_500, work: 9),
                again,
                SampleRuns.node("d", after: ["c"], ready: 12_009, turnaround: 9, work: 9),
            ],
            wall: 13_000
        )
        #expect(run.criticalNodesWithMore == [1, 2])
    }

    @Test("Approvals are waiting for people, not for the plan")
    func approval() throws {
        var node = SampleRuns.node("a", ready: 500, turnaround: 100, work: 100)
        node.approval = 450
        let analysis = Analysis(of: try SampleRuns.run([node], wall: 600))
        #expect(analysis.parts == Analysis.Parts(planning: 50, approval: 450, tools: 100))
    }

    @Test("A second plan of a model goes on from the end of the first")
    func replanned() throws {
        let nodes = [
            SampleRuns.node("a", ready: 100, turnaround: 50, work: 50),
            SampleRuns.node("b", ready: 100, turnaround: 80, work: 80),
            SampleRuns.node("c", ready: 300, turnaround: 50, work: 50),
        ]
        func planning(replans: Int) -> PlanningDocument {
            PlanningDocument(calls: 2, repairs: 0, replans: replans, modelTime: 250)
        }
        func analysis(replans: Int) throws -> Analysis {
            let planning = planning(replans: replans)
            return Analysis(of: try SampleRuns.run(nodes, wall: 400, planning: planning))
        }
        let again = try analysis(replans: 1)
        #expect(again.path.map(\.node.text) == ["b", "c"])
        #expect(again.parts == Analysis.Parts(planning: 220, tools: 130, ending: 50))
        let once = try analysis(replans: 0)
        #expect(once.path.map(\.node.text) == ["c"])
        #expect(once.parts.sum == 400)
    }

    @Test("Runs without attempts, and plans in circles, have sums that add up")
    func strange() throws {
        let idle = Analysis(of: try SampleRuns.run([SampleRuns.idle("a", .cancelled)], wall: 70))
        #expect(idle.parts == Analysis.Parts(ending: 70))
        #expect(idle.path.isEmpty)
        #expect(idle.workPerSlot == 0)
        let circle = try SampleRuns.run(
            [
                SampleRuns.node("a", after: ["b"], ready: 0, turnaround: 50, work: 50),
                SampleRuns.node("b", after: ["a"], ready: 0, turnaround: 50, work: 60),
            ],
            wall: 40
        )
        #expect(Analysis(of: circle).parts.sum == 40)
    }

    @Test(
        "Random runs: the parts add up, and no estimate is above the wall time",
        arguments: 1...40
    )
    func random(seed: Int) throws {
        var state = UInt64(seed)
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        var nodes: [NodeFacts] = []
        for index in 0..<(1 + next(40)) {
            let needed = index == 0 ? [] : (0..<next(3)).map { _ in next(index) }
            let before = needed.compactMap { nodes[$0].endedAt }.max() ?? next(20)
            let turnaround = next(500)
            nodes.append(
                SampleRuns.node(
                    "n\(index)",
                    after: Set(needed).sorted().map { "n\($0)" },
                    on: "w\(next(3))",
                    ready: before,
                    queued: next(100),
                    turnaround: turnaround,
                    work: next(turnaround + 1)
                )
            )
        }
        let wall = (nodes.compactMap(\.endedAt).max() ?? 0) + next(50)
        let run = try SampleRuns.run(nodes, wall: wall)
        let analysis = Analysis(of: run)
        #expect(analysis.parts.sum == wall)
        #expect(analysis.longestChain <= wall)
        #expect(analysis.workPerSlot <= wall)
        #expect(analysis.wallWithEverySlot >= analysis.longestChain)
        #expect(analysis.wallWithEverySlot <= wall)
        #expect(analysis.wallWithOneLevel <= wall)
        #expect(analysis.path.reduce(0) { $0 + $1.parts.tools } <= analysis.longestChain)
        let lanes = Dictionary(grouping: Lanes(of: run).bars) { [$0.worker, $0.lane] }
        for bars in lanes.values {
            for (bar, following) in zip(bars, bars.dropFirst()) {
                #expect(bar.end <= following.start)
            }
        }
    }
}
