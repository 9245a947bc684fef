// A journal with changed bits or cut files: every read gives what was written, or a state that the
// journal once had where a lost end cannot be told from a commit that was never completed, or a clear
// refusal. Never a crash, and never a value that was not written.
import Core
import Foundation
import JSON
import Runs
import Testing

@testable import Journal

@Suite("Journal: damage")
struct DamageTests {
    /// What a journal says: the records of each run, and the workers.
    struct Content: Equatable {
        var runs: [RunID: [RunRecord]] = [:]
        var unfinished: [RunID] = []
        var workers: [String: RawJSON] = [:]
        var starts = 0
    }

    /// The files of a journal at one moment, and what it said after each commit.
    struct Picture {
        var files: [String: [UInt8]] = [:]
        var history: [Content] = []

        /// Takes the files while the journal is open, as after a crash.
        mutating func take(from folder: TemporaryFolder) throws {
            for suffix in ["", "-wal"] {
                let path = folder.journal + suffix
                files[suffix] = FileManager.default.contents(atPath: path).map { [UInt8]($0) }
            }
        }

        func restore(in folder: TemporaryFolder) throws {
            for suffix in ["-shm", "-wal", ""] {
                try? FileManager.default.removeItem(atPath: folder.journal + suffix)
                guard let bytes = files[suffix] else { continue }
                try Data(bytes).write(to: URL(fileURLWithPath: folder.journal + suffix))
            }
        }
    }

    /// A small journal of several commits; `isClosed` says whether all of it is in one file.
    private func picture(isClosed: Bool) throws -> Picture {
        let folder = try TemporaryFolder(isInMemory: true)
        var file: JournalFile? = try JournalFile(path: folder.journal)
        var picture = Picture()
        func commit(_ entries: [JournalEntry]) throws {
            try file?.write(entries)
            if let file { picture.history.append(try content(of: file)) }
        }
        _ = try file?.nextStart()
        let first = try Sample.run("r1", nodes: 40)
        try commit(Array(first.entries.prefix(60)))
        try commit(Array(first.entries.dropFirst(60)))
        try commit([.worker(name: "w1", document: RawJSON(["session": "s1"]))])
        if !isClosed { try file?.database.execute("PRAGMA wal_checkpoint(PASSIVE)") }
        var second = try Sample.run("r2", nodes: 2, isEnded: false)
        let long = RawJSON(String(repeating: "long output ", count: 6_000))
        second.records[6] = RunRecord(at: 4, .succeeded(node: 0, long, microseconds: 9))
        try commit(second.entries)
        let third = try Sample.run("r3", nodes: 10)
        try commit(Array(third.entries.prefix(30)) + [.workerLeft(name: "w1")])
        try commit(Array(third.entries.dropFirst(30)))
        if isClosed { file = nil }
        try picture.take(from: folder)
        if !isClosed { #expect((picture.files["-wal"]?.count ?? 0) > 50_000) }
        return picture
    }

    private func content(of file: JournalFile) throws(JournalError) -> Content {
        var content = Content()
        for run in try file.runs(matching: JournalFilter(limit: .max)) {
            content.runs[run.id] = try file.records(of: run.id)
            guard content.runs[run.id]?.count == run.records else {
                throw JournalError(.failed, "the row of \(run.id) was read, but not its records")
            }
        }
        content.unfinished = try file.unfinishedRuns().map(\.id)
        for (name, document) in try file.workers() { content.workers[name] = document }
        content.starts = try file.database.integer("SELECT max(value) FROM meta")
        return content
    }

    /// What is read of damaged files; nil if they are refused.
    private func read(_ picture: Picture, in folder: TemporaryFolder) throws -> Content? {
        try picture.restore(in: folder)
        do throws(JournalError) {
            let file = try JournalFile(path: folder.journal)
            return try content(of: file)
        } catch {
            #expect(error.kind != .full && error.message.hasSuffix("."), "\(error)")
            return nil
        }
    }

    private func random(_ picture: Picture, _ generator: inout SplitMix64) -> (String, Int) {
        let suffixes = picture.files.keys.sorted()
        let total = picture.files.values.reduce(0) { $0 + $1.count }
        var place = Int(generator.next() % UInt64(total))
        for suffix in suffixes {
            let count = picture.files[suffix]?.count ?? 0
            if place < count { return (suffix, place) }
            place -= count
        }
        return ("", 0)
    }

    @Test("Changed bits in a closed journal", arguments: [1, 2])
    func closed(seed: UInt64) throws {
        let picture = try picture(isClosed: true)
        let folder = try TemporaryFolder(isInMemory: true)
        #expect(try read(picture, in: folder) == picture.history.last)
        var generator = SplitMix64(seed: seed)
        var refused = 0
        for _ in 0..<500 {
            var damaged = picture
            let (suffix, place) = random(picture, &generator)
            damaged.files[suffix]?[place] ^= 1 << UInt8(generator.next() % 8)
            let found = try read(damaged, in: folder)
            if found == nil { refused += 1 }
            #expect(found == nil || found == picture.history.last, "\(suffix) \(place)")
        }
        // Pages that nothing uses may change.
        #expect(refused > 400)
    }

    @Test("Changed bits in a journal after a crash", arguments: [3, 4])
    func crashed(seed: UInt64) throws {
        let picture = try picture(isClosed: false)
        let folder = try TemporaryFolder(isInMemory: true)
        #expect(try read(picture, in: folder) == picture.history.last)
        var generator = SplitMix64(seed: seed)
        var refused = 0
        for _ in 0..<500 {
            var damaged = picture
            let (suffix, place) = random(picture, &generator)
            damaged.files[suffix]?[place] ^= 1 << UInt8(generator.next() % 8)
            guard let found = try read(damaged, in: folder) else {
                refused += 1
                continue
            }
            // Of the log, at most the last commit may be missing, or two if the bit said where one
            // of them ends.
            #expect(picture.history.suffix(3).contains(found), "\(suffix) \(place)")
        }
        #expect(refused > 100)
    }

    @Test("Files that are cut", arguments: [true, false])
    func cut(isClosed: Bool) throws {
        let picture = try picture(isClosed: isClosed)
        let folder = try TemporaryFolder(isInMemory: true)
        for suffix in picture.files.keys.sorted() {
            let count = picture.files[suffix]?.count ?? 0
            let unit = suffix.isEmpty ? 4_096 : 4_096 + 24
            let offset = suffix.isEmpty ? 0 : 32
            for boundary in stride(from: offset, through: count, by: unit) {
                for length in [boundary - 1, boundary, boundary + 1, boundary + unit / 2]
                where (0..<count).contains(length) {
                    // An empty file is a new journal.
                    if suffix.isEmpty, length == 0 { continue }
                    var damaged = picture
                    damaged.files[suffix]?.removeLast(count - length)
                    let found = try read(damaged, in: folder)
                    // A log that is cut between two commits is the log of an earlier moment.
                    let allowed = suffix.isEmpty ? picture.history.suffix(1) : picture.history[...]
                    #expect(found == nil || found.map(allowed.contains) == true, "\(length)")
                    if !suffix.isEmpty, length < count { #expect(found != nil, "\(length)") }
                }
            }
        }
    }

    @Test("A log without its file is refused, and so is a file that was emptied")
    func lostFile() throws {
        var picture = try picture(isClosed: false)
        let folder = try TemporaryFolder(isInMemory: true)
        picture.files[""] = []
        #expect(try read(picture, in: folder) == nil)
        picture.files[""] = nil
        #expect(try read(picture, in: folder) == nil)
        #expect(try read(picture, in: folder) == nil)
    }

    @Test("A bit changed in the middle of the log is not taken for its end")
    func middleOfLog() throws {
        var picture = try picture(isClosed: false)
        picture.files["-wal"]?[32 + 24 + 100] ^= 4
        #expect(try read(picture, in: TemporaryFolder(isInMemory: true)) == nil)
    }

    @Test("What is changed behind the checksums of pages is found by those of batches and outputs")
    func behindPages() throws {
        let folder = try TemporaryFolder(isInMemory: true)
        var run = try Sample.run("r1", nodes: 3)
        let long = RawJSON(String(repeating: "x", count: 70_000))
        run.records[6] = RunRecord(at: 4, .succeeded(node: 0, long, microseconds: 9))
        for change in [
            "UPDATE batches SET body = CAST(replace(CAST(body AS TEXT), 'w1', 'w2') AS BLOB)",
            "UPDATE batches SET count = count + 1", "UPDATE batches SET place = place + 1",
            "UPDATE batches SET outside = 0", "DELETE FROM batches", "DELETE FROM outputs",
            "UPDATE outputs SET body = CAST('\"y\"' AS BLOB)", "UPDATE runs SET records = 4",
            "UPDATE workers SET document = CAST('{}' AS BLOB)", "UPDATE runs SET status = 'x'",
            "UPDATE runs SET ended = NULL",
        ] {
            try? FileManager.default.removeItem(atPath: folder.journal)
            let file = try JournalFile(path: folder.journal)
            try file.write(run.entries)
            try file.write([.worker(name: "w1", document: RawJSON(["session": "s1"]))])
            try file.database.execute(change)
            let error = #expect(throws: JournalError.self, "\(change)") { try content(of: file) }
            #expect(error?.kind == .damaged, "\(change)")
            #expect(try JournalFile.check(path: folder.journal).findings.isEmpty == false)
        }
    }
}
