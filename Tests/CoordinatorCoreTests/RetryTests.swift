// Goals that are done again: what is joined, what is planned. Retries of plans from outside are in
// the conformance suite.

import CoordinatorCore
import Core
import JSON
import PlannerCore
import Plans
import TestKit
import Testing
import Wire

@Suite("Retries of goals")
struct RetryTests {
    let harness = MachineHarness(hasModels: true)

    private func lastEvent(_ client: TestPeer) -> EventKind? {
        let events = client.take().compactMap { message -> EventKind? in
            guard case .event(let event) = message else { return nil }
            return event.kind
        }
        return events.last
    }

    @Test("A goal whose join failed is joined again from the outputs that there are")
    func retriedJoin() throws {
        let worker = harness.worker()
        let client = harness.client()
        let run = try client.submitGoal()
        let planner = try harness.nextCall(.planner)
        harness.say(PlanText.plan([NodeText("t1")]).text, in: planner)
        harness.end(planner)
        worker.succeed(try worker.nextDispatch().attempt, "7")
        harness.fail(
            try harness.nextCall(.joiner),
            ModelFailure(code: .unreachable, message: "gone")
        )
        #expect(lastEvent(client) == .runFailed)
        client.send(.submit(Submit(key: "again", plan: nil, retry: RetriedRun(run: run))))
        let again = try client.nextAccepted().run
        let joiner = try harness.nextCall(.joiner)
        #expect(joiner.text.contains("Find the number.") && joiner.text.contains("7"))
        let answer = #"{"thought":"","action":"finish","reason":null,"answer":"It is 7."}"#
        harness.say(answer, in: joiner)
        harness.end(joiner)
        #expect(try client.get(.answer, again).stringValue == "It is 7.")
        #expect(worker.take().isEmpty, "nothing runs again")
    }

    @Test("A goal without a complete plan is planned again when it is retried")
    func retriedPlan() throws {
        let client = harness.client()
        let options = PlannerOptions(format: .text, rounds: 1)
        let run = try client.submitGoal(planner: options, budget: Budget(nodes: 9))
        harness.fail(
            try harness.nextCall(.planner),
            ModelFailure(code: .unreachable, message: "gone")
        )
        #expect(lastEvent(client) == .runFailed)
        client.send(.submit(Submit(key: "again", plan: nil, retry: RetriedRun(run: run))))
        let again = try client.nextAccepted().run
        let planner = try harness.nextCall(.planner)
        #expect(planner.text.contains("Find the number."))
        #expect(!planner.text.contains(#""tasks""#), "the text form was asked for")
        #expect(try client.get(.run, again)["retries"]?.stringValue == run.text)
    }
}
