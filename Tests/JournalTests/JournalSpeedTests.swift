// How fast records are written, read and folded; only when WEFT_JOURNAL_SPEED gives a number of
// nodes, and only meaningful in a release build.
import Core
import Foundation
import JSON
import Runs
import Testing

@testable import Journal

@Suite("Journal: speed", .serialized)
struct JournalSpeedTests {
    static let nodes = ProcessInfo.processInfo.environment["WEFT_JOURNAL_SPEED"].flatMap { Int($0) }

    @Test("Writing, reading and folding", .enabled(if: nodes != nil))
    func speed() throws {
        let run = try Sample.run("r1", nodes: Self.nodes ?? 0)
        let entries = run.entries
        let folder = try TemporaryFolder()
        let file = try JournalFile(path: folder.journal)
        let clock = ContinuousClock()
        let used = ProcessTime.now
        let writing = try clock.measure {
            for start in stride(from: 0, to: entries.count, by: 2_000) {
                try file.write(Array(entries[start..<min(start + 2_000, entries.count)]))
            }
        }
        tell("write", entries.count, writing, ProcessTime.now - used)
        var count = 0
        let beforeReading = ProcessTime.now
        let reading = try clock.measure { try file.forEachBatch(of: run.id) { count += $0.count } }
        tell("read", count, reading, ProcessTime.now - beforeReading)
        guard case .accepted(let acceptance) = run.records[0].change else { return }
        var folded = Run(acceptance, at: .zero)
        let folding = try clock.measure {
            for record in run.records.dropFirst() { try folded.applyRead(record) }
        }
        tell("fold", count, folding, .zero)
        var steps: [Duration] = []
        var isDone = false
        while !isDone {
            let step = try clock.measure {
                isDone = try file.prune(endedBefore: nil, keepingBytes: 0).isDone
            }
            steps.append(step)
        }
        tell("write by pruning", steps.count, steps.reduce(.zero, +), .zero)
        tell("write by pruning, longest step", 1, steps.max() ?? .zero, .zero)
        let size = try FileManager.default.attributesOfItem(atPath: folder.journal)[.size]
        FileHandle.standardError.write(Data("file \(size ?? 0) bytes\n".utf8))
    }

    @Test("Short runs, forgetting and opening", .enabled(if: nodes != nil))
    func shortRuns() throws {
        let folder = try TemporaryFolder()
        var file = try JournalFile(path: folder.journal)
        let count = (Self.nodes ?? 0) / 10
        let runs = try (0..<count).map { try Sample.run("s\($0)", nodes: 1) }
        let clock = ContinuousClock()
        let used = ProcessTime.now
        let writing = try clock.measure {
            for start in stride(from: 0, to: count, by: 100) {
                try file.write(runs[start..<min(start + 100, count)].flatMap(\.entries))
            }
        }
        tell("write short runs", count, writing, ProcessTime.now - used)
        let opening = try clock.measure { file = try JournalFile(path: folder.journal) }
        tell("read by opening", count, opening, .zero)
        var steps: [Duration] = []
        let beforePruning = ProcessTime.now
        let pruning = try clock.measure {
            var isDone = false
            while !isDone {
                let step = try clock.measure {
                    isDone = try file.prune(endedBefore: nil, keepingBytes: 0).isDone
                }
                steps.append(step)
            }
        }
        tell("write by pruning", count, pruning, ProcessTime.now - beforePruning)
        tell("write by pruning, longest step", 1, steps.max() ?? .zero, .zero)
    }

    private func tell(_ what: String, _ count: Int, _ time: Duration, _ used: Duration) {
        let seconds = Double(time.components.attoseconds) / 1e18 + Double(time.components.seconds)
        let rate = Int(Double(count) / seconds)
        FileHandle.standardError.write(
            Data("\(what): \(count) in \(time), \(rate)/s, processor \(used)\n".utf8)
        )
    }
}

/// The processor time of this process.
private enum ProcessTime {
    static var now: Duration {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
