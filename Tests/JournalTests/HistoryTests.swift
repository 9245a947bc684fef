// The table of runs: finding, listing page by page, forgetting and pruning.
import Core
import Foundation
import JSON
import Runs
import Testing
import Wire

@testable import Journal

@Suite("Journal: history")
struct HistoryTests {
    /// A journal of runs that end in different ways, one each second.
    private func journal(_ folder: TemporaryFolder, runs count: Int) throws -> JournalFile {
        let file = try JournalFile(path: folder.journal)
        let statuses: [RunStatus] = [.succeeded, .failed, .cancelled, .running]
        for number in 0..<count {
            var run = try Sample.run("r\(number)", nodes: 2, isEnded: false)
            guard case .accepted(var acceptance) = run.records[0].change else { continue }
            acceptance.unixMilliseconds = 1_000_000 + number * 1_000
            acceptance.label = number.isMultiple(of: 2) ? "even" : nil
            acceptance.key = "key \(number / 2)"
            run.records[0].change = .accepted(acceptance)
            let status = statuses[number % 4]
            if status != .running { run.records.append(RunRecord(at: 5_000_000, .ended(status))) }
            try file.write(run.entries)
        }
        return file
    }

    @Test("Runs are found by name, by key, by status, label and time")
    func finding() throws {
        let folder = try TemporaryFolder()
        let file = try journal(folder, runs: 12)
        let run = try #require(try file.run(try Sample.id("r5")))
        #expect(run.status == .failed)
        #expect(run.accepted == 1_005_000)
        #expect(run.ended == 1_010_000)
        #expect(run.counts.total == 2 && run.counts.succeeded == 2)
        #expect(run.submitter == "alice" && run.label == nil && !run.isGoal)
        #expect(run.records == 12 && run.bytes > 500)
        #expect(try file.run(withKey: "key 3")?.id.text == "r7")
        #expect(try file.run(withKey: "key 9") == nil)
        func names(_ filter: JournalFilter) throws -> [String] {
            try file.runs(matching: filter).map(\.id.text)
        }
        #expect(try names(JournalFilter(statuses: [.failed])) == ["r9", "r5", "r1"])
        #expect(try names(JournalFilter(statuses: [.running], label: "even")) == [])
        #expect(try names(JournalFilter(label: "even", since: 1_007_000)) == ["r10", "r8"])
        #expect(try file.unfinishedRuns().map(\.id.text) == ["r3", "r7", "r11"])
        var pages: [[String]] = []
        var filter = JournalFilter(limit: 5)
        while case let page = try file.runs(matching: filter), let last = page.last {
            pages.append(page.map(\.id.text))
            filter.before = last.number
        }
        #expect(pages.map(\.count) == [5, 5, 2])
        #expect(Set(pages.joined()).count == 12)
    }

    @Test("A run that ended is forgotten with its records; one that goes on is not")
    func forgetting() throws {
        let folder = try TemporaryFolder()
        let file = try journal(folder, runs: 4)
        #expect(try file.forget(try Sample.id("r0")))
        #expect(try !file.forget(try Sample.id("r0")))
        #expect(try !file.forget(try Sample.id("r3")))
        #expect(try file.records(of: try Sample.id("r0")) == nil)
        #expect(try file.run(withKey: "key 0")?.id.text == "r1")
        #expect(try JournalFile.check(path: folder.journal).findings == [])
        // Its name is free again, and its number with it if it was the last.
        try file.write(try Sample.run("r0", nodes: 1).entries)
        #expect(try file.records(of: try Sample.id("r0"))?.count == 8)
    }

    @Test("Pruning removes the oldest first, by time and by bytes, and the file shrinks")
    func pruning() throws {
        let folder = try TemporaryFolder()
        let file = try journal(folder, runs: 200)
        for name in ["big1", "big2"] { try file.write(try Sample.run(name, nodes: 30_000).entries) }
        func prune(_ time: Int?, _ bytes: Int?) throws -> [String] {
            var removed: [String] = []
            while true {
                let step = try file.prune(endedBefore: time, keepingBytes: bytes)
                removed += step.runs.map(\.text)
                if step.isDone { return removed }
            }
        }
        #expect(try prune(nil, nil) == [])
        // Those that end at 1,005,000 and later; a quarter has not ended.
        #expect(try prune(1_085_000, nil) == (0..<80).filter { $0 % 4 != 3 }.map { "r\($0)" })
        let size = try self.size(file)
        let kept = try #require(try file.run(try Sample.id("big2"))).bytes
        let removed = try prune(nil, kept + 100)
        #expect(removed.count == 91 && removed.last == "big1")
        #expect(try self.size(file) < size * 2 / 3)
        #expect(try file.unfinishedRuns().count == 50)
        #expect(try prune(nil, 0) == ["big2"])
        #expect(try JournalFile.check(path: folder.journal).findings == [])
        // The sum of bytes is kept up to date by what is written and forgotten.
        try file.write(try Sample.run("later", nodes: 5).entries)
        let later = try #require(try file.run(try Sample.id("later")))
        #expect(file.endedBytes == later.bytes)
        #expect(try prune(nil, later.bytes) == [])
        #expect(try file.forget(later.id))
        #expect(file.endedBytes == 0)
    }

    private func size(_ file: JournalFile) throws -> Int {
        try file.database.integer("PRAGMA page_count")
    }
}
