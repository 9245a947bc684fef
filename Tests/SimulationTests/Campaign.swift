// Many seeds, on every core: their totals, and the first one that broke a guarantee.

import Foundation
import Synchronization

/// The totals of several seeds.
struct Tally: Sendable {
    var seeds = 0
    var steps = 0
    var executions = 0
    var modelCalls = 0
    var faults = FaultCounts()
    /// How runs ended, by kind of work, status and code of failure.
    var endings: [String: Int] = [:]
    /// A sum over the traces of all seeds, independent of their order.
    var hash: UInt64 = 0

    mutating func add(_ cluster: SimulatedCluster, seed: UInt64) {
        seeds += 1
        steps += cluster.steps
        executions += cluster.executions.count
        modelCalls += cluster.modelCalls.count
        faults.add(cluster.faults)
        endings.merge(cluster.endings, uniquingKeysWith: +)
        hash = hash &+ (cluster.trace.hash ^ seed) &* 0x9E37_79B9_7F4A_7C15
    }

    mutating func add(_ other: Tally) {
        seeds += other.seeds
        steps += other.steps
        executions += other.executions
        modelCalls += other.modelCalls
        faults.add(other.faults)
        endings.merge(other.endings, uniquingKeysWith: +)
        hash = hash &+ other.hash
    }

    var words: String {
        let ends = endings.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        return "\(seeds) seeds, \(steps) steps, \(executions) executions, \(modelCalls) calls of "
            + "models, trace \(String(hash, radix: 16))\nfaults: \(faults.words)\n"
            + "runs: \(ends.joined(separator: ", "))"
    }
}

/// Runs seeds one after the other on each of several threads.
struct Campaign: Sendable {
    struct Failure: Sendable {
        var seed: UInt64
        var problem: String
        var trace: String
    }

    let count: UInt64
    let jobs: Int
    /// How many seeds are left out at the beginning, for a campaign in pieces.
    var leavesOut: UInt64 = 0
    /// Whether each seed is named before it runs, for campaigns that may crash.
    var namesSeeds = false
    /// One of this many seeds is run twice, and must give the same trace.
    private static let repeatEvery: UInt64 = 25

    private final class Shared: Sendable {
        let first = Mutex<Failure?>(nil)
        let done = Atomic<Int>(0)

        func note(_ failure: Failure) {
            first.withLock { first in
                if first.map({ failure.seed < $0.seed }) ?? true { first = failure }
            }
        }

        /// Whether a seed can still be the first that fails.
        func isWanted(_ seed: UInt64) -> Bool {
            first.withLock { first in first.map { seed < $0.seed } ?? true }
        }
    }

    /// What all seeds add up to, and the lowest one that failed.
    func run() async -> (Tally, Failure?) {
        let shared = Shared()
        let tally = await withTaskGroup(of: Tally.self) { group in
            for job in 0..<jobs {
                group.addTask { run(job, shared) }
            }
            return await group.reduce(into: Tally()) { $0.add($1) }
        }
        return (tally, shared.first.withLock { $0 })
    }

    private func run(_ job: Int, _ shared: Shared) -> Tally {
        var tally = Tally()
        var seed = leavesOut + UInt64(job) + 1
        while seed <= leavesOut + count, shared.isWanted(seed) {
            if namesSeeds { FileHandle.standardError.write(Data("seed \(seed)\n".utf8)) }
            let cluster = SimulatedCluster(seed: seed)
            var problem = cluster.runToEnd()
            if problem == nil, seed % Self.repeatEvery == 0 {
                let again = SimulatedCluster(seed: seed)
                _ = again.runToEnd()
                if again.trace.hash != cluster.trace.hash { problem = "it did not repeat" }
            }
            tally.add(cluster, seed: seed)
            if let problem {
                let trace = "\(cluster.trace.tail)\n\(cluster.fold.story(of: problem))"
                shared.note(Failure(seed: seed, problem: problem, trace: trace))
            }
            noteProgress(shared.done.add(1, ordering: .relaxed).newValue)
            seed += UInt64(jobs)
        }
        return tally
    }

    /// A line for every tenth of a long campaign.
    private func noteProgress(_ done: Int) {
        let tenth = max(Int(count) / 10, 1)
        guard count >= 5_000, done % tenth == 0 else { return }
        print("simulation: \(done) of \(count) seeds")
    }
}
