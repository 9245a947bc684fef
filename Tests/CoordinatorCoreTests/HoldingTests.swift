// Held bytes: everything that runs keep is counted, and each limit has its consequence. The harness
// compares the ledger with the stored bytes after each step.

import Core
import JSON
import TestKit
import Testing
import Wire

@testable import CoordinatorCore

@Suite("Held bytes")
struct HoldingTests {
    private func harness(
        run: Int = 512 << 20,
        all: Int = 768 << 20,
        finished: Int = 256 << 20,
        events: Int = 8 << 20
    ) -> MachineHarness {
        var limits = Limits()
        limits.runBytes = run
        limits.heldBytes = all
        limits.finishedBytes = finished
        limits.eventBytes = events
        return MachineHarness(limits: limits)
    }

    private func text(_ count: Int) -> String {
        #""\#(String(repeating: "x", count: count))""#
    }

    private func node(_ id: String, bytes: Int) -> NodeText {
        NodeText(id, args: #"{"x":\#(text(bytes))}"#)
    }

    private func refusal(_ submit: Submit, _ client: TestPeer) throws -> ErrorMessage {
        client.send(.submit(submit))
        return try client.nextError()
    }

    // MARK: - Submissions

    @Test("Refuses a submission that alone exceeds the limit, and names the limit")
    func tooLargeForARun() throws {
        let harness = harness(run: 50_000)
        let client = harness.client()
        let plan = PlanText.plan([node("a", bytes: 60_000)])
        let error = try refusal(Submit(key: "k", plan: plan), client)
        #expect(error.code == .limit)
        #expect(error.message.contains("run_bytes"))
        #expect(error.about == "k")
        #expect(harness.machine.runs.ledger.total == 0)
        try client.submit([node("a", bytes: 10_000)])
    }

    @Test("Counts a join instruction, the tools and the label of a submission")
    func instructionCounts() throws {
        let harness = harness(run: 50_000)
        let client = harness.client()
        let plan = PlanText.plan([NodeText("a")])
        let long = String(repeating: "j", count: 60_000)
        let instructed = Submit(key: "k", plan: plan, joinInstruction: long)
        #expect(try refusal(instructed, client).code == .limit)
        let tools = ["t"] + (0..<1_000).map { "t\($0)" }
        #expect(try refusal(Submit(key: "k", plan: plan, tools: tools), client).code == .limit)
    }

    @Test("A submission waits while unfinished runs hold the bytes, and is accepted after one ends")
    func busyUntilOneEnds() throws {
        let harness = harness(all: 100_000)
        let worker = harness.worker()
        let client = harness.client()
        try client.submit([node("a", bytes: 60_000)], key: "k1")
        let plan = PlanText.plan([node("a", bytes: 60_000)])
        let error = try refusal(Submit(key: "k2", plan: plan), client)
        #expect(error.code == .busy)
        #expect(error.message.contains("held_bytes"))
        worker.succeed(try worker.nextDispatch().attempt)
        let second = try client.submit([node("a", bytes: 60_000)], key: "k2")
        // The first one was dropped to make room.
        let known = try client.get(.runs).arrayValue?.compactMap { $0["run"]?.stringValue }
        #expect(known == [second.text])
    }

    // MARK: - Runs that grow

    @Test("A run whose outputs exceed its limit fails; others continue")
    func outputsBeyondTheRun() throws {
        let harness = harness(run: 100_000)
        let worker = harness.worker(slots: 3)
        let client = harness.client()
        let other = try client.submit([NodeText("z")], key: "other")
        let run = try client.submit(
            [NodeText("a"), NodeText("b"), NodeText("c", after: ["a", "b"])],
            key: "k"
        )
        let dispatches = try (0..<3).map { _ in try worker.nextDispatch() }
        for dispatch in dispatches where dispatch.run == run {
            worker.succeed(dispatch.attempt, text(60_000))
        }
        let document = try client.get(.run, run)
        #expect(document["status"] == "failed")
        #expect(document["error"]?["code"] == "limit")
        #expect(document["error"]?["message"]?.stringValue?.contains("run_bytes") == true)
        #expect(document["counts"]?["succeeded"] == 2)
        #expect(document["counts"]?["cancelled"] == 1)
        #expect(try client.get(.run, other)["status"] == "running")
    }

    @Test("A run ends before an output in chunks has arrived completely")
    func chunksBeyondTheRun() throws {
        let harness = harness(run: 100_000)
        let worker = harness.worker()
        let client = harness.client()
        let run = try client.submit([NodeText("a")])
        let attempt = try worker.nextDispatch().attempt
        let chunks = Chunk.slice(
            value: RawJSON(String(repeating: "y", count: 200_000)),
            about: .attempt(attempt),
            stream: .value,
            bytesPerChunk: 40_000
        )
        for chunk in chunks { worker.send(.chunk(chunk)) }
        #expect(worker.takeKinds().contains(.cancel))
        // The result crosses the cancel: its dropped chunks are not a fault of the worker.
        worker.send(
            .result(
                ResultMessage(attempt: attempt, outcome: .success(Payload(announcing: chunks)))
            )
        )
        #expect(!harness.isClosed(worker))
        #expect(try client.get(.run, run)["error"]?["code"] == "limit")
        #expect(try client.get(.node, run, node: "a")["status"] == "cancelled")
        #expect(harness.machine.runs.ledger.total < 50_000)
    }

    @Test("Drops the received part of an output when its attempt ends without it")
    func brokenOffOutputs() throws {
        let harness = harness()
        let worker = harness.worker(tools: [idempotent(maxAttempts: 2)])
        let client = harness.client()
        try client.submit([NodeText("a")])
        let attempt = try worker.nextDispatch().attempt
        let before = harness.machine.runs.ledger.total
        let data = Array(repeating: UInt8(ascii: "1"), count: 50_000)
        worker.send(
            .chunk(Chunk(about: .attempt(attempt), sequence: 0, stream: .value, data: data[...]))
        )
        #expect(harness.machine.runs.ledger.total == before + 50_000)
        worker.fail(attempt, .toolError, retryable: true)
        // Only a few records remain.
        #expect(harness.machine.runs.ledger.total < before + 1_000)
    }

    @Test("A run whose failures exceed its limit fails")
    func failuresBeyondTheRun() throws {
        let harness = harness(run: 100_000)
        let worker = harness.worker(slots: 10)
        let client = harness.client()
        let run = try client.submit((0..<10).map { NodeText("n\($0)") })
        for _ in 0..<10 {
            let attempt = try worker.nextDispatch().attempt
            let failure = Failure(
                code: .toolError,
                message: "it broke",
                stderrTail: String(repeating: "e", count: 30_000)
            )
            worker.send(.result(ResultMessage(attempt: attempt, outcome: .failure(failure))))
        }
        let document = try client.get(.run, run)
        #expect(document["error"]?["code"] == "limit")
        #expect(document["error"]?["message"]?.stringValue?.contains("failures") == true)
        #expect(harness.machine.runs.ledger.total <= 150_000)
    }

    @Test("A streamed plan that exceeds the limit of a run fails")
    func streamedPlanBeyondTheRun() throws {
        let harness = harness(run: 100_000)
        let client = harness.client()
        client.send(.submit(Submit(key: "k", plan: nil, isStreamed: true)))
        let run = try client.nextAccepted().run
        for index in 0..<5 {
            let task = node("n\(index)", bytes: 30_000).raw
            client.send(.nodes(Nodes(key: "k", tasks: [task])))
        }
        _ = client.take()
        #expect(try client.get(.run, run)["error"]?["code"] == "limit")
        #expect(harness.machine.runs.ledger.total < 150_000)
    }

    @Test("When all runs together exceed the limit, the largest ends and reports what is lost")
    func allRunsBeyondTheirBound() throws {
        let harness = harness(all: 300_000)
        let worker = harness.worker(slots: 4)
        let client = harness.client()
        let large = try client.submit([NodeText("a"), NodeText("b")], key: "large")
        let small = try client.submit([NodeText("c"), NodeText("d")], key: "small")
        var attempts: [String: AttemptID] = [:]
        for _ in 0..<4 {
            let dispatch = try worker.nextDispatch()
            attempts[dispatch.node.text] = dispatch.attempt
        }
        worker.succeed(try #require(attempts["a"]), text(160_000))
        worker.succeed(try #require(attempts["c"]), text(150_000))
        #expect(worker.takeKinds().contains(.cancel))
        worker.fail(try #require(attempts["b"]), .cancelled)
        worker.succeed(try #require(attempts["d"]), "1")
        #expect(try client.get(.run, small)["status"] == "succeeded")
        let document = try client.get(.run, large)
        #expect(document["error"]?["code"] == "limit")
        #expect(document["error"]?["message"]?.stringValue?.contains("held_bytes") == true)
        let node = try client.get(.node, large, node: "a")
        #expect(node["output"] == nil)
        #expect(node["error"]?["code"] == "limit")
    }

    // MARK: - Finished runs

    @Test(
        "Everything that a finished run keeps counts towards the limit of finished runs",
        arguments: ["outputs", "failures", "arguments", "instructions", "events"]
    )
    func retention(_ what: String) throws {
        let harness = harness(finished: 200_000)
        let worker = harness.worker()
        let client = harness.client()
        for index in 0..<10 {
            let bytes = what == "arguments" ? 60_000 : 1
            let submit = Submit(
                key: "k\(index)",
                plan: PlanText.plan([node("a", bytes: bytes)]),
                watch: what == "events" ? .all : nil,
                joinInstruction: what == "instructions"
                    ? String(repeating: "j", count: 60_000) : nil
            )
            client.send(.submit(submit))
            let attempt = try worker.nextDispatch().attempt
            switch what {
            case "outputs": worker.succeed(attempt, text(60_000))
            case "failures":
                let text = String(repeating: "e", count: 30_000)
                let failure = Failure(code: .toolError, message: text, stderrTail: text)
                worker.send(.result(ResultMessage(attempt: attempt, outcome: .failure(failure))))
            case "events":
                for sequence in 0..<3 {
                    worker.send(
                        .chunk(
                            Chunk(
                                about: .attempt(attempt),
                                sequence: sequence,
                                stream: .standardError,
                                data: [UInt8](repeating: 0x65, count: 20_000)[...]
                            )
                        )
                    )
                }
                worker.succeed(attempt)
            default: worker.succeed(attempt)
            }
            _ = client.take()
        }
        #expect(harness.machine.runs.ledger.finished <= 200_000)
        let kept = try client.get(.runs).arrayValue?.count ?? 0
        #expect((1...3).contains(kept), "\(kept) runs are kept")
    }

    @Test("Drops finished runs to make room for live runs, the oldest first")
    func finishedRunsMakeRoom() throws {
        let harness = harness(all: 400_000, finished: 400_000)
        let worker = harness.worker()
        let client = harness.client()
        for index in 0..<3 {
            try client.submit([NodeText("a")], key: "k\(index)")
            worker.succeed(try worker.nextDispatch().attempt, text(80_000))
        }
        let live = try client.submit([NodeText("a"), NodeText("b", after: ["a"])], key: "live")
        worker.succeed(try worker.nextDispatch().attempt, text(200_000))
        let kept = try client.get(.runs).arrayValue?.compactMap { $0["status"]?.stringValue }
        #expect(kept == ["running", "succeeded", "succeeded"])
        #expect(try client.get(.run, live)["counts"]?["succeeded"] == 1)
    }

    @Test("The ledger is empty once every run is forgotten")
    func emptyAtTheEnd() throws {
        let harness = harness(all: 60_000)
        let worker = harness.worker()
        let client = harness.client()
        try client.submit([node("a", bytes: 5_000)], watch: .all)
        worker.succeed(try worker.nextDispatch().attempt, text(5_000))
        #expect(harness.machine.runs.ledger.active == 0)
        #expect(harness.machine.runs.ledger.finished > 10_000)
        // A run that needs nearly all the room displaces the finished one.
        client.send(.submit(Submit(key: "k2", plan: PlanText.plan([node("a", bytes: 50_000)]))))
        #expect(harness.machine.runs.ledger.finished == 0)
    }

    // MARK: - Events

    @Test("Limits kept events in bytes; a late watcher gets a snapshot and the rest")
    func eventsInBytes() throws {
        let harness = harness(events: 50_000)
        let worker = harness.worker()
        let client = harness.client()
        let run = try client.submit([NodeText("a")], watch: .all)
        let attempt = try worker.nextDispatch().attempt
        for sequence in 0..<20 {
            worker.send(
                .chunk(
                    Chunk(
                        about: .attempt(attempt),
                        sequence: sequence,
                        stream: .standardError,
                        data: [UInt8](repeating: 0x65, count: 10_000)[...]
                    )
                )
            )
        }
        // Events, and as much of what tools wrote.
        #expect(harness.machine.runs.ledger.active < 120_000)
        let late = harness.client("late")
        late.send(.watch(Watch(run: run, from: 0, level: .all)))
        let events = late.takeEvents()
        #expect(events.first == "snapshot")
        #expect(events.last == "dispatched a")
        #expect(events.dropFirst().dropLast().allSatisfy { $0 == "chunk a" })
        #expect((1...4).contains(events.count - 2))
    }

    @Test("Drops kept events before it ends a run")
    func eventsGoFirst() throws {
        let harness = harness(all: 120_000, events: 80_000)
        let worker = harness.worker(slots: 2)
        let client = harness.client()
        let run = try client.submit([NodeText("a"), NodeText("b")], watch: .all)
        let first = try worker.nextDispatch().attempt
        let second = try worker.nextDispatch().attempt
        for sequence in 0..<7 {
            worker.send(
                .chunk(
                    Chunk(
                        about: .attempt(first),
                        sequence: sequence,
                        stream: .standardError,
                        data: [UInt8](repeating: 0x65, count: 10_000)[...]
                    )
                )
            )
        }
        worker.succeed(second, text(80_000))
        worker.succeed(first)
        _ = client.take()
        #expect(try client.get(.run, run)["status"] == "succeeded")
    }
}
