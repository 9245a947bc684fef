// The coordinator before its end, and with a disk that fails it: what is accepted, dispatched and
// finished.

import CoordinatorCore
import Core
import JSON
import PlannerCore
import TestKit
import Testing
import Wire

@Suite("Draining")
struct DrainingTests {
    private func plan(_ key: String, _ nodes: String...) -> Message {
        .submit(Submit(key: key, plan: PlanText.plan(nodes.map { NodeText($0) })))
    }

    @Test("What runs may finish; nothing is dispatched or accepted any more")
    func finishes() throws {
        let harness = MachineHarness()
        let worker = harness.worker(slots: 2)
        let client = harness.client()
        try client.submit([NodeText("a"), NodeText("b", args: #"{"x":"$a"}"#)], watch: .end)
        let first = try worker.nextDispatch()
        worker.start(first.attempt)
        #expect(!harness.machine.isDrained)
        harness.handle(.drainRequested)
        #expect(!harness.machine.isDrained)
        #expect(harness.machine.heldAttempts == 1)
        client.send(plan("other", "a"))
        let error = try client.nextError()
        #expect(error.code == .shuttingDown)
        #expect(!error.isFatal)
        #expect(error.about == "other")
        // The same run again is still told.
        client.send(plan("k", "z"))
        #expect(try client.nextError().code == .conflict)
        // A worker that comes gets nothing.
        harness.worker("late")
        worker.succeed(first.attempt)
        #expect(try worker.nextAck().attempts == [first.attempt])
        #expect(harness.machine.isDrained)
        harness.advance(.seconds(60))
        harness.expectNothingElse()
        harness.handle(.shutdownRequested)
        let bye = Message.bye(Bye(reason: "shutting_down", keepsRuns: false))
        #expect(client.take() == [bye])
        #expect(worker.take() == [bye])
    }

    @Test("What a worker has not begun is called back if it may run twice")
    func takesBack() throws {
        let harness = MachineHarness()
        let worker = harness.worker(slots: 2, tools: [idempotent(), tool("once", schema: "{}")])
        let client = harness.client()
        try client.submit([NodeText("a")])
        try client.submit([NodeText("b", tool: "once")], key: "k2")
        let dispatches = [try worker.nextDispatch(), try worker.nextDispatch()]
        let again = try #require(dispatches.first { $0.tool == "t" }).attempt
        let once = try #require(dispatches.first { $0.tool == "once" }).attempt
        harness.handle(.drainRequested)
        let cancels = worker.take()
        #expect(cancels.map(\.kind) == [.cancel])
        guard case .cancel(let cancel)? = cancels.first else { return }
        #expect(cancel.attempt == again)
        #expect(cancel.reason == Cancel.recalled)
        worker.send(.reject(Reject(attempt: again, code: .recalled)))
        #expect(!harness.machine.isDrained)
        worker.start(once)
        worker.succeed(once)
        #expect(harness.machine.isDrained)
    }

    @Test("With a journal it waits for the disk, and says that runs go on")
    func waitsForDisk() throws {
        let harness = MachineHarness(configure: { $0.keepsRecords = true })
        let client = harness.client()
        try client.submit([NodeText("a")])
        harness.handle(.drainRequested)
        #expect(!harness.machine.isDrained)
        harness.handle(.journalWritten(upTo: harness.machine.recordPosition))
        #expect(harness.machine.isDrained)
        harness.handle(.shutdownRequested)
        #expect(client.take() == [.bye(Bye(reason: "shutting_down", keepsRuns: true))])
    }

    @Test("An open call of a model may end; no further one is made")
    func models() throws {
        let harness = MachineHarness(hasModels: true)
        harness.worker()
        let client = harness.client()
        let submit = Submit(key: "g", plan: nil, goal: "Find the number.", join: .llm)
        client.send(.submit(submit))
        _ = try client.nextAccepted()
        let call = try harness.nextCall(.planner)
        harness.handle(.drainRequested)
        #expect(!harness.machine.isDrained)
        harness.say("1. no plan\n", in: call)
        harness.end(call)
        #expect(harness.machine.isDrained)
        #expect(harness.calls.isEmpty)
    }
}

@Suite("A disk that fails the journal")
struct StalledJournalTests {
    @Test("While the disk is full no run is accepted, and those that were accepted go on")
    func full() throws {
        let harness = MachineHarness(configure: { $0.keepsRecords = true })
        let worker = harness.worker(tools: [idempotent()])
        let client = harness.client()
        try client.submit([NodeText("a"), NodeText("b", args: #"{"x":"$a"}"#)])
        harness.handle(.journalWritten(upTo: harness.machine.recordPosition))
        harness.handle(.journalStalled(true))
        worker.succeed(try worker.nextDispatch().attempt)
        client.send(.submit(Submit(key: "k2", plan: PlanText.plan([NodeText("a")]))))
        let error = try client.nextError()
        #expect(error.code == .busy)
        #expect(error.message.contains("full"))
        // Dependents do not wait for the disk, and acknowledgements do.
        let second = try worker.nextDispatch()
        harness.advance(.seconds(1))
        #expect(!worker.takeKinds().contains(.ack))
        harness.handle(.journalStalled(false))
        harness.handle(.journalWritten(upTo: harness.machine.recordPosition))
        harness.advance(.seconds(1))
        #expect(worker.takeKinds().contains(.ack))
        try client.submit([NodeText("a")], key: "k2")
        worker.succeed(second.attempt)
    }

    @Test("When too much waits for the disk no run is accepted")
    func lag() throws {
        var limits = Limits()
        limits.unwrittenBytes = 2_000
        let harness = MachineHarness(limits: limits, configure: { $0.keepsRecords = true })
        let worker = harness.worker(tools: [idempotent()])
        let client = harness.client()
        try client.submit([NodeText("a")])
        let output = "\"\(String(repeating: "x", count: 2_000))\""
        worker.succeed(try worker.nextDispatch().attempt, output)
        let submit = Submit(key: "k2", plan: PlanText.plan([NodeText("a")]))
        client.send(.submit(submit))
        let error = try client.nextError()
        #expect(error.code == .busy)
        #expect(error.message.contains("unwritten_bytes"))
        harness.handle(.journalWritten(upTo: harness.machine.recordPosition))
        client.send(.submit(submit))
        #expect(try client.nextAccepted().isExisting == false)
    }

    @Test("When too much waits for the disk nothing is dispatched until it has caught up")
    func lagOfDispatch() throws {
        var limits = Limits()
        limits.unwrittenBytes = 2_000
        let harness = MachineHarness(limits: limits, configure: { $0.keepsRecords = true })
        let worker = harness.worker(tools: [idempotent()])
        let client = harness.client()
        let run = try client.submit([NodeText("a"), NodeText("b", args: #"{"x":"$a"}"#)])
        let output = "\"\(String(repeating: "x", count: 2_000))\""
        worker.succeed(try worker.nextDispatch().attempt, output)
        #expect(!worker.takeKinds().contains(.dispatch))
        let reasons = try client.get(.explain, run)["nodes"]?[0]?["reasons"]
        #expect(reasons?[0]?["code"]?.stringValue == "journal_behind")
        harness.handle(.journalWritten(upTo: harness.machine.recordPosition))
        #expect(try worker.nextDispatch().node.text == "b")
    }
}
