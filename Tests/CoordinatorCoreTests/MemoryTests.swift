// Plans that are remembered: by clients, by themselves; and what planners are shown of them.

import CoordinatorCore
import Core
import JSON
import PlannerCore
import Plans
import TestKit
import Testing
import Wire

@Suite("Remembered plans")
struct MemoryTests {
    private static let weather = tool("weather", "How warm it is in a *city*.", "city")
    private static let capital = tool("capital", "The capital of a country.", "country")

    private static func tool(
        _ name: String,
        _ description: String,
        _ parameter: String
    )
        -> ToolDescription
    {
        let schema =
            #"{"type":"object","properties":{"\#(parameter)":{"type":"string"}},"required":["\#(parameter)"]}"#
        return ToolDescription(
            name: name,
            description: description,
            parameters: RawJSON(trusted: Array(schema.utf8)[...])
        )
    }

    private func ask(
        _ goal: String,
        _ client: TestPeer,
        key: String = "first"
    ) throws -> RunID {
        client.send(
            .submit(Submit(key: "\(goal) \(key)", plan: nil, goal: goal, join: .llm, watch: .end))
        )
        return try client.nextAccepted().run
    }

    /// Runs a goal to its end with one call for each node, in the text form.
    private func reach(
        _ goal: String,
        _ plan: String,
        _ harness: MachineHarness,
        _ worker: TestPeer,
        _ client: TestPeer,
        key: String = "first"
    ) throws -> RunID {
        let run = try ask(goal, client, key: key)
        let planner = try harness.nextCall(.planner)
        harness.say(plan, in: planner)
        harness.end(planner)
        for _ in 1..<plan.split(separator: "\n").count {
            worker.succeed(try worker.nextDispatch().attempt)
        }
        let joiner = try harness.nextCall(.joiner)
        harness.say("Answer: it is.", in: joiner)
        harness.end(joiner)
        _ = client.take()
        return run
    }

    private func harness(
        _ change: (inout CoordinatorMachine.Configuration) -> Void = { _ in }
    )
        -> MachineHarness
    {
        MachineHarness(hasModels: true) {
            $0.planFormat = .text
            change(&$0)
        }
    }

    private func shownGoals(_ call: TestCall) -> [String] {
        call.request.messages.filter { $0.role == .user }.map {
            $0.text.replacing("Goal: ", with: "").split(separator: "\n").first.map(String.init)
                ?? ""
        }
    }

    @Test("A client adds the plan of a run, and planners of similar goals are shown it")
    func addRun() throws {
        let harness = harness()
        let worker = harness.worker(tools: [Self.weather, Self.capital])
        let client = harness.client()
        let plan = "1. capital(\"Peru\")\n2. weather(city=\"$1\")\n3. join()"
        let run = try reach("How warm is it in the capital of Peru?", plan, harness, worker, client)
        #expect(harness.storedPlans == nil)
        client.send(.remember(Remember(.run(run))))
        let stored = try #require(harness.storedPlans)
        #expect(stored.map(\.name) == ["p1"])
        #expect(stored.first?.run == run)
        #expect(
            stored.first?.example.calls == ["capital(\"Peru\")", "weather(\"$1\")"]
        )
        let listed = try client.get(.plans)
        #expect(listed[0]?["goal"] == "How warm is it in the capital of Peru?")
        #expect(listed[0]?["obstacle"] == nil)

        _ = try ask("How warm is it in the capital of Chile?", client)
        let near = try harness.nextCall(.planner)
        #expect(
            shownGoals(near).suffix(2) == [
                "How warm is it in the capital of Peru?", "How warm is it in the capital of Chile?",
            ]
        )
        _ = try ask("Sum.", client)
        #expect(!shownGoals(try harness.nextCall(.planner)).contains { $0.contains("Peru") })
    }

    @Test("Does not remember the plan of a run whose tools have changed since then")
    func changedSinceRun() throws {
        let harness = harness()
        let worker = harness.worker(tools: [Self.weather, Self.capital])
        let client = harness.client()
        let plan = "1. weather(\"Rome\")\n2. join()"
        let run = try reach("Weather?", plan, harness, worker, client)
        var changed = Self.weather
        changed.description = "How cold it is."
        worker.send(.offer(Offer(slots: 4, tools: [changed, Self.capital])))
        client.send(.remember(Remember(.run(run))))
        let error = try client.nextError()
        #expect(error.code == .badPlan)
        #expect(error.message.contains("its tool weather has changed since then"))
        // A tool that the run has not called may change.
        worker.send(.offer(Offer(slots: 4, tools: [Self.weather])))
        client.send(.remember(Remember(.run(run))))
        #expect(harness.storedPlans?.count == 1)
    }

    @Test("Planners are not shown a plan whose tools have changed or are gone")
    func changedTools() throws {
        let harness = harness()
        let worker = harness.worker(tools: [Self.weather, Self.capital])
        let client = harness.client()
        client.send(.remember(Remember(.plan(plan("weather", "city"), goal: "Weather of Rome"))))
        client.send(.remember(Remember(.plan(plan("capital", "country"), goal: "Capital of Rome"))))
        #expect(harness.storedPlans?.count == 2)
        var changed = Self.weather
        changed.description = "How cold it is."
        worker.send(.offer(Offer(slots: 4, tools: [changed])))
        let listed = try client.get(.plans)
        #expect(listed[0]?["obstacle"] == "weather has changed since then")
        #expect(listed[1]?["obstacle"] == "no worker has capital")
        _ = try ask("Weather and capital of Rome", client)
        #expect(
            !shownGoals(try harness.nextCall(.planner)).contains {
                $0.hasSuffix("of Rome") && $0.hasPrefix("Capital")
            }
        )
    }

    private func plan(_ tool: String, _ parameter: String) -> RawJSON {
        let text = #"{"tasks":[{"id":"x","tool_name":"\#(tool)","args":{"\#(parameter)":"Rome"}}]}"#
        return RawJSON(trusted: Array(text.utf8)[...])
    }

    @Test("Goals that were reached at the first attempt are remembered if that is configured")
    func automatic() throws {
        let harness = harness { $0.remembersPlans = true }
        let worker = harness.worker(tools: [Self.weather, Self.capital])
        let client = harness.client()
        _ = try reach("Weather?", "1. weather(\"Rome\")\n2. join()", harness, worker, client)
        #expect(harness.storedPlans?.map(\.example.goal) == ["Weather?"])
        // Again, with another plan: there is one for each goal.
        _ = try reach(
            "Weather?",
            "1. weather(\"Oslo\")\n2. join()",
            harness,
            worker,
            client,
            key: "again"
        )
        #expect(harness.storedPlans?.map(\.name) == ["p2"])
        #expect(harness.storedPlans?.first?.example.calls == ["weather(\"Oslo\")"])
        // The same plan again is no change.
        _ = try reach(
            "Weather?",
            "1. weather(\"Oslo\")\n2. join()",
            harness,
            worker,
            client,
            key: "third"
        )
        #expect(harness.storedPlans?.map(\.name) == ["p2"])
        // Neither is one whose calls were written with earlier outputs at hand.
        client.send(
            .submit(
                Submit(
                    key: "react",
                    plan: nil,
                    goal: "React?",
                    planner: PlannerOptions(strategy: .react),
                    join: .llm
                )
            )
        )
        _ = try client.nextAccepted()
        let step = try harness.nextCall(.planner)
        harness.say("1. weather(\"Oslo\")\n", in: step)
        harness.end(step)
        worker.succeed(try worker.nextDispatch().attempt)
        let last = try harness.nextCall(.planner)
        harness.say("Answer: warm", in: last)
        harness.end(last)
        _ = client.take()
        #expect(harness.storedPlans?.map(\.name) == ["p2"])
        // One that needed a repair is not.
        _ = try ask("Capital?", client)
        let broken = try harness.nextCall(.planner)
        harness.say("1. nothing_like_it()\n2. join()", in: broken)
        harness.end(broken)
        let planner = try harness.nextCall(.planner)
        harness.say("1. capital(\"Peru\")\n2. join()", in: planner)
        harness.end(planner)
        worker.succeed(try worker.nextDispatch().attempt)
        let joiner = try harness.nextCall(.joiner)
        harness.say("Answer: Lima", in: joiner)
        harness.end(joiner)
        #expect(harness.storedPlans?.count == 1)
    }

    @Test("Refuses a plan that cannot be an example, and says why")
    func refusals() throws {
        let harness = harness()
        let worker = harness.worker(tools: [Self.weather, Self.capital])
        let client = harness.client()
        func refusal(_ source: Remember.Source) throws -> ErrorMessage {
            client.send(.remember(Remember(source)))
            return try client.nextError()
        }
        let unknown = try #require(RunID("nobody"))
        #expect(try refusal(.run(unknown)).code == .unknownRun)
        let running = try client.submit([NodeText("a", tool: "weather", args: #"{"city":"Rome"}"#)])
        #expect(try refusal(.run(running)).message.contains("it has no goal"))
        let goal = try ask("Weather?", client)
        #expect(try refusal(.run(goal)).message.contains("it has not ended"))
        client.send(
            .submit(
                Submit(
                    key: "only",
                    plan: nil,
                    goal: "Only plan.",
                    planner: PlannerOptions(isPlanOnly: true),
                    join: .llm
                )
            )
        )
        let planned = try client.nextAccepted().run
        _ = try harness.nextCall(.planner)
        let planner = try harness.nextCall(.planner)
        harness.say("1. weather(\"Rome\")\n2. join()", in: planner)
        harness.end(planner)
        _ = client.take()
        #expect(try refusal(.run(planned)).message.contains("it has made no call"))
        func raw(_ text: String) -> RawJSON { RawJSON(trusted: Array(text.utf8)[...]) }
        let cases = [
            (#"{"tasks":[{"id":"a","tool_name":"sum","args":{}}]}"#, "has its tool sum"),
            (#"{"tasks":[{"id":"a","tool_name":"weather","args":{}}]}"#, "city"),
            (
                #"{"tasks":[{"id":"a","tool_name":"weather","args":{},"dependencies":["zz"]}]}"#,
                "zz"
            ),
            (
                #"{"tasks":[{"id":"a","tool_name":"weather","args":{}},"#
                    + #"{"id":"b","tool_name":"capital","args":{},"dependencies":["a"]}]}"#,
                "node b comes after a"
            ),
        ]
        for (text, reason) in cases {
            let error = try refusal(.plan(raw(text), goal: "g"))
            #expect(error.code == .badPlan)
            #expect(error.about == "g")
            #expect(error.message.contains(reason), "\(error.message)")
        }
        #expect(harness.storedPlans == nil)
        _ = worker
    }

    @Test("Forgets one plan, or all")
    func forget() throws {
        let harness = harness()
        harness.worker(tools: [Self.weather])
        let client = harness.client()
        for goal in ["a", "b", "c"] {
            client.send(.remember(Remember(.plan(plan("weather", "city"), goal: goal))))
        }
        client.send(.forget(Forget(plan: "p2")))
        #expect(harness.storedPlans?.map(\.name) == ["p1", "p3"])
        client.send(.forget(Forget(plan: "p2")))
        #expect(try client.nextError().code == .unknownPlan)
        client.send(.forget(Forget(plan: nil)))
        #expect(harness.storedPlans == [])
        #expect(try client.get(.plans) == [])
    }

    @Test("Keeps the newest three hundred; names are never used again")
    func bound() throws {
        let old = (1...300).map { number in
            RememberedPlan(
                name: "p\(number)",
                example: PlanExample(goal: "goal \(number)", calls: []),
                tools: [:]
            )
        }
        let harness = harness { $0.rememberedPlans = old }
        harness.worker(tools: [Self.weather])
        let client = harness.client()
        client.send(.remember(Remember(.plan(plan("weather", "city"), goal: "new"))))
        #expect(harness.storedPlans?.count == 300)
        #expect(harness.storedPlans?.first?.name == "p2")
        #expect(harness.storedPlans?.last?.name == "p301")
    }
}
