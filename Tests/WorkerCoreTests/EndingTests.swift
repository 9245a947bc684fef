// Draining, its deadline, and stopping.
import Core
import JSON
import Testing
import Wire

@testable import WorkerCore

@Suite("End of a worker")
struct EndingTests {
    private func expectBye(
        _ reason: WorkerMachine.ExitReason,
        in worker: inout WorkerHarness,
        at location: SourceLocation = #_sourceLocation
    ) {
        guard case .send(.bye) = worker.nextAction() else {
            Issue.record("bye was expected", sourceLocation: location)
            return
        }
        worker.expect(.disconnect, at: location)
        worker.expect(.exit(reason), at: location)
        worker.expectNothingElse(at: location)
    }

    @Test("An idle worker leaves at once")
    func idle() throws {
        var worker = try WorkerHarness.ready()
        try worker.send(.drainRequested(deadline: nil))
        guard case .send(.drain(let drain)) = worker.nextAction() else { throw Unexpected("drain") }
        #expect(drain.deadlineMilliseconds == nil)
        worker.expectNothingElse()
        try worker.endTurn()
        expectBye(.drained, in: &worker)
    }

    @Test("A draining worker gives back waiting attempts, ends running ones, then leaves")
    func drain() throws {
        var worker = try WorkerHarness.ready()
        try worker.dispatch(0, 1)
        worker.expectStart(0)
        try worker.receive(.drain(Drain(reason: "update")))
        worker.expectReject(1, .draining)
        #expect(worker.notices.contains(.draining(reason: "update")))
        try worker.dispatch(2)
        worker.expectReject(2, .draining)
        try worker.endTurn()
        worker.expectStarted(0)
        try worker.finish(0)
        worker.expectResult(0)
        try worker.endTurn()
        worker.expectNothingElse()
        try worker.receive(.ack(Ack(attempts: [WorkerHarness.id(0)])))
        try worker.endTurn()
        expectBye(.drained, in: &worker)
    }

    @Test("Reports a drain of its own to the coordinator, also after a reconnect")
    func drainOffline() throws {
        var worker = try WorkerHarness.ready()
        try worker.dispatch(0, 1)
        worker.expectStart(0)
        try worker.send(.disconnected(reason: "reset"))
        try worker.send(.drainRequested(deadline: .seconds(10)))
        try worker.waitForConnect()
        try worker.finish(0)
        worker.expect(.connect)
        _ = try worker.shakeHands()
        try worker.receive(.registered(Registered()))
        worker.expectResult(0)
        guard case .send(.drain(let drain)) = worker.nextAction() else { throw Unexpected("drain") }
        let left = try #require(drain.deadlineMilliseconds)
        #expect((9000..<10_000).contains(left))
        worker.expectReject(1, .draining)
        try worker.receive(.ack(Ack(attempts: [WorkerHarness.id(0)])))
        try worker.endTurn()
        expectBye(.drained, in: &worker)
    }

    @Test(
        "After the deadline of a drain running attempts are cancelled, and the end comes soon"
    )
    func deadline() throws {
        var worker = try WorkerHarness.ready()
        try worker.dispatch(0)
        worker.expectStart(0)
        try worker.receive(.drain(Drain(deadlineMilliseconds: 1000)))
        try worker.receive(.drain(Drain(deadlineMilliseconds: 3000)))
        try worker.endTurn()
        worker.expectStarted(0)
        try worker.wait(.milliseconds(999))
        worker.expectNothingElse()
        try worker.wait(.milliseconds(1))
        worker.expect(.cancelAttempt(WorkerHarness.id(0), grace: .seconds(5)))
        try worker.fail(0, .cancelled)
        #expect(try worker.nextFailure(0).code == .cancelled)
        // No acknowledgement comes, but the coordinator lives.
        let end = worker.now + Limits().cancelGrace + Limits().lease
        while worker.now < end {
            worker.expectNothingElse()
            try worker.receive(.pong(Pong(n: 1)))
            try worker.wait(.seconds(1))
        }
        expectBye(.stopped, in: &worker)
        #expect(worker.notices.last == .lost(WorkerHarness.name(0)))
    }

    @Test("A worker without a connection that holds nothing ends when it drains")
    func drainUnconnected() throws {
        var worker = WorkerHarness()
        try worker.send(.startRequested)
        worker.expect(.connect)
        try worker.send(.drainRequested(deadline: nil))
        try worker.endTurn()
        worker.expect(.exit(.drained))
        worker.expectNothingElse()
    }

    @Test(
        "A draining worker ends with its coordinator, whichever is asked first",
        arguments: [true, false]
    )
    func endsWithCoordinator(coordinatorFirst: Bool) throws {
        var worker = try WorkerHarness.ready(slots: 2)
        try worker.dispatch(0, 1)
        worker.expectStart(0)
        worker.expectStart(1)
        try worker.finish(0)
        worker.expectResult(0)
        if coordinatorFirst {
            try worker.receive(.bye(Bye(reason: "shutting_down")))
            worker.expect(.disconnect)
            try worker.send(.drainRequested(deadline: nil))
        } else {
            try worker.send(.drainRequested(deadline: nil))
            guard case .send(.drain) = worker.nextAction() else { throw Unexpected("drain") }
            try worker.receive(.bye(Bye(reason: "shutting_down")))
            worker.expect(.disconnect)
        }
        worker.expect(.cancelAttempt(WorkerHarness.id(1), grace: Limits().cancelGrace))
        try worker.endTurn()
        worker.expectNothingElse()
        try worker.fail(1, .cancelled)
        try worker.endTurn()
        worker.expect(.exit(.drained))
        worker.expectNothingElse()
    }

    /// The state after the coordinator has gone.
    enum Listener: CaseIterable {
        case none
        case closesAtOnce
        case saysNothing
    }

    @Test(
        "A draining worker ends a lease after its coordinator has gone silently",
        arguments: Listener.allCases
    )
    func coordinatorGone(listener: Listener) throws {
        var worker = try WorkerHarness.ready()
        try worker.dispatch(0)
        worker.expectStart(0)
        try worker.finish(0)
        worker.expectResult(0)
        try worker.send(.disconnected(reason: "reset"))
        try worker.send(.drainRequested(deadline: nil))
        let lost = worker.now
        while !worker.machine.hasEnded, worker.now < lost + .seconds(60) {
            try worker.wait(.milliseconds(500))
            guard worker.actions.first == .connect else {
                worker.actions.removeAll { $0 != .exit(.drained) }
                continue
            }
            worker.actions = []
            guard listener != .none else {
                try worker.send(.connectFailed(reason: "refused"))
                continue
            }
            try worker.send(.connected(nonce: [UInt8](repeating: 1, count: Limits.nonceBytes)))
            worker.actions = []
            if listener == .closesAtOnce { try worker.send(.disconnected(reason: nil)) }
        }
        // The lease, the longest pause and a handshake.
        #expect(worker.now <= lost + .seconds(6 + 5 + 5))
        #expect(worker.now >= lost + .seconds(6))
        worker.expect(.exit(.drained))
        worker.expectNothingElse()
        #expect(worker.notices.contains(.abandoned(WorkerHarness.name(0))))
    }

    @Test("A stop ends everything at once, and nothing has an effect after it")
    func stop() throws {
        var worker = try WorkerHarness.ready()
        try worker.dispatch(0, 1)
        worker.expectStart(0)
        try worker.send(.stopRequested)
        worker.expect(.cancelAttempt(WorkerHarness.id(0), grace: .zero))
        expectBye(.stopped, in: &worker)
        #expect(
            worker.notices.suffix(2) == [
                .lost(WorkerHarness.name(0)), .lost(WorkerHarness.name(1)),
            ]
        )
        try worker.fail(0, .cancelled)
        try worker.dispatch(5)
        try worker.send(.stopRequested)
        try worker.wait(.seconds(100))
        worker.expectNothingElse()
    }
}
