// Dispatch, queue, start, limits, cancelling and time limits.
import Core
import JSON
import Testing
import Wire

@testable import WorkerCore

@Suite("Attempts of a worker")
struct AttemptTests {
    @Test("An attempt that ends within its turn sends only its result")
    func shortAttempt() throws {
        var worker = try WorkerHarness.ready()
        try worker.dispatch(0)
        worker.expectStart(0)
        try worker.finish(0)
        try worker.endTurn()
        worker.expectResult(0)
        worker.expectNothingElse()
        try worker.receive(.ack(Ack(attempts: [WorkerHarness.id(0)])))
        #expect(worker.machine.counts == (0, 0, 0))
    }

    @Test("Reports an attempt that still runs at the end of the turn, once")
    func longAttempt() throws {
        var worker = try WorkerHarness.ready()
        try worker.dispatch(0)
        worker.expectStart(0)
        try worker.endTurn()
        worker.expectStarted(0)
        try worker.endTurn()
        worker.expectNothingElse()
        try worker.finish(0, RawJSON(5))
        worker.expectResult(0, RawJSON(5))
        worker.expectNothingElse()
    }

    @Test("The start contains what the tool needs")
    func startCarries() throws {
        var worker = try WorkerHarness.ready()
        let arguments = RawJSON(["q": "swift"] as JSONValue)
        try worker.receive(
            WorkerHarness.dispatch(4, arguments: .inline(arguments), timeout: 1500)
        )
        guard case .startAttempt(let start) = worker.nextAction() else {
            throw Unexpected("a start was expected")
        }
        #expect(start.attempt == WorkerHarness.id(4))
        #expect(start.run == WorkerHarness.run)
        #expect(start.node.text == "n4")
        #expect(start.tool == "echo")
        #expect(start.arguments == arguments)
        #expect(start.number == 1)
        #expect(start.timeout == .milliseconds(1500))
        #expect(start.maxOutput == 1 << 20)
    }

    @Test("No more run than there are slots; the others follow in order")
    func slots() throws {
        var worker = try WorkerHarness.ready(slots: 2)
        try worker.dispatch(0, 1, 2, 3)
        worker.expectStart(0, 1)
        worker.expectNothingElse()
        try worker.finish(1)
        worker.expectResult(1)
        worker.expectStart(2)
        try worker.finish(0)
        worker.expectResult(0)
        worker.expectStart(3)
        worker.expectNothingElse()
    }

    @Test("A tool at its limit does not delay the others")
    func concurrency() throws {
        var worker = try WorkerHarness.ready(
            slots: 3,
            tools: [
                ToolDescription(name: "gpu", description: "One.", concurrency: 1),
                ToolDescription(name: "echo", description: "Any."),
            ]
        )
        try worker.dispatch(0, 1, 2, tool: "gpu")
        try worker.dispatch(3, 4, 5)
        worker.expectStart(0, 3, 4)
        worker.expectNothingElse()
        // The older attempt at the limited tool goes before the younger one.
        try worker.finish(0)
        worker.expectResult(0)
        worker.expectStart(1)
        try worker.finish(3)
        worker.expectResult(3)
        worker.expectStart(5)
        try worker.finish(4)
        worker.expectResult(4)
        worker.expectNothingElse()
        try worker.finish(1)
        worker.expectResult(1)
        worker.expectStart(2)
        worker.expectNothingElse()
    }

    @Test("A recalled attempt at a limited tool lets the next one start")
    func recallAtLimit() throws {
        var worker = try WorkerHarness.ready(
            slots: 4,
            tools: [ToolDescription(name: "gpu", description: "", concurrency: 1)]
        )
        try worker.dispatch(0, 1, 2, tool: "gpu")
        worker.expectStart(0)
        try worker.receive(cancel(1, Cancel.recalled))
        worker.expectReject(1, .recalled)
        try worker.finish(0)
        worker.expectResult(0)
        worker.expectStart(2)
        worker.expectNothingElse()
    }

    @Test("Rejects more attempts than fit as busy")
    func busy() throws {
        var worker = try WorkerHarness.ready(slots: 2, queueLimit: 2)
        try worker.dispatch(0, 1, 2, 3, 4)
        worker.expectStart(0, 1)
        worker.expectReject(4, .busy)
        worker.expectNothingElse()
        #expect(worker.notices.last == .rejected(WorkerHarness.name(4), .busy))
    }

    @Test("As many attempts as it announces fit beside running ones, also with the most slots")
    func announcedQueue() throws {
        for (slots, limit) in [(1, 0), (3, 7), (4_096, 1_024)] {
            var worker = WorkerHarness(slots: slots, queueLimit: limit)
            worker.validates = slots < 100
            try worker.send(.startRequested)
            worker.expect(.connect)
            let register = try worker.shakeHands()
            #expect(register.queue == limit)
            try worker.receive(.registered(Registered()))
            for node in 0..<(slots + limit) { try worker.dispatch(node) }
            #expect(worker.machine.counts == (limit, slots, 0))
            // Each result is acknowledged before the next dispatch: there is always room for that.
            for node in 0..<200 where node < slots {
                try worker.finish(node)
                try worker.receive(.ack(Ack(attempts: [WorkerHarness.id(node)])))
                try worker.dispatch(slots + limit + node)
            }
            #expect(!worker.notices.contains { if case .rejected = $0 { true } else { false } })
            worker.validates = true
            try worker.dispatch(100_000)
            #expect(worker.notices.last == .rejected(WorkerHarness.name(100_000), .busy))
        }
    }

    @Test("No more is announced than a line can list")
    func announcedQueueFitsTheLine() throws {
        var limits = Limits()
        limits.maxLine = 16 << 10
        limits.chunkBytes = 1 << 10
        var worker = WorkerHarness(slots: 100, limits: limits)
        try worker.send(.startRequested)
        worker.expect(.connect)
        let queue = try #require(try worker.shakeHands().queue)
        #expect((0...13).contains(queue))
    }

    @Test("Rejects an unknown tool")
    func unknownTool() throws {
        var worker = try WorkerHarness.ready()
        try worker.dispatch(0, tool: "nothing")
        worker.expectReject(0, .unknownTool)
        worker.expectNothingElse()
    }

    @Test("Ignores a second dispatch of the same attempt, in any state of the first")
    func twice() throws {
        var worker = try WorkerHarness.ready()
        try worker.dispatch(0, 1)
        worker.expectStart(0)
        try worker.dispatch(0, 1)
        try worker.finish(0)
        worker.expectResult(0)
        worker.expectStart(1)
        try worker.dispatch(0, 1)
        worker.expectNothingElse()
        #expect(worker.machine.counts == (0, 1, 1))
    }

    // MARK: - Arguments in chunks

    @Test("Arguments in chunks come before the dispatch, also mixed with others")
    func chunkedArguments() throws {
        var worker = try WorkerHarness.ready(slots: 2)
        let first = RawJSON(["text": JSONValue.string(String(repeating: "ä", count: 50))])
        let second = RawJSON(["text": JSONValue.string(String(repeating: "b", count: 90))])
        let pieces = [first, second].enumerated().map { node, value in
            Chunk.slice(
                value: value,
                about: .attempt(WorkerHarness.id(node)),
                stream: .arguments,
                bytesPerChunk: 40
            )
        }
        for position in 0..<3 {
            for chunks in pieces { try worker.receive(.chunk(chunks[position])) }
        }
        for node in 0..<2 {
            try worker.receive(
                WorkerHarness.dispatch(node, arguments: Payload(announcing: pieces[node]))
            )
        }
        for value in [first, second] {
            guard case .startAttempt(let start) = worker.nextAction() else {
                throw Unexpected("a start was expected")
            }
            #expect(start.arguments == value)
        }
        worker.expectNothingElse()
    }

    @Test("Chunks that do not fit together fail only their attempt")
    func badChunks() throws {
        var worker = try WorkerHarness.ready()
        let value = RawJSON(String(repeating: "x", count: 100))
        func chunks(_ node: Int) -> [Chunk] {
            Chunk.slice(
                value: value,
                about: .attempt(WorkerHarness.id(node)),
                stream: .arguments,
                bytesPerChunk: 40
            )
        }
        // One is missing in between, one at the end, all of them.
        for (node, positions) in [[0, 2], [0, 1], []].enumerated() {
            let all = chunks(node)
            for position in positions { try worker.receive(.chunk(all[position])) }
            try worker.receive(
                WorkerHarness.dispatch(node, arguments: Payload(announcing: all))
            )
            worker.expectReject(node, .badArguments)
        }
        worker.expectNothingElse()
        #expect(worker.machine.isReady)
        #expect(worker.machine.attempts.incomingBytes == 0)
    }

    @Test("Refuses arguments beyond the largest value without keeping them")
    func largeArguments() throws {
        var limits = Limits()
        limits.maxValue = 100
        var worker = try WorkerHarness.ready(limits: limits)
        let chunks = Chunk.slice(
            value: RawJSON(String(repeating: "x", count: 150)),
            about: .attempt(WorkerHarness.id(0)),
            stream: .arguments,
            bytesPerChunk: 40
        )
        for chunk in chunks { try worker.receive(.chunk(chunk)) }
        #expect(worker.machine.attempts.incomingBytes == 0)
        try worker.receive(WorkerHarness.dispatch(0, arguments: Payload(announcing: chunks)))
        worker.expectReject(0, .badArguments)
        worker.expectNothingElse()
    }

    @Test("Too many large arguments at once make the worker busy")
    func manyLargeArguments() throws {
        var limits = Limits()
        limits.maxValue = 100
        var worker = try WorkerHarness.ready(limits: limits)
        let value = RawJSON(String(repeating: "x", count: 88))
        for node in 0..<3 {
            let chunks = Chunk.slice(
                value: value,
                about: .attempt(WorkerHarness.id(node)),
                stream: .arguments,
                bytesPerChunk: 100
            )
            for chunk in chunks { try worker.receive(.chunk(chunk)) }
        }
        let announced = Payload(
            announcing: Chunk.slice(
                value: value,
                about: .request(0),
                stream: .arguments,
                bytesPerChunk: 100
            )
        )
        try worker.receive(WorkerHarness.dispatch(2, arguments: announced))
        worker.expectReject(2, .busy)
        try worker.receive(WorkerHarness.dispatch(0, arguments: announced))
        worker.expectStart(0)
        try worker.receive(cancel(1, Cancel.cancelled))
        #expect(worker.machine.attempts.incomingBytes == 0)
        worker.expectNothingElse()
    }

    // MARK: - Cancelling

    private func cancel(_ node: Int, _ reason: String) -> Message {
        .cancel(Cancel(attempt: WorkerHarness.id(node), reason: reason, graceMilliseconds: 700))
    }

    @Test("Gives back a queued attempt that is recalled")
    func recallQueued() throws {
        var worker = try WorkerHarness.ready()
        try worker.dispatch(0, 1)
        worker.expectStart(0)
        try worker.receive(cancel(1, Cancel.recalled))
        worker.expectReject(1, .recalled)
        #expect(worker.machine.counts == (0, 1, 0))
        try worker.finish(0)
        worker.expectResult(0)
        worker.expectNothingElse()
    }

    @Test(
        "A queued attempt that is cancelled ends with that failure",
        arguments: [
            Cancel.cancelled, Cancel.fenced, "something new",
        ]
    )
    func cancelQueued(reason: String) throws {
        var worker = try WorkerHarness.ready()
        try worker.dispatch(0, 1)
        worker.expectStart(0)
        try worker.receive(cancel(1, reason))
        #expect(try worker.nextFailure(1).code == .cancelled)
        worker.expectNothingElse()
        #expect(worker.machine.counts == (0, 1, 1))
    }

    @Test("A recalled attempt that already runs continues")
    func recallRunning() throws {
        var worker = try WorkerHarness.ready()
        try worker.dispatch(0)
        worker.expectStart(0)
        try worker.receive(cancel(0, Cancel.recalled))
        worker.expectNothingElse()
        try worker.finish(0)
        worker.expectResult(0)
    }

    @Test("Cancels a running attempt with the given grace; it keeps its slot until it ends")
    func cancelRunning() throws {
        var worker = try WorkerHarness.ready()
        try worker.dispatch(0, 1)
        worker.expectStart(0)
        try worker.receive(cancel(0, Cancel.cancelled))
        worker.expect(.cancelAttempt(WorkerHarness.id(0), grace: .milliseconds(700)))
        worker.expectNothingElse()
        try worker.fail(0, .cancelled, "it was cancelled")
        let failure = try worker.nextFailure(0)
        #expect(failure.code == .cancelled)
        #expect(failure.message == "it was cancelled")
        worker.expectStart(1)
        worker.expectNothingElse()
    }

    @Test("An outcome that came before the cancel counts", arguments: [true, false])
    func cancelLost(succeeds: Bool) throws {
        var worker = try WorkerHarness.ready()
        try worker.dispatch(0)
        worker.expectStart(0)
        try worker.receive(cancel(0, Cancel.cancelled))
        worker.expect(.cancelAttempt(WorkerHarness.id(0), grace: .milliseconds(700)))
        if succeeds {
            try worker.finish(0)
            worker.expectResult(0)
        } else {
            try worker.fail(0, .toolError)
            #expect(try worker.nextFailure(0).code == .toolError)
        }
        // It has ended: there is nothing left to cancel.
        try worker.receive(cancel(0, Cancel.cancelled))
        worker.expectNothingElse()
    }

    @Test("Cancelling an unknown attempt changes nothing")
    func cancelUnknown() throws {
        var worker = try WorkerHarness.ready()
        try worker.receive(cancel(5, Cancel.cancelled))
        try worker.receive(cancel(5, Cancel.recalled))
        worker.expectNothingElse()
    }

    // MARK: - Time limits

    @Test("The time of an attempt counts from its start, not from its dispatch")
    func timeout() throws {
        var worker = try WorkerHarness.ready()
        try worker.dispatch(0)
        try worker.dispatch(1, timeout: 3000)
        worker.expectStart(0)
        try worker.endTurn()
        worker.expectStarted(0)
        try worker.wait(.milliseconds(3500))
        worker.expectNothingElse()
        try worker.finish(0)
        worker.expectResult(0)
        worker.expectStart(1)
        try worker.endTurn()
        worker.expectStarted(1)
        try worker.receive(.pong(Pong(n: 1)))
        try worker.wait(.milliseconds(2999))
        worker.expectNothingElse()
        try worker.wait(.milliseconds(1))
        worker.expect(.cancelAttempt(WorkerHarness.id(1), grace: .seconds(5)))
        #expect(worker.notices.last == .timedOut(WorkerHarness.name(1)))
        try worker.fail(1, .cancelled)
        let failure = try worker.nextFailure(1)
        #expect(failure.code == .timeout)
        #expect(failure.message == "took longer than 3s")
        #expect(!failure.isRetryable)
        worker.expectNothingElse()
    }

    @Test("Without a limit in the dispatch the tool's own counts; idempotent tools may retry")
    func toolTimeout() throws {
        var worker = try WorkerHarness.ready(tools: [
            ToolDescription(
                name: "echo",
                description: "",
                isIdempotent: true,
                timeoutMilliseconds: 1500
            )
        ])
        try worker.dispatch(0)
        worker.expectStart(0)
        try worker.endTurn()
        worker.expectStarted(0)
        #expect(worker.machine.nextDeadline() == Instant(milliseconds: 1500))
        try worker.wait(.milliseconds(1500))
        worker.expect(.cancelAttempt(WorkerHarness.id(0), grace: .seconds(5)))
        try worker.fail(0, .cancelled)
        let failure = try worker.nextFailure(0)
        #expect(failure.message == "took longer than 1500ms")
        #expect(failure.isRetryable)
    }

    @Test("A success after the time limit still counts")
    func timeoutLost() throws {
        var worker = try WorkerHarness.ready()
        try worker.dispatch(0, timeout: 10)
        worker.expectStart(0)
        try worker.endTurn()
        worker.expectStarted(0)
        try worker.wait(.milliseconds(10))
        worker.expect(.cancelAttempt(WorkerHarness.id(0), grace: .seconds(5)))
        try worker.finish(0)
        worker.expectResult(0)
        worker.expectNothingElse()
    }

    @Test("Time limits of attempts that have ended do not wake the worker")
    func endedTimeouts() throws {
        var worker = try WorkerHarness.ready(slots: 2)
        for node in 0..<500 {
            try worker.dispatch(node, timeout: 1000 + node)
            try worker.endTurn()
            try worker.finish(node)
            try worker.receive(.ack(Ack(attempts: [WorkerHarness.id(node)])))
            try worker.endTurn()
        }
        #expect(worker.machine.nextDeadline() == Instant(milliseconds: 4000))
    }
}
