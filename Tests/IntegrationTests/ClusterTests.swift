// A coordinator, two workers and clients, each in a separate process.
import Foundation
import Glibc
import TestKit
import Testing

extension Integration {
    @Suite("A coordinator, workers and clients", .timeLimit(.minutes(Patience.factor)))
    struct ClusterTests {
        static let greet = """
            tools:
              - name: greet
                description: Greets a person.
                parameters: {type: object, properties: {name: {type: string}}, required: [name]}
                command: [printf, "hello %s", "{name}"]
                idempotent: true
            """

        /// A tool that reports its start and ends when a file appears.
        static let waits = """
            tools:
              - name: wait
                description: Waits for a file.
                command:
                  - sh
                  - -c
                  - 'echo begun >> FOLDER/begun; until [ -e FOLDER/go ]; do sleep 0.02; done; echo ok'
            """

        @Test("References insert outputs whole, in part and inside text; both joins")
        func references() async throws {
            try await atPlace { place in
                try place.tools(Self.greet)
                try await place.startCoordinator()
                try await place.startWorker("w1")
                try await place.startWorker("w2")
                let plan = try place.plan(
                    node("hello", "greet", #"{"name":"you"}"#),
                    node("data", "echo", #"{"n":[1,{"x":2.5}],"t":"ä\n"}"#),
                    node("whole", "echo", #"{"text":"$hello","data":"$data"}"#),
                    node("part", "echo", #"{"x":"${data.n[1].x}","t":"${data.t}"}"#),
                    node("inside", "echo", #"{"s":"<$hello> has ${data.n}, $$5"}"#),
                    instruction: "Say it."
                )
                let json = try await place.weft("run", "--plan", plan, "--join", "json")
                #expect(json.code == 0)
                let answer = try json.document
                #expect(answer["hello"].text == "hello you")
                #expect(
                    answer["whole"].description
                        == #"{"data":{"n":[1,{"x":2.5}],"t":"ä\n"},"text":"hello you"}"#
                )
                #expect(answer["part"].description == #"{"t":"ä\n","x":2.5}"#)
                #expect(answer["inside"]["s"].text == #"<hello you> has [1,{"x":2.5}], $5"#)

                let text = try await place.weft("run", "--plan", plan, "--join", "concat")
                #expect(text.code == 0)
                #expect(text.output.hasPrefix("[greet] hello you\n\n[echo] {\"n\":[1,{\"x\":2.5}]"))
                #expect(text.output.hasSuffix("\n\nJoin: Say it.\n"))
                #expect(text.errors.isEmpty)
            }
        }

        @Test("--json contains everything about a run and its nodes")
        func document() async throws {
            try await atPlace { place in
                try await place.startCoordinator()
                try await place.startWorker("w1")
                let plan = try place.plan(
                    node("a", "fail", #"{"code":"no_luck","message":"Not today."}"#),
                    node("b", "echo", #"{"of":"$a"}"#),
                    node("c", "echo", #"{"of":"$b"}"#),
                    node("d", "fail", #"{"times":2,"retryable":true}"#),
                    node("e", "echo", #"{"of":1}"#)
                )
                let run = try await place.weft("run", "--plan", plan, "--json")
                #expect(run.code == 1)
                #expect(run.errors.isEmpty)
                #expect(run.output.hasSuffix("}\n"))
                let document = try run.document
                #expect(document["status"].text == "failed")
                #expect(document["run"].text?.isEmpty == false)
                #expect(document["answer"].text?.contains("Not today.") == true)
                let nodes = document["nodes"]
                #expect(nodes.keys == ["a", "b", "c", "d", "e"])
                #expect(nodes["a"]["status"].text == "failed")
                #expect(nodes["a"]["error"]["code"].text == "no_luck")
                #expect(nodes["a"]["error"]["message"].text == "Not today.")
                for skipped in ["b", "c"] {
                    #expect(nodes[skipped]["status"].text == "skipped")
                    #expect(nodes[skipped]["because"].text == "a", "the node that failed")
                    #expect(nodes[skipped]["worker"].isAbsent)
                }
                #expect(nodes["d"]["status"].text == "succeeded")
                #expect(nodes["d"]["attempts"].number == 3)
                #expect(nodes["e"]["output"]["of"].number == 1)
                #expect(nodes["e"]["worker"].text == "w1")
                #expect(nodes["e"]["tool"].text == "echo")
                for time in ["queued_ms", "run_ms"] { #expect(nodes["e"][time].number != nil) }
                for time in ["wall_ms", "critical_path_ms", "work_ms", "speedup"] {
                    #expect(document["timing"][time].number != nil, "\(time)")
                }

                let person = try await place.weft("run", "--plan", plan)
                #expect(person.code == 1)
                #expect(person.errors.contains("a (fail) failed: no_luck: Not today."))
                #expect(person.errors.contains("2 nodes were skipped"))
            }
        }

        @Test("Reads a plan from standard input")
        func standardInput() async throws {
            try await atPlace { place in
                try await place.startCoordinator()
                try await place.startWorker("w1")
                let run = try await place.weft(
                    "run",
                    "--plan",
                    "-",
                    "--join",
                    "json",
                    input: "{\"tasks\":[\(node("a", "echo", #"{"n":7}"#))]}"
                )
                #expect(run.code == 0)
                #expect(run.output == "{\"a\":{\"n\":7}}\n")
            }
        }

        @Test("Watches, shows, lists and cancels a detached run")
        func detached() async throws {
            try await atPlace { place in
                try place.tools(Self.waits)
                try await place.startCoordinator()
                try await place.startWorker("w1")
                let plan = try place.plan(node("a", "wait"), node("b", "echo", #"{"of":"$a"}"#))
                let detached = try await place.weft("run", "--plan", plan, "--detach")
                #expect(detached.code == 0)
                let run = detached.output.trimmingCharacters(in: .newlines)
                #expect(run.allSatisfy { $0.isLowercase || $0.isNumber }, "only the id: \(run)")
                let watch = try place.start("watch", run)
                try await watch.outputLine(with: "0 of 2 done")
                try await place.wait(for: 1, linesOf: "begun")

                let shown = try await place.weft("show", run, "--json").document
                #expect(shown["status"].text == "running")
                #expect(shown["nodes"]["a"]["status"].text == "running")
                #expect(shown["nodes"]["b"]["status"].text == "waiting")
                let text = try await place.weft("show", run)
                #expect(text.code == 0 && text.output.contains("wait"))
                let explained = try await place.weft("explain", run, "b")
                #expect(explained.output.contains("a"), "b waits for a: \(explained.output)")
                let runs = try await place.weft("runs", "--json").document.list
                #expect(runs.first?["run"].text == run)

                let cancelled = try await place.weft("cancel", run, "--reason", "wrong branch")
                #expect(cancelled.code == 0)
                let end = try await watch.end()
                #expect(end.code == 1)
                #expect(end.output.contains("run_cancelled"))
                #expect(end.output.contains("wrong branch"))
                let again = try await place.weft("cancel", run, "--json").document
                #expect(again["status"].text == "cancelled")
                let nobody = try await place.weft("show", "nosuchrun")
                #expect(nobody.code == 2 && nobody.errors.contains("nosuchrun"))
            }
        }

        @Test("Status, workers and tools show the cluster")
        func listings() async throws {
            try await atPlace { place in
                try place.tools(Self.greet)
                try await place.startCoordinator()
                try await place.startWorker("w1", slots: 3, labels: ["zone=a"])
                let status = try await place.weft("status", "--json").document
                #expect(status["workers"]["connected"].number == 1)
                #expect(status["workers"]["slots"].number == 3)
                let worker = try await place.workers()[0]
                #expect(worker["labels"]["zone"].text == "a")
                let tools = try await place.weft("tools", "--json").document.list
                let greet = try #require(tools.first { $0["name"].text == "greet" })
                #expect(greet["idempotent"].number == 1)
                #expect(greet["parameters"]["required"][0].text == "name")
                for command in ["status", "workers", "tools", "runs"] {
                    let text = try await place.weft(command)
                    #expect(text.code == 0 && !text.output.isEmpty && text.errors.isEmpty)
                    #expect(!text.output.contains("\u{1B}"), "colour in a file: \(command)")
                }
            }
        }

        @Test("A drained worker finishes its attempts and leaves")
        func drain() async throws {
            try await atPlace { place in
                try place.tools(Self.waits)
                try await place.startCoordinator()
                let first = try await place.startWorker("w1", slots: 1)
                let plan = try place.plan(node("a", "wait"), node("b", "wait"))
                let run = try place.start("run", "--plan", plan, "--json")
                try await place.wait(for: 1, linesOf: "begun")
                try await place.startWorker("w2", slots: 1)
                let drained = try await place.weft("drain", "w1")
                #expect(drained.code == 0)
                try await place.wait(for: 2, linesOf: "begun")
                #expect(first.isRunning)
                try place.write("", to: "go")
                let end = try await run.end()
                #expect(end.code == 0)
                let nodes = try end.document["nodes"]
                let workers = ["a", "b"].map { nodes[$0]["worker"].text ?? "" }
                #expect(workers.sorted() == ["w1", "w2"])
                #expect(try await first.end().code == 0)
                try await eventually("w1 is gone") { try await place.workers().count == 1 }
                let nobody = try await place.weft("drain", "w1")
                #expect(nobody.code == 2 && nobody.errors.contains("w1"))
            }
        }

        @Test("A missing tool fails the node or makes it wait, and is named")
        func missingTool() async throws {
            try await atPlace { place in
                try await place.startCoordinator()
                try await place.startWorker("w1")
                let plan = try place.plan(node("a", "greet", #"{"name":"you"}"#))
                let failed = try await place.weft(
                    "run",
                    "--plan",
                    plan,
                    "--on-missing-tool",
                    "fail",
                    "--json"
                )
                #expect(failed.code == 1)
                #expect(
                    try failed.document["nodes"]["a"]["error"]["code"].text == "unknown_tool"
                )

                let waiting = try place.start("run", "--plan", plan, "--on-missing-tool", "wait")
                try await waiting.line(with: "greet")
                let runs = try await place.weft("runs", "--json").document.list
                let run = try #require(runs.first?["run"].text)
                let why = try await place.weft("explain", run)
                #expect(why.code == 0 && why.output.contains("greet"))
                let reasons = try await place.weft("explain", run, "a", "--json").document
                #expect(reasons["nodes"][0]["reasons"][0]["code"].text == "tool_missing")

                try place.tools(Self.greet)
                try await place.startWorker("w2")
                let end = try await waiting.end()
                #expect(end.code == 0)
                #expect(end.output == "[greet] hello you\n")
            }
        }

        @Test("Required labels choose the worker")
        func labels() async throws {
            try await atPlace { place in
                try await place.startCoordinator()
                try await place.startWorker("w1", labels: ["zone=a", "gpu=none"])
                try await place.startWorker("w2", labels: ["zone=b"])
                let plan = try place.plan(
                    node("a", "echo", "{}", #","requires":{"zone":"a","gpu":"none"}"#),
                    node("b", "echo", "{}", #","requires":{"zone":"b"}"#),
                    node("c", "echo", "{}", #","requires":{"zone":"b"}"#)
                )
                let run = try await place.weft("run", "--plan", plan, "--json")
                #expect(run.code == 0)
                let nodes = try run.document["nodes"]
                #expect(["a", "b", "c"].map { nodes[$0]["worker"].text } == ["w1", "w2", "w2"])

                let nowhere = try place.plan(
                    node("z", "echo", "{}", #","requires":{"zone":"c"}"#)
                )
                let detached = try await place.weft("run", "--plan", nowhere, "--detach")
                let id = detached.output.trimmingCharacters(in: .newlines)
                let why = try await place.weft("explain", id)
                #expect(why.output.contains("zone"), "\(why.output)")
            }
        }

        @Test("A time limit ends the run")
        func timeout() async throws {
            try await atPlace { place in
                try await place.startCoordinator()
                try await place.startWorker("w1")
                let plan = try place.plan(node("a", "sleep", #"{"ms":60000}"#))
                let run = try await place.weft(
                    "run",
                    "--plan",
                    plan,
                    "--timeout",
                    "300ms",
                    "--json"
                )
                #expect(run.code == 1)
                let document = try run.document
                #expect(document["status"].text == "failed")
                #expect(document["error"]["code"].text == "timeout")
                #expect(document["nodes"]["a"]["status"].text == "cancelled")
                let wall = try #require(document["timing"]["wall_ms"].number)
                #expect((300..<5000).contains(wall))
            }
        }

        @Test("Large outputs are passed through references and to the client")
        func largeOutputs() async throws {
            try await atPlace { place in
                try await place.startCoordinator()
                try await place.startWorker("w1")
                try await place.startWorker("w2")
                let size = 5 << 20
                let plan = try place.plan(
                    node("a", "payload", "{\"bytes\":\(size)}"),
                    node("b", "echo", #"{"x":"$a"}"#),
                    node("c", "echo", #"{"x":"${b.x}","y":"<$a>"}"#)
                )
                let run = try await place.weft("run", "--plan", plan, "--json", "--join", "json")
                #expect(run.code == 0)
                let document = try run.document
                #expect(document["answer"]["b"]["x"].text?.utf8.count == size)
                let last = document["nodes"]["c"]["output"]
                #expect(last["x"].text == String(repeating: "x", count: size))
                #expect(last["y"].text?.utf8.count == size + 2)
                // Coordinator and workers are still in good health after a run of this size.
                let next = try place.plan(node("a", "echo", #"{"n":1}"#))
                #expect(try await place.weft("run", "--plan", next).code == 0)
            }
        }

        @Test("Sends a plan longer than a line in pieces; refuses a node longer than a line")
        func longPlan() async throws {
            try await atPlace { place in
                try await place.startCoordinator()
                try await place.startWorker("w1")
                let filler = String(repeating: "x", count: 1000)
                // The first half waits for nodes that come much later.
                let nodes = (0..<2000).map { number in
                    let behind = number < 1000 ? "\"n\(1999 - number / 2)\"" : ""
                    return node(
                        "n\(number)",
                        "echo",
                        "{\"x\":\"\(filler)\",\"n\":\(number)}",
                        ",\"dependencies\":[\(behind)]"
                    )
                }
                let plan = try place.write("{\"tasks\":[\(nodes.joined(separator: ","))]}", to: "p")
                let run = try await place.weft("run", "--plan", plan, "--join", "json")
                #expect(run.code == 0)
                let answer = try run.document
                #expect(answer.keys.count == 2000)
                #expect(answer["n1234"]["n"].number == 1234)

                let fat = try place.plan(
                    node("fat", "echo", "{\"x\":\"\(String(repeating: filler, count: 1100))\"}")
                )
                let refused = try await place.weft("run", "--plan", fat)
                #expect(refused.code == 2 && refused.errors.contains("fat"))
            }
        }

        @Test("A reader that closes the pipe early ends only the command")
        func brokenPipe() async throws {
            try await atPlace { place in
                try await place.startCoordinator()
                try await place.startWorker("w1")
                let plan = try place.plan(node("a", "payload", "{\"bytes\":3000000}"))
                let run = try place.start(
                    "-c",
                    "(\"$@\"; echo $? > \(place.folder)/code) | head -c 20",
                    "sh",
                    Place.weft,
                    "run",
                    "--plan",
                    plan,
                    "--json",
                    program: "sh"
                )
                let end = try await run.end()
                #expect(end.output.utf8.count == 20)
                let code = try #require(place.lines(of: "code").first.flatMap { Int($0) })
                #expect(code < 128, "a signal ended it")
                #expect(!end.errors.contains("Fatal"))
                #expect(try await place.weft("status").code == 0)
            }
        }
    }
}
