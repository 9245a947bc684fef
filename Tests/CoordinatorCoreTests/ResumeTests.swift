// Workers whose connection breaks: which attempts are adopted, abandoned, sent again or lost.

import Core
import JSON
import TestKit
import Testing
import Wire

@Suite("Resuming")
struct ResumeTests {
    let harness = MachineHarness()

    @Test("Adopts running attempts, abandons finished ones, sends undelivered ones again")
    func resumes() throws {
        let worker = harness.worker("w", slots: 4)
        let client = harness.client()
        try client.submit([NodeText("a"), NodeText("b"), NodeText("c"), NodeText("d")])
        let attempts = try (0..<4).map { _ in try worker.nextDispatch().attempt }
        worker.start(attempts[0])
        worker.succeed(attempts[1])
        _ = worker.take()
        worker.disconnect()
        // a runs, b is done and acknowledged or not, c is done but unknown here, d was never
        // delivered.
        let back = worker.resume(
            inFlight: [
                InFlight(attempt: attempts[0], state: .running),
                InFlight(attempt: attempts[1], state: .done),
                InFlight(attempt: attempts[2], state: .done),
            ],
            slots: 4
        )
        guard case .registered(let registered)? = back.take().first else {
            Issue.record("not registered")
            return
        }
        #expect(registered.adopt == [attempts[0], attempts[2]])
        #expect(registered.abandon == [attempts[1]])
        harness.endTurn()
        back.succeed(attempts[2])
        back.succeed(attempts[0])
        #expect(try back.nextAck().attempts == [attempts[2], attempts[0]])
        #expect(back.held.map(\.number) == [2])
        #expect(back.held.map(\.node) == [3])
    }

    @Test("A started attempt that is not listed is lost, not sent again")
    func startedButForgotten() throws {
        let worker = harness.worker("w", slots: 2)
        let client = harness.client()
        let run = try client.submit([NodeText("a")])
        let attempt = try worker.nextDispatch().attempt
        worker.start(attempt)
        worker.disconnect()
        let back = worker.resume(inFlight: [], slots: 2)
        #expect(back.takeKinds() == [.registered])
        #expect(try client.get(.node, run, node: "a")["error"]?["code"] == "outcome_unknown")
    }

    @Test("Dispatches nothing between the loss and the resume, but afterwards")
    func nothingMeanwhile() throws {
        let worker = harness.worker("w", slots: 2)
        let client = harness.client()
        try client.submit([NodeText("a")])
        let a = try worker.nextDispatch().attempt
        worker.disconnect()
        try client.submit([NodeText("b")], key: "k2")
        harness.advance(.milliseconds(1_500))
        let back = worker.resume(inFlight: [InFlight(attempt: a, state: .running)], slots: 2)
        #expect(back.takeKinds() == [.registered, .dispatch])
    }

    @Test("Gives up a session that does not come back in time, with its attempts")
    func tooLate() throws {
        let worker = harness.worker("w", tools: [idempotent()])
        let client = harness.client()
        try client.submit([NodeText("a")])
        let a = try worker.nextDispatch().attempt
        worker.disconnect()
        harness.advance(.milliseconds(2_100))
        let back = worker.resume(
            inFlight: [InFlight(attempt: a, state: .running)],
            tools: [idempotent()]
        )
        guard case .registered(let registered)? = back.take().first else {
            Issue.record("not registered")
            return
        }
        #expect(back.session != worker.session)
        #expect(registered.adopt == [])
        #expect(registered.abandon == [a])
        harness.endTurn()
        #expect(back.held.last?.number == 2)
    }

    @Test("Another epoch, session or name is not a resume: a new session fences the old one")
    func wrongResume() throws {
        for (epoch, session) in [(2, nil), (1, "0000000000")] as [(Int, String?)] {
            let harness = MachineHarness()
            let worker = harness.worker("w", tools: [idempotent()])
            let client = harness.client()
            try client.submit([NodeText("a")])
            let a = try worker.nextDispatch().attempt
            worker.disconnect()
            let back = worker.resume(
                epoch: epoch,
                session: session,
                inFlight: [InFlight(attempt: a, state: .running)],
                tools: [idempotent()]
            )
            guard case .registered(let registered)? = back.take().first else {
                Issue.record("not registered")
                return
            }
            #expect(registered.adopt == [])
            #expect(registered.abandon == [a])
        }
    }

    @Test("A resume replaces a connection that still counts as alive")
    func resumeBeforeLoss() throws {
        let worker = harness.worker("w", slots: 2)
        let client = harness.client()
        try client.submit([NodeText("a")])
        let a = try worker.nextDispatch().attempt
        let back = worker.resume(inFlight: [InFlight(attempt: a, state: .running)], slots: 2)
        #expect(harness.isClosed(worker))
        #expect(back.takeKinds() == [.registered])
        back.succeed(a)
        #expect(try back.nextAck().attempts == [a])
        harness.expectNothingElse()
    }

    @Test(
        "A delayed register does not change what a newer connection reported",
        arguments: [true, false]
    )
    func lateRegister(isNewerConnected: Bool) throws {
        let worker = harness.worker("w", slots: 2)
        let client = harness.client()
        let run = try client.submit([NodeText("a")])
        let a = try worker.nextDispatch().attempt
        worker.disconnect()
        let resume = Hello.Resume(session: worker.session, epoch: worker.epoch)
        let late = harness.connect(.worker, "w")
        late.shakeHands(resume: resume)
        // The worker gives up this connection; its register is still on its way.
        let newer = worker.resume(inFlight: [InFlight(attempt: a, state: .running)], slots: 2)
        _ = newer.take()
        try client.submit([NodeText("b")], key: "k2")
        _ = try newer.nextDispatch()
        if !isNewerConnected { newer.disconnect() }
        late.send(.register(Register(slots: 2, tools: [], inFlight: [])))
        #expect(try late.nextError().code == .duplicateName)
        #expect(harness.isClosed(late))
        #expect(!harness.isClosed(newer))
        #expect(try client.get(.node, run, node: "a")["attempts"] == 1)
    }

    @Test("Of two workers with one name, the one that registers last is fenced")
    func lateTwin() throws {
        let first = harness.connect(.worker, "w")
        first.shakeHands()
        let second = harness.worker("w")
        first.send(.register(Register(slots: 1, tools: [])))
        #expect(try first.nextError().code == .duplicateName)
        #expect(harness.isClosed(first))
        #expect(!harness.isClosed(second))
    }

    @Test("Forgets a worker without attempts as soon as its connection ends")
    func idleLoss() throws {
        let worker = harness.worker("w")
        worker.disconnect()
        let client = harness.client()
        #expect(try client.get(.workers) == [])
    }

    @Test("Acknowledgements lost with a connection do not stop later ones")
    func acksAfterLoss() throws {
        let worker = harness.worker("w", slots: 2)
        let client = harness.client()
        try client.submit([NodeText("a"), NodeText("b"), NodeText("c")])
        let a = try worker.nextDispatch().attempt
        let b = try worker.nextDispatch().attempt
        harness.turn {
            worker.succeed(a)
            worker.disconnect()
        }
        let back = worker.resume(
            inFlight: [
                InFlight(attempt: a, state: .done), InFlight(attempt: b, state: .running),
            ],
            slots: 2
        )
        _ = back.take()
        back.succeed(b)
        #expect(try back.nextAck() == Ack(attempts: [b]))
        harness.advance(.milliseconds(500))
        #expect(!back.takeKinds().contains(.ack))
    }

    @Test("Sends a cancel again on resume if the worker cannot have received it")
    func cancelMeanwhile() throws {
        let worker = harness.worker("w")
        let client = harness.client()
        let run = try client.submit([NodeText("a")], watch: .end)
        let a = try worker.nextDispatch().attempt
        worker.start(a)
        worker.disconnect()
        client.send(.cancelRun(CancelRun(run: run)))
        let back = worker.resume(inFlight: [InFlight(attempt: a, state: .running)])
        let messages = back.take()
        #expect(messages.map(\.kind) == [.registered, .cancel])
        guard case .cancel(let cancel)? = messages.last else { return }
        #expect(cancel.attempt == a)
        #expect(cancel.reason == Cancel.cancelled)
        back.fail(a, .cancelled)
        #expect(try client.nextEvent().kind == .runCancelled)
    }

    @Test("Sends a drain again on resume if the worker cannot have received it")
    func drainMeanwhile() throws {
        let worker = harness.worker("w")
        let client = harness.client()
        try client.submit([NodeText("a")])
        let a = try worker.nextDispatch().attempt
        worker.disconnect()
        client.send(.drain(Drain(worker: "w")))
        let back = worker.resume(inFlight: [InFlight(attempt: a, state: .running)])
        #expect(back.takeKinds() == [.registered, .drain])
    }

    @Test("Places an absent worker's attempts elsewhere after it is given up, each once")
    func lossMovesAttempts() throws {
        let first = harness.worker("w1", slots: 3, tools: [idempotent()])
        let client = harness.client()
        try client.submit([NodeText("a"), NodeText("b"), NodeText("c")], watch: .end)
        _ = first.take()
        let second = harness.worker("w2", slots: 3, tools: [idempotent()])
        first.disconnect()
        harness.advance(.seconds(3))
        let moved = second.take().compactMap { message -> AttemptID? in
            guard case .dispatch(let dispatch) = message else { return nil }
            return dispatch.attempt
        }
        #expect(moved.map(\.number) == [2, 2, 2])
        #expect(Set(moved.map(\.node)) == [0, 1, 2])
        for attempt in moved { second.succeed(attempt) }
        #expect(try client.nextEvent().kind == .runSucceeded)
    }
}
