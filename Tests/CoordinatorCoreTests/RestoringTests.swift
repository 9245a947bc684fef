// Runs that a machine makes again from the records of another one.

import CoordinatorCore
import Core
import PlannerCore
import Runs
import TestKit
import Testing
import Wire

@Suite("After a restart")
struct RestoringTests {
    private func harness(epoch: Int) -> MachineHarness {
        MachineHarness(epoch: epoch, hasModels: true, configure: { $0.keepsRecords = true })
    }

    @Test("A round that ends while its run is made again calls the joiner once")
    func callsOnce() throws {
        let before = harness(epoch: 1)
        let worker = before.worker()
        let client = before.client()
        let plan = PlanText.plan([NodeText("a"), NodeText("b", after: ["a"])])
        client.send(.submit(Submit(key: "k", plan: plan, join: .llm)))
        let run = try client.nextAccepted().run
        before.handle(.journalWritten(upTo: before.machine.recordPosition))
        worker.fail(try worker.nextDispatch().attempt)
        _ = try before.nextCall(.joiner)
        let records = before.records.compactMap { record in
            if case .run(run, let record) = record { record } else { nil }
        }
        // Nodes are skipped over several turns: that of the second one was not written any more.
        let written = records.prefix { record in
            if case .skipped = record.change { false } else { true }
        }
        #expect(written.count < records.count)
        let after = harness(epoch: 2)
        after.restore(run, Array(written))
        _ = try after.nextCall(.joiner)
        #expect(after.calls.isEmpty)
    }

    @Test("Fewer attempts of a node leave without a record than numbers are left out by a restart")
    func manyAttempts() throws {
        let harness = harness(epoch: 1)
        let tool = ToolDescription(name: "t", description: "", isIdempotent: true)
        let worker = harness.worker(tools: [tool])
        let client = harness.client()
        client.send(.submit(Submit(key: "k", plan: PlanText.plan([NodeText("a")]))))
        _ = try client.nextAccepted()
        func rejectAll() -> Int {
            var latest = 0
            for _ in 0..<60 {
                for case .dispatch(let dispatch) in worker.take() {
                    latest = dispatch.attempt.number
                    worker.send(.reject(Reject(attempt: dispatch.attempt, code: .busy)))
                }
                harness.advance(.seconds(31))
            }
            return latest
        }
        harness.handle(.journalWritten(upTo: harness.machine.recordPosition))
        #expect(rejectAll() == 49)
        harness.handle(.journalWritten(upTo: harness.machine.recordPosition))
        #expect(rejectAll() == 99)
    }

    @Test("A result that came too late is acknowledged when it is on disk why")
    func lateResult() throws {
        let harness = harness(epoch: 1)
        let worker = harness.worker()
        let client = harness.client()
        client.send(.submit(Submit(key: "k", plan: PlanText.plan([NodeText("a")]))))
        let run = try client.nextAccepted().run
        let written = { harness.handle(.journalWritten(upTo: harness.machine.recordPosition)) }
        written()
        let attempt = try worker.nextDispatch().attempt
        client.send(.cancelRun(CancelRun(run: run)))
        // It has not ended within the grace period, and counts as ended.
        harness.advance(.seconds(60))
        _ = worker.take()
        worker.succeed(attempt, "1")
        harness.advance(.seconds(1))
        // Otherwise the worker would forget it, and after a restart it would run again.
        #expect(!worker.takeKinds().contains(.ack))
        written()
        #expect(try worker.nextAck().stale == [attempt])
        worker.succeed(attempt, "1")
        #expect(try worker.nextAck().stale == [attempt])
    }
}
