// Messages that wait for peers that do not read, read slowly, or read fast and much.

import CoordinatorCore
import Core
import JSON
import OrderedCollections
import TestKit
import Testing
import Wire

@Suite("Messages that wait for peers")
struct BacklogTests {
    private var limits = Limits()
    private let harness: MachineHarness

    init() {
        // Small, so that ordinary values are large.
        limits.maxLine = 16 << 10
        limits.chunkBytes = 4 << 10
        limits.allUnsentBytes = 8 << 20
        harness = MachineHarness(limits: limits)
    }

    /// A finished run whose answer has about that many bytes.
    private func finishedRun(bytes: Int, by client: TestPeer, key: String = "k") throws -> RunID {
        let worker = harness.worker("w-\(key)")
        let run = try client.submit([NodeText("a")], key: key)
        let attempt = try worker.nextDispatch().attempt
        let text = String(repeating: "x", count: 1_000)
        // Outputs come in chunks like those of a real worker.
        let value = RawJSON(String(repeating: text, count: bytes / 1_000))
        let chunks = Chunk.slice(
            value: value,
            about: .attempt(attempt),
            stream: .value,
            bytesPerChunk: limits.chunkBytes
        )
        for chunk in chunks { worker.send(.chunk(chunk)) }
        let result = ResultMessage(
            attempt: attempt,
            outcome: .success(Payload(announcing: chunks))
        )
        worker.send(.result(result))
        _ = client.take()
        worker.disconnect()
        return run
    }

    private func ask(_ what: GetKind, _ run: RunID, _ request: Int = 1) -> Message {
        .get(Get(request: request, what: what, id: run.text))
    }

    @Test("A worker with a large backlog gets nothing new until half of it has left")
    func congestion() throws {
        let worker = harness.worker("w", slots: 2)
        let client = harness.client()
        harness.handle(.backlog(worker.id, Backlog(encodedBytes: 65 << 20)))
        try client.submit([NodeText("a")])
        #expect(worker.take() == [])
        harness.handle(.backlog(worker.id, Backlog(encodedBytes: 40 << 20, takenBytes: 1)))
        #expect(worker.take() == [])
        harness.handle(.backlog(worker.id, Backlog(encodedBytes: 32 << 20, takenBytes: 2)))
        _ = try worker.nextDispatch()
    }

    @Test("A client that reads nothing of its backlog gets an error after a lease")
    func stalled() throws {
        let client = harness.client()
        let run = try finishedRun(bytes: 100_000, by: client)
        harness.read(0, by: client)
        client.send(ask(.answer, run))
        harness.advance(.seconds(9))
        #expect(!harness.isClosed(client))
        harness.advance(.seconds(4))
        #expect(try client.nextError().code == .limit)
        #expect(harness.isClosed(client))
    }

    @Test("A client that reads a byte at a time is not dropped")
    func slow() throws {
        let client = harness.client()
        let run = try finishedRun(bytes: 5_000_000, by: client)
        harness.read(0, by: client)
        client.send(ask(.answer, run))
        for second in 0..<100 {
            harness.advance(.seconds(1))
            if second % 9 == 0 { harness.read(1, by: client) }
        }
        #expect(!harness.isClosed(client))
        harness.read(.max, by: client)
        #expect(client.takeKinds().contains(.reply))
    }

    @Test("A stall ends when everything has left")
    func recovers() throws {
        let client = harness.client()
        let run = try finishedRun(bytes: 100_000, by: client)
        for request in 0..<3 {
            harness.read(0, by: client)
            client.send(ask(.answer, run, request))
            harness.advance(.seconds(9))
            harness.read(.max, by: client)
        }
        #expect(!harness.isClosed(client))
        #expect(client.takeKinds().count { $0 == .reply } == 3)
    }

    @Test("Makes the next large answer when the previous one has left; reads nothing meanwhile")
    func oneAtATime() throws {
        let client = harness.client()
        let run = try finishedRun(bytes: 2_000_000, by: client)
        harness.read(0, by: client)
        client.send(ask(.nodes, run, 1))
        client.send(ask(.nodes, run, 2))
        #expect(client.isPaused)
        client.send(ask(.status, run, 3))
        harness.read(.max, by: client)
        #expect(!client.isPaused)
        let replies = client.take().compactMap { message -> Int? in
            if case .reply(let reply) = message { reply.request } else { nil }
        }
        #expect(replies == [1, 2, 3])
    }

    @Test("Peers that wait for the same answer share it")
    func sharedAnswer() throws {
        let client = harness.client()
        let run = try finishedRun(bytes: 6_000_000, by: client)
        let viewers = (0..<60).map { harness.client("v\($0)", role: .viewer) }
        for viewer in viewers {
            harness.read(0, by: viewer)
            viewer.send(ask(.answer, run))
        }
        // Sixty copies would exceed the limit of 8 MiB, and all but two would wait for room.
        #expect(viewers.allSatisfy { !$0.isPaused })
        client.send(ask(.answer, run))
        #expect(client.takeKinds().last == .reply)
    }

    @Test("Over the limit of all unsent bytes, drops peers that do not read, the largest first")
    func largestDebtor() throws {
        let client = harness.client()
        let large = try finishedRun(bytes: 6_000_000, by: client, key: "large")
        let small = try finishedRun(bytes: 3_000_000, by: client, key: "small")
        let idle = harness.client("idle", role: .viewer)
        let greedy = harness.client("greedy", role: .viewer)
        let fast = harness.client("fast", role: .viewer)
        harness.read(0, by: idle)
        idle.send(ask(.nodes, small))
        harness.read(0, by: greedy)
        greedy.send(ask(.nodes, large))
        // The limit is reached: further questions wait.
        client.send(ask(.nodes, small))
        #expect(client.isPaused)
        harness.read(0, by: fast)
        fast.send(ask(.status, small))
        harness.advance(.seconds(5))
        #expect(harness.isClosed(greedy))
        #expect(!harness.isClosed(idle))
        #expect(!harness.isClosed(fast))
        #expect(!client.isPaused)
        #expect(client.takeKinds().last == .reply)
    }

    @Test("Never drops a peer that reads because of others, and answers waiting ones in the end")
    func fastReaderStays() throws {
        let client = harness.client()
        let run = try finishedRun(bytes: 9_000_000, by: client)
        let reader = harness.client("reader", role: .viewer)
        harness.read(0, by: reader)
        reader.send(ask(.nodes, run))
        client.send(ask(.nodes, run))
        #expect(client.isPaused)
        for _ in 0..<40 where !harness.isClosed(reader) {
            harness.advance(.seconds(1))
            harness.read(300_000, by: reader)
        }
        #expect(reader.takeKinds().contains(.reply))
        #expect(client.takeKinds().contains(.reply))
        #expect(!harness.isClosed(reader))
    }

    @Test("Refuses an answer larger than a value, and tells how to get it in parts")
    func tooLarge() throws {
        var limits = limits
        limits.maxValue = 1 << 20
        let harness = MachineHarness(limits: limits)
        let client = harness.client()
        let worker = harness.worker(slots: 2)
        let run = try client.submit([NodeText("a"), NodeText("b")])
        let text = "\"" + String(repeating: "x", count: 6_000) + "\""
        for _ in 0..<2 {
            let attempt = try worker.nextDispatch().attempt
            let chunks = Chunk.slice(
                value: RawJSON(String(repeating: text, count: 90)),
                about: .attempt(attempt),
                stream: .value,
                bytesPerChunk: 4 << 10
            )
            for chunk in chunks { worker.send(.chunk(chunk)) }
            let outcome = AttemptOutcome.success(Payload(announcing: chunks))
            worker.send(.result(ResultMessage(attempt: attempt, outcome: outcome)))
        }
        _ = client.take()
        client.send(ask(.answer, run, 5))
        let error = try client.nextError()
        #expect(error.code == .limit)
        #expect(!error.isFatal)
        #expect(error.request == 5)
        #expect(error.message.contains("weft show RUN NODE"))
        for node in ["a", "b"] {
            _ = try client.get(.node, run, node: node)
        }
        var next: Int? = 0
        var seen = 0
        while let from = next {
            let page = try client.get(.nodes, run, from: from)
            seen += page.objectValue?["nodes"]?.objectValue?.count ?? 0
            next = page.objectValue?["next"]?.intValue
        }
        #expect(seen == 2)
    }

    /// A client that watches a run and reads nothing, while its worker reports that much progress.
    private func watchWithoutReading(
        _ limits: Limits,
        progress: Int,
        level: WatchLevel = .all
    ) throws -> (MachineHarness, TestPeer) {
        let harness = MachineHarness(limits: limits)
        let client = harness.client()
        let worker = harness.worker()
        try client.submit([NodeText("a")], watch: level)
        let attempt = try worker.nextDispatch().attempt
        worker.start(attempt)
        _ = client.take()
        harness.read(0, by: client)
        let note = String(repeating: "x", count: 1_000)
        for step in 0..<progress {
            let fraction = Double(step) / Double(progress)
            let message = Progress(attempt: attempt, fraction: fraction, note: note)
            worker.send(.progress(message))
        }
        worker.succeed(attempt)
        return (harness, client)
    }

    @Test("A watcher that reads late gets every kept event in order, and holds few of them")
    func lateReader() throws {
        var limits = limits
        limits.outboxHighWater = 20_000
        let (harness, client) = try watchWithoutReading(limits, progress: 200)
        #expect(client.wire.backlog.encodedBytes < 30_000)
        harness.read(.max, by: client)
        let events = client.takeEventMessages()
        #expect(events.count { $0.kind == .progress && $0.node != nil } == 200)
        let numbers = events.filter { $0.kind != .progress || $0.node != nil }.map(\.sequence)
        #expect(numbers == numbers.sorted())
        #expect(Set(numbers).count == numbers.count)
        #expect(events.last?.kind == .runSucceeded)
    }

    @Test(
        "A watcher that reads after events were dropped gets a snapshot instead",
        arguments: [WatchLevel.progress, .nodes, .all]
    )
    func lostEvents(level: WatchLevel) throws {
        var limits = limits
        limits.outboxHighWater = 20_000
        limits.eventLogEntries = 50
        let (harness, client) = try watchWithoutReading(limits, progress: 200, level: level)
        harness.read(.max, by: client)
        let events = client.takeEventMessages()
        #expect(events.count { $0.kind == .snapshot } == 1)
        let progress = events.count { $0.kind == .progress && $0.node != nil }
        #expect((50..<100).contains(progress))
        #expect(events.last?.kind == .runSucceeded)
    }

    @Test("A late watcher of an ended run with many events gets them as it reads")
    func lateWatcher() throws {
        var limits = limits
        limits.outboxHighWater = 20_000
        let (harness, client) = try watchWithoutReading(limits, progress: 200)
        harness.read(.max, by: client)
        let run = try #require(client.takeEventMessages().first?.run)
        let viewer = harness.client("v", role: .viewer)
        harness.read(0, by: viewer)
        viewer.send(.watch(Watch(run: run, level: .all, request: 1)))
        #expect(viewer.wire.backlog.encodedBytes < 30_000)
        harness.read(.max, by: viewer)
        let events = viewer.takeEventMessages()
        #expect(events.count { $0.kind == .progress && $0.node != nil } == 200)
        #expect(events.last?.kind == .runSucceeded)
        viewer.send(.watch(Watch(run: run, from: 10_000, level: .all, request: 2)))
        #expect(viewer.takeEventMessages().map(\.kind) == [.runSucceeded])
    }
}

extension TestPeer {
    /// The events among all messages that arrived.
    fileprivate func takeEventMessages() -> [EventMessage] {
        take().compactMap { if case .event(let event) = $0 { event } else { nil } }
    }
}
