// Attempts as seen in workers' messages: results inline and in chunks, stale ones, refusals,
// progress, cancelling, the pong that repairs differences.

import Core
import JSON
import TestKit
import Testing
import Wire

@testable import CoordinatorCore

@Suite("Attempts")
struct AttemptTests {
    let harness = MachineHarness()

    @Test("One acknowledgement a turn names all results, stale ones separately")
    func batchedAck() throws {
        let worker = harness.worker(slots: 3)
        let client = harness.client()
        try client.submit([NodeText("a"), NodeText("b"), NodeText("c")])
        let attempts = try (0..<3).map { _ in try worker.nextDispatch().attempt }
        harness.turn {
            worker.succeed(attempts[0])
            worker.fail(attempts[1])
            worker.succeed(attempts[0])
        }
        #expect(
            worker.take() == [
                .ack(Ack(attempts: [attempts[0], attempts[1]], stale: [attempts[0]]))
            ]
        )
    }

    @Test("A result counts once; repeated and unknown ones are stale and change nothing")
    func stale() throws {
        let worker = harness.worker(slots: 1)
        let client = harness.client()
        let run = try client.submit([NodeText("a"), NodeText("b", after: ["a"])])
        let dispatch = try worker.nextDispatch()
        worker.succeed(dispatch.attempt, "1")
        _ = worker.take()
        worker.succeed(dispatch.attempt, "2")
        #expect(try worker.nextAck().stale == [dispatch.attempt])
        worker.fail(dispatch.attempt)
        #expect(try worker.nextAck().stale == [dispatch.attempt])
        let unknown = AttemptID(run: try #require(RunID("nobody")), node: 3, number: 1)
        worker.succeed(unknown)
        #expect(try worker.nextAck().stale == [unknown])
        worker.start(unknown)
        worker.send(.reject(Reject(attempt: unknown, code: .busy)))
        worker.send(.progress(Progress(attempt: unknown, fraction: 1)))
        #expect(try client.get(.node, run, node: "a")["output"] == 1)
        harness.expectNothingElse()
    }

    @Test("Joins an output in chunks; a second attempt may begin again from the first chunk")
    func chunkedResult() throws {
        let worker = harness.worker()
        let client = harness.client()
        let run = try client.submit([NodeText("a")])
        let attempt = try worker.nextDispatch().attempt
        let value = RawJSON(String(repeating: "wörter ", count: 40_000))
        let chunks = Chunk.slice(
            value: value,
            about: .attempt(attempt),
            stream: .value,
            bytesPerChunk: 50_000
        )
        for chunk in chunks.prefix(2) { worker.send(.chunk(chunk)) }
        for chunk in chunks { worker.send(.chunk(chunk)) }
        worker.send(
            .result(
                ResultMessage(attempt: attempt, outcome: .success(Payload(announcing: chunks)))
            )
        )
        #expect(try worker.nextAck().attempts == [attempt])
        #expect(try client.get(.node, run, node: "a")["output"]?.stringValue == value.stringValue)
    }

    @Test("Acknowledges results before the dispatches of their turn")
    func acknowledgedFirst() throws {
        let worker = harness.worker("w", slots: 1)
        let client = harness.client()
        try client.submit([NodeText("a"), NodeText("b")])
        let attempt = try worker.nextDispatch().attempt
        worker.send(.result(ResultMessage(attempt: attempt, outcome: .success(.inline(.null)))))
        let kinds = worker.take().map(\.kind)
        #expect(kinds == [.ack, .dispatch])
    }

    @Test("A shortage at a worker sends the node elsewhere, and the list of workers shows why")
    func shortage() throws {
        let tool = ToolDescription(name: "t", description: "")
        let sick = harness.worker("sick", tools: [tool])
        let client = harness.client()
        let run = try client.submit([NodeText("a")])
        let first = try sick.nextDispatch()
        let reject = Reject(
            attempt: first.attempt,
            code: .busy,
            isShortage: true,
            message: "too many open files"
        )
        sick.send(.reject(reject))
        let workers = try client.get(.workers)
        #expect(workers[0]?["cooling_tools"]?[0]?["reason"] == "too many open files")
        let explained = try client.get(.explain, run)
        #expect(explained["nodes"]?[0]?["reasons"]?[0]?["code"] == "cooling_down")
        let well = harness.worker("well", tools: [tool])
        let second = try well.nextDispatch()
        #expect(second.node == first.node)
        // The tool has a single attempt, which is not used up.
        well.succeed(second.attempt)
        #expect(try client.get(.node, run, node: "a")["status"] == "succeeded")
    }

    @Test("A worker gets no more than it queues, also after a changed offer")
    func queueOfWorker() throws {
        let tool = ToolDescription(name: "t", description: "", isIdempotent: true)
        let worker = harness.connect(.worker, "w")
        worker.shakeHands()
        worker.send(.register(Register(slots: 2, queue: 3, tools: [tool])))
        let other = ToolDescription(name: "u", description: "", isIdempotent: true)
        worker.send(.offer(Offer(slots: 2, tools: [tool, other])))
        _ = worker.take()
        let client = harness.client()
        try client.submit([NodeText("a")])
        let attempt = try worker.nextDispatch().attempt
        worker.send(
            .result(
                ResultMessage(
                    attempt: attempt,
                    outcome: .success(.inline(.null)),
                    durationMicroseconds: 1
                )
            )
        )
        _ = worker.take()
        try client.submit((0..<20).map { NodeText("n\($0)") }, key: "second")
        #expect(worker.take().count { $0.kind == .dispatch } == 5)
    }

    @Test("Chunks that do not fit together end the connection, and the attempt goes elsewhere")
    func brokenChunks() throws {
        let worker = harness.worker("w1", tools: [idempotent()])
        let client = harness.client()
        try client.submit([NodeText("a")])
        let attempt = try worker.nextDispatch().attempt
        worker.send(
            .chunk(
                Chunk(about: .attempt(attempt), sequence: 1, stream: .value, data: [0x31])
            )
        )
        #expect(try worker.nextError().code == .badMessage)
        #expect(harness.isClosed(worker))
        let other = harness.worker("w2", tools: [idempotent()])
        #expect(try other.nextDispatch().number == 2)
        other.send(
            .result(
                ResultMessage(
                    attempt: AttemptID(run: attempt.run, node: 0, number: 2),
                    outcome: .success(.chunked(count: 2, bytes: 10, sha256: nil))
                )
            )
        )
        #expect(try other.nextError().code == .badMessage)
        #expect(harness.isClosed(other))
    }

    @Test("Grants the window again as output is read, over all streams of an attempt")
    func window() throws {
        var limits = Limits()
        limits.window = 4_000
        let harness = MachineHarness(limits: limits)
        let worker = harness.worker()
        let client = harness.client()
        try client.submit([NodeText("a")])
        let attempt = try worker.nextDispatch().attempt
        var granted = 0
        for index in 0..<10 {
            worker.send(
                .chunk(
                    Chunk(
                        about: .attempt(attempt),
                        sequence: index / 2,
                        stream: index % 2 == 0 ? .standardOutput : .standardError,
                        data: [UInt8](repeating: 65, count: 400)
                    )
                )
            )
            for message in worker.take() {
                guard case .window(let window) = message else {
                    Issue.record("\(message)")
                    continue
                }
                granted += window.bytes
            }
        }
        #expect(granted > 4_000 - 1_000 && granted <= 4_000)
    }

    @Test("Grants chunks of an ended attempt again and forgets them")
    func chunksOfNobody() throws {
        let worker = harness.worker("w", slots: 2, tools: [idempotent(maxAttempts: 2)])
        let client = harness.client()
        let run = try client.submit([NodeText("a"), NodeText("b")], watch: .all)
        let first = try worker.nextDispatch().attempt
        let other = try worker.nextDispatch().attempt
        func sendChunk(of attempt: AttemptID) {
            let data = [UInt8](repeating: 0x65, count: 1_000)
            worker.send(
                .chunk(
                    Chunk(
                        about: .attempt(attempt),
                        sequence: 0,
                        stream: .standardError,
                        data: data[...]
                    )
                )
            )
        }
        var remembered: [AttemptID] {
            harness.machine.fleet[name: "w"].flatMap { harness.machine.fleet[$0] }
                .map { $0.consumed.keys.sorted { $0.node < $1.node } } ?? []
        }
        sendChunk(of: first)
        sendChunk(of: other)
        #expect(remembered == [first, other].sorted { $0.node < $1.node })
        worker.succeed(first)
        #expect(remembered == [other])
        _ = worker.take()
        // They were sent before its acknowledgement arrived; or the attempt, or its run, never
        // existed.
        let strangers = [
            first, AttemptID(run: run, node: first.node, number: 7),
            AttemptID(run: run, node: 99, number: 1),
        ]
        for stranger in strangers {
            sendChunk(of: stranger)
            let windows = worker.take().compactMap { message -> Window? in
                if case .window(let window) = message { window } else { nil }
            }
            #expect(windows.map(\.attempt) == [stranger])
            #expect(windows.map(\.bytes) == [1_000])
        }
        #expect(remembered == [other])
        client.send(.cancelRun(CancelRun(run: run)))
        worker.fail(other, .cancelled)
        #expect(remembered == [])
    }

    @Test("Sends large arguments in chunks before their dispatch")
    func chunkedArguments() throws {
        let worker = harness.worker(slots: 1)
        let client = harness.client()
        try client.submit([NodeText("a"), NodeText("b", args: #"{"x":"$a","y":"$a"}"#)])
        let first = try worker.nextDispatch().attempt
        let half = String(repeating: "x", count: 400_000)
        worker.succeed(first, "\"\(half)\"")
        _ = try worker.nextAck()
        var assembler = ChunkAssembler(maximumBytes: 10_000_000)
        for message in worker.take() {
            switch message {
            case .chunk(let chunk):
                #expect(chunk.stream == .arguments)
                try assembler.append(chunk)
            case .dispatch(let dispatch):
                let arguments = try assembler.finish(dispatch.arguments)
                #expect(arguments.count == 2 * half.utf8.count + 15)
                return
            default: Issue.record("\(message)")
            }
        }
        Issue.record("no dispatch")
    }

    @Test("Places a refused node again; bad arguments fail the node")
    func rejections() throws {
        let worker = harness.worker("w1")
        let client = harness.client()
        let run = try client.submit([NodeText("a")])
        let first = try worker.nextDispatch().attempt
        let other = harness.worker("w2")
        worker.send(.reject(Reject(attempt: first, code: .busy)))
        harness.advance(.milliseconds(200))
        let second = try other.nextDispatch().attempt
        #expect(second.number == 2)
        other.send(.reject(Reject(attempt: second, code: .badArguments, message: "no q")))
        let node = try client.get(.node, run, node: "a")
        #expect(node["error"]?["code"] == "bad_args")
        #expect(node["error"]?["message"] == "no q")
        #expect(node["attempts"] == 2)
    }

    @Test("A node that was recalled before it began does not count as running twice")
    func recalledIsNotRunning() throws {
        let worker = harness.worker("w1")
        let client = harness.client()
        let run = try client.submit([NodeText("a")])
        let first = try worker.nextDispatch().attempt
        worker.send(.drain(Drain()))
        worker.send(.reject(Reject(attempt: first, code: .recalled)))
        #expect(try client.get(.run, run)["counts"]?["running"] == 0)
        let other = harness.worker("w2")
        let second = try other.nextDispatch().attempt
        #expect(try client.get(.run, run)["counts"]?["running"] == 1)
        other.succeed(second)
        #expect(try client.get(.run, run)["counts"]?["running"] == 0)
        #expect(try client.get(.run, run)["status"] == "succeeded")
    }

    @Test("Retries a retryable failure within the limit, and reports it to watchers of nodes")
    func retry() throws {
        let worker = harness.worker(tools: [idempotent(maxAttempts: 2)])
        let client = harness.client()
        let run = try client.submit([NodeText("a")], watch: .nodes)
        let first = try worker.nextDispatch().attempt
        worker.start(first)
        worker.fail(first, retryable: true)
        _ = worker.take()
        #expect(try client.get(.run, run, sinceEvents: client)["counts"]?["running"] == 0)
        harness.advance(.seconds(1))
        worker.succeed(try worker.nextDispatch().attempt)
        #expect(client.takeEvents().last == "run_succeeded")
    }

    @Test("Cancelling asks the worker, accepts its answer, and reports once")
    func cancel() throws {
        let worker = harness.worker(slots: 2)
        let client = harness.client()
        let run = try client.submit(
            [NodeText("a"), NodeText("b"), NodeText("c", after: ["a"])],
            watch: .end
        )
        let a = try worker.nextDispatch().attempt
        let b = try worker.nextDispatch().attempt
        client.send(.cancelRun(CancelRun(run: run, reason: "enough")))
        let cancels = worker.take().compactMap { message -> AttemptID? in
            guard case .cancel(let cancel) = message else { return nil }
            return cancel.attempt
        }
        #expect(cancels == [a, b])
        client.send(.cancelRun(CancelRun(run: run)))
        worker.succeed(a, "\"in time\"")
        worker.fail(b, .cancelled)
        let end = try client.nextEvent()
        #expect(end.kind == .runCancelled)
        #expect(end.data?.value(at: [.key("reason")])?.stringValue == "enough")
        #expect(try client.get(.node, run, node: "a")["status"] == "succeeded")
        #expect(try client.get(.node, run, node: "c")["status"] == "cancelled")
        client.send(.cancelRun(CancelRun(run: run)))
        client.send(.cancelRun(CancelRun(run: try #require(RunID("nobody")))))
        #expect(try client.nextError().code == .unknownRun)
        harness.advance(.seconds(60))
        _ = worker.take()
        harness.expectNothingElse()
    }

    @Test("A cancel that comes after everything succeeded leaves a success")
    func cancelTooLate() throws {
        let worker = harness.worker()
        let client = harness.client()
        let run = try client.submit([NodeText("a")], watch: .end)
        let a = try worker.nextDispatch().attempt
        client.send(.cancelRun(CancelRun(run: run)))
        worker.succeed(a)
        #expect(try client.nextEvent().kind == .runSucceeded)
    }

    @Test("A pong that does not list an attempt sent before its ping loses the attempt")
    func drift() throws {
        let worker = harness.worker(
            "w",
            slots: 3,
            tools: [idempotent(), ToolDescription(name: "once", description: "")]
        )
        let client = harness.client()
        let run = try client.submit([NodeText("a"), NodeText("b"), NodeText("c", tool: "once")])
        _ = worker.take()
        worker.answersPings = false
        harness.advance(.seconds(2))
        guard case .ping(let ping)? = worker.take().last else {
            Issue.record("no ping")
            return
        }
        let a = AttemptID(run: run, node: 0, number: 1)
        worker.send(.pong(Pong(n: ping.n - 1, inFlight: [])))
        #expect(worker.take() == [])
        worker.send(.pong(Pong(n: ping.n, inFlight: [a])))
        let again = try worker.nextDispatch()
        #expect(again.node.text == "b")
        #expect(again.number == 2)
        #expect(try client.get(.node, run, node: "c")["error"]?["code"] == "outcome_unknown")
        worker.send(.pong(Pong(n: ping.n, inFlight: [])))
        #expect(worker.take() == [])
        #expect(try client.get(.node, run, node: "a")["status"] == "sent")
    }

    @Test("A result that crosses the ping is not lost")
    func noDrift() throws {
        let worker = harness.worker(slots: 1)
        let client = harness.client()
        let run = try client.submit([NodeText("a")], watch: .end)
        let a = try worker.nextDispatch().attempt
        worker.answersPings = false
        harness.advance(.seconds(2))
        guard case .ping(let ping)? = worker.take().last else { return }
        worker.succeed(a)
        worker.send(.pong(Pong(n: ping.n, inFlight: [])))
        #expect(try client.nextEvent().kind == .runSucceeded)
        #expect(try client.get(.node, run, node: "a")["attempts"] == 1)
    }

    @Test("Cancels an attempt that is listed in a pong but no longer current")
    func orphan() throws {
        let worker = harness.worker(slots: 1)
        let client = harness.client()
        let run = try client.submit([NodeText("a")], watch: .end)
        let a = try worker.nextDispatch().attempt
        client.send(.cancelRun(CancelRun(run: run)))
        // The cancel goes unanswered until the coordinator gives the attempt up.
        harness.advance(.seconds(30))
        #expect(try client.nextEvent().kind == .runCancelled)
        let cancels = worker.take().compactMap { message -> String? in
            guard case .cancel(let cancel) = message, cancel.attempt == a else { return nil }
            return cancel.reason
        }
        #expect(cancels.first == Cancel.cancelled)
        #expect(cancels.contains(Cancel.fenced))
    }

    @Test("Accepts durations that no attempt can have")
    func absurdDurations() throws {
        harness.validates = false
        let worker = harness.worker(slots: 4)
        let client = harness.client()
        let run = try client.submit((0..<1_100).map { NodeText("n\($0)") }, watch: .end)
        var open = true
        while open {
            open = false
            for message in worker.take() {
                guard case .dispatch(let dispatch) = message else { continue }
                open = true
                worker.succeed(dispatch.attempt, microseconds: Limits.largestInteger)
            }
        }
        #expect(try client.nextEvent().kind == .runSucceeded)
        #expect(try client.get(.run, run)["status"] == "succeeded")
    }
}

extension TestPeer {
    /// Asks a question, and drops events that may have arrived.
    fileprivate func get(
        _ what: GetKind,
        _ run: RunID,
        sinceEvents peer: TestPeer
    ) throws -> JSONValue {
        _ = peer.take()
        return try get(what, run)
    }
}
