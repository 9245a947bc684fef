// Joins by a tool and by a model, and the strategies of a goal, through the real program.
import Foundation
import TestKit
import Testing

extension Integration {
    @Suite("Joins and strategies", .timeLimit(.minutes(Patience.factor)))
    struct JoinTests {
        /// A tool that joins: it returns its arguments.
        static let report = """
            tools:
              - name: report
                description: Reports.
                parameters:
                  type: object
                  properties: {outputs: {type: object}, failures: {type: object}}
                  additionalProperties: false
                command: [cat]
                output: json
                idempotent: true
            """

        /// A model for every purpose: planner, steps, joiner.
        static let model = #"""
            import json, os, re, sys

            text = "\n".join(m["content"] for m in json.load(sys.stdin)["messages"])
            with open(os.path.dirname(os.path.abspath(__file__)) + "/calls", "a") as log:
                log.write(text.split("\n")[0][:24] + "\n")

            def task(number, args):
                return {"id": f"t{number}", "tool_name": "echo", "args": args}

            if text.startswith("You plan calls"):
                reply = {"tasks": [task(1, {"n": 1}), task(2, {"n": "$t1"})],
                         "join_instruction": "Compare."}
            elif text.startswith("You reach a goal"):
                done = len(re.findall(r"^\$t\d: echo\(", text, re.M))
                reply = {"thought": "", "action": "finish", "answer": f"after {done} calls",
                         "tasks": []}
                if done < 2:
                    reply = {"thought": "", "action": "call", "answer": None,
                             "tasks": [task(done + 1, {"n": done})]}
            else:
                asked = "Which?" in text and "replan" not in text
                reply = {"thought": "", "action": "finish", "reason": None,
                         "answer": "the first" if asked else "nothing was asked"}
            print(json.dumps(reply))
            """#

        private func configure(_ place: Place) throws -> String {
            try place.tools(Self.report)
            try place.write(Self.model, to: "model.py")
            return try place.write(
                "models:\n  planner: {api: command, command: [python3, \(place.folder)/model.py]}\n",
                to: "weft.yaml"
            )
        }

        @Test("A tool joins a plan, on a cluster of its own and at a coordinator")
        func tool() async throws {
            try await atPlace { place in
                _ = try configure(place)
                let plan = try place.plan(
                    #"{"id":"a","tool_name":"echo","args":{"n":"$$a"}}"#,
                    #"{"id":"b","tool_name":"fail","args":{}}"#,
                    instruction: "All of it."
                )
                let answer = #""outputs":{"a":{"n":"$a"}}"#
                let own = try await place.weft(
                    "run",
                    "--plan",
                    plan,
                    "--tools",
                    place.manifest,
                    "--diagnostics",
                    "--join",
                    "tool:report"
                )
                #expect(own.code == 0, "\(own.errors)")
                #expect(own.output.contains(answer), "\(own.output)")
                #expect(own.output.contains(#""failures":{"b":{"code":"tool_error""#))
                #expect(!own.output.contains("join_instruction"))

                let unknown = try await place.weft(
                    "run",
                    "--plan",
                    plan,
                    "--diagnostics",
                    "--join",
                    "tool:report"
                )
                #expect(unknown.code != 0 && unknown.output.isEmpty)
                #expect(unknown.errors.contains("report, which no connected worker has"))

                try await place.startCoordinator()
                try await place.startWorker("w")
                let remote = try await place.weft("run", "--plan", plan, "--join", "tool:report")
                #expect(remote.code == 0, "\(remote.errors)")
                #expect(remote.output.contains(answer), "\(remote.output)")
            }
        }

        @Test("A model joins a plan, if there is one")
        func model() async throws {
            try await atPlace { place in
                let config = try configure(place)
                let plan = try place.plan(
                    #"{"id":"a","tool_name":"echo","args":{}}"#,
                    instruction: "Which?"
                )
                let run = ["run", "--plan", plan, "--diagnostics", "--join", "llm"]
                let joined = try await place.start(run + ["--config", config]).end()
                #expect(joined.code == 0, "\(joined.errors)")
                #expect(joined.output == "the first\n")
                let refused = try await place.start(run).end()
                #expect(refused.code == 2)
                #expect(refused.errors.contains("needs a language model"))
            }
        }

        @Test("Prints the plan of a goal, which can be run later")
        func plan() async throws {
            try await atPlace { place in
                let config = try configure(place)
                let ask = ["plan", "Compare.", "--diagnostics", "--config", config]
                let planned = try await place.start(ask).end()
                #expect(planned.code == 0, "\(planned.errors)")
                #expect(try planned.document["tasks"][1]["args"]["n"].text == "$t1")
                let path = try place.write(planned.output, to: "plan.json")
                let run = try await place.weft(
                    "run",
                    "--plan",
                    path,
                    "--diagnostics",
                    "--join",
                    "json"
                )
                #expect(run.code == 0, "\(run.errors)")
                #expect(try run.document["t2"]["n"]["n"].number == 1)

                let drawn = try await place.start(ask + ["--format", "mermaid"]).end()
                #expect(drawn.output.hasPrefix("flowchart LR\n"))
                #expect(drawn.output.contains("n0 --> n1"))

                // The tools are those of the workers, so this plan cannot be made.
                try place.tools(Self.report)
                let failed = try await place.start(
                    ["plan", "Compare.", "--tools", place.manifest, "--config", config]
                ).end()
                #expect(failed.code == 1 && failed.output.isEmpty)
                #expect(failed.errors.contains(#"calls the tool "echo""#), "\(failed.errors)")
            }
        }

        @Test("Each strategy reaches the goal in its own way")
        func strategies() async throws {
            try await atPlace { place in
                let config = try configure(place)
                for strategy in ["streamed", "planned", "sequential", "react"] {
                    let run = try await place.weft(
                        "run",
                        "Compare.",
                        "--diagnostics",
                        "--config",
                        config,
                        "--strategy",
                        strategy,
                        "--json"
                    )
                    #expect(run.code == 0, "\(strategy): \(run.errors)")
                    let document = try run.document
                    let isReact = strategy == "react"
                    #expect(
                        document["answer"].text
                            == (isReact ? "after 2 calls" : "nothing was asked")
                    )
                    #expect(document["nodes"]["t2"]["status"].text == "succeeded")
                }
                let asked = place.lines(of: "calls").filter { $0.hasPrefix("You reach a goal") }
                #expect(asked.count == 3)
            }
        }
    }
}
