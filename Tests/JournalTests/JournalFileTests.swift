// What is written to a journal is read back the same, by the same and by later connections.
import Core
import Foundation
import JSON
import Runs
import Testing
import Wire

@testable import Journal

@Suite("Journal: the file")
struct JournalFileTests {
    @Test("Records of several runs, mixed in one call, are read back in order")
    func mixed() throws {
        let folder = try TemporaryFolder()
        let one = try Sample.run("r1", nodes: 3)
        let two = try Sample.run("r2", nodes: 2, isEnded: false)
        let file = try JournalFile(path: folder.journal)
        var entries: [JournalEntry] = []
        for index in 0..<max(one.records.count, two.records.count) {
            if index < one.records.count { entries.append(.record(one.id, one.records[index])) }
            if index < two.records.count { entries.append(.record(two.id, two.records[index])) }
        }
        try file.write(Array(entries[..<7]))
        try file.write(Array(entries[7...]))
        #expect(try file.records(of: one.id) == one.records)
        #expect(try file.unfinishedRuns().map(\.id) == [two.id])
        let later = try JournalFile(path: folder.journal)
        #expect(try later.records(of: two.id) == two.records)
        #expect(try later.records(of: try Sample.id("r3")) == nil)
        try later.write([.record(two.id, RunRecord(at: 900, .ended(.failed)))])
        #expect(try later.records(of: two.id)?.count == two.records.count + 1)
        #expect(try JournalFile(path: folder.journal).unfinishedRuns().isEmpty)
    }

    @Test("A long output is written once, outside its record, and put back")
    func longOutput() throws {
        let folder = try TemporaryFolder()
        let output = RawJSON(String(repeating: "x", count: 300_000))
        var run = try Sample.run("r1", nodes: 2, isEnded: false)
        run.records.append(RunRecord(at: 7, .answered(output)))
        run.records.append(RunRecord(at: 7, .succeeded(node: 1, output, microseconds: 3)))
        run.records.append(RunRecord(at: 8, .succeeded(node: 1, .null, microseconds: 3)))
        let file = try JournalFile(path: folder.journal)
        try file.write(run.entries)
        #expect(try file.records(of: run.id) == run.records)
        #expect(try file.database.integer("SELECT max(length(body)) FROM batches") < 10_000)
        #expect(try file.database.integer("SELECT count(*) FROM outputs") == 2)
    }

    @Test("Many records in one call become a few rows, and come back batch by batch")
    func manyRecords() throws {
        let folder = try TemporaryFolder()
        let run = try Sample.run("r1", nodes: 20_000)
        let file = try JournalFile(path: folder.journal)
        try file.write(run.entries)
        var records: [RunRecord] = []
        var batches = 0
        try file.forEachBatch(of: run.id) {
            records += $0
            batches += 1
        }
        #expect(records == run.records)
        #expect((3...20).contains(batches))
    }

    @Test("What follows an end or has no beginning is refused, and nothing of the call is kept")
    func misplaced() throws {
        let folder = try TemporaryFolder()
        let run = try Sample.run("r1", nodes: 1)
        let file = try JournalFile(path: folder.journal)
        let record = RunRecord(at: 9, .nodeReady(0))
        #expect(throws: JournalError.self) { try file.write([.record(run.id, record)]) }
        #expect(throws: JournalError.self) {
            try file.write(run.entries + [.record(run.id, record)])
        }
        #expect(try file.records(of: run.id) == nil)
        try file.write(run.entries)
        #expect(throws: JournalError.self) { try file.write([.record(run.id, record)]) }
        #expect(throws: JournalError.self) { try file.write(run.entries) }
        #expect(try file.records(of: run.id) == run.records)
    }

    @Test("Workers are kept, replaced and removed")
    func workers() throws {
        let folder = try TemporaryFolder()
        let file = try JournalFile(path: folder.journal)
        let first = RawJSON(["session": "s1"])
        try file.write([
            .worker(name: "w2", document: first), .worker(name: "w1", document: first),
            .worker(name: "w3", document: first),
        ])
        let second = RawJSON(["session": "s2"])
        try file.write([.worker(name: "w2", document: second), .workerLeft(name: "w3")])
        let workers = try JournalFile(path: folder.journal).workers()
        #expect(workers.map(\.name) == ["w1", "w2"])
        #expect(workers.map(\.document) == [first, second])
    }

    @Test("Each start has the next number, and only the user may read the file")
    func starts() throws {
        let folder = try TemporaryFolder()
        #expect(try JournalFile(path: folder.journal).nextStart() == 1)
        let file = try JournalFile(path: folder.journal)
        #expect(try file.nextStart() == 2)
        try file.write(try Sample.run("r1", nodes: 1).entries)
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
            let attributes = try FileManager.default.attributesOfItem(
                atPath: folder.path + "/" + name
            )
            #expect(attributes[.posixPermissions] as? Int == 0o600, "\(name)")
        }
    }
}
