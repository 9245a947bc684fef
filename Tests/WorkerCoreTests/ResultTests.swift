// Results until they are acknowledged, large ones in chunks, and output of running tools.
import Core
import JSON
import Testing
import Wire

@testable import WorkerCore

@Suite("Results of a worker")
struct ResultTests {
    /// A string of that many bytes of JSON text.
    private func large(_ bytes: Int, of character: Character = "x") -> RawJSON {
        let size = String(character).utf8.count
        return RawJSON(String(repeating: character, count: (bytes - 2) / size))
    }

    // MARK: - Keeping

    @Test("Sends results again after a reconnect until they are acknowledged")
    func resend() throws {
        var worker = try WorkerHarness.ready(slots: 3)
        try worker.dispatch(0, 1, 2)
        worker.expectStart(0, 1, 2)
        try worker.finish(2)
        worker.expectResult(2)
        try worker.finish(0)
        worker.expectResult(0)
        try worker.receive(.ack(Ack(attempts: [WorkerHarness.id(2)])))
        try worker.reconnect()
        // The tools continue meanwhile.
        try worker.finish(1)
        worker.expect(.connect)
        let register = try worker.shakeHands()
        #expect(
            register.inFlight == [
                InFlight(attempt: WorkerHarness.id(0), state: .done),
                InFlight(attempt: WorkerHarness.id(1), state: .done),
            ]
        )
        worker.expectNothingElse()
        try worker.receive(
            .registered(Registered(adopt: [WorkerHarness.id(0), WorkerHarness.id(1)]))
        )
        worker.expectResult(0)
        worker.expectResult(1)
        try worker.receive(.ack(Ack(attempts: [WorkerHarness.id(0), WorkerHarness.id(1)])))
        #expect(worker.machine.counts == (0, 0, 0))
        worker.expectNothingElse()
    }

    @Test("Announces a running attempt by register, and not again")
    func registeredIsStarted() throws {
        var worker = try WorkerHarness.ready(slots: 1)
        try worker.dispatch(0, 1)
        worker.expectStart(0)
        try worker.reconnect()
        worker.expect(.connect)
        let register = try worker.shakeHands()
        #expect(
            register.inFlight == [
                InFlight(attempt: WorkerHarness.id(0), state: .running),
                InFlight(attempt: WorkerHarness.id(1), state: .running),
            ]
        )
        try worker.receive(
            .registered(Registered(adopt: [WorkerHarness.id(0), WorkerHarness.id(1)]))
        )
        try worker.endTurn()
        worker.expectNothingElse()
    }

    @Test("Queued attempts wait for the coordinator to come back")
    func queuedWait() throws {
        var worker = try WorkerHarness.ready(slots: 1)
        try worker.dispatch(0, 1)
        worker.expectStart(0)
        try worker.reconnect()
        try worker.finish(0)
        worker.expect(.connect)
        worker.expectNothingElse()
        _ = try worker.shakeHands()
        try worker.receive(.registered(Registered()))
        worker.expectResult(0)
        worker.expectStart(1)
        worker.expectNothingElse()
    }

    @Test("Cancels abandoned attempts and forgets them without a result")
    func abandon() throws {
        var worker = try WorkerHarness.ready(slots: 2)
        try worker.dispatch(0, 1, 2)
        worker.expectStart(0, 1)
        try worker.finish(1)
        worker.expectResult(1)
        worker.expectStart(2)
        try worker.dispatch(3)
        try worker.reconnect()
        try worker.connect(
            adopt: [WorkerHarness.id(2)],
            abandon: [0, 1, 3].map { WorkerHarness.id($0) }
        )
        worker.expect(.cancelAttempt(WorkerHarness.id(0), grace: .seconds(5)))
        worker.expectNothingElse()
        #expect(worker.machine.counts == (0, 2, 0))
        // The same id may come again before the old tool is gone.
        try worker.dispatch(0)
        worker.expectReject(0, .busy)
        try worker.receive(.ping(Ping(n: 1)))
        worker.expect(sent: .pong(Pong(n: 1, inFlight: [WorkerHarness.id(2)])))
        try worker.fail(0, .cancelled)
        worker.expectNothingElse()
        try worker.dispatch(0)
        worker.expectStart(0)
    }

    @Test("A new session drops what it does not adopt; a resumed one keeps it")
    func unnamed() throws {
        for isResumed in [true, false] {
            var worker = try WorkerHarness.ready(slots: 2)
            try worker.dispatch(0)
            worker.expectStart(0)
            try worker.finish(0)
            worker.expectResult(0)
            if !isResumed { worker.epoch = 2 }
            try worker.reconnect()
            try worker.connect()
            if isResumed { worker.expectResult(0) }
            worker.expectNothingElse()
            #expect(worker.machine.counts.done == (isResumed ? 1 : 0))
        }
    }

    @Test("Forgets a stale result, and an attempt that is not needed")
    func stale() throws {
        var worker = try WorkerHarness.ready(slots: 2)
        try worker.dispatch(0, 1)
        worker.expectStart(0, 1)
        try worker.finish(0)
        worker.expectResult(0)
        try worker.receive(
            .ack(Ack(attempts: [], stale: [WorkerHarness.id(0), WorkerHarness.id(1)]))
        )
        worker.expect(.cancelAttempt(WorkerHarness.id(1), grace: .seconds(5)))
        try worker.fail(1, .cancelled)
        #expect(worker.machine.counts == (0, 0, 0))
        worker.expectNothingElse()
    }

    @Test("Unacknowledged results keep new attempts away, by bytes and by number")
    func bounded() throws {
        var limits = Limits()
        limits.maxValue = 300
        var worker = try WorkerHarness.ready(slots: 4, limits: limits)
        try worker.dispatch(0, 1)
        worker.expectStart(0, 1)
        for node in 0..<2 {
            try worker.finish(node, large(202))
            worker.expectResult(node, large(202))
        }
        try worker.dispatch(2)
        worker.expectReject(2, .busy)
        try worker.receive(.ack(Ack(attempts: [WorkerHarness.id(0)])))
        try worker.dispatch(2)
        worker.expectStart(2)

        limits = Limits()
        limits.maxLine = 2 * 72 * 8
        worker = try WorkerHarness.ready(
            slots: 1,
            tools: [ToolDescription(name: "e", description: "")],
            limits: limits
        )
        for node in 0..<9 { try worker.receive(WorkerHarness.dispatch(node, tool: "e")) }
        worker.expectStart(0)
        worker.expectReject(8, .busy)
        worker.expectNothingElse()
    }

    // MARK: - Large values

    @Test("Sends a large output in chunks, then the result that completes it")
    func chunks() throws {
        var limits = Limits()
        limits.chunkBytes = 1000
        limits.maxLine = 4096
        var worker = try WorkerHarness.ready(
            tools: [ToolDescription(name: "e", description: "")],
            limits: limits
        )
        let value = large(2502, of: "é")
        try worker.receive(WorkerHarness.dispatch(0, tool: "e"))
        worker.expectStart(0)
        try worker.finish(0, value, isTruncated: true)
        var assembler = ChunkAssembler(maximumBytes: 5000)
        for _ in 0..<3 {
            guard case .send(.chunk(let chunk)) = worker.nextAction() else {
                throw Unexpected("a chunk was expected")
            }
            #expect(chunk.stream == .value)
            #expect(chunk.data.count <= 1000)
            #expect(isValidUTF8(chunk.data[...]))
            try assembler.append(chunk)
        }
        guard case .send(.result(let result)) = worker.nextAction(),
            case .success(let payload) = result.outcome
        else { throw Unexpected("a result was expected") }
        #expect(result.isTruncated)
        #expect(try assembler.finish(payload) == value)
        worker.expectNothingElse()
    }

    @Test("Values wait for their window; another attempt's value does not")
    func windows() throws {
        var limits = Limits()
        limits.chunkBytes = 1000
        limits.maxLine = 4096
        limits.window = 3000
        var worker = try WorkerHarness.ready(
            slots: 2,
            tools: [ToolDescription(name: "e", description: "")],
            limits: limits
        )
        for node in 0..<2 { try worker.receive(WorkerHarness.dispatch(node, tool: "e")) }
        worker.expectStart(0, 1)
        try worker.finish(0, large(5002))
        for sequence in 0..<3 { expectChunk(0, sequence, in: &worker) }
        worker.expectNothingElse()
        try worker.finish(1, large(2802))
        for sequence in 0..<3 { expectChunk(1, sequence, in: &worker) }
        guard case .send(.result) = worker.nextAction() else { throw Unexpected("result") }
        try worker.receive(.window(Window(attempt: WorkerHarness.id(0), bytes: 1500)))
        expectChunk(0, 3, in: &worker)
        expectChunk(0, 4, in: &worker)
        worker.expectNothingElse()
        try worker.receive(.window(Window(attempt: WorkerHarness.id(0), bytes: 5000)))
        expectChunk(0, 5, in: &worker)
        guard case .send(.result) = worker.nextAction() else { throw Unexpected("result") }
        try worker.receive(.window(Window(attempt: WorkerHarness.id(0), bytes: 5000)))
        try worker.receive(.window(Window(attempt: WorkerHarness.id(9), bytes: 5000)))
        worker.expectNothingElse()
    }

    private func expectChunk(
        _ node: Int,
        _ sequence: Int,
        in worker: inout WorkerHarness,
        at location: SourceLocation = #_sourceLocation
    ) {
        guard case .send(.chunk(let chunk)) = worker.nextAction() else {
            Issue.record("a chunk was expected", sourceLocation: location)
            return
        }
        #expect(chunk.about == .attempt(WorkerHarness.id(node)), sourceLocation: location)
        #expect(chunk.sequence == sequence, sourceLocation: location)
    }

    @Test("Large values take turns, and no more leaves than the network accepts")
    func turns() throws {
        var worker = try WorkerHarness.ready(slots: 2)
        try worker.dispatch(0, 1)
        worker.expectStart(0, 1)
        try worker.finish(0, large((2 << 20) + 2))
        for sequence in 0..<4 { expectChunk(0, sequence, in: &worker) }
        worker.expect(.awaitWritten)
        try worker.finish(1, large((1 << 20) + 2))
        worker.expectNothingElse()
        try worker.send(.written)
        expectChunk(0, 4, in: &worker)
        expectChunk(1, 0, in: &worker)
        expectChunk(0, 5, in: &worker)
        expectChunk(1, 1, in: &worker)
        worker.expect(.awaitWritten)
        // Heartbeats go between.
        try worker.receive(.ping(Ping(n: 1)))
        guard case .send(.pong) = worker.nextAction() else { throw Unexpected("pong") }
        worker.expectNothingElse()
    }

    @Test("Starts a half sent value again on a new connection")
    func chunksAgain() throws {
        var limits = Limits()
        limits.window = 300 << 10
        var worker = try WorkerHarness.ready(limits: limits)
        try worker.dispatch(0)
        worker.expectStart(0)
        try worker.finish(0, large(700 << 10))
        expectChunk(0, 0, in: &worker)
        expectChunk(0, 1, in: &worker)
        worker.expectNothingElse()
        try worker.reconnect()
        try worker.connect()
        expectChunk(0, 0, in: &worker)
        expectChunk(0, 1, in: &worker)
        worker.expectNothingElse()
        try worker.receive(.ack(Ack(attempts: [WorkerHarness.id(0)])))
        #expect(worker.machine.counts.done == 0)
        try worker.send(.written)
        worker.expectNothingElse()
    }

    @Test("An output larger than the coordinator accepts is a failure that says so")
    func tooLarge() throws {
        var limits = Limits()
        limits.maxValue = 700_000
        var worker = try WorkerHarness.ready(limits: limits)
        try worker.dispatch(0)
        worker.expectStart(0)
        try worker.finish(0, large(800_000))
        #expect(try worker.nextFailure(0).code == .outputTooLarge)
        worker.expectNothingElse()
    }

    @Test("Cuts texts of a failure so that they fit into a line")
    func longFailure() throws {
        var worker = try WorkerHarness.ready()
        try worker.dispatch(0)
        worker.expectStart(0)
        let failure = Failure(
            code: .toolError,
            message: String(repeating: "ü", count: 1 << 20),
            stderrTail: "first" + String(repeating: "\u{1}", count: 1 << 20) + "last"
        )
        try worker.send(
            .attemptFinished(
                WorkerHarness.id(0),
                .failure(failure),
                isTruncated: false,
                microseconds: 1
            )
        )
        let sent = try #require(worker.actions.first)
        guard case .send(let message) = sent else { throw Unexpected("a message was expected") }
        var writer = JSONWriter()
        message.encode(into: &writer)
        #expect(writer.bytes.count <= Limits().maxLine)
        #expect(try worker.nextFailure(0).stderrTail?.hasSuffix("last") == true)
    }

    // MARK: - Streams

    @Test("A tool's output follows its start, in order, until the window is used up")
    func streams() throws {
        var limits = Limits()
        limits.window = 10
        var worker = try WorkerHarness.ready(limits: limits)
        try worker.dispatch(0)
        worker.expectStart(0)
        let id = WorkerHarness.id(0)
        func chunk(_ sequence: Int, _ stream: ChunkStream, _ text: String) -> Message {
            .chunk(
                Chunk(
                    about: .attempt(id),
                    sequence: sequence,
                    stream: stream,
                    data: Array(text.utf8)
                )
            )
        }
        try worker.send(.attemptOutput(id, .standardOutput, Array("one".utf8)))
        worker.expectStarted(0)
        worker.expect(sent: chunk(0, .standardOutput, "one"))
        try worker.send(.attemptOutput(id, .standardError, Array("two".utf8)))
        worker.expect(sent: chunk(0, .standardError, "two"))
        try worker.send(.attemptOutput(id, .standardOutput, Array("too long".utf8)))
        worker.expectNothingElse()
        try worker.receive(.window(Window(attempt: id, bytes: 1)))
        try worker.send(.attemptOutput(id, .standardOutput, Array("three".utf8)))
        worker.expect(sent: chunk(2, .standardOutput, "three"))
        try worker.endTurn()
        try worker.finish(0)
        worker.expectResult(0)
        worker.expectNothingElse()
        #expect(worker.notices.last == .outputDropped(WorkerHarness.name(0), bytes: 8))
    }

    @Test("Splits large pieces of a stream, and drops them without a session")
    func longStream() throws {
        var limits = Limits()
        limits.chunkBytes = 4
        var worker = try WorkerHarness.ready(limits: limits)
        try worker.dispatch(0)
        worker.expectStart(0)
        try worker.endTurn()
        worker.expectStarted(0)
        try worker.send(
            .attemptOutput(WorkerHarness.id(0), .standardOutput, Array("0123456789abcdefXYZ".utf8))
        )
        for (sequence, text) in ["0123456789abcdef", "XYZ"].enumerated() {
            guard case .send(.chunk(let chunk)) = worker.nextAction() else {
                throw Unexpected("a chunk was expected")
            }
            #expect(chunk.sequence == sequence)
            #expect(chunk.data == Array(text.utf8)[...])
        }
        try worker.reconnect()
        worker.expect(.connect)
        try worker.send(.attemptOutput(WorkerHarness.id(0), .standardOutput, [1, 2, 3]))
        try worker.finish(0)
        #expect(worker.notices.last == .outputDropped(WorkerHarness.name(0), bytes: 3))
        worker.expectNothingElse()
    }

    @Test("Sends only the last progress report of a turn, after the start")
    func progress() throws {
        var worker = try WorkerHarness.ready()
        try worker.dispatch(0)
        worker.expectStart(0)
        let id = WorkerHarness.id(0)
        try worker.send(.attemptProgressed(id, fraction: 0.1, note: nil))
        try worker.send(.attemptProgressed(id, fraction: 0.2, note: "page 2"))
        try worker.endTurn()
        worker.expectStarted(0)
        worker.expect(
            sent: .progress(Progress(attempt: id, fraction: 0.2, note: "page 2"))
        )
        try worker.send(.attemptProgressed(id, fraction: 0.9, note: nil))
        try worker.finish(0)
        try worker.endTurn()
        worker.expectResult(0)
        worker.expectNothingElse()
    }
}
