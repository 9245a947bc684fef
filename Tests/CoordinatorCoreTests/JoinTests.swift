// How plans and goals are joined by a tool or a model, seen at workers and clients.

import Core
import JSON
import PlannerCore
import Plans
import TestKit
import Testing
import Wire

@Suite("Joins by tools and models")
struct JoinTests {
    let harness = MachineHarness(hasModels: true)

    private let closed = tool(
        "report",
        schema: #"{"type":"object","properties":{"outputs":{"type":"object"}},"#
            + #""required":["outputs"],"additionalProperties":false}"#
    )

    private func tools() -> [ToolDescription] {
        [ToolDescription(name: "t", description: ""), closed]
    }

    private func submit(
        _ client: TestPeer,
        _ nodes: [NodeText],
        join: JoinKind,
        tools: [String]? = nil,
        budget: Budget = Budget(),
        instruction: String? = nil,
        isStreamed: Bool = false
    ) {
        client.send(
            .submit(
                Submit(
                    key: "k",
                    plan: PlanText.plan(nodes),
                    isStreamed: isStreamed,
                    join: join,
                    tools: tools,
                    budget: budget,
                    watch: .progress,
                    joinInstruction: instruction
                )
            )
        )
    }

    private func kinds(_ client: TestPeer) -> [EventKind] {
        client.take().compactMap {
            if case .event(let event) = $0, event.kind == .joined || event.kind.isTerminal {
                event.kind
            } else {
                nil
            }
        }
    }

    @Test("The tool runs last, gets the fields that its schema allows, and gives the answer")
    func byTool() throws {
        let worker = harness.worker(slots: 4, tools: tools())
        let client = harness.client()
        submit(client, [NodeText("join"), NodeText("b")], join: .tool("report"))
        let run = try client.nextAccepted().run
        worker.succeed(try worker.nextDispatch().attempt, #""$b and ${join.x}""#)
        let second = try worker.nextDispatch()
        #expect(worker.take() == [])
        worker.fail(second.attempt)
        let last = try worker.nextDispatch()
        #expect(last.node.text == "join-2" && last.tool == "report")
        #expect(
            last.arguments.inlineValue?.text == #"{"outputs":{"join":"$b and ${join.x}"}}"#
        )
        worker.succeed(last.attempt, #"{"all":"well"}"#)
        #expect(kinds(client) == [.joined, .runSucceeded])
        #expect(try client.get(.answer, run)["all"]?.stringValue == "well")
    }

    @Test("A tool with an open schema gets all fields; a streamed plan is joined at its end")
    func everything() throws {
        let worker = harness.worker(slots: 4)
        let client = harness.client()
        let join = JoinKind.tool("t")
        submit(client, [NodeText("a")], join: join, instruction: "Add up.", isStreamed: true)
        worker.succeed(try worker.nextDispatch().attempt, "1")
        #expect(worker.take() == [])
        client.send(.nodes(Nodes(key: "k", tasks: [], isLast: true)))
        let last = try worker.nextDispatch()
        let arguments = last.arguments.inlineValue.map { JSONValue($0) }
        #expect(arguments?["join_instruction"]?.stringValue == "Add up.")
        #expect(arguments?["outputs"]?["a"]?.intValue == 1)
        #expect(arguments?["failures"] == [:])
        #expect(arguments?["goal"] == nil)
        worker.succeed(last.attempt, "2")
        #expect(kinds(client) == [.joined, .runSucceeded])
    }

    @Test("Retries the join like any node, and its failure fails the run")
    func fails() throws {
        let worker = harness.worker(tools: [idempotent("t"), idempotent("u", maxAttempts: 2)])
        let client = harness.client()
        submit(client, [NodeText("a")], join: .tool("u"))
        worker.succeed(try worker.nextDispatch().attempt, "1")
        let first = try worker.nextDispatch()
        worker.fail(first.attempt, retryable: true)
        harness.advance(.milliseconds(500))
        let second = try worker.nextDispatch()
        #expect(second.number == 2)
        worker.fail(second.attempt, retryable: true)
        #expect(kinds(client) == [.runFailed])
    }

    @Test("A run that is cancelled while it is joined ends as cancelled")
    func cancelled() throws {
        let worker = harness.worker()
        let client = harness.client()
        submit(client, [NodeText("a")], join: .tool("t"))
        let run = try client.nextAccepted().run
        worker.succeed(try worker.nextDispatch().attempt, "1")
        let last = try worker.nextDispatch()
        client.send(.cancelRun(CancelRun(run: run)))
        worker.fail(last.attempt, .cancelled)
        #expect(kinds(client) == [.runCancelled])
    }

    @Test("Refuses a join by an unknown tool, or by one that is not allowed")
    func refused() throws {
        harness.worker()
        let client = harness.client()
        submit(client, [NodeText("a")], join: .tool("nobody_has_it"))
        let unknown = try client.nextError()
        #expect(unknown.code == .badPlan && unknown.message.contains("nobody_has_it"))
        submit(client, [NodeText("a")], join: .tool("t"), tools: ["u"])
        #expect(try client.nextError().message.contains("may not use"))
    }

    @Test("The model that joins a plan cannot ask for another one")
    func model() throws {
        let worker = harness.worker()
        let client = harness.client()
        submit(client, [NodeText("a")], join: .llm, instruction: "Which one?")
        worker.fail(try worker.nextDispatch().attempt)
        let joiner = try harness.nextCall(.joiner)
        #expect(joiner.text.contains("Which one?") && joiner.text.contains("it broke"))
        #expect(!joiner.text.contains("replan"))
        harness.say(#"{"thought":"","action":"finish","reason":null,"answer":"None."}"#, in: joiner)
        harness.end(joiner)
        #expect(kinds(client) == [.joined, .runSucceeded])
    }

    @Test("Refuses a join by a model if there is none")
    func noModel() throws {
        let harness = MachineHarness()
        harness.worker()
        let client = harness.client()
        submit(client, [NodeText("a")], join: .llm)
        let error = try client.nextError()
        #expect(error.code == .badPlan && error.message.contains("no language model to join"))
    }

    @Test("Does not join a run that fails")
    func notJoined() throws {
        let worker = harness.worker()
        let client = harness.client()
        submit(client, [NodeText("a")], join: .concat)
        worker.fail(try worker.nextDispatch().attempt)
        #expect(kinds(client) == [.runFailed])
    }

    @Test("A call that was cancelled already is not cancelled again with its run")
    func cancelledOnce() throws {
        harness.worker()
        let client = harness.client()
        client.send(.submit(Submit(key: "g", plan: nil, goal: "Find it.", join: .llm)))
        let run = try client.nextAccepted().run
        let planner = try harness.nextCall(.planner)
        let rest = String(repeating: "and so on ", count: 2_000)
        harness.say(PlanText.plan([NodeText("t1")]).text, rest, in: planner)
        #expect(harness.cancelledCalls == [planner.id])
        client.send(.cancelRun(CancelRun(run: run)))
        #expect(harness.cancelledCalls == [planner.id])
    }

    @Test("Strategies: start nodes after the plan is complete, or run one call at a time")
    func sequential() throws {
        let worker = harness.worker(slots: 4)
        let client = harness.client()
        client.send(
            .submit(
                Submit(
                    key: "g",
                    plan: nil,
                    goal: "Find it.",
                    planner: PlannerOptions(strategy: .sequential),
                    join: .json
                )
            )
        )
        let planner = try harness.nextCall(.planner)
        harness.say(PlanText.plan([NodeText("t1"), NodeText("t2")]).text, in: planner)
        #expect(worker.take() == [])
        harness.end(planner)
        let first = try worker.nextDispatch()
        #expect(worker.take() == [])
        let run = try client.nextAccepted().run
        let second = first.node.text == "t1" ? "t2" : "t1"
        let reasons = try client.get(.node, run, node: second)["reasons"]
        #expect(reasons?[0]?["code"]?.stringValue == "run_bound_reached")
        worker.succeed(first.attempt)
        #expect(try worker.nextDispatch().node.text == second)
    }

    @Test("A plan has a limit of its own")
    func bound() throws {
        let worker = harness.worker(slots: 4)
        let client = harness.client()
        submit(
            client,
            [NodeText("a"), NodeText("b"), NodeText("c")],
            join: .json,
            budget: Budget(running: 2)
        )
        _ = try worker.nextDispatch()
        let second = try worker.nextDispatch()
        #expect(worker.take() == [])
        worker.succeed(second.attempt)
        _ = try worker.nextDispatch()
    }
}
