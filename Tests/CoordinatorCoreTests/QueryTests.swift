// Answers to `get`: the form of each document.

import Core
import JSON
import OrderedCollections
import TestKit
import Testing
import Wire

@Suite("Queries")
struct QueryTests {
    let harness = MachineHarness()

    @Test("status counts workers, runs, nodes, tools and connections")
    func status() throws {
        let worker = harness.worker("w", slots: 3)
        let viewer = harness.client("v", role: .viewer)
        let client = harness.client()
        try client.submit([NodeText("a"), NodeText("b")])
        worker.succeed(try worker.nextDispatch().attempt)
        harness.advance(.milliseconds(500))
        let status = try viewer.get(.status)
        #expect(status["software"] == "test")
        #expect(status["epoch"] == 1)
        #expect(status["uptime_ms"] == 500)
        #expect(status["workers"]?["connected"] == 1)
        #expect(status["workers"]?["draining"] == 0)
        #expect(status["workers"]?["slots"] == 3)
        #expect(status["workers"]?["in_flight"] == 1)
        #expect(status["runs"]?["active"] == 1)
        #expect(status["runs"]?["kept"] == 0)
        #expect(status["runs"]?["accepted"] == 1)
        #expect(status["nodes_settled"] == 1)
        #expect(status["tools"] == 1)
        #expect(status["connections"] == 3)
    }

    @Test("story lists everything that happened to a node, in order and without its output")
    func story() throws {
        let worker = harness.worker("w", tools: [idempotent(maxAttempts: 2)])
        let client = harness.client()
        let run = try client.submit([NodeText("a"), NodeText("b", after: ["a"])])
        worker.fail(try worker.nextDispatch().attempt, .toolError, retryable: true)
        harness.advance(.seconds(1))
        let second = try worker.nextDispatch().attempt
        worker.send(.started(Started(attempt: second)))
        worker.succeed(second, #""a long output""#)
        let viewer = harness.client("v", role: .viewer)
        let story = try viewer.get(.story, run, node: "a")
        #expect(story["run"]?.stringValue == run.text)
        #expect(story["complete"] == true)
        let records = try #require(story["records"]?.arrayValue)
        #expect(
            records.compactMap { $0["kind"]?.stringValue } == [
                "ready", "dispatched", "worked", "retrying", "pause_ended", "dispatched", "started",
                "succeeded",
            ]
        )
        #expect(records[1]["worker"] == "w")
        #expect(records[5]["attempt"] == 2)
        #expect(records[7]["output"] == .null)
    }

    @Test("A story without its beginning says so")
    func storyWithoutBeginning() throws {
        var limits = Limits()
        limits.eventLogEntries = 4
        let harness = MachineHarness(limits: limits)
        let worker = harness.worker("w")
        let client = harness.client()
        let run = try client.submit([NodeText("a"), NodeText("b")])
        worker.succeed(try worker.nextDispatch().attempt)
        worker.succeed(try worker.nextDispatch().attempt)
        let story = try harness.client("v", role: .viewer).get(.story, run, node: "a")
        #expect(story["complete"] == false)
    }

    @Test("workers lists names, states, tools and refusals")
    func workers() throws {
        let worker = harness.connect(.worker, "w")
        worker.shakeHands()
        worker.send(
            .register(
                Register(
                    slots: 2,
                    tools: [ToolDescription(name: "t", description: "x")],
                    labels: ["zone": "east"],
                    host: "h",
                    pid: 42,
                    software: "1.0"
                )
            )
        )
        harness.worker("x", tools: [tool("t", schema: #"{"type":"string"}"#)])
        let viewer = harness.client("v", role: .viewer)
        let workers = try viewer.get(.workers)
        #expect(workers.arrayValue?.count == 2)
        #expect(workers[0]?["name"] == "w")
        #expect(workers[0]?["state"] == "ready")
        #expect(workers[0]?["slots"] == 2)
        #expect(workers[0]?["in_flight"] == 0)
        #expect(workers[0]?["host"] == "h")
        #expect(workers[0]?["pid"] == 42)
        #expect(workers[0]?["labels"] == ["zone": "east"])
        #expect(workers[0]?["tools"] == ["t"])
        #expect(workers[1]?["tools"] == [])
        #expect(workers[1]?["refused_tools"]?[0]?["name"] == "t")
        worker.send(.drain(Drain()))
        #expect(try viewer.get(.workers)[0]?["state"] == "draining")
    }

    @Test("tools lists the data for planners, by name")
    func tools() throws {
        harness.worker(
            "w",
            tools: [
                ToolDescription(
                    name: "z",
                    description: "last",
                    parameters: RawJSON(trusted: Array(#"{"type":"object"}"#.utf8)[...]),
                    isIdempotent: true,
                    timeoutMilliseconds: 500,
                    concurrency: 2
                ), ToolDescription(name: "a", description: "first"),
            ]
        )
        let viewer = harness.client("v", role: .viewer)
        let tools = try viewer.get(.tools)
        #expect(tools[0]?["name"] == "a")
        #expect(tools[0]?["idempotent"] == false)
        #expect(tools[1]?["name"] == "z")
        #expect(tools[1]?["description"] == "last")
        #expect(tools[1]?["parameters"] == ["type": "object"])
        #expect(tools[1]?["idempotent"] == true)
        #expect(tools[1]?["timeout_ms"] == 500)
        #expect(tools[1]?["concurrency"] == 2)
        #expect(tools[1]?["workers"] == ["w"])
    }

    @Test("runs lists the newest first, in pages")
    func runs() throws {
        let client = harness.client()
        var ids: [String] = []
        for index in 0..<5 { ids.append(try client.submit([NodeText("a")], key: "k\(index)").text) }
        func page(_ from: Int?, _ limit: Int?) throws -> [String] {
            let runs = try client.get(.runs, from: from, limit: limit)
            return runs.arrayValue?.compactMap { $0["run"]?.stringValue } ?? []
        }
        #expect(try page(nil, nil) == ids.reversed())
        #expect(try page(1, 2) == [ids[3], ids[2]])
        #expect(try page(9, 2) == [])
    }

    @Test("run, node, nodes and answer describe the end of a run")
    func endedRun() throws {
        let worker = harness.worker("w", slots: 2)
        let client = harness.client()
        let run = try client.submit(
            [
                NodeText("a", args: #"{"q":1}"#), NodeText("b"),
                NodeText("c", args: #"{"x":"$a"}"#), NodeText("d", after: ["b"]),
            ],
            join: .json
        )
        let a = try worker.nextDispatch().attempt
        let b = try worker.nextDispatch().attempt
        harness.advance(.milliseconds(20))
        worker.succeed(a, #"[1,"two"]"#, microseconds: 15_000)
        _ = try worker.nextAck()
        let c = try worker.nextDispatch().attempt
        harness.advance(.milliseconds(10))
        worker.fail(b)
        worker.succeed(c, "null", microseconds: 5_000)

        let summary = try client.get(.run, run)
        #expect(summary["run"]?.stringValue == run.text)
        #expect(summary["status"] == "failed")
        #expect(summary["growing"] == false)
        #expect(summary["join"] == "json")
        #expect(
            summary["counts"] == [
                "total": 4, "running": 0, "succeeded": 2, "failed": 1, "skipped": 1,
                "cancelled": 0,
            ]
        )
        #expect(summary["timing"]?["wall_ms"]?.doubleValue == 30)
        #expect(summary["timing"]?["critical_path_ms"]?.doubleValue == 20)
        #expect(summary["timing"]?["work_ms"]?.doubleValue == 20.5)

        let node = try client.get(.node, run, node: "c")
        #expect(node["id"] == "c")
        #expect(node["status"] == "succeeded")
        #expect(node["tool"] == "t")
        #expect(node["output"] == nil || node["output"] == .null)
        #expect(node["dependencies"] == ["a"])
        #expect(node["args"] == ["x": [1, "two"]])
        #expect(node["attempts"] == 1)
        #expect(node["worker"] == "w")
        #expect(node["run_ms"]?.doubleValue == 5)

        let nodes = try client.get(.nodes, run)
        #expect(nodes["total"] == 4)
        #expect(nodes["next"] == nil)
        #expect(nodes["nodes"]?["a"]?["output"] == [1, "two"])
        #expect(nodes["nodes"]?["b"]?["error"]?["code"] == "tool_error")
        #expect(nodes["nodes"]?["d"]?["because"] == "b")
        let page = try client.get(.nodes, run, from: 1, limit: 2)
        #expect(page["nodes"]?.objectValue?.keys.sorted() == ["b", "c"])
        #expect(page["next"] == 3)
        #expect(try client.get(.nodes, run, from: 99)["nodes"] == [:])

        let answer = try client.get(.answer, run)
        #expect(answer.objectValue != nil)
    }

    @Test("explain tells why nodes wait, for all of them or one")
    func explain() throws {
        let worker = harness.worker("w")
        let client = harness.client()
        let run = try client.submit([
            NodeText("a"), NodeText("b", after: ["a"]), NodeText("c"),
            NodeText("d", tool: "gone"), NodeText("e", requires: [("gpu", "yes")]),
        ])
        func codes() throws -> [String: String] {
            let explained = try client.get(.explain, run)
            var codes: [String: String] = [:]
            for node in explained["nodes"]?.arrayValue ?? [] {
                let id = node["id"]?.stringValue ?? ""
                codes[id] = node["reasons"]?[0]?["code"]?.stringValue
                #expect(node["reasons"]?[0]?["message"]?.stringValue?.isEmpty == false)
            }
            return codes
        }
        #expect(
            try codes() == [
                "a": "sent", "b": "dependencies", "c": "slots_busy", "d": "tool_missing",
                "e": "labels_missing",
            ]
        )
        // A node that is ready tells for how long, and what it requires.
        harness.advance(.milliseconds(1_500))
        let e = try client.get(.explain, run, node: "e")["nodes"]?[0]
        #expect(e?["requires"] == ["gpu": "yes"])
        #expect(e?["wait_ms"] == 1_500)
        #expect(try client.get(.explain, run, node: "b")["nodes"]?[0]?["wait_ms"] == nil)
        let a = try worker.nextDispatch().attempt
        worker.start(a)
        #expect(try codes()["a"] == "running")
        let one = try client.get(.explain, run, node: "b")
        #expect(one["nodes"]?.arrayValue?.count == 1)
        #expect(one["nodes"]?[0]?["reasons"]?[0]?["message"] == "waits for a")
        worker.succeed(a)
        #expect(try client.get(.explain, run, node: "a")["nodes"]?[0]?["reasons"] == [])
    }

    @Test("Sends a large answer in chunks")
    func largeAnswer() throws {
        let worker = harness.worker(slots: 3)
        let client = harness.client()
        let run = try client.submit([NodeText("a"), NodeText("b"), NodeText("c")], watch: .end)
        let text = String(repeating: "z", count: 400_000)
        for _ in 0..<3 {
            let dispatch = try worker.nextDispatch()
            worker.succeed(dispatch.attempt, "\"\(text)\"")
            #expect(worker.held.count < 3)
        }
        let end = try client.nextEvent()
        #expect(end.data?.value(at: [.key("answer_omitted")])?.boolValue == true)
        let answer = try client.get(.answer, run).stringValue ?? ""
        #expect(answer.utf8.count > 3 * text.utf8.count)
        #expect(try client.get(.nodes, run)["nodes"]?["c"]?["output"]?.stringValue == text)
    }

    @Test(
        "Answers a question about an unknown run or node; it is not a violation",
        arguments: [GetKind.run, .nodes, .node, .answer, .explain]
    )
    func unknown(what: GetKind) throws {
        let client = harness.client()
        client.send(.get(Get(request: 3, what: what, id: "nobody")))
        let error = try client.nextError()
        #expect(error.code == .unknownRun)
        #expect(error.request == 3)
        let run = try client.submit([NodeText("a")])
        client.send(.get(Get(request: 4, what: .node, id: run.text, node: NodeID("zz"))))
        #expect(try client.nextError().code == .unknownNode)
        client.send(.get(Get(request: 5, what: what)))
        #expect(try client.nextError().code == .unknownRun)
        #expect(!harness.isClosed(client))
    }
}
