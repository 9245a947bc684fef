// Seeds, 500 by default. `WEFT_SEEDS=n` runs that many, those after `WEFT_AFTER_SEED`, on `WEFT_JOBS`
// threads; `WEFT_SEED=n` replays one and prints its events, line by line. README.md in this folder
// describes the checks.

import Core
import Foundation
import Testing

@testable import CoordinatorCore

@Suite("Simulation", .serialized)
struct SimulationTests {
    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap(UInt64.init)
    }

    @Test("Every guarantee holds under faults, and everything ends after them")
    func campaign() async {
        if let seed = Self.number("WEFT_SEED") { return replay(seed) }
        var campaign = Campaign(
            count: max(Self.number("WEFT_SEEDS") ?? 500, 1),
            jobs: Self.number("WEFT_JOBS").map(Int.init)
                ?? ProcessInfo.processInfo.activeProcessorCount
        )
        campaign.leavesOut = Self.number("WEFT_AFTER_SEED") ?? 0
        campaign.namesSeeds = Self.number("WEFT_NAME_SEEDS") != nil
        let clock = ContinuousClock()
        let begun = clock.now
        let (tally, failure) = await campaign.run()
        if let failure {
            Issue.record("seed \(failure.seed): \(failure.problem)\n\(failure.trace)")
            return
        }
        let seconds = Int(begun.duration(to: clock.now) / .milliseconds(1))
        print("simulation: \(seconds) ms, \(tally.words)")
        if campaign.count >= 500 {
            let missing = tally.faults.missing(rareToo: campaign.count >= 5_000)
            #expect(missing == [], "these faults never happened, so nothing was shown")
        }
    }

    private func replay(_ seed: UInt64) {
        let cluster = SimulatedCluster(seed: seed, keepsTrace: true)
        let problem = cluster.runToEnd()
        print(cluster.trace.lines.joined(separator: "\n"))
        print(cluster.fold.story(of: problem ?? ""))
        print("seed \(seed): \(problem ?? "every promise held"); \(cluster.faults.words)")
        #expect(problem == nil)
    }

    @Test("What goes wrong with a node comes with its story")
    func story() throws {
        let cluster = SimulatedCluster(seed: 1)
        _ = cluster.runToEnd()
        func story(of run: RunID) -> String {
            cluster.fold.story(of: "\(run)/0 has gone wrong")
        }
        // In some runs the node waits for approval in vain.
        let run = try #require(
            cluster.runEnds.order.first {
                cluster.fold.nodeCount(of: $0) > 1 && story(of: $0).contains("ready  (node 0)")
            }
        )
        let story = story(of: run)
        #expect(story.contains("accepted"))
        #expect(story.contains("ready  (node 0)"))
        #expect(story.contains("ended"))
        #expect(!story.contains("(node 1)"))
        #expect(cluster.fold.story(of: "\(run) has gone wrong").contains("(node 1)"))
    }

    @Test("The same seed gives the same trace", arguments: [1, 2, 3, 5, 8, 13] as [UInt64])
    func deterministic(seed: UInt64) {
        let first = SimulatedCluster(seed: seed)
        let second = SimulatedCluster(seed: seed)
        _ = first.runToEnd()
        _ = second.runToEnd()
        #expect(first.trace.count > 10)
        #expect(first.trace.count == second.trace.count)
        #expect(first.trace.hash == second.trace.hash)
        #expect(SimulatedCluster(seed: seed + 1).trace.hash != first.trace.hash)
    }
}
