// Writing from a loop: positions, group commit, reading beside it, closing.
import Core
import Foundation
import Runs
import TestKit
import Testing
import UVLoop

@testable import Journal

@Suite("Journal: the writer", .timeLimit(.minutes(Patience.factor)))
struct JournalWriterTests {
    @Test("Positions are confirmed in order, and entries that wait go together")
    func positions() async throws {
        let folder = try TemporaryFolder()
        let run = try Sample.run("r1", nodes: 50)
        let confirmed = try await onLoop { loop in
            let writer = try JournalWriter(loop: loop, file: try JournalFile(path: folder.journal))
            var confirmed: [Int] = []
            writer.onWritten = { confirmed.append($0) }
            for (index, entry) in run.entries.enumerated() {
                #expect(writer.append([entry]) == index + 1)
            }
            writer.close { #expect($0 == nil) }
            loop.run()
            return confirmed
        }
        #expect(confirmed == confirmed.sorted())
        #expect(confirmed.last == run.records.count)
        // The first one went alone, and the others while it was written.
        #expect(confirmed.count == 2)
        #expect(try JournalFile(path: folder.journal).records(of: run.id) == run.records)
    }

    @Test("What was confirmed is found by a read, while writing goes on")
    func reading() async throws {
        let folder = try TemporaryFolder()
        let run = try Sample.run("r1", nodes: 50)
        try await onLoop { loop in
            let writer = try JournalWriter(loop: loop, file: try JournalFile(path: folder.journal))
            writer.append(Array(run.entries.prefix(10)))
            writer.flush { problem in
                #expect(problem == nil)
                #expect(writer.written == 10)
                writer.append(Array(run.entries.dropFirst(10)))
                writer.read { (file) throws(JournalError) in
                    try file.records(of: run.id)?.prefix(10).map { $0 }
                } then: { result in
                    #expect((try? result.get()) == Array(run.records.prefix(10)))
                    writer.close { #expect($0 == nil) }
                }
            }
            loop.run()
        }
        #expect(try JournalFile(path: folder.journal).records(of: run.id) == run.records)
    }

    @Test("A fault of the program stops writing for good and is told once")
    func fault() async throws {
        let folder = try TemporaryFolder()
        let run = try Sample.run("r1", nodes: 1)
        try await onLoop { loop in
            let writer = try JournalWriter(loop: loop, file: try JournalFile(path: folder.journal))
            var problems: [JournalError] = []
            writer.onProblem = { problems.append($0) }
            writer.onWritten = { _ in Issue.record("nothing was written") }
            writer.append([.record(run.id, RunRecord(at: 9, .nodeReady(0)))])
            writer.append(run.entries)
            writer.flush { problem in
                #expect(problem?.kind == .failed)
                writer.append(run.entries)
                writer.close { #expect($0?.kind == .failed) }
            }
            loop.run()
            #expect(problems.map(\.kind) == [.failed])
        }
        #expect(try JournalFile(path: folder.journal).records(of: run.id) == nil)
    }

    @Test("Runs are forgotten and pruned beside the commits")
    func pruning() async throws {
        let folder = try TemporaryFolder()
        let runs = try (0..<40).map { try Sample.run("r\($0)", nodes: 200) }
        let last = try Sample.run("last", nodes: 50)
        try await onLoop { loop in
            let writer = try JournalWriter(loop: loop, file: try JournalFile(path: folder.journal))
            writer.append(runs.flatMap(\.entries))
            writer.forget(runs[3].id) { result in
                #expect((try? result.get()) == true)
            }
            var confirmed: [Int] = []
            writer.onWritten = { confirmed.append($0) }
            writer.prune(endedBefore: .max, keepingBytes: nil) { result in
                #expect((try? result.get())?.count == 39)
                writer.flush { _ in
                    #expect(confirmed.last == writer.appended)
                    writer.read { (file) throws(JournalError) in
                        try file.runs(matching: JournalFilter()).map(\.id)
                    } then: { result in
                        #expect((try? result.get()) == [last.id])
                        writer.close { #expect($0 == nil) }
                    }
                }
            }
            // All but the end: it goes on.
            for entry in last.entries.dropLast() { writer.append([entry]) }
            loop.run()
        }
        #expect(try JournalFile.check(path: folder.journal).findings == [])
        let file = try JournalFile(path: folder.journal)
        #expect(try file.records(of: last.id) == last.records.dropLast())
    }
}
