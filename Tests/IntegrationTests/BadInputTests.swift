// Mistakes of a person or a tool: each ends in a clear error with a stable code, and disturbs
// nothing else. Not here: peers that break the protocol (the conformance tests), lost workers and
// coordinators (FaultTests), plans that a model writes (the tests of goals).
import Foundation
import TestKit
import Testing

extension Integration {
    @Suite("Bad input", .timeLimit(.minutes(2 * Patience.factor)))
    struct BadInputTests {
        /// An invalid plan, the code of its problem and words of the message.
        struct BadPlan: CustomTestStringConvertible {
            let testDescription: String
            let text: Data
            let code: String
            let words: String

            init(_ name: String, _ text: String, _ code: String, _ words: String) {
                self.init(name, Data(text.utf8), code, words)
            }

            init(_ name: String, _ text: Data, _ code: String, _ words: String) {
                testDescription = name
                self.text = text
                self.code = code
                self.words = words
            }
        }

        private static func tasks(_ nodes: String...) -> String {
            "{\"tasks\":[\(nodes.joined(separator: ","))]}"
        }

        private static let greeting = #"{"name":"x"}"#

        static let badPlans: [BadPlan] = [
            BadPlan(
                "a cycle",
                tasks(
                    node("a", "greet", #"{"name":"$c"}"#),
                    node("b", "greet", #"{"name":"$a"}"#),
                    node("c", "greet", #"{"name":"$b"}"#)
                ),
                "cycle",
                "circle: a → c → b → a"
            ),
            BadPlan(
                "a duplicate id",
                tasks(node("a", "greet", greeting), node("a", "greet", greeting)),
                "duplicate_id",
                "more than once"
            ),
            BadPlan(
                "a missing id",
                #"{"tasks":[{"tool_name":"greet","args":{"name":"x"}}]}"#,
                "bad_plan",
                "no id"
            ),
            BadPlan(
                "an unknown dependency",
                tasks(node("a", "greet", greeting, #","dependencies":["nobody"]"#)),
                "unknown_dependency",
                "nobody"
            ),
            BadPlan(
                "a self reference",
                tasks(node("a", "greet", #"{"name":"$a"}"#)),
                "self_reference",
                "its own output"
            ),
            BadPlan(
                "arguments that break the schema",
                tasks(node("a", "greet", #"{"name":7}"#)),
                "bad_args",
                "name"
            ),
            BadPlan(
                "arguments that are missing",
                tasks(node("a", "greet")),
                "bad_args",
                "name"
            ),
            BadPlan("no JSON", "tasks: [a]", "bad_json", "expected { to begin the plan"),
            BadPlan("half a plan", #"{"tasks":[{"id":"a""#, "bad_json", "node is not complete"),
            BadPlan("a list", "[]", "bad_json", "expected { to begin the plan"),
            BadPlan("nothing at all", "", "bad_json", "empty"),
            BadPlan("no nodes", tasks(), "empty_plan", "no nodes"),
            BadPlan(
                "text that is not UTF-8",
                Data(#"{"tasks":[{"id":"a","tool_name":"greet","args":{"name":""#.utf8)
                    + Data([0xC3, 0x28]) + Data(#""}}]}"#.utf8),
                "bad_json",
                "UTF-8"
            ),
            BadPlan(
                "100 levels",
                tasks(
                    node(
                        "a",
                        "greet",
                        "{\"name\":" + String(repeating: "[", count: 100)
                            + String(repeating: "]", count: 100) + "}"
                    )
                ),
                "bad_json",
                "64 levels"
            ),
            BadPlan(
                "an id over the limit",
                tasks(node(String(repeating: "i", count: 65), "greet", greeting)),
                "bad_id",
                "64"
            ),
        ]

        @Test("Refuses a bad plan with its code, in every command", arguments: badPlans)
        func badPlan(_ bad: BadPlan) async throws {
            try await atPlace { place in
                try place.tools(ClusterTests.greet)
                let path = "\(place.folder)/bad.json"
                try bad.text.write(to: URL(fileURLWithPath: path))
                let checked = try await place.weft(
                    "plan",
                    "--check",
                    path,
                    "--tools",
                    place.manifest,
                    "--json"
                )
                #expect(checked.code == 2)
                let problems = try checked.document["problems"].list
                #expect(problems.map { $0["code"].text } == [bad.code], "\(checked.output)")
                #expect(problems.first?["message"].text?.contains(bad.words) == true)
                let run = try await place.weft("run", "--plan", path, "--tools", place.manifest)
                #expect(run.code == 2, "\(run)")
                #expect(run.output.isEmpty)
                #expect(run.errors.contains(bad.words), "\(run.errors)")
                #expect(place.marked().isEmpty)
            }
        }

        @Test("Finds an unknown tool before anything runs, with all other problems")
        func unknownTool() async throws {
            try await atPlace { place in
                try place.tools(
                    ClusterTests.greet + """

                          - name: nap
                            description: Leaves a trace.
                            command: [sh, -c, 'echo x >> FOLDER/trace']
                        """
                )
                let text = """
                    {"tasks": [
                      {"id": "t0", "tool_name": "nap", "args": {}},
                      {"id": "a", "tool_name": "napp", "args": {}},
                      {"id": "b", "tool_name": "greet",
                       "args": {"name": 7}},
                      {"id": "c", "tool_name": "greet", "args": {"nmae": "$t0"},
                       "dependencies": ["t0", "nobody"]}
                    ]}
                    """
                let plan = try place.write(text, to: "plan.json")
                let run = try await place.weft("run", "--plan", plan, "--tools", place.manifest)
                #expect(run.code == 2, "\(run)")
                #expect(run.output.isEmpty)
                #expect(place.lines(of: "trace").isEmpty, "nothing has run")
                let lines = run.errors.split(separator: "\n").map(String.init)
                let starts = ["3:28", "5:21", "6:45", "7:27"].map { "error: \(plan):\($0): node " }
                #expect(lines.count == starts.count, "\(run.errors)")
                for (line, start) in zip(lines, starts) {
                    #expect(line.hasPrefix(start), "\(line) begins with \(start)")
                }
                #expect(lines.first?.contains("Did you mean \"nap\"?") == true, "\(run.errors)")
                let checked = try await place.weft(
                    "plan",
                    "--check",
                    plan,
                    "--tools",
                    place.manifest,
                    "--json"
                )
                let found = try checked.document["problems"].list
                #expect(found.map { $0["line"].number } == [3, 5, 6, 7])
                #expect(
                    found.map { $0["code"].text }
                        == ["unknown_tool", "bad_args", "bad_args", "unknown_dependency"]
                )
            }
        }

        @Test("Nodes with a missing tool fail on their own, if requested")
        func missingToolFails() async throws {
            try await atPlace { place in
                try place.tools(ClusterTests.greet)
                let plan = try place.plan(node("a", "nothing"), node("b", "greet", Self.greeting))
                let run = try await place.weft(
                    "run",
                    "--plan",
                    plan,
                    "--tools",
                    place.manifest,
                    "--json",
                    "--on-missing-tool",
                    "fail"
                )
                #expect(run.code == 1)
                let nodes = try run.document["nodes"]
                #expect(nodes["a"]["error"]["code"].text == "unknown_tool")
                #expect(nodes["b"]["output"].text == "hello x")
            }
        }

        @Test("Reports text that is not JSON with the line and column of the fault")
        func noJSON() async throws {
            try await atPlace { place in
                let text = """
                    {"tasks": [
                      {"id": "a", "tool_name": "noop", "args": {"x": 1,}}
                    ]}
                    """
                let plan = try place.write(text, to: "plan.json")
                let run = try await place.weft("run", "--plan", plan, "--diagnostics")
                #expect(run.code == 2)
                #expect(run.errors.hasPrefix("error: \(plan):2:52: "), "\(run.errors)")
                let piped = try await place.weft(
                    "run",
                    "--plan",
                    "-",
                    "--diagnostics",
                    input: text
                )
                #expect(piped.errors.hasPrefix("error: standard input:2:52: "), "\(piped.errors)")
            }
        }

        /// Tools that fail in different ways.
        private static let badTools = """
            tools:
              - name: fine
                description: Works.
                command: [printf, fine]
              - name: exits
                description: Exits with a code.
                command: [sh, -c, 'echo why >&2; exit 7']
              - name: dies
                description: Dies by a signal.
                command: [sh, -c, 'kill -SEGV $$']
              - name: absent
                description: Cannot be started.
                command: [FOLDER/not-there]
              - name: garbage
                description: Promises JSON and prints something else.
                command: [printf, '{{"a":']
                output: json
              - name: binary
                description: Prints bytes that are not text.
                command: [printf, '\\377\\376']
              - name: endless
                description: Prints for ever.
                command: [yes]
                max_output: 64KiB
              - name: hangs
                description: Does nothing for ever.
                command: [sleep, "1000"]
                timeout: 300ms
              - name: forks
                description: Leaves children behind that hold its output open.
                command: [sh, -c, '(trap "" TERM; sleep 1000) & sleep 1000 & printf left']
              - name: closes
                description: Closes its output and lives on.
                command: [sh, -c, 'printf closed; exec >&- 2>&-; sleep 1000']
                timeout: 400ms
            """

        @Test("A failing tool fails only its node, with the reason, and leaves no process")
        func badTools() async throws {
            try await atPlace { place in
                try place.tools(Self.badTools)
                let expected = [
                    "exits": "tool_error", "dies": "tool_error", "absent": "spawn_failed",
                    "garbage": "bad_output", "binary": "bad_output",
                    "endless": "output_too_large", "hangs": "timeout", "closes": "timeout",
                ]
                let names = expected.keys.sorted() + ["fine", "forks"]
                let nodes =
                    names.map { node($0, $0) }
                    + names.map { node("after-\($0)", "echo", "{\"of\":\"$\($0)\"}") }
                let path = "\(place.folder)/plan.json"
                try place.write("{\"tasks\":[\(nodes.joined(separator: ","))]}", to: "plan.json")
                let run = try await place.weft(
                    "run",
                    "--plan",
                    path,
                    "--tools",
                    place.manifest,
                    "--diagnostics",
                    "--slots",
                    "8",
                    "--json"
                )
                #expect(run.code == 1)
                let found = try run.document["nodes"]
                for (name, code) in expected {
                    let error = found[name]["error"]
                    #expect(error["code"].text == code, "\(name): \(found[name])")
                    #expect(error["message"].text?.isEmpty == false)
                    #expect(found["after-\(name)"]["status"].text == "skipped")
                }
                #expect(found["exits"]["error"]["exit_code"].number == 7)
                #expect(found["exits"]["error"]["stderr_tail"].text == "why\n")
                #expect(found["dies"]["error"]["signal"].number == 11)
                #expect(found["after-fine"]["output"]["of"].text == "fine")
                #expect(found["after-forks"]["output"]["of"].text == "left")
                #expect(place.marked().isEmpty, "no process of a tool is left")
            }
        }

        @Test("A reference to a missing part fails its node, and says where")
        func missingPath() async throws {
            try await atPlace { place in
                let plan = try place.plan(
                    node("a", "echo", #"{"items":[1,2]}"#),
                    node("b", "echo", #"{"of":"${a.items[2]}"}"#),
                    node("c", "echo", #"{"of":"${a.items[1]}"}"#)
                )
                let run = try await place.weft("run", "--plan", plan, "--diagnostics", "--json")
                #expect(run.code == 1)
                let nodes = try run.document["nodes"]
                #expect(nodes["b"]["error"]["code"].text == "reference_not_found")
                #expect(nodes["b"]["error"]["message"].text?.contains("items[2]") == true)
                #expect(nodes["c"]["output"]["of"].number == 2)
            }
        }
    }
}
