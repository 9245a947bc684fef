// Plans that grow while they run.

import Core
import JSON
import Plans
import TestKit
import Testing
import Wire

@Suite("Streamed plans")
struct StreamingTests {
    let harness = MachineHarness()

    private func open(_ client: TestPeer, watch: WatchLevel = .end) throws -> RunID {
        client.send(.submit(Submit(key: "s", plan: nil, isStreamed: true, watch: watch)))
        return try client.nextAccepted().run
    }

    @Test("Any split of a plan into batches gives the same outcome", arguments: 0..<32)
    func splits(mask: Int) throws {
        let worker = harness.worker(slots: 2)
        let client = harness.client()
        let run = try open(client)
        // The last node names an earlier one, the first names the last but one.
        let nodes = [
            NodeText("a", args: #"{"x":"$e"}"#), NodeText("b"), NodeText("c", after: ["b"]),
            NodeText("d", after: ["a", "c"]), NodeText("e", args: #"{"y":"$b"}"#),
            NodeText("f", args: #"{"z":"${d}"}"#),
        ]
        var batches: [[NodeText]] = [[]]
        for (index, node) in nodes.enumerated() {
            batches[batches.count - 1].append(node)
            if index < 5, mask & (1 << index) != 0 { batches.append([]) }
        }
        var order: [String] = []
        func work() {
            var open = true
            while open {
                open = false
                for message in worker.take() {
                    guard case .dispatch(let dispatch) = message else { continue }
                    order.append(dispatch.node.text)
                    worker.succeed(dispatch.attempt, "\"\(dispatch.node)\"")
                    open = true
                }
            }
        }
        for (index, batch) in batches.enumerated() {
            client.send(
                .nodes(
                    Nodes(key: "s", tasks: batch.map(\.raw), isLast: index == batches.count - 1)
                )
            )
            work()
        }
        #expect(client.takeEvents() == ["run_succeeded"])
        #expect(order.sorted() == ["a", "b", "c", "d", "e", "f"])
        let answers = try client.get(.nodes, run)["nodes"]
        for node in nodes.indices {
            let name = ["a", "b", "c", "d", "e", "f"][node]
            #expect(answers?[name]?["output"]?.stringValue == name)
        }
        for (earlier, later) in [
            ("e", "a"), ("b", "c"), ("a", "d"), ("c", "d"), ("b", "e"), ("d", "f"),
        ] {
            let first = try #require(order.firstIndex(of: earlier))
            #expect(first < (try #require(order.firstIndex(of: later))))
        }
    }

    @Test("Nodes run while the plan still grows")
    func runsEarly() throws {
        let worker = harness.worker()
        let client = harness.client()
        let run = try open(client)
        client.send(.nodes(Nodes(key: "s", tasks: [NodeText("a").raw])))
        let dispatch = try worker.nextDispatch()
        worker.succeed(dispatch.attempt)
        #expect(try client.get(.run, run)["growing"] == true)
        client.send(.nodes(Nodes(key: "s", tasks: [], isLast: true)))
        #expect(try client.nextEvent().kind == .runSucceeded)
    }

    @Test("A reference to an unknown id stays text; a declared dependency ends the run")
    func unknownAtTheEnd() throws {
        let worker = harness.worker()
        let client = harness.client()
        _ = try open(client)
        let node = NodeText("a", args: #"{"x":"costs $5"}"#)
        client.send(.nodes(Nodes(key: "s", tasks: [node.raw])))
        #expect(worker.take() == [])
        client.send(.nodes(Nodes(key: "s", tasks: [], isLast: true)))
        let dispatch = try worker.nextDispatch()
        #expect(dispatch.arguments.inlineValue?.text == #"{"x":"costs $5"}"#)
        client.send(.submit(Submit(key: "t", plan: nil, isStreamed: true, watch: .end)))
        _ = try client.nextAccepted()
        client.send(
            .nodes(Nodes(key: "t", tasks: [NodeText("a", after: ["never"]).raw], isLast: true))
        )
        let error = try client.nextError()
        #expect(error.problems.map(\.code.rawValue) == ["unknown_dependency"])
        let end = try client.nextEvent()
        #expect(end.kind == .runFailed)
        #expect(end.data?.value(at: [.key("error"), .key("code")])?.stringValue == "bad_plan")
    }

    @Test("A cycle over two batches ends the run when the plan is closed")
    func lateCycle() throws {
        let client = harness.client()
        _ = try open(client)
        client.send(.nodes(Nodes(key: "s", tasks: [NodeText("a", after: ["b"]).raw])))
        client.send(.nodes(Nodes(key: "s", tasks: [NodeText("b", after: ["a"]).raw], isLast: true)))
        #expect(try client.nextError().problems.contains { $0.code.rawValue == "cycle" })
        #expect(try client.nextEvent().kind == .runFailed)
    }

    @Test("A bad node ends the run: running attempts are recalled and no nodes are added")
    func badNode() throws {
        let worker = harness.worker()
        let client = harness.client()
        _ = try open(client)
        client.send(.nodes(Nodes(key: "s", tasks: [NodeText("a").raw])))
        let dispatch = try worker.nextDispatch()
        let bad = RawJSON(trusted: Array(#"{"id":"b"}"#.utf8)[...])
        client.send(.nodes(Nodes(key: "s", tasks: [NodeText("c").raw, bad])))
        #expect(try client.nextError().code == .badPlan)
        #expect(worker.takeKinds() == [.cancel])
        client.send(.nodes(Nodes(key: "s", tasks: [NodeText("d").raw])))
        #expect(try client.nextError().code == .unknownRun)
        worker.fail(dispatch.attempt, .cancelled)
        #expect(try client.nextEvent().kind == .runFailed)
    }

    @Test("Only the connection that submitted a run adds to it, until the last batch")
    func author() throws {
        let client = harness.client("c")
        let other = harness.client("d")
        _ = try open(client)
        other.send(.nodes(Nodes(key: "s", tasks: [NodeText("x").raw])))
        #expect(try other.nextError().code == .unknownRun)
        client.send(.nodes(Nodes(key: "s", tasks: [NodeText("a").raw], isLast: true)))
        client.send(.nodes(Nodes(key: "s", tasks: [NodeText("b").raw])))
        #expect(try client.nextError().code == .unknownRun)
    }

    @Test("A client that leaves before the plan is complete ends the run")
    func authorLeaves() throws {
        let client = harness.client("c")
        let run = try open(client)
        client.send(.nodes(Nodes(key: "s", tasks: [NodeText("a").raw])))
        let viewer = harness.client("v", role: .viewer)
        viewer.send(.watch(Watch(run: run, level: .end)))
        client.disconnect()
        #expect(try viewer.nextEvent().kind == .runFailed)
    }

    @Test("A streamed plan may begin with nodes in the submission")
    func firstNodesInSubmit() throws {
        let worker = harness.worker()
        let client = harness.client()
        client.send(
            .submit(
                Submit(
                    key: "s",
                    plan: PlanText.plan([NodeText("a", after: ["later"]), NodeText("b")]),
                    isStreamed: true,
                    watch: .end
                )
            )
        )
        _ = try client.nextAccepted()
        #expect(try worker.nextDispatch().node.text == "b")
        client.send(.nodes(Nodes(key: "s", tasks: [NodeText("later").raw], isLast: true)))
        #expect(client.take() == [])
    }

    @Test(
        "Cancels a run that still grows, also without any nodes",
        arguments: [0, 1]
    )
    func cancelGrowing(count: Int) throws {
        let worker = harness.worker()
        let client = harness.client()
        let run = try open(client)
        if count > 0 {
            client.send(.nodes(Nodes(key: "s", tasks: [NodeText("a").raw])))
            worker.succeed(try worker.nextDispatch().attempt)
        }
        client.send(.cancelRun(CancelRun(run: run)))
        #expect(try client.nextEvent().kind == .runCancelled)
    }

    @Test("A plan that breaks off fails its run, whether a node runs or not", arguments: [0, 1, 2])
    func breaksOff(succeeded: Int) throws {
        let worker = harness.worker()
        let client = harness.client()
        let run = try open(client)
        let nodes = [NodeText("a"), NodeText("b", after: ["a"])]
        client.send(.nodes(Nodes(key: "s", tasks: nodes.map(\.raw))))
        for _ in 0..<succeeded { worker.succeed(try worker.nextDispatch().attempt) }
        client.send(.nodes(Nodes(key: "s", tasks: [], brokenOff: "it ends at byte 7")))
        client.send(.bye(Bye(reason: "done")))
        if let attempt = worker.held.first { worker.fail(attempt, .cancelled) }
        let viewer = harness.client("v", role: .viewer)
        let summary = try viewer.get(.run, run)
        #expect(summary["status"] == "failed")
        #expect(summary["error"]?["code"] == "bad_plan")
        #expect(summary["error"]?["message"] == "it ends at byte 7")
    }

    @Test("A client that leaves before its plan is complete breaks it off")
    func leaves() throws {
        let client = harness.client()
        let run = try open(client)
        client.disconnect()
        let viewer = harness.client("v", role: .viewer)
        let summary = try viewer.get(.run, run)
        #expect(summary["status"] == "failed")
        #expect(summary["error"]?["code"] == "bad_plan")
    }
}
