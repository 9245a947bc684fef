// The coordinator's process was stopped, while its peers continued.

import CoordinatorCore
import JSON
import Plans
import TestKit
import Testing
import Wire

@Suite("Absence of the coordinator")
struct AbsenceTests {
    let harness = MachineHarness()

    @Test("After a pause longer than a lease, no connection and no outcome is lost")
    func longPause() throws {
        let worker = harness.worker("w")
        let silent = harness.worker("quiet")
        let client = harness.client()
        let run = try client.submit([NodeText("a")], watch: .end)
        let holder = worker.take().isEmpty ? silent : worker
        let other = holder === worker ? silent : worker
        let attempt = try #require(holder.held.first)
        harness.pause(.seconds(12))
        // The result waited in the socket; the others have sent nothing yet.
        holder.succeed(attempt)
        harness.handle(.deadlineReached)
        for peer in [worker, silent, client] { #expect(!harness.isClosed(peer)) }
        #expect(try client.nextEvent().kind == .runSucceeded)
        #expect(try client.get(.node, run, node: "a")["status"] == "succeeded")
        harness.advance(.seconds(30))
        for peer in [holder, other, client] { #expect(!harness.isClosed(peer)) }
    }

    @Test("A pause extends the lease, and a lease still ends")
    func leasesStillEnd() throws {
        let worker = harness.worker()
        worker.answersPings = false
        harness.advance(.seconds(4))
        harness.pause(.seconds(60))
        harness.handle(.deadlineReached)
        #expect(!harness.isClosed(worker))
        harness.advance(.seconds(3))
        #expect(!harness.isClosed(worker))
        harness.advance(.seconds(7))
        #expect(harness.isClosed(worker))
    }

    @Test("Lines that wait for their turn count as life")
    func waitingLinesCount() throws {
        let worker = harness.worker()
        worker.answersPings = false
        for _ in 0..<20 {
            harness.advance(.seconds(1))
            harness.handle(.heard(worker.id))
        }
        #expect(!harness.isClosed(worker))
        harness.advance(.seconds(12))
        #expect(harness.isClosed(worker))
    }

    @Test("A worker that gave up during the pause has as long to come back")
    func resumesAfterPause() throws {
        let worker = harness.worker()
        let client = harness.client()
        try client.submit([NodeText("a")], watch: .end)
        let attempt = try worker.nextDispatch().attempt
        harness.pause(.seconds(12))
        worker.disconnect()
        harness.handle(.deadlineReached)
        // The resume window alone is two seconds.
        harness.advance(.seconds(7))
        let back = worker.resume(inFlight: [InFlight(attempt: attempt, state: .running)])
        back.succeed(attempt)
        #expect(try client.nextEvent().kind == .runSucceeded)
    }

    @Test("A running resume window and a running handshake continue after a pause")
    func windowsGoOn() throws {
        let worker = harness.worker()
        let client = harness.client()
        try client.submit([NodeText("a")], watch: .end)
        let attempt = try worker.nextDispatch().attempt
        worker.disconnect()
        let newcomer = harness.connect(.client, "late")
        harness.pause(.seconds(30))
        harness.handle(.deadlineReached)
        #expect(!harness.isClosed(newcomer))
        newcomer.shakeHands()
        let back = worker.resume(inFlight: [InFlight(attempt: attempt, state: .running)])
        back.succeed(attempt)
        #expect(try client.nextEvent().kind == .runSucceeded)
    }

    @Test("A cancel that was answered during a pause is not given up")
    func fencesWait() throws {
        let worker = harness.worker()
        let client = harness.client()
        let run = try client.submit([NodeText("a")], watch: .end)
        let attempt = try worker.nextDispatch().attempt
        worker.start(attempt)
        client.send(.cancelRun(CancelRun(run: run)))
        harness.pause(.seconds(60))
        harness.handle(.deadlineReached)
        #expect(client.takeEvents() == [])
        worker.succeed(attempt)
        #expect(try client.nextEvent().kind == .runSucceeded)
    }

    @Test("A pause does not extend a run's limit of real time")
    func budgetsAreReal() throws {
        _ = harness.worker()
        let client = harness.client()
        client.send(
            .submit(
                Submit(
                    key: "k",
                    plan: PlanText.plan([NodeText("a", tool: "nobody")]),
                    budget: Budget(wallMilliseconds: 5_000),
                    watch: .end
                )
            )
        )
        _ = try client.nextAccepted()
        harness.pause(.seconds(6))
        harness.handle(.deadlineReached)
        #expect(try client.nextEvent().kind == .runFailed)
    }
}
