// Checking, repairing and exporting journals; files of other versions and other programs.
import CSQLite
import Core
import Foundation
import JSON
import Runs
import Testing
import UVLoop
import Wire

@testable import Journal

@Suite("Journal: check and repair")
struct RepairTests {
    private func journal(_ folder: TemporaryFolder) throws -> JournalFile {
        let file = try JournalFile(path: folder.journal)
        for _ in 0..<3 { _ = try file.nextStart() }
        try file.write(try Sample.run("r1", nodes: 300).entries)
        try file.write(try Sample.run("r2", nodes: 5, isEnded: false).entries)
        let third = try Sample.run("r3", nodes: 300)
        try file.write(third.entries + [.summary(third.id, RawJSON(["nodes": 300]))])
        try file.write([.worker(name: "w1", document: RawJSON(["session": "s1"]))])
        return file
    }

    @Test("A journal that is whole has no findings and is counted")
    func whole() throws {
        let folder = try TemporaryFolder()
        let file = try journal(folder)
        let report = try JournalFile.check(path: folder.journal)
        #expect(report.findings == [])
        #expect(report.runs == 3 && report.unfinished == 1 && report.workers == 1)
        #expect(report.records == 2 * 1_204 + 23)
        let bytes = try file.runs(matching: JournalFilter()).reduce(0) { $0 + $1.bytes }
        #expect(report.bytes == bytes)
        #expect(throws: JournalError.self) { try JournalFile.check(path: folder.path + "/none") }
    }

    @Test("Records that were written and cannot follow each other are a finding, not a crash")
    func impossible() throws {
        let folder = try TemporaryFolder()
        let file = try journal(folder)
        let id = try Sample.id("r2")
        try file.write([.record(id, RunRecord(at: 1, .nodeReady(77)))])
        let report = try JournalFile.check(path: folder.journal)
        #expect(report.findings.map(\.run) == [id])
        #expect(report.runs == 2)
    }

    @Test("A repair keeps what is whole, and the old file")
    func repair() throws {
        let folder = try TemporaryFolder()
        do {
            let file = try journal(folder)
            try file.database.execute("DELETE FROM batches WHERE place >> 32 = 1")
            let fourth = try Sample.run("r4", nodes: 9)
            try file.write(fourth.entries + [.summary(fourth.id, RawJSON(["nodes": 9]))])
        }
        var bytes = try Data(contentsOf: URL(fileURLWithPath: folder.journal))
        // Of the third run: what the first one left is before it.
        let output = bytes.range(of: Data("output 250".utf8), options: .backwards)
        bytes[try #require(output).lowerBound] ^= 1
        try bytes.write(to: URL(fileURLWithPath: folder.journal))
        let before = try JournalFile.check(path: folder.journal)
        #expect(before.runs == 2 && before.findings.count >= 2)
        let repair = try JournalRepair.run(path: folder.journal)
        #expect(repair.report == before)
        #expect(repair.kept == folder.journal + ".damaged-1")
        #expect(try Data(contentsOf: URL(fileURLWithPath: repair.kept)) == bytes)
        let after = try JournalFile.check(path: folder.journal)
        #expect(after.findings == [] && after.runs == 2 && after.workers == 1)
        let file = try JournalFile(path: folder.journal)
        let ended = try #require(try file.run(try Sample.id("r4")))
        #expect(try file.summary(of: ended) == RawJSON(["nodes": 9]))
        #expect(try file.unfinishedRuns().map(\.id) == [try Sample.id("r2")])
        #expect(try file.nextStart() == 4)
        let id = try Sample.id("r2")
        try file.write([.record(id, RunRecord(at: 99, .ended(.succeeded)))])
        #expect(try JournalRepair.run(path: folder.journal).kept.hasSuffix("-2"))
    }

    @Test("An interrupted repair is refused at the start and completed by the next one")
    func interrupted() throws {
        let folder = try TemporaryFolder()
        _ = try journal(folder)
        let manager = FileManager.default
        try Data("half".utf8).write(to: URL(fileURLWithPath: folder.journal + ".repairing"))
        #expect(throws: JournalError.self) { try JournalFile(path: folder.journal) }
        #expect(try JournalRepair.run(path: folder.journal).report.runs == 3)
        // Between the two renames.
        try manager.moveItem(atPath: folder.journal, toPath: folder.journal + ".repairing")
        #expect(throws: JournalError.self) { try JournalFile(path: folder.journal) }
        #expect(!manager.fileExists(atPath: folder.journal))
        #expect(try JournalRepair.run(path: folder.journal).report.runs == 3)
        #expect(try JournalFile(path: folder.journal).unfinishedRuns().count == 1)
    }

    @Test("The export has every run, record and worker, one a line")
    func export() throws {
        let folder = try TemporaryFolder()
        let file = try journal(folder)
        let bytes = Locked<[UInt8]>([])
        let report = try JournalFile.export(path: file.path) { new in
            bytes.withLock { $0 += new }
        }
        #expect(report == (try JournalFile.check(path: file.path)))
        let lines = try bytes.withLock { $0 }.split(separator: 10).map {
            try RawJSON(validating: $0)
        }
        #expect(lines.count == 1 + 3 + 2 * 1_204 + 23)
        #expect(lines.last?.text == #"{"worker":"w1","document":{"session":"s1"}}"#)
        let records = try lines.compactMap { line -> RunRecord? in
            guard line.value(at: [.key("run")])?.stringValue == "r2" else { return nil }
            return try line.value(at: [.key("record")]).map { try RunRecord(decoding: $0) }
        }
        #expect(records == (try Sample.run("r2", nodes: 5, isEnded: false)).records)
    }

    @Test("A newer version is refused, and so is a file of another program")
    func versions() throws {
        let folder = try TemporaryFolder()
        do {
            let file = try journal(folder)
            try file.database.execute("PRAGMA user_version = 2")
        }
        let newer = #expect(throws: JournalError.self) { try JournalFile(path: folder.journal) }
        #expect(newer?.kind == .newerSchema)
        #expect(newer?.message.contains("version 2") == true)
        #expect(throws: JournalError.self) { try JournalFile(path: folder.journal, .reading) }
        let database = try Database(path: folder.path + "/other", WEFT_SQLITE_CREATE)
        try database.execute("CREATE TABLE t(x)")
        #expect(throws: JournalError.self) { try JournalFile(path: folder.path + "/other") }
        let text = folder.path + "/text"
        try Data(String(repeating: "not a journal ", count: 1_000).utf8)
            .write(to: URL(fileURLWithPath: text))
        let error = #expect(throws: JournalError.self) { try JournalFile(path: text) }
        #expect(error?.kind == .damaged)
        let missing = #expect(throws: JournalError.self) {
            try JournalFile(path: folder.path + "/none/journal.sqlite")
        }
        #expect(missing?.message.contains("its folder must exist") == true)
    }

    @Test("An older version is brought up to date in one transaction, or stays as it is")
    func migration() throws {
        let folder = try TemporaryFolder()
        do { _ = try journal(folder) }
        let database = try Database(path: folder.journal, WEFT_SQLITE_WRITE)
        let steps = JournalSchema.steps + ["ALTER TABLE runs ADD COLUMN more TEXT"]
        #expect(throws: JournalError.self) {
            try JournalSchema.prepare(database, steps: steps + ["ALTER TABLE none ADD COLUMN x"])
        }
        #expect(try JournalSchema.checkedVersion(of: database) == 1)
        try JournalSchema.prepare(database, steps: steps)
        #expect(try database.integer("PRAGMA user_version") == 2)
        #expect(try database.integer("SELECT count(*) FROM runs WHERE more IS NULL") == 3)
    }
}
