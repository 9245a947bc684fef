// The journal in a real PostgreSQL: what is written is read again, one leads, and another epoch writes
// nothing. Without PostgreSQL on this host these tests are skipped. What happens to coordinators is in
// Tests/Conformance/test_standby.py.
import Core
import Foundation
import JSON
import Runs
import TestKit
import Testing
import UVLoop
import Wire

@testable import Journal

/// A database for the tests of this process, made by Deploy/postgresql; it ends with its standard
/// input.
private final class TestDatabase: Sendable {
    static let shared = TestDatabase()

    let url: String
    private let input: FileHandle

    private init?() {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Deploy/postgresql")
        let process = Process()
        let (input, output) = (Pipe(), Pipe())
        process.executableURL = script
        process.arguments = ["fsync=off"]
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        var said = Data()
        while !said.contains(UInt8(ascii: "\n")) {
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else { return nil }
            said += more
        }
        url = String(decoding: said.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        self.input = input.fileHandleForWriting
    }

    /// A new database.
    func make() throws -> PostgresPlace {
        let name = "journal_" + UUID().uuidString.lowercased().filter { $0 != "-" }
        let session = try PostgresSession(
            place: try PostgresPlace(url: url),
            keepalive: .seconds(10)
        )
        try session.query("CREATE DATABASE \(name)")
        return try PostgresPlace(url: url.replacingOccurrences(of: "/postgres", with: "/\(name)"))
    }
}

/// Leads with a journal, and passes on what the test makes of that.
private func lead(
    _ place: PostgresPlace,
    _ body: @escaping @Sendable (EventLoop, PostgresStore, JournalStart) throws -> Void
) async throws {
    try await onLoop { loop in
        let candidate = PostgresCandidate(
            loop: loop,
            place: place,
            lease: .seconds(10),
            address: "here:1"
        )
        candidate.onFailure = { Issue.record("\($0)") }
        candidate.onLeading = { store in
            store.begin { result in
                do { try body(loop, store, try result.get()) } catch { Issue.record("\(error)") }
            }
        }
        candidate.start()
        loop.run()
    }
}

@Suite(
    "Journal: PostgreSQL",
    .serialized,
    .enabled(if: TestDatabase.shared != nil, "run Deploy/install --postgresql"),
    .timeLimit(.minutes(Patience.factor))
)
struct PostgresTests {
    private let place: PostgresPlace

    init() throws { place = try #require(TestDatabase.shared).make() }

    /// Writes runs, and closes the journal.
    private func write(_ entries: [JournalEntry]) async throws {
        try await lead(place) { loop, store, _ in
            let writer = JournalWriter(loop: loop, store: store)
            writer.append(entries)
            writer.close { #expect($0 == nil) }
        }
    }

    @Test("What was written is read again, as it was")
    func roundTrip() async throws {
        let small = try Sample.run("r1", nodes: 20, isEnded: false)
        var second = try Sample.run("r2", nodes: 3)
        let text = RawJSON("\"" + String(repeating: "x", count: 100_000) + "\"")
        second.records[6] = RunRecord(at: 4, .succeeded(node: 0, text, microseconds: 1))
        let large = second
        let document = try RawJSON(validating: Array(#"{"session":"s1"}"#.utf8)[...])
        let entries =
            small.entries + large.entries + [
                .summary(large.id, document), .worker(name: "w1", document: document),
                .worker(name: "w2", document: document), .workerLeft(name: "w2"),
                .worker(name: "w3", document: document), .workerLeft(name: "w3"),
                .worker(name: "w3", document: .null),
            ]
        try await write(entries)
        try await lead(place) { loop, store, start in
            #expect(start.starts == 2)
            #expect(start.unfinished.map(\.row.id) == [small.id])
            #expect(start.unfinished.first?.records == small.records)
            #expect(start.ended.map(\.id) == [large.id])
            #expect(start.workers == ["w1": document, "w3": .null])
            let writer = JournalWriter(loop: loop, store: store)
            // The run goes on where it was, by the next epoch.
            writer.append([.record(small.id, RunRecord(at: 999, .ended(.failed)))])
            writer.flush { problem in
                #expect(problem == nil)
                writer.read { (tables) throws(JournalError) in
                    (try tables.records(of: small.id), try tables.records(of: large.id))
                } then: { result in
                    #expect((try? result.get().0)?.count == small.records.count + 1)
                    #expect((try? result.get().1) == large.records)
                    writer.close { #expect($0 == nil) }
                }
            }
        }
        let report = try place.check()
        #expect(report.findings == [])
        #expect(report.runs == 2 && report.unfinished == 0 && report.workers == 2)
    }

    @Test("A transaction of many bytes is whole, in several statements")
    func largeTransaction() async throws {
        let text = RawJSON("\"" + String(repeating: "y", count: 5 << 20) + "\"")
        var run = try Sample.run("r1", nodes: 4)
        for index in run.records.indices {
            guard case .succeeded(let node, _, _) = run.records[index].change else { continue }
            run.records[index].change = .succeeded(node: node, text, microseconds: 1)
        }
        try await write(run.entries)
        #expect(try PostgresTables(place).records(of: run.id) == run.records)
    }

    @Test("With another epoch nothing is written, and the writer learns that it does not lead")
    func fence() async throws {
        let run = try Sample.run("r1", nodes: 5)
        let place = place
        try await lead(place) { loop, store, _ in
            let session = try PostgresSession(place: place, keepalive: .seconds(10))
            try session.query("UPDATE weftline.leader SET epoch = epoch + 1")
            let writer = JournalWriter(loop: loop, store: store)
            var problems: [JournalError.Kind] = []
            writer.onWritten = { _ in Issue.record("it was confirmed") }
            writer.onProblem = { problems.append($0.kind) }
            writer.append(run.entries)
            writer.flush { problem in
                #expect(problem?.kind == .superseded)
                #expect(problems == [.superseded])
                writer.close { #expect($0?.kind == .superseded) }
            }
        }
        #expect(try PostgresTables(place).records(of: run.id) == nil)
    }

    @Test("A second coordinator waits, knows the leader, and leads when the leader ends")
    func succession() async throws {
        let place = place
        try await lead(place) { loop, first, _ in
            let second = PostgresCandidate(
                loop: loop,
                place: place,
                lease: .seconds(10),
                address: "there:1"
            )
            var leaders: [String?] = []
            second.onStandby = { leader in
                leaders.append(leader)
                first.close {}
            }
            second.onLeading = { store in
                #expect(leaders == ["here:1"])
                #expect(store.epoch == first.epoch + 1)
                store.close {}
            }
            second.onFailure = { Issue.record("\($0)") }
            second.start()
        }
    }

    @Test("The oldest runs are removed, by their time and by their bytes")
    func pruning() async throws {
        // One ends a second after the other.
        let runs = try (1...6)
            .map { number in
                var run = try Sample.run("r\(number)", nodes: 10, isEnded: false)
                run.records.append(RunRecord(at: number * 1_000_000, .ended(.succeeded)))
                return run
            }
        let unfinished = try Sample.run("r7", nodes: 1, isEnded: false)
        try await write((runs + [unfinished]).flatMap(\.entries))
        let tables = try PostgresTables(place)
        let rows = try runs.map { try #require(try tables.run($0.id)) }
        let ends = try rows.map { try #require($0.ended) }
        #expect(try tables.prune(endedBefore: 0, keepingBytes: nil, epoch: 1).isDone)
        // Another epoch removes nothing.
        #expect(try tables.prune(endedBefore: .max, keepingBytes: 0, epoch: 2).isDone)
        let old = try tables.prune(endedBefore: ends[2], keepingBytes: nil, epoch: 1)
        #expect(Set(old.runs) == Set(runs[..<2].map(\.id)))
        let kept = rows[4].bytes + rows[5].bytes
        let large = try tables.prune(endedBefore: nil, keepingBytes: kept, epoch: 1)
        #expect(Set(large.runs) == Set(runs[2..<4].map(\.id)))
        #expect(try tables.prune(endedBefore: nil, keepingBytes: kept, epoch: 1).isDone)
        #expect(try tables.forget(runs[4].id, epoch: 1))
        #expect(try !tables.forget(runs[4].id, epoch: 1))
        #expect(try !tables.forget(unfinished.id, epoch: 1))
        let report = try place.check()
        #expect(report.findings == [])
        #expect(report.runs == 2 && report.unfinished == 1)
    }
}
