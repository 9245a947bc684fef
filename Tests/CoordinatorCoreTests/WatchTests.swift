// Events for watchers of each level, early and late.

import Core
import JSON
import TestKit
import Testing
import Wire

@Suite("Watching")
struct WatchTests {
    let harness = MachineHarness()

    private func runThrough(_ worker: TestPeer) throws {
        for node in ["a", "b"] {
            let dispatch = try worker.nextDispatch()
            #expect(dispatch.node.text == node)
            worker.start(dispatch.attempt)
            worker.send(
                .chunk(
                    Chunk(
                        about: .attempt(dispatch.attempt),
                        sequence: 0,
                        stream: .standardOutput,
                        data: Array("hello".utf8)
                    )
                )
            )
            worker.send(.progress(Progress(attempt: dispatch.attempt, fraction: 0.5)))
            worker.succeed(dispatch.attempt)
            _ = try worker.nextAck()
        }
    }

    @Test("Each level gets its events, in order and with rising numbers")
    func levels() throws {
        let worker = harness.worker()
        let submitter = harness.client("c")
        var watchers: [(WatchLevel, TestPeer)] = []
        let nodes = [NodeText("a"), NodeText("b", after: ["a"])]
        for level in WatchLevel.allCases {
            watchers.append((level, harness.client("v-\(level.rawValue)")))
        }
        submitter.send(.submit(Submit(key: "k", plan: nil, isStreamed: true)))
        let run = try submitter.nextAccepted().run
        for (level, peer) in watchers { peer.send(.watch(Watch(run: run, level: level))) }
        submitter.send(.nodes(Nodes(key: "k", tasks: nodes.map(\.raw), isLast: true)))
        try runThrough(worker)
        func perNode(_ node: String, _ isAll: Bool) -> [String] {
            var kinds = ["node_ready", "dispatched", "started"]
            if isAll { kinds.append("chunk") }
            return kinds.map { "\($0) \(node)" }
        }
        let nodesLevel =
            ["planned"] + perNode("a", false) + ["progress a", "node_succeeded a"]
            + perNode("b", false) + ["progress b", "node_succeeded b", "joined", "run_succeeded"]
        let allLevel =
            ["planned"] + perNode("a", true) + ["progress a", "node_succeeded a"]
            + perNode("b", true) + ["progress b", "node_succeeded b", "joined", "run_succeeded"]
        let expected: [WatchLevel: [String]] = [
            .end: ["run_succeeded"],
            .progress: ["planned", "progress a", "progress b", "joined", "run_succeeded"],
            .nodes: nodesLevel,
            .all: allLevel,
        ]
        for (level, peer) in watchers {
            let events = peer.take().compactMap { message -> EventMessage? in
                guard case .event(let event) = message else { return nil }
                return event
            }
            let sequences = events.map(\.sequence)
            #expect(sequences == sequences.sorted())
            #expect(Set(sequences).count == sequences.count)
            let words = events.map { event in
                event.node.map { "\(event.kind.rawValue) \($0)" } ?? event.kind.rawValue
            }
            #expect(words == expected[level], "\(level)")
        }
    }

    @Test("An output chunk is an event with text or base64, node and worker")
    func chunkEvents() throws {
        let worker = harness.worker("w-1")
        let client = harness.client()
        try client.submit([NodeText("a")], watch: .all)
        let attempt = try worker.nextDispatch().attempt
        _ = client.take()
        for data in [Array("hé".utf8), [0xFF, 0x00]] as [[UInt8]] {
            worker.send(
                .chunk(
                    Chunk(about: .attempt(attempt), sequence: 0, stream: .standardError, data: data)
                )
            )
        }
        let text = try client.nextEvent()
        #expect(text.kind == .chunk)
        #expect(text.node?.text == "a")
        #expect(text.attempt == 1)
        #expect(text.worker == "w-1")
        #expect(text.data?.text == #"{"stream":"stderr","text":"hé"}"#)
        #expect(try client.nextEvent().data?.text == #"{"stream":"stderr","base64":"/wA="}"#)
    }

    @Test("Sends counts to watchers of progress at most ten times a second")
    func progress() throws {
        let worker = harness.worker(slots: 1)
        let client = harness.client()
        try client.submit((0..<50).map { NodeText("n\($0)") }, watch: .progress)
        var seen = 0
        for _ in 0..<40 {
            harness.advance(.milliseconds(10))
            worker.succeed(try worker.nextDispatch().attempt)
            _ = try worker.nextAck()
            for message in client.take() {
                guard case .event(let event) = message, event.kind == .progress else { continue }
                seen += 1
                let count = event.data?.value(at: [.key("counts"), .key("succeeded")])?.intValue
                #expect((count ?? 0) > 0)
            }
        }
        #expect((3...4).contains(seen))
    }

    @Test("A late watcher of nodes gets a snapshot, then everything new")
    func lateWatcher() throws {
        let worker = harness.worker()
        let client = harness.client()
        let run = try client.submit([NodeText("a"), NodeText("b", after: ["a"])])
        let a = try worker.nextDispatch().attempt
        worker.succeed(a)
        _ = try worker.nextAck()
        let late = harness.client("v", role: .viewer)
        late.send(.watch(Watch(run: run, level: .nodes)))
        let snapshot = try late.nextEvent()
        #expect(snapshot.kind == .snapshot)
        #expect(
            snapshot.data?.value(at: [.key("counts"), .key("succeeded")])?.intValue == 1
        )
        _ = late.take()
        worker.succeed(try worker.nextDispatch().attempt)
        #expect(late.takeEvents() == ["node_succeeded b", "joined", "run_succeeded"])
    }

    @Test("A watcher that comes back gets the events from the number that it names")
    func resumedWatch() throws {
        let worker = harness.worker()
        let client = harness.client()
        let run = try client.submit([NodeText("a"), NodeText("b", after: ["a"])], watch: .nodes)
        worker.succeed(try worker.nextDispatch().attempt)
        let seen = client.take().count
        client.disconnect()
        _ = worker.take()
        worker.succeed(AttemptID(run: run, node: 1, number: 1))
        let again = harness.client("c")
        again.send(.watch(Watch(run: run, from: seen, level: .nodes)))
        #expect(again.takeEvents() == ["node_succeeded b", "joined", "run_succeeded"])
    }

    @Test(
        "Sends the last event of an ended run again, for any starting number",
        arguments: [0, 1, 1_000]
    )
    func endedRun(from: Int) throws {
        let worker = harness.worker()
        let client = harness.client()
        let run = try client.submit([NodeText("a")])
        worker.succeed(try worker.nextDispatch().attempt)
        client.send(.watch(Watch(run: run, from: from, level: .end)))
        #expect(client.takeEvents() == ["run_succeeded"])
    }

    @Test("Watching again replaces the level instead of doubling the events")
    func watchTwice() throws {
        let worker = harness.worker()
        let client = harness.client()
        let run = try client.submit([NodeText("a")], watch: .nodes)
        client.send(.watch(Watch(run: run, from: 1_000, level: .end)))
        _ = client.take()
        worker.succeed(try worker.nextDispatch().attempt)
        #expect(client.takeEvents() == ["run_succeeded"])
    }

    @Test("The log of a run keeps its newest events; a request for older ones gets a snapshot")
    func logLimit() throws {
        var limits = Limits()
        limits.eventLogEntries = 5
        let harness = MachineHarness(limits: limits)
        let client = harness.client()
        let run = try client.submit(
            (0..<20).map { NodeText("n\($0)") },
            watch: .nodes,
            onMissingTool: .fail
        )
        _ = client.take()
        client.send(.watch(Watch(run: run, from: 0, level: .nodes)))
        let events = client.takeEvents()
        #expect(events.first == "snapshot")
        // Each node's end is sent again.
        #expect(events[1...20].allSatisfy { $0.hasPrefix("node_failed n") })
        #expect(Set(events.filter { $0.hasPrefix("node_failed") }).count == events.count - 2)
        #expect(events.count == 22)
        #expect(events.last == "run_failed")
    }

    @Test("A watch of an unknown run fails, with its request number")
    func unknownRun() throws {
        let client = harness.client()
        client.send(.watch(Watch(run: try #require(RunID("nobody")), request: 12)))
        let error = try client.nextError()
        #expect(error.code == .unknownRun)
        #expect(error.request == 12)
        #expect(!error.isFatal)
    }

    @Test("A late watcher gets the ends of earlier nodes, and the running ones")
    func lateWatcherHearsOfEarlierNodes() throws {
        let worker = harness.worker()
        let submitter = harness.client("c")
        let nodes = [NodeText("a"), NodeText("b", after: ["a"]), NodeText("c", after: ["b"])]
        let run = try submitter.submit(nodes)
        let first = try worker.nextDispatch()
        worker.fail(first.attempt)
        let other = try submitter.submit([NodeText("d"), NodeText("e", after: ["d"])], key: "o")
        worker.succeed(try worker.nextDispatch().attempt)
        let late = harness.client("late", role: .viewer)
        late.send(.watch(Watch(run: other, level: .nodes)))
        #expect(
            late.takeEvents() == [
                "snapshot", "planned", "node_ready d", "dispatched d", "node_succeeded d",
                "node_ready e", "dispatched e",
            ]
        )
        worker.succeed(try worker.nextDispatch().attempt)
        #expect(late.takeEvents() == ["node_succeeded e", "joined", "run_succeeded"])
        late.send(.watch(Watch(run: run, level: .nodes)))
        #expect(
            late.takeEvents() == [
                "snapshot", "planned", "node_ready a", "dispatched a", "node_failed a",
                "node_skipped b", "node_skipped c", "run_failed",
            ]
        )
    }

    @Test("Watchers of progress see that a lost worker runs nothing any more")
    func progressAfterLoss() throws {
        let worker = harness.worker(tools: [idempotent()])
        let client = harness.client()
        let run = try client.submit([NodeText("a")], watch: .progress)
        harness.advance(.milliseconds(200))
        func running() -> [Int] {
            client.take().compactMap { message in
                guard case .event(let event) = message, event.kind == .progress else {
                    return nil
                }
                return event.data.map(JSONValue.init)?["counts"]?["running"]?.intValue
            }
        }
        #expect(running() == [1])
        worker.send(.bye(Bye(reason: "gone")))
        harness.advance(.milliseconds(200))
        #expect(running() == [0])
        #expect(try client.get(.run, run)["counts"]?["running"] == 0)
    }
}
