// Goals: the test writes the model's text and checks the messages to workers and clients.

import CoordinatorCore
import Core
import JSON
import PlannerCore
import Plans
import TestKit
import Testing
import Wire

@Suite("Goals")
struct GoalTests {
    let harness = MachineHarness(hasModels: true)

    private func plan(_ nodes: NodeText...) -> String { PlanText.plan(nodes).text }

    /// The events of a goal and of the run's end, without the others.
    private func events(_ client: TestPeer) -> [EventMessage] {
        client.take().compactMap { message in
            guard case .event(let event) = message else { return nil }
            switch event.kind {
            case .planProblems, .replanned, .answering, .joined: return event
            default: return event.kind.isTerminal ? event : nil
            }
        }
    }

    private func code(_ event: EventMessage?) -> String? {
        event?.data?.value(at: [.key("error"), .key("code")])?.stringValue
    }

    private func finish(_ answer: String) -> String {
        #"{"thought":"","action":"finish","reason":null,"answer":"\#(answer)"}"#
    }

    private func replan(_ reason: String) -> String {
        #"{"thought":"","action":"replan","reason":"\#(reason)","answer":null}"#
    }

    // MARK: - While the model writes

    @Test("Dispatches nodes before the plan is complete, and shows the answer while it is written")
    func early() throws {
        let worker = harness.worker()
        let client = harness.client()
        let run = try client.submitGoal()
        let planner = try harness.nextCall(.planner)
        #expect(planner.text.contains("Find the number."))
        harness.say(#"{"tasks":["#, NodeText("t1").text, in: planner)
        let first = try worker.nextDispatch()
        #expect(first.node.text == "t1")
        harness.say(",", NodeText("t2", args: #"{"x":"$t1"}"#).text, in: planner)
        worker.succeed(first.attempt, "42")
        let second = try worker.nextDispatch()
        #expect(second.arguments.inlineValue?.text == #"{"x":42}"#)
        #expect(harness.calls.isEmpty)
        worker.succeed(second.attempt, "43")
        #expect(harness.calls.isEmpty, "all is settled, but the plan may go on")
        harness.say("]}", in: planner)
        harness.end(planner)
        let joiner = try harness.nextCall(.joiner)
        #expect(joiner.text.contains("42") && joiner.text.contains("43"))
        _ = events(client)
        harness.say(#"{"thought":"","action":"finish","reason":null,"answer":"It"#, in: joiner)
        #expect(events(client).map { $0.data?.text } == [#"{"text":"It"}"#])
        harness.say(#" is 43."}"#, in: joiner)
        harness.end(joiner)
        let rest = events(client)
        #expect(rest.map(\.kind) == [.answering, .joined, .runSucceeded])
        #expect(rest.first?.data?.text == #"{"text":" is 43."}"#)
        #expect(try client.get(.answer, run).stringValue == "It is 43.")
    }

    @Test("Waits two seconds for a call that has said all that matters, then cancels it once")
    func callWithoutEnd() throws {
        let worker = harness.worker()
        let client = harness.client()
        let run = try client.submitGoal()
        let planner = try harness.nextCall(.planner)
        harness.say(#"{"tasks":["#, NodeText("t1").text, in: planner)
        harness.advance(.seconds(10))
        #expect(harness.cancelledCalls.isEmpty, "the plan is still being written")
        harness.say("]}", in: planner)
        harness.advance(.milliseconds(1900))
        #expect(harness.cancelledCalls.isEmpty)
        harness.advance(.milliseconds(100))
        #expect(harness.cancelledCalls == [planner.id])
        harness.fail(planner, ModelFailure(code: .cancelled, message: "cancelled"))
        worker.succeed(try worker.nextDispatch().attempt, "42")
        let joiner = try harness.nextCall(.joiner)
        harness.say(finish("It is 42."), in: joiner)
        harness.advance(.seconds(2))
        #expect(harness.cancelledCalls == [planner.id, joiner.id])
        harness.fail(joiner, ModelFailure(code: .cancelled, message: "cancelled"))
        #expect(events(client).last?.kind == .runSucceeded)
        #expect(try client.get(.answer, run).stringValue == "It is 42.")
    }

    @Test("Joins a plan without a model")
    func concat() throws {
        let worker = harness.worker()
        let client = harness.client()
        let run = try client.submitGoal(join: .json)
        let planner = try harness.nextCall(.planner)
        harness.say(plan(NodeText("t1")), in: planner)
        harness.end(planner)
        worker.succeed(try worker.nextDispatch().attempt, "7")
        #expect(harness.calls.isEmpty)
        #expect(events(client).map(\.kind) == [.joined, .runSucceeded])
        #expect(try client.get(.answer, run)["t1"]?.intValue == 7)
    }

    @Test("Watchers get the nodes as they are written, without arguments if there are many")
    func plannedNodes() throws {
        harness.worker()
        let client = harness.client()
        _ = try client.submitGoal()
        let planner = try harness.nextCall(.planner)
        let written = NodeText("t1")
        // Letters, because calls that count up are cut.
        let many = (0..<400).map { number in
            let letters = String(number).map { Array("abcdefghij")[$0.wholeNumberValue ?? 0] }
            return NodeText("n\(number)", args: #"{"x":"a word or two of \#(String(letters))"}"#)
        }
        harness.say(#"{"tasks":["#, written.text, in: planner)
        harness.say("," + many.map(\.text).joined(separator: ","), in: planner)
        let planned = client.take().compactMap { message -> JSONValue? in
            guard case .event(let event) = message, event.kind == .planned else { return nil }
            return event.data.map { JSONValue($0) }
        }
        #expect(planned.map { $0["nodes"]?.intValue } == [1, 400])
        let nodes = try #require(planned.first?["tasks"]?.arrayValue)
        let definitions = try nodes.map { try NodeDefinition(decoding: RawJSON($0), at: 0) }
        #expect(definitions.map(\.id.text) == ["t1"])
        let last = try #require(planned.last?["tasks"]?.arrayValue?.last)
        #expect(last == ["id": "n399", "tool_name": "t"])
    }

    @Test("The event about another plan and the last event contain the tokens of all calls")
    func usage() throws {
        let worker = harness.worker()
        let client = harness.client()
        let run = try client.submitGoal()
        let use = { (call: TestCall, usage: TokenUsage) in
            harness.handle(.modelReported(call.id, .usage(usage)))
        }
        let first = try harness.nextCall(.planner)
        harness.say(plan(NodeText("t1")), in: first)
        use(first, TokenUsage(input: 1, output: 1))
        use(first, TokenUsage(input: 100, output: 10))
        harness.end(first)
        worker.succeed(try worker.nextDispatch().attempt)
        let joiner = try harness.nextCall(.joiner)
        harness.say(replan("more"), in: joiner)
        use(joiner, TokenUsage(input: 50, output: 5))
        harness.end(joiner)
        let replanned = try #require(events(client).first { $0.kind == .replanned })
        let usage = #"{"input":150,"output":15}"#
        #expect(replanned.data?.value(at: [.key("usage")])?.text == usage)
        client.send(.cancelRun(CancelRun(run: run)))
        let end = try #require(events(client).last)
        #expect(end.kind == .runCancelled)
        #expect(end.data?.value(at: [.key("usage")])?.text == usage)
        #expect(try client.get(.run, run)["usage"]?["output"]?.intValue == 15)
    }

    // MARK: - Repairs and further plans

    @Test("Sends problems back to the model; running nodes are not repeated")
    func repair() throws {
        let worker = harness.worker()
        let client = harness.client()
        _ = try client.submitGoal()
        let planner = try harness.nextCall(.planner)
        harness.say(plan(NodeText("t1"), NodeText("t2", tool: "no_such_tool")), in: planner)
        harness.end(planner)
        let first = try worker.nextDispatch()
        #expect(first.node.text == "t1")
        let problems = events(client)
        #expect(problems.map(\.kind) == [.planProblems])
        #expect(problems.first?.data?.text.contains("unknown_tool") == true)
        let repair = try harness.nextCall(.planner)
        #expect(repair.text.contains("no_such_tool"))
        harness.say(plan(NodeText("t3", args: #"{"x":"$t1"}"#)), in: repair)
        harness.end(repair)
        worker.succeed(first.attempt, "5")
        let third = try worker.nextDispatch()
        #expect(third.node.text == "t3")
        #expect(third.arguments.inlineValue?.text == #"{"x":5}"#)
        worker.succeed(third.attempt)
        let joiner = try harness.nextCall(.joiner)
        harness.say(finish("done"), in: joiner)
        harness.end(joiner)
        #expect(events(client).last?.kind == .runSucceeded)
    }

    @Test("Asks a model that writes no plan as often as allowed; then the run fails")
    func prose() throws {
        harness.worker()
        let client = harness.client()
        _ = try client.submitGoal(planner: PlannerOptions(repairs: 1))
        for _ in 0..<2 {
            let planner = try harness.nextCall(.planner)
            harness.say("I would rather talk about it.", in: planner)
            harness.end(planner)
        }
        #expect(harness.calls.isEmpty)
        let seen = events(client)
        #expect(seen.last?.kind == .runFailed)
        #expect(code(seen.last) == "bad_plan")
    }

    @Test("Another plan refers to outputs of the earlier one")
    func secondRound() throws {
        let worker = harness.worker()
        let client = harness.client()
        let run = try client.submitGoal()
        let planner = try harness.nextCall(.planner)
        harness.say(plan(NodeText("t1")), in: planner)
        harness.end(planner)
        worker.succeed(try worker.nextDispatch().attempt, #"{"n":[8,9]}"#)
        let joiner = try harness.nextCall(.joiner)
        harness.say(replan("the second is missing"), in: joiner)
        harness.end(joiner)
        let replanned = events(client)
        #expect(replanned.map(\.kind) == [.replanned])
        let news = try #require(replanned.first?.data.map { JSONValue($0) })
        #expect(news["round"] == 2)
        #expect(news["reason"] == "the second is missing")
        let again = try harness.nextCall(.planner)
        #expect(again.text.contains("the second is missing"))
        harness.say(plan(NodeText("t2", args: #"{"x":"${t1.n[1]}"}"#)), in: again)
        harness.end(again)
        let second = try worker.nextDispatch()
        #expect(second.arguments.inlineValue?.text == #"{"x":9}"#)
        worker.succeed(second.attempt, "10")
        let last = try harness.nextCall(.joiner)
        harness.say(finish("10"), in: last)
        harness.end(last)
        #expect(events(client).last?.kind == .runSucceeded)
        #expect(try client.get(.answer, run).stringValue == "10")
    }

    @Test("A failed node does not fail a run whose model answers in spite of it")
    func failedNode() throws {
        let worker = harness.worker()
        let client = harness.client()
        _ = try client.submitGoal()
        let planner = try harness.nextCall(.planner)
        harness.say(plan(NodeText("t1")), in: planner)
        harness.end(planner)
        worker.fail(try worker.nextDispatch().attempt)
        let joiner = try harness.nextCall(.joiner)
        #expect(joiner.text.contains("it broke"))
        harness.say(finish("It broke."), in: joiner)
        harness.end(joiner)
        #expect(events(client).last?.kind == .runSucceeded)
    }

    // MARK: - Failures of the model

    @Test("If the model fails in mid-plan, running nodes finish, then the run fails")
    func failureFinishes() throws {
        let worker = harness.worker()
        let client = harness.client()
        let run = try client.submitGoal()
        let planner = try harness.nextCall(.planner)
        harness.say(#"{"tasks":["#, NodeText("t1").text, in: planner)
        let dispatch = try worker.nextDispatch()
        harness.handle(
            .modelReported(planner.id, .failed(ModelFailure(code: .timeout, message: "slow")))
        )
        #expect(events(client) == [])
        #expect(worker.take() == [])
        worker.succeed(dispatch.attempt, "6")
        let end = events(client)
        #expect(end.filter(\.kind.isTerminal).map(\.kind) == [.runFailed])
        #expect(code(end.last) == "model_timeout")
        #expect(try client.get(.nodes, run)["nodes"]?["t1"]?["output"]?.intValue == 6)
        #expect(harness.calls.isEmpty)
    }

    @Test("If the model fails in mid-plan, running nodes are cancelled if requested")
    func failureCancels() throws {
        let worker = harness.worker()
        let client = harness.client()
        _ = try client.submitGoal(planner: PlannerOptions(onModelFailure: .cancel))
        let planner = try harness.nextCall(.planner)
        harness.say(#"{"tasks":["#, NodeText("t1").text, in: planner)
        let dispatch = try worker.nextDispatch()
        harness.handle(
            .modelReported(planner.id, .failed(ModelFailure(code: .timeout, message: "slow")))
        )
        let cancel = try worker.next { if case .cancel(let cancel) = $0 { cancel } else { nil } }
        #expect(cancel.attempt == dispatch.attempt)
        worker.fail(dispatch.attempt, .cancelled)
        let end = events(client)
        #expect(end.last?.kind == .runFailed)
        #expect(code(end.last) == "model_timeout")
        #expect(end.filter(\.kind.isTerminal).count == 1)
    }

    @Test("If the joiner fails, the run fails, and the shown text is not an answer")
    func joinerFails() throws {
        let worker = harness.worker()
        let client = harness.client()
        _ = try client.submitGoal()
        let planner = try harness.nextCall(.planner)
        harness.say(plan(NodeText("t1")), in: planner)
        harness.end(planner)
        worker.succeed(try worker.nextDispatch().attempt)
        let joiner = try harness.nextCall(.joiner)
        harness.say(#"{"thought":"","action":"finish","reason":null,"answer":"It"#, in: joiner)
        harness.handle(
            .modelReported(joiner.id, .failed(ModelFailure(code: .badStream, message: "cut")))
        )
        let seen = events(client)
        #expect(seen.first?.kind == .answering)
        #expect(seen.last?.kind == .runFailed)
        #expect(code(seen.last) == "model_bad_stream")
    }

    // MARK: - Ends from outside

    /// Reports of a cancelled call change nothing.
    private func reportLate(_ call: TestCall, _ worker: TestPeer, _ client: TestPeer) {
        _ = worker.take()
        _ = client.take()
        harness.say(NodeText("t1").text, "]}", NodeText("t2").text, in: call)
        harness.handle(.modelReported(call.id, .usage(TokenUsage(input: 1, output: 1))))
        let cancelled = ModelFailure(code: .cancelled, message: "cancelled")
        harness.handle(.modelReported(call.id, .failed(cancelled)))
        harness.end(call)
        #expect(worker.take() == [])
        #expect(client.take() == [])
        #expect(harness.calls.isEmpty)
    }

    @Test("A run cancelled while it is planned ends once; late reports change nothing")
    func cancelled() throws {
        let worker = harness.worker()
        let client = harness.client()
        let run = try client.submitGoal()
        let planner = try harness.nextCall(.planner)
        harness.say(#"{"tasks":["#, in: planner)
        client.send(.cancelRun(CancelRun(run: run)))
        #expect(harness.cancelledCalls == [planner.id])
        #expect(events(client).map(\.kind) == [.runCancelled])
        reportLate(planner, worker, client)
    }

    @Test("A cancelled run with a growing plan ends when its running nodes have ended")
    func cancelledWithNodes() throws {
        let worker = harness.worker()
        let client = harness.client()
        let run = try client.submitGoal()
        let planner = try harness.nextCall(.planner)
        harness.say(#"{"tasks":["#, NodeText("t0").text, ",", in: planner)
        let dispatch = try worker.nextDispatch()
        client.send(.cancelRun(CancelRun(run: run)))
        #expect(harness.cancelledCalls == [planner.id])
        worker.fail(dispatch.attempt, .cancelled)
        #expect(events(client).map(\.kind) == [.runCancelled])
        harness.advance(Limits().ackDelay)
        reportLate(planner, worker, client)
    }

    @Test("A time limit while a model plans or joins ends the run", arguments: [false, true])
    func wallBudget(isJoining: Bool) throws {
        let worker = harness.worker()
        let client = harness.client()
        _ = try client.submitGoal(budget: Budget(wallMilliseconds: 1_500))
        var call = try harness.nextCall(.planner)
        if isJoining {
            harness.say(plan(NodeText("t1")), in: call)
            harness.end(call)
            worker.succeed(try worker.nextDispatch().attempt)
            call = try harness.nextCall(.joiner)
        }
        harness.advance(.milliseconds(1_499))
        #expect(harness.cancelledCalls.isEmpty)
        harness.advance(.milliseconds(1))
        #expect(harness.cancelledCalls == [call.id])
        let end = events(client)
        #expect(end.filter(\.kind.isTerminal).map(\.kind) == [.runFailed])
        #expect(code(end.last) == "timeout")
        reportLate(call, worker, client)
    }

    @Test("The model stops when the tokens are used up")
    func tokens() throws {
        harness.worker()
        let client = harness.client()
        _ = try client.submitGoal(budget: Budget(tokens: 100))
        let planner = try harness.nextCall(.planner)
        harness.handle(.modelReported(planner.id, .usage(TokenUsage(input: 90, output: 20))))
        #expect(harness.cancelledCalls == [planner.id])
        let end = events(client)
        #expect(end.last?.kind == .runFailed)
        #expect(code(end.last) == "limit")
    }

    // MARK: - What is not allowed

    @Test("A coordinator without models refuses a goal")
    func noModels() throws {
        let harness = MachineHarness()
        harness.worker()
        let client = harness.client()
        client.send(.submit(Submit(key: "g", plan: nil, goal: "Find it.", join: .llm)))
        let error = try client.nextError()
        #expect(error.code == .badPlan)
        #expect(error.about == "g")
        #expect(!error.isFatal)
        #expect(harness.calls.isEmpty)
        try client.submit([NodeText("a")])
    }

    @Test("The planner sees and uses only the allowed tools")
    func allowList() throws {
        let worker = harness.worker(
            tools: [
                ToolDescription(name: "t", description: "Good."),
                ToolDescription(name: "forbidden_one", description: "Bad."),
            ]
        )
        let client = harness.client()
        _ = try client.submitGoal(planner: PlannerOptions(repairs: 0), tools: ["t"])
        let planner = try harness.nextCall(.planner)
        #expect(!planner.text.contains("forbidden_one"))
        harness.say(plan(NodeText("t1", tool: "forbidden_one"), NodeText("t2")), in: planner)
        harness.end(planner)
        let dispatch = try worker.nextDispatch()
        #expect(dispatch.tool == "t")
        worker.succeed(dispatch.attempt)
        let seen = events(client)
        #expect(seen.first?.data?.text.contains("unknown_tool") == true)
        #expect(seen.last?.kind == .runFailed)
        #expect(code(seen.last) == "bad_plan")
    }
}
