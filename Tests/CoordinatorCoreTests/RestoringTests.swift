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
}
