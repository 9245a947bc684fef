// Ends that lie in time: idleness, the time limit, the end of what started the worker; and the
// order in which several coordinators are tried.
import Core
import JSON
import Testing
import Wire

@testable import WorkerCore

@Suite("Lifetime of a worker")
struct LifetimeTests {
    private func ready(
        _ change: (inout WorkerConfiguration) -> Void
    ) throws -> WorkerHarness {
        var worker = WorkerHarness(slots: 2, change: change)
        try worker.send(.startRequested)
        try worker.connect()
        return worker
    }

    /// Lets time pass in steps in which the coordinator shows that it lives.
    private func pass(_ duration: Duration, in worker: inout WorkerHarness) throws {
        let end = worker.now + duration
        while worker.now < end, !worker.machine.hasEnded {
            try worker.receive(.pong(Pong(n: 1)))
            try worker.wait(min(.seconds(1), end - worker.now))
        }
    }

    private func expectDrainAndEnd(
        in worker: inout WorkerHarness,
        at location: SourceLocation = #_sourceLocation
    ) {
        guard case .send(.drain) = worker.nextAction(), case .send(.bye) = worker.nextAction()
        else {
            Issue.record("drain and bye were expected", sourceLocation: location)
            return
        }
        worker.expect(.disconnect, at: location)
        worker.expect(.exit(.drained), at: location)
        worker.expectNothingElse(at: location)
    }

    @Test("A worker that runs nothing for long enough drains itself and tells why")
    func idle() throws {
        var worker = try ready { $0.idleTimeout = .seconds(300) }
        try pass(.seconds(299), in: &worker)
        worker.expectNothingElse()
        try pass(.seconds(1), in: &worker)
        expectDrainAndEnd(in: &worker)
        #expect(worker.notices.contains { "\($0)".contains("has run nothing") })
    }

    @Test("Work starts the time without work again, and as long as it runs there is none")
    func busy() throws {
        var worker = try ready { $0.idleTimeout = .seconds(300) }
        try pass(.seconds(200), in: &worker)
        try worker.dispatch(0)
        worker.expectStart(0)
        try worker.endTurn()
        worker.expectStarted(0)
        try pass(.seconds(400), in: &worker)
        worker.expectNothingElse()
        try worker.finish(0)
        worker.expectResult(0)
        // An outcome that is not acknowledged is work too.
        try pass(.seconds(400), in: &worker)
        worker.expectNothingElse()
        try worker.receive(.ack(Ack(attempts: [WorkerHarness.id(0)])))
        try worker.endTurn()
        try pass(.seconds(299), in: &worker)
        worker.expectNothingElse()
        try pass(.seconds(1), in: &worker)
        expectDrainAndEnd(in: &worker)
    }

    @Test("Time without a coordinator is no time without work")
    func unconnected() throws {
        var worker = try ready { $0.idleTimeout = .seconds(10) }
        try pass(.seconds(9), in: &worker)
        try worker.reconnect()
        for _ in 0..<10 {
            worker.expect(.connect)
            try worker.send(.connectFailed(reason: "no"))
            try worker.wait(.seconds(5))
        }
        try worker.connect()
        try pass(.seconds(9), in: &worker)
        worker.expectNothingElse()
        try pass(.seconds(1), in: &worker)
        expectDrainAndEnd(in: &worker)
    }

    @Test("A time limit lets what runs end, takes nothing new, and is kept by an idle worker too")
    func limitWhileIdle() throws {
        var worker = try ready { $0.timeLimit = .seconds(7200) }
        try pass(.seconds(7139), in: &worker)
        worker.expectNothingElse()
        try pass(.seconds(1), in: &worker)
        expectDrainAndEnd(in: &worker)
    }

    @Test("At the time limit a worker has cancelled what runs, and has ended")
    func limitWhileBusy() throws {
        var worker = try ready { $0.timeLimit = .seconds(40) }
        let start = worker.now
        try worker.dispatch(0)
        worker.expectStart(0)
        try worker.endTurn()
        worker.expectStarted(0)
        try pass(.seconds(30), in: &worker)
        guard case .send(.drain(let drain)) = worker.nextAction() else { throw Unexpected("drain") }
        #expect(drain.deadlineMilliseconds == 6666 || drain.deadlineMilliseconds == 6667)
        try worker.dispatch(1)
        worker.expectReject(1, .draining)
        try pass(.seconds(7), in: &worker)
        worker.expect(.cancelAttempt(WorkerHarness.id(0), grace: .seconds(5)))
        worker.expectNothingElse()
        try pass(.seconds(60), in: &worker)
        #expect(worker.machine.hasEnded)
        #expect(worker.now - start <= .seconds(41))
        #expect(worker.actions.last == .exit(.stopped))
    }

    @Test("Without what started it a worker gives what runs five seconds, and ends within ten")
    func orphan() throws {
        var worker = try ready { _ in }
        try worker.dispatch(0)
        worker.expectStart(0)
        try worker.endTurn()
        worker.expectStarted(0)
        let start = worker.now
        try worker.send(.starterGone)
        guard case .send(.drain(let drain)) = worker.nextAction() else { throw Unexpected("drain") }
        #expect(drain.deadlineMilliseconds == 5000)
        try pass(.seconds(5), in: &worker)
        worker.expect(.cancelAttempt(WorkerHarness.id(0), grace: .seconds(5)))
        try pass(.seconds(20), in: &worker)
        #expect(worker.now - start == .seconds(10))
        #expect(worker.actions.last == .exit(.stopped))
    }

    @Test("An idle worker without what started it leaves at once, also while it drains already")
    func idleOrphan() throws {
        var worker = try ready { _ in }
        try worker.send(.starterGone)
        try worker.endTurn()
        expectDrainAndEnd(in: &worker)
    }

    // MARK: - Several coordinators

    @Test("Several coordinators are tried in turn until one takes the worker on")
    func rotation() throws {
        var worker = WorkerHarness(slots: 1) { $0.coordinators = 3 }
        try worker.send(.startRequested)
        var tried: [Int] = []
        for _ in 0..<5 {
            worker.expect(.connect)
            tried.append(worker.machine.coordinator)
            try worker.send(.connectFailed(reason: "no"))
            try worker.waitForConnect()
        }
        #expect(tried == [0, 1, 2, 0, 1])
        #expect(worker.machine.coordinator == 2)
        try worker.connect()
        #expect(worker.machine.coordinator == 2)
    }

    @Test("After a session its coordinator comes first; after a bye or a failed handshake the next")
    func afterASession() throws {
        var worker = WorkerHarness(slots: 1) { $0.coordinators = 2 }
        try worker.send(.startRequested)
        try worker.connect()
        try worker.reconnect()
        #expect(worker.machine.coordinator == 0)
        try worker.connect()
        try worker.receive(.bye(Bye(reason: "ends")))
        worker.expect(.disconnect)
        try worker.waitForConnect()
        #expect(worker.machine.coordinator == 1)
        worker.expect(.connect)
        try worker.challenge()
        try worker.send(.disconnected(reason: nil))
        try worker.waitForConnect()
        #expect(worker.machine.coordinator == 0)
    }
}
