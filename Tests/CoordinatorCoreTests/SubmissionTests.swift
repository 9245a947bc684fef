// Submissions: whole plans, keys, problems, limits, references, schemas.

import Core
import JSON
import Plans
import TestKit
import Testing
import Wire

@Suite("Submissions")
struct SubmissionTests {
    let harness = MachineHarness()

    @Test("Runs a whole plan to its answer, and reports the end once")
    func wholePlan() throws {
        let worker = harness.worker(slots: 2)
        let client = harness.client()
        let run = try client.submit(
            [NodeText("a"), NodeText("b", args: #"{"x":"$a"}"#)],
            watch: .end,
            join: .json
        )
        let first = try worker.nextDispatch()
        worker.succeed(first.attempt, #"{"n":1}"#)
        #expect(try worker.nextAck().attempts == [first.attempt])
        let second = try worker.nextDispatch()
        #expect(second.arguments == .inline(RawJSON(trusted: Array(#"{"x":{"n":1}}"#.utf8)[...])))
        worker.succeed(second.attempt, "2")
        let end = try client.nextEvent()
        #expect(end.kind == .runSucceeded)
        #expect(end.run == run)
        #expect(end.data?.value(at: [.key("counts"), .key("succeeded")])?.intValue == 2)
        _ = try worker.nextAck()
        harness.advance(.seconds(60))
        harness.expectNothingElse()
    }

    @Test("The same key with the same content is the same run, in any state")
    func sameKey() throws {
        let worker = harness.worker()
        let client = harness.client()
        let run = try client.submit([NodeText("a")])
        client.send(.submit(Submit(key: "k", plan: PlanText.plan([NodeText("a")]))))
        #expect(try client.nextAccepted() == Accepted(key: "k", run: run, isExisting: true))
        worker.succeed(try worker.nextDispatch().attempt)
        let other = harness.client("d")
        other.send(.submit(Submit(key: "k", plan: PlanText.plan([NodeText("a")]), watch: .end)))
        #expect(try other.nextAccepted().isExisting)
        #expect(try other.nextEvent().kind == .runSucceeded)
        _ = try worker.nextAck()
        harness.expectNothingElse()
    }

    @Test("The same key with other content is a conflict, and changes nothing")
    func conflict() throws {
        let client = harness.client()
        try client.submit([NodeText("a")])
        for submit in [
            Submit(key: "k", plan: PlanText.plan([NodeText("b")])),
            Submit(key: "k", plan: PlanText.plan([NodeText("a")]), join: .json),
            Submit(key: "k", plan: PlanText.plan([NodeText("a")]), tools: ["t"]),
            Submit(key: "k", plan: PlanText.plan([NodeText("a")]), joinInstruction: "so"),
        ] {
            client.send(.submit(submit))
            let error = try client.nextError()
            #expect(error.code == .conflict)
            #expect(!error.isFatal)
            #expect(error.about == "k")
        }
        #expect(try client.get(.runs).arrayValue?.count == 1)
    }

    @Test("Answers a bad plan with all its problems, and keeps no run")
    func badPlan() throws {
        harness.worker(tools: [tool("t", schema: #"{"type":"object","required":["q"]}"#)])
        let client = harness.client()
        let plan = PlanText.plan([
            NodeText("a", after: ["b"]), NodeText("b", after: ["a"]), NodeText("b"),
            NodeText("c", after: ["nowhere"]), NodeText("d"),
        ])
        client.send(.submit(Submit(key: "k", plan: plan)))
        let error = try client.nextError()
        #expect(error.code == .badPlan)
        #expect(error.about == "k")
        #expect(!error.isFatal)
        let codes = Set(error.problems.map(\.code.rawValue))
        #expect(codes.isSuperset(of: ["cycle", "duplicate_id", "unknown_dependency", "bad_args"]))
        #expect(try client.get(.runs) == [])
        let run = try client.submit([NodeText("a", args: #"{"q":1}"#)])
        #expect(try client.get(.run, run)["status"] == "running")
    }

    @Test(
        "Refuses an empty plan and a document that is not a plan",
        arguments: [#"{"tasks":[]}"#, "[]", "7"]
    )
    func noPlan(text: String) throws {
        let client = harness.client()
        client.send(.submit(Submit(key: "k", plan: RawJSON(trusted: Array(text.utf8)[...]))))
        #expect(try client.nextError().code == .badPlan)
    }

    @Test("A run may use only the tools that it was allowed")
    func allowList() throws {
        let client = harness.client()
        client.send(
            .submit(
                Submit(
                    key: "k",
                    plan: PlanText.plan([NodeText("a", tool: "t"), NodeText("b", tool: "rm")]),
                    tools: ["t", "u"]
                )
            )
        )
        let problems = try client.nextError().problems
        #expect(problems.map(\.code.rawValue) == ["unknown_tool"])
        #expect(problems.first?.node == "b")
    }

    @Test("Refuses a plan with more nodes than its limit; growth beyond it ends the run")
    func nodeBudget() throws {
        let client = harness.client()
        let nodes = [NodeText("a"), NodeText("b")]
        client.send(
            .submit(Submit(key: "k", plan: PlanText.plan(nodes), budget: Budget(nodes: 1)))
        )
        #expect(try client.nextError().problems.first?.code.rawValue == "limit")
        client.send(
            .submit(
                Submit(
                    key: "s",
                    plan: nil,
                    isStreamed: true,
                    budget: Budget(nodes: 1),
                    watch: .end
                )
            )
        )
        _ = try client.nextAccepted()
        client.send(.nodes(Nodes(key: "s", tasks: [nodes[0].raw])))
        #expect(client.take() == [])
        client.send(.nodes(Nodes(key: "s", tasks: [nodes[1].raw])))
        #expect(try client.nextError().code == .badPlan)
        #expect(try client.nextEvent().kind == .runFailed)
    }

    @Test("A run that exceeds its time limit fails with timeout, and its attempts are recalled")
    func wallBudget() throws {
        let worker = harness.worker()
        let client = harness.client()
        client.send(
            .submit(
                Submit(
                    key: "k",
                    plan: PlanText.plan([NodeText("a"), NodeText("b", after: ["a"])]),
                    budget: Budget(wallMilliseconds: 1_500),
                    watch: .end
                )
            )
        )
        _ = try client.nextAccepted()
        let dispatch = try worker.nextDispatch()
        harness.advance(.milliseconds(1_400))
        #expect(worker.take() == [])
        harness.advance(.milliseconds(200))
        guard case .cancel(let cancel)? = worker.take().first else {
            Issue.record("no cancel")
            return
        }
        #expect(cancel.attempt == dispatch.attempt)
        #expect(cancel.reason == Cancel.cancelled)
        worker.fail(dispatch.attempt, .cancelled)
        let end = try client.nextEvent()
        #expect(end.kind == .runFailed)
        #expect(
            end.data?.value(at: [.key("error"), .key("code")])?.stringValue == "timeout"
        )
    }

    @Test("Resolves references whole, by path and inside text; inserted text is not scanned")
    func references() throws {
        let worker = harness.worker(slots: 1)
        let client = harness.client()
        try client.submit([
            NodeText("a"),
            NodeText(
                "b",
                args:
                    #"{"whole":"$a","path":"${a.list[1].k}","text":"<$a> and ${a.s}","no":"$x $$"}"#
            ),
        ])
        let first = try worker.nextDispatch()
        worker.succeed(first.attempt, #"{"list":[0,{"k":1.50}],"s":"$a ${a}"}"#)
        _ = try worker.nextAck()
        let second = try worker.nextDispatch()
        let arguments = try #require(second.arguments.inlineValue)
        #expect(
            arguments.value(at: [.key("whole")])?.text == #"{"list":[0,{"k":1.50}],"s":"$a ${a}"}"#
        )
        #expect(arguments.value(at: [.key("path")])?.text == "1.50")
        #expect(
            arguments.value(at: [.key("text")])?.stringValue
                == #"<{"list":[0,{"k":1.50}],"s":"$a ${a}"}> and $a ${a}"#
        )
        #expect(arguments.value(at: [.key("no")])?.stringValue == "$x $")
    }

    @Test("A reference to a missing part fails its node without an attempt; the next node starts")
    func missingPath() throws {
        let worker = harness.worker(slots: 1)
        let client = harness.client()
        let run = try client.submit(
            [
                NodeText("a"), NodeText("b", args: #"{"x":"${a.gone}"}"#),
                NodeText("c", after: ["b"]), NodeText("d", after: ["a"]),
            ],
            watch: .nodes
        )
        let first = try worker.nextDispatch()
        worker.succeed(first.attempt, #"{"here":1}"#)
        _ = try worker.nextAck()
        // The slot that b would have used goes to d in the same turn.
        let next = try worker.nextDispatch()
        #expect(next.node.text == "d")
        worker.succeed(next.attempt)
        let events = client.take().compactMap { message -> EventMessage? in
            guard case .event(let event) = message else { return nil }
            return event
        }
        #expect(events.last?.kind == .runFailed)
        let failed = try #require(events.first { $0.kind == .nodeFailed })
        #expect(failed.attempt == nil)
        #expect(failed.worker == nil)
        let node = try client.get(.node, run, node: "b")
        #expect(node["attempts"] == 0)
        #expect(node["error"]?["code"] == "reference_not_found")
        #expect(try client.get(.node, run, node: "c")["because"] == "b")
    }

    @Test(
        "Checks arguments against the schema at submission, or when references are known"
    )
    func schemas() throws {
        let schema = #"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}"#
        let worker = harness.worker(
            slots: 2,
            tools: [tool("t", schema: schema), tool("u", schema: "{}")]
        )
        let client = harness.client()
        client.send(
            .submit(Submit(key: "k0", plan: PlanText.plan([NodeText("a", args: #"{"n":"1"}"#)])))
        )
        let problems = try client.nextError().problems
        #expect(problems.first?.code.rawValue == "bad_args")
        #expect(problems.first?.node == "a")
        let run = try client.submit([
            NodeText("s", tool: "u"), NodeText("a", args: #"{"n":"$s"}"#),
        ])
        let first = try worker.nextDispatch()
        worker.succeed(first.attempt, #""seven""#)
        let node = try client.get(.node, run, node: "a")
        #expect(node["status"] == "failed")
        #expect(node["error"]?["code"] == "bad_args")
        _ = try worker.nextAck()
        #expect(worker.take() == [])
    }

    @Test(
        "An output gets the kind that the schema asks for, if there is one reading",
        arguments: [
            ("string", "7", #"{"n":"7"}"#), ("string", #"{"a":[1]}"#, #"{"n":"{\"a\":[1]}"}"#),
            ("number", #""2.5""#, #"{"n":2.5}"#), ("array", #""x""#, #"{"n":["x"]}"#),
            ("string", #""x""#, #"{"n":"x"}"#), ("boolean", #""true""#, #"{"n":true}"#),
        ]
    )
    func coercedOutput(kind: String, output: String, arguments: String) throws {
        let schema = #"{"type":"object","properties":{"n":{"type":"\#(kind)"}},"required":["n"]}"#
        let worker = harness.worker(
            "w1",
            tools: [
                tool("u", schema: "{}"), tool("t", schema: schema),
            ]
        )
        let client = harness.client()
        _ = try client.submit([NodeText("s", tool: "u"), NodeText("a", args: #"{"n":"$s"}"#)])
        worker.succeed(try worker.nextDispatch().attempt, output)
        let dispatch = try worker.nextDispatch()
        #expect(dispatch.arguments == .inline(try RawJSON(validating: arguments)))
    }

    @Test("Checks arguments that were made before any worker had the tool when they would leave")
    func lateSchema() throws {
        let first = harness.worker("w1", tools: [tool("u", schema: "{}")])
        let client = harness.client()
        let run = try client.submit([
            NodeText("s", tool: "u"), NodeText("a", args: #"{"n":"$s"}"#),
        ])
        first.succeed(try first.nextDispatch().attempt, #""seven""#)
        #expect(try client.get(.node, run, node: "a")["status"] == "ready")
        let schema = #"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}"#
        let second = harness.worker("w2", tools: [tool("t", schema: schema)])
        let node = try client.get(.node, run, node: "a")
        #expect(node["status"] == "failed")
        #expect(node["error"]?["code"] == "bad_args")
        #expect(second.take() == [])
    }

    @Test("A failed node fails the run after the others are done; skipped nodes name it")
    func failure() throws {
        let worker = harness.worker(slots: 2)
        let client = harness.client()
        let run = try client.submit(
            [NodeText("a"), NodeText("b"), NodeText("c", after: ["a"])],
            watch: .end
        )
        let a = try worker.nextDispatch()
        let b = try worker.nextDispatch()
        worker.fail(a.attempt)
        worker.succeed(b.attempt)
        let end = try client.nextEvent()
        #expect(end.kind == .runFailed)
        let counts = try #require(end.data?.value(at: [.key("counts")]))
        #expect(counts.value(at: [.key("failed")])?.intValue == 1)
        #expect(counts.value(at: [.key("skipped")])?.intValue == 1)
        #expect(counts.value(at: [.key("succeeded")])?.intValue == 1)
        #expect(try client.get(.node, run, node: "c")["because"] == "a")
        #expect(try client.get(.node, run, node: "c")["status"] == "skipped")
    }

    @Test("Reports a missing tool at once; a run that does not want to wait fails")
    func missingTool() throws {
        let client = harness.client()
        try client.submit([NodeText("a")], key: "wait", watch: .progress)
        #expect(client.takeEvents() == ["planned", "unplaceable a"])
        let run = try client.submit([NodeText("a")], key: "fail", watch: .end, onMissingTool: .fail)
        #expect(client.takeEvents() == ["run_failed"])
        #expect(try client.get(.node, run, node: "a")["error"]?["code"] == "unknown_tool")
    }

    @Test("Accepts nothing beyond the limit of unfinished runs, until one ends")
    func busy() throws {
        var limits = Limits()
        limits.unfinishedRuns = 1
        let harness = MachineHarness(limits: limits)
        let client = harness.client()
        let run = try client.submit([NodeText("a")])
        client.send(.submit(Submit(key: "k2", plan: PlanText.plan([NodeText("a")]))))
        let error = try client.nextError()
        #expect(error.code == .busy)
        #expect(error.about == "k2")
        client.send(.cancelRun(CancelRun(run: run)))
        try client.submit([NodeText("a")], key: "k2")
    }

    @Test("Keeps finished runs within the limit; the oldest is dropped first, with its key")
    func retirement() throws {
        var limits = Limits()
        limits.finishedRuns = 2
        let harness = MachineHarness(limits: limits)
        let worker = harness.worker(slots: 4)
        let client = harness.client()
        var runs: [RunID] = []
        for index in 0..<4 {
            runs.append(try client.submit([NodeText("a")], key: "k\(index)"))
            worker.succeed(try worker.nextDispatch().attempt)
            _ = worker.take()
        }
        let known = try client.get(.runs).arrayValue?.compactMap { $0["run"]?.stringValue }
        #expect(known == [runs[3].text, runs[2].text])
        client.send(.watch(Watch(run: runs[0])))
        #expect(try client.nextError().code == .unknownRun)
        let again = try client.submit([NodeText("a")], key: "k0")
        #expect(!runs.contains(again))
        client.send(.submit(Submit(key: "k3", plan: PlanText.plan([NodeText("a")]))))
        #expect(try client.nextAccepted().isExisting)
    }

    @Test("Limits finished runs also by their number of nodes")
    func retirementByNodes() throws {
        var limits = Limits()
        limits.finishedNodes = 5
        let harness = MachineHarness(limits: limits)
        let client = harness.client()
        for index in 0..<3 {
            try client.submit(
                (0..<4).map { NodeText("n\($0)") },
                key: "k\(index)",
                onMissingTool: .fail
            )
        }
        #expect(try client.get(.runs).arrayValue?.count == 1)
    }
}
