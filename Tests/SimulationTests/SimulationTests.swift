// Seeds, one after the other. `WEFT_SEEDS=n` runs that many, `WEFT_SEED=n` replays one and prints
// what happens, line by line.

import Foundation
import Testing

@Suite("Simulation", .serialized)
struct SimulationTests {
    private static let environment = ProcessInfo.processInfo.environment

    @Test("Every promise holds under faults, and everything ends once they are over")
    func campaign() {
        let clock = ContinuousClock()
        let begun = clock.now
        if let seed = Self.environment["WEFT_SEED"].flatMap(UInt64.init) { return replay(seed) }
        let count = Self.environment["WEFT_SEEDS"].flatMap(UInt64.init) ?? 200
        var faults = FaultCounts()
        var steps = 0
        var executions = 0
        var hash: UInt64 = 0
        for seed in 1...max(count, 1) {
            let cluster = SimulatedCluster(seed: seed)
            let problem = cluster.runToEnd()
            faults.add(cluster.faults)
            steps += cluster.steps
            executions += cluster.executions.count
            hash = hash &* 31 &+ cluster.trace.hash
            if let problem {
                Issue.record("seed \(seed): \(problem)\n\(cluster.trace.tail)")
                return
            }
        }
        print(
            "simulation: \(count) seeds, \(steps) steps, \(executions) executions, "
                + "\(begun.duration(to: clock.now)), trace \(String(hash, radix: 16)); "
                + faults.words
        )
        if count >= 200 {
            let missing = faults.missing(rareToo: count >= 2_000)
            #expect(missing == [], "these faults never happened, so nothing was shown")
        }
    }

    private func replay(_ seed: UInt64) {
        let cluster = SimulatedCluster(seed: seed, keepsTrace: true)
        let problem = cluster.runToEnd()
        print(cluster.trace.lines.joined(separator: "\n"))
        print("seed \(seed): \(problem ?? "every promise held"); \(cluster.faults.words)")
        #expect(problem == nil)
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
