// What the models of a goal did and cost, as clients are told it.

import CoordinatorCore
import Core
import JSON
import PlannerCore
import Plans
import TestKit
import Testing
import Wire

@Suite("The models' share of a goal")
struct GoalCostTests {
    let harness = MachineHarness(hasModels: true)

    private func submit(_ client: TestPeer, budget: Budget = Budget()) {
        client.send(
            .submit(
                Submit(
                    key: "g",
                    plan: nil,
                    goal: "Find the number.",
                    join: .llm,
                    budget: budget,
                    watch: .end
                )
            )
        )
    }

    @Test("The run tells calls, repairs, replans, the models' time, the first node and the cost")
    func planningCourse() throws {
        let worker = harness.worker()
        let client = harness.client()
        submit(client)
        let run = try client.nextAccepted().run
        let broken = try harness.nextCall(.planner)
        harness.advance(.milliseconds(100))
        harness.handle(.modelReported(broken.id, .charged(TokenPrices(input: 1, output: 2))))
        harness.say("nothing", in: broken)
        harness.handle(.modelReported(broken.id, .usage(TokenUsage(input: 500, output: 250))))
        harness.end(broken)
        let planner = try harness.nextCall(.planner)
        harness.advance(.milliseconds(200))
        harness.say(PlanText.plan([NodeText("t1")]).text, in: planner)
        harness.end(planner)
        let attempt = try worker.nextDispatch().attempt
        harness.advance(.milliseconds(1_000))
        worker.succeed(attempt)
        _ = try harness.nextCall(.joiner)
        harness.advance(.milliseconds(50))
        _ = client.take()
        let planning = try client.get(.run, run)["planning"]
        #expect(planning?["calls"] == 3)
        #expect(planning?["repairs"] == 1)
        #expect(planning?["replans"] == 0)
        #expect(planning?["model_ms"]?.doubleValue == 350)
        #expect(planning?["first_node_ms"]?.doubleValue == 300)
        #expect(try client.get(.run, run)["usage"]?["cost"]?.doubleValue == 0.001)
        client.send(.cancelRun(CancelRun(run: run)))
        let end = client.take().compactMap { message in
            if case .event(let event) = message { event } else { nil }
        }
        let modelTime = end.last?.data?.value(at: [.key("planning"), .key("model_ms")])
        #expect(modelTime?.doubleValue == 350)
    }

    @Test("A run whose time is over tells the tokens of the call that was cancelled")
    func timedOut() throws {
        harness.worker()
        let client = harness.client()
        submit(client, budget: Budget(wallMilliseconds: 1_500))
        let run = try client.nextAccepted().run
        let planner = try harness.nextCall(.planner)
        harness.say(#"{"tasks":["#, in: planner)
        harness.advance(.milliseconds(1_500))
        #expect(harness.cancelledCalls == [planner.id])
        let end = client.take().compactMap { message in
            if case .event(let event) = message { event } else { nil }
        }
        #expect(end.last?.kind == .runFailed)
        let told = try #require(end.last?.data?.value(at: [.key("usage"), .key("input")]))
        #expect(told.intValue ?? 0 > 100)
        harness.end(planner)
        #expect(try client.get(.run, run)["usage"]?["input"]?.intValue == told.intValue)
    }

    @Test("A bound on the cost needs models with prices")
    func costWithoutPrices() throws {
        harness.worker()
        let client = harness.client()
        submit(client, budget: Budget(cost: 1))
        let error = try client.nextError()
        #expect(error.code == .badPlan)
        #expect(error.message.contains("no model has prices"))
        #expect(harness.calls.isEmpty)
    }
}
