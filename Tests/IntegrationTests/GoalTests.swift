// Goals through the real program, planned and joined by a program that plays the model.
import Foundation
import TestKit
import Testing

extension Integration {
    @Suite("Goals", .timeLimit(.minutes(Patience.factor)))
    struct GoalTests {
        /// Plans, asks for another plan once, then answers with the outputs.
        static let model = #"""
            import json, os, sys, time

            text = "\n".join(m["content"] for m in json.load(sys.stdin)["messages"])
            folder = os.path.dirname(os.path.abspath(__file__))

            def say(*parts):
                for part in parts:
                    sys.stdout.write(part)
                    sys.stdout.flush()
                    time.sleep(0.01)

            def decide(**decision):
                keys = ("thought", "action", "reason", "answer")
                say(json.dumps({key: decision.get(key) for key in keys}))

            if text.startswith("You plan calls") and "hello you" not in text:
                say('{"tasks": [{"id": "t1", "tool_na', 'me": "greet", "args": {"name": "you"}}')
                deadline = time.time() + 20
                while not os.path.exists(folder + "/greeted") and time.time() < deadline:
                    time.sleep(0.01)
                say(', {"id": "t2", "tool_name": "echo", "args": {"of": "$t1"}}', "]}")
            elif text.startswith("You plan calls"):
                say('{"tasks": [{"id": "t3", "tool_name": "echo", "args": {"a": "<$t1>"}}]}')
            elif "<hello you>" in text:
                early = os.path.exists(folder + "/greeted")
                decide(thought="", action="finish", answer="early" if early else "late")
            else:
                decide(thought="", action="replan", reason="brackets are missing")
            """#

        /// A tool that writes a file, so that the model sees that it ran while it still writes.
        static let greet = """
            tools:
              - name: greet
                description: Greets a person.
                parameters: {type: object, properties: {name: {type: string}}, required: [name]}
                command: [sh, -c, 'touch FOLDER/greeted; printf "hello %s" "$1"', greet, "{name}"]
                idempotent: true
            """

        /// The configuration whose planner and joiner are that program.
        private func configuration(_ place: Place, _ program: String) throws -> String {
            try place.write(program, to: "model.py")
            return try place.write(
                "models:\n  planner:\n    api: command\n"
                    + "    command: [python3, \(place.folder)/model.py]\n",
                to: "weft.yaml"
            )
        }

        @Test("Plans a goal, runs nodes meanwhile, plans again and answers")
        func answer() async throws {
            try await atPlace { place in
                try place.tools(Self.greet)
                let run = try await place.weft(
                    "run",
                    "Greet me.",
                    "--tools",
                    place.manifest,
                    "--diagnostics",
                    "--config",
                    try configuration(place, Self.model),
                    "--record",
                    "\(place.folder)/calls.jsonl"
                )
                #expect(run.code == 0, "\(run.errors)")
                #expect(run.output == "early\n", "\(run.errors)")
                #expect(run.errors.contains("brackets are missing"))
                #expect(place.marked().isEmpty)

                // The recording replays without the program.
                try place.write(
                    "models:\n  planner: {api: recorded, file: calls.jsonl, pace: 0}\n"
                        + "  joiner: {api: recorded, file: calls.jsonl, pace: 0}\n",
                    to: "replay.yaml"
                )
                let replay = try await place.weft(
                    "run",
                    "Greet me.",
                    "--tools",
                    place.manifest,
                    "--diagnostics",
                    environment: ["WEFT_CONFIG": "\(place.folder)/replay.yaml"]
                )
                #expect(replay.code == 0, "\(replay.errors)")
                #expect(replay.output == "early\n")
            }
        }

        @Test("A model that writes no plan gives exit code 1, with a sentence")
        func prose() async throws {
            try await atPlace { place in
                let run = try await place.weft(
                    "run",
                    "Greet me.",
                    "--diagnostics",
                    "--repairs",
                    "1",
                    "--config",
                    try configuration(place, "print('I would rather talk about it.')\n")
                )
                #expect(run.code == 1)
                #expect(run.output.isEmpty)
                #expect(run.errors.contains("did not write a plan"), "\(run.errors)")
            }
        }

        @Test("A goal without a model gives exit code 2, with a sentence")
        func noModel() async throws {
            try await atPlace { place in
                let run = try await place.weft("run", "Greet me.", "--diagnostics")
                #expect(run.code == 2)
                #expect(run.output.isEmpty)
                #expect(run.errors.contains("--config"), "\(run.errors)")
                let missing = try await place.weft(
                    "run",
                    "Greet me.",
                    "--diagnostics",
                    "--config",
                    "\(place.folder)/nothing.yaml"
                )
                #expect(missing.code == 2)
                #expect(missing.errors.contains("nothing.yaml"), "\(missing.errors)")
            }
        }
    }
}
