// Disks that are full or broken, and writers that are killed: what was confirmed is there, and nothing
// is half there.
import CSQLite
import Core
import Foundation
import Glibc
import Runs
import TestKit
import Testing
import UVLoop

@testable import Journal

@Suite("Journal: faults", .serialized, .timeLimit(.minutes(2 * Patience.factor)))
struct FaultTests {
    @Test("A write that finds no room changes nothing, wherever it fails, and works later")
    func fullAtAnyWrite() throws {
        let run = try Sample.run("r1", nodes: 400)
        for after in 0..<40 {
            let folder = try TemporaryFolder(isInMemory: true)
            let file = try JournalFile(path: folder.journal)
            try file.write(Array(run.entries.prefix(3)))
            weft_sqlite_inject(folder.path, WEFT_SQLITE_FAULT_FULL, Int32(after), 1)
            defer { weft_sqlite_inject("", WEFT_SQLITE_FAULT_FULL, 0, 0) }
            let rest = Array(run.entries.dropFirst(3))
            do {
                try file.write(rest)
            } catch {
                #expect(error.kind == .full)
                #expect(try file.records(of: run.id)?.count == 3)
                try file.write(rest)
            }
            #expect(try file.records(of: run.id) == run.records, "after \(after)")
            #expect(try JournalFile.check(path: folder.journal).findings == [])
        }
    }

    @Test("A failed sync is told as a failed disk")
    func brokenDisk() throws {
        let folder = try TemporaryFolder(isInMemory: true)
        let file = try JournalFile(path: folder.journal)
        let run = try Sample.run("r1", nodes: 4)
        weft_sqlite_inject(folder.path, WEFT_SQLITE_FAULT_SYNC, 0, 1)
        let error = #expect(throws: JournalError.self) { try file.write(run.entries) }
        #expect(error?.kind == .failed)
    }

    @Test("The writer keeps what a full disk refused, tells it once, and goes on later")
    func writerOnFullDisk() async throws {
        let folder = try TemporaryFolder(isInMemory: true)
        let run = try Sample.run("r1", nodes: 20)
        try await onLoop { loop in
            let file = try JournalFile(path: folder.journal)
            let writer = try JournalWriter(loop: loop, file: file)
            var problems: [JournalError] = []
            writer.onProblem = { problems.append($0) }
            writer.onWritten = { position in
                #expect(position == 2 || position == run.records.count)
                if position == run.records.count { writer.close { #expect($0 == nil) } }
            }
            writer.append(Array(run.entries.prefix(2)))
            writer.flush { _ in
                weft_sqlite_inject(folder.path, WEFT_SQLITE_FAULT_FULL, 0, 2)
                for entry in run.entries.dropFirst(2) { writer.append([entry]) }
            }
            loop.run()
            #expect(problems.map(\.kind) == [.full])
        }
        #expect(try JournalFile(path: folder.journal).records(of: run.id) == run.records)
    }

    @Test("The writer stops for good when the disk is broken")
    func writerOnBrokenDisk() async throws {
        let folder = try TemporaryFolder(isInMemory: true)
        let run = try Sample.run("r1", nodes: 20)
        try await onLoop { loop in
            let file = try JournalFile(path: folder.journal)
            let writer = try JournalWriter(loop: loop, file: file)
            var problems: [JournalError] = []
            writer.onProblem = { problems.append($0) }
            writer.append(Array(run.entries.prefix(2)))
            writer.flush { _ in
                weft_sqlite_inject(folder.path, WEFT_SQLITE_FAULT_SYNC, 0, 1)
                for entry in run.entries.dropFirst(2) { writer.append([entry]) }
                writer.flush { problem in
                    #expect(problem?.kind == .failed)
                    #expect(writer.written == 2)
                    writer.close { #expect($0?.kind == .failed) }
                }
            }
            loop.run()
            #expect(problems.map(\.kind) == [.failed])
        }
        let records = try JournalFile(path: folder.journal).records(of: run.id) ?? []
        #expect(records == Array(run.records.prefix(records.count)))
        #expect(records.count >= 2)
    }

    @Test(
        "A small file system fills up, and nothing that was confirmed is lost",
        .enabled(if: getuid() == 0, "only root can mount a small file system")
    )
    func smallDisk() throws {
        let folder = try TemporaryFolder()
        guard mount("tmpfs", folder.path, "tmpfs", 0, "size=4m") == 0 else {
            return  // A container without the right to mount.
        }
        defer { umount2(folder.path, 2) }
        let run = try Sample.run("r1", nodes: 20_000)
        var written = 0
        do {
            let file = try JournalFile(path: folder.journal)
            let filler = folder.path + "/filler"
            try Data(repeating: 1, count: 900_000).write(to: URL(fileURLWithPath: filler))
            var problem: JournalError?
            while problem == nil, written < run.entries.count {
                let end = min(written + 500, run.entries.count)
                do throws(JournalError) {
                    try file.write(Array(run.entries[written..<end]))
                    written = end
                } catch {
                    problem = error
                }
            }
            #expect(problem?.kind == .full)
            let found = try file.records(of: run.id)
            #expect(found?.count == written, "\(problem as Any)")
            try FileManager.default.removeItem(atPath: filler)
            try file.write(Array(run.entries[written..<written + 500]))
            written += 500
        }
        // A start may need more room than there is; then it says so.
        do throws(JournalError) {
            _ = try JournalFile(path: folder.journal)
        } catch {
            #expect(error.kind == .full)
        }
        #expect(mount("tmpfs", folder.path, "tmpfs", UInt(MS_REMOUNT), "size=32m") == 0)
        let file = try JournalFile(path: folder.journal)
        #expect(try file.records(of: run.id) == Array(run.records.prefix(written)))
    }

    @Test("A writer that is killed at random moments leaves all that it confirmed")
    func killed() throws {
        var generator = SplitMix64(seed: 11)
        var cutShort = 0
        for round in 0..<12 {
            let folder = try TemporaryFolder()
            let child = Process()
            child.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            child.arguments = [
                "--testing-library", "swift-testing", "--filter", "JournalTests.KilledWriter",
            ]
            child.environment = ProcessInfo.processInfo.environment.merging(
                ["WEFT_JOURNAL_CHILD": folder.path]
            ) { $1 }
            child.standardOutput = FileHandle.nullDevice
            child.standardError = FileHandle.nullDevice
            try child.run()
            let told = folder.path + "/confirmed"
            let deadline = ContinuousClock.now + .seconds(20 * Patience.factor)
            while (FileManager.default.contents(atPath: told) ?? Data()).isEmpty, .now < deadline {
                usleep(500)
            }
            usleep(UInt32(generator.next() % 60_000))
            kill(child.processIdentifier, SIGKILL)
            child.waitUntilExit()
            let confirmed = FileManager.default.contents(atPath: told)?.count ?? 0
            #expect(confirmed > 0)
            let run = try Sample.run("r1", nodes: KilledWriter.nodes)
            let file = try JournalFile(path: folder.journal)
            let records = try file.records(of: run.id) ?? []
            #expect(records == Array(run.records.prefix(records.count)), "round \(round)")
            #expect(records.count >= confirmed * KilledWriter.step, "round \(round)")
            #expect(records.count <= (confirmed + 1) * KilledWriter.step, "round \(round)")
            #expect(try JournalFile.check(path: folder.journal).findings == [])
            if records.count < run.records.count { cutShort += 1 }
        }
        #expect(cutShort > 6)
    }
}

/// What the killed process does: it writes, and tells each confirmed call with a byte in a file.
@Suite("Journal: a writer to be killed")
struct KilledWriter {
    static let nodes = 20_000
    static let step = 50
    static let folder = ProcessInfo.processInfo.environment["WEFT_JOURNAL_CHILD"]

    @Test("Writes until it is killed", .enabled(if: folder != nil, "for another test"))
    func write() throws {
        let folder = try #require(Self.folder)
        let run = try Sample.run("r1", nodes: Self.nodes)
        let file = try JournalFile(path: folder + "/" + JournalFile.name)
        let told = open(folder + "/confirmed", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        for start in stride(from: 0, to: run.entries.count, by: Self.step) {
            try file.write(Array(run.entries[start..<min(start + Self.step, run.entries.count)]))
            _ = Glibc.write(told, "x", 1)
        }
    }
}
