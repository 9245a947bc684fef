// Manifests: what they declare, and every mistake with its line and remedy.
import Configuration
import Core
import Foundation
import JSON
import Plans
import Testing
import Wire

@testable import Tools

@Suite struct ManifestTests {
    @Test func `a manifest declares tools with all their fields`() throws {
        let manifest = try Manifest.parse(
            yaml: """
                tools:
                  - name: count_matches
                    description: Count the lines of a file that match a pattern.
                    version: "2"
                    parameters:
                      type: object
                      properties: {pattern: {type: string}, path: {type: string}}
                      required: [pattern, path]
                      additionalProperties: false
                    command: [grep, -c, [-e, "{pattern}"], --, "{path}"]
                    output: text
                    success_exit_codes: [0, 1]
                    idempotent: true
                    read_only: true
                    timeout: 1.5s
                    max_attempts: 3
                    concurrency: 4
                    approval: required
                    approval_timeout: 10m
                    max_output: 1MiB
                    env: {LANG: C.UTF-8}
                    pass_env: [API_KEY]
                  - name: embed
                    persistent: true
                    command: [python3, persist.py]
                """,
            path: fixtures + "/tools.yaml"
        )
        let tool = try #require(manifest.tools.first)
        #expect(
            tool.description
                == ToolDescription(
                    name: "count_matches",
                    description: "Count the lines of a file that match a pattern.",
                    parameters: RawJSON([
                        "type": "object",
                        "properties": [
                            "pattern": ["type": "string"], "path": ["type": "string"],
                        ],
                        "required": ["pattern", "path"],
                        "additionalProperties": false,
                    ]),
                    version: "2",
                    isIdempotent: true,
                    isReadOnly: true,
                    timeoutMilliseconds: 1500,
                    maxAttempts: 3,
                    concurrency: 4,
                    needsApproval: true,
                    approvalMilliseconds: 600_000
                )
        )
        #expect(tool.maxOutput == 1 << 20)
        #expect(tool.successExitCodes == [0, 1])
        #expect(!tool.isPersistent)
        #expect(manifest.tools.map(\.description.name) == ["count_matches", "embed"])
        let embed = try #require(manifest.tools.last)
        #expect(embed.isPersistent)
        #expect(embed.description == ToolDescription(name: "embed", description: ""))
        #expect(embed.command.elements.map(\.literal) == ["python3", fixtures + "/persist.py"])
    }

    @Test func `the example of the manual counts matches`() async throws {
        let fields = """
            \(parameters("pattern", "path"))
            command: [grep, -c, [-e, "{pattern}"], --, "{path}"]
            success_exit_codes: [0, 1]
            """
        let path = JSONValue.string(fixtures + "/persist.py")
        #expect(try await outcome(fields, ["pattern": "^import", "path": path]).text == "5")
        #expect(try await outcome(fields, ["pattern": "-never-", "path": path]).text == "0")
        let missing = try await outcome(fields, ["pattern": "x", "path": "/no/such/file"])
        #expect(
            missing.failure?.message
                == "grep exited with code 2: grep: /no/such/file: No such file or directory"
        )
    }

    @Test(arguments: [
        ("5", #"5"#), ("-7", "-7"), ("1.50", "1.5"), ("1e3", "1000.0"), ("yes", #""yes""#),
        ("no", #""no""#), ("true", "true"), ("~", "null"), ("null", "null"), ("'5'", #""5""#),
        ("2020-01-01", #""2020-01-01""#), ("0x1F", #""0x1F""#), ("1_000", #""1_000""#),
        ("abc", #""abc""#), ("nan", #""nan""#), ("infinity", #""infinity""#), ("-", #""-""#),
        ("[1, {a: b}]", #"[1,{"a":"b"}]"#), ("007", "7"), ("+3", "3"),
    ])
    func `YAML becomes JSON by the core rules`(yaml: String, json: String) throws {
        let tool = try declared("command: [x]\nparameters: {default: \(yaml)}")
        #expect(tool.description.parameters.text == "{\"default\":\(json)}")
    }

    @Test func `relative folders are made absolute`() throws {
        let manifest = try Manifest.parse(
            yaml: "tools: [{name: a, command: [bin/x, '{manifest_dir}']}]",
            path: "./some/tools.yaml"
        )
        let folder = FileManager.default.currentDirectoryPath + "/some"
        #expect(
            manifest.tools.first?.command.elements.map(\.literal) == [folder + "/bin/x", folder]
        )
    }

    @Test func `a file is loaded from its path`() throws {
        let path = NSTemporaryDirectory() + "tools-tests-\(UUID().uuidString).yaml"
        try "tools: [{name: a, command: ['true']}]".write(
            toFile: path,
            atomically: true,
            encoding: .utf8
        )
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(try Manifest.load(path: path).tools.count == 1)
    }

    @Test func `a manifest that cannot be read says so`() {
        let error = #expect(throws: ManifestError.self) { try Manifest.load(path: "/no/such.yaml") }
        #expect(error?.description.hasPrefix("/no/such.yaml: There is no such file.") == true)
    }

    @Test func `an empty list of tools is fine`() throws {
        #expect(try Manifest.parse(yaml: "tools: []", path: "t.yaml").tools.isEmpty)
    }

    @Test func `warnings name missing programs and variables`() throws {
        let manifest = try Manifest.parse(
            yaml: """
                tools:
                  - {name: fine, command: [sh], pass_env: [SET]}
                  - {name: a, command: [no-such-program]}
                  - {name: b, command: [bin/missing]}
                  - {name: c, command: [beside/data.txt]}
                  - {name: d, command: [sh], pass_env: [SET, UNSET]}
                """,
            path: fixtures + "/tools.yaml"
        )
        let rest = "it cannot run until that has changed."
        #expect(
            manifest.warnings(environment: ["PATH": "/usr/bin:/bin", "SET": "1"]) == [
                "a: the program no-such-program does not exist; \(rest)",
                "b: the program \(fixtures)/bin/missing does not exist; \(rest)",
                "c: \(fixtures)/beside/data.txt may not be executed; \(rest)",
                "d: pass_env names UNSET, which is not set in the worker's environment.",
            ]
        )
    }
}

@Suite struct ManifestExampleTests {
    private let tools = """
        tools:
          - name: area
            description: The area of a country.
            parameters: {type: object, properties: {country: {type: string}}, required: [country]}
            command: [x, "{country}"]
            examples: [{goal: How large is Peru?, calls: ['area("Peru")']}]
          - name: sum
            command: [y]

        """

    @Test func `plans go with the tool that they call first`() throws {
        let plans = """
            plans:
              - {goal: Both., calls: ['sum(a=1)', 'area("$1")']}
              - {goal: A joke., calls: []}
            """
        let tools = try Manifest.parse(yaml: tools + plans, path: "t.yaml").tools
        #expect(
            tools[0].description.examples == [
                PlanExample(goal: "How large is Peru?", calls: ["area(\"Peru\")"]),
                PlanExample(goal: "A joke.", calls: []),
            ]
        )
        #expect(tools[1].description.examples.map(\.goal) == ["Both."])
    }

    @Test(arguments: [
        ("['arae(\"Peru\")']", "calls the tool \"arae\", which does not exist"),
        ("['area()']", "cannot be used"), ("['area(\"$2\")']", "cannot be used"),
        ("[just words]", "each line must be one call"), ("area", "must have a goal and calls"),
    ])
    func `an example that cannot be planned is a problem of the manifest`(
        calls: String,
        problem: String
    ) {
        let error = #expect(throws: ManifestError.self) {
            try Manifest.parse(
                yaml: tools + "plans:\n  - {goal: A., calls: \(calls)}\n",
                path: "t.yaml"
            )
        }
        #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("line 10: ") == true)
    }
}

@Suite struct ManifestProblemTests {
    /// One mistake in a tool, and the end of the message about it.
    struct Example: Sendable, CustomTestStringConvertible {
        var fields: String
        var problem: String
        var testDescription: String { fields }

        init(_ fields: String, _ problem: String) {
            self.fields = fields
            self.problem = problem
        }
    }

    static let examples = [
        Example("name: a", "line 2: a: command: is missing."),
        Example("command: [x]", "line 2: tool 1: name: is missing."),
        Example("name: 'a b'\n    command: [x]", "line 2: a b: name: must be 1 to 128 of"),
        Example("name: ''\n    command: [x]", "line 2: : name: must be 1 to 128 of"),
        Example("name: a\n    command: grep x", "line 3: a: command: must be a list of words"),
        Example("name: a\n    command: []", "line 3: a: command: is empty."),
        Example(
            "name: a\n    command: [x]\n    approval: yes",
            "line 4: a: approval: must be required or none."
        ),
        Example(
            "name: a\n    command: [x]\n    approval_timeout: 1m",
            "line 4: a: approval_timeout: has no effect without approval: required. Add that or"
        ),
        Example("name: a\n    command: ['']", "line 3: a: command: starts with an empty text."),
        Example("name: a\n    command: [[x]]", "line 3: a: command: starts with a list."),
        Example(
            "name: a\n    command: [x, {p}]",
            "line 3: a: command: contains an element that is not a text."
        ),
        Example(
            "name: a\n    parameters: {properties: {p: {}}}\n    command: ['{p}']",
            "line 4: a: command: lets an argument choose the program."
        ),
        Example(
            "name: a\n    parameters: {properties: {p: {}}}\n    command: [x,\n      '{pahts...}']",
            "line 5: a: command: uses {pahts}, which is not a parameter of the tool."
        ),
        Example(
            "name: a\n    parameters: {properties: {path: {}}}\n    command: [x, '{paht}']",
            "is not a parameter of the tool. Did you mean \"path\"? Declare it"
        ),
        Example(
            "name: a\n    parameters: {properties: {p: {}}}\n    command: [x, 'y{p...}']",
            "must be an element of its own."
        ),
        Example("name: a\n    command: [x, '{p']", "has a brace without its partner in \"{p\"."),
        Example("name: a\n    command: [x, 'p}']", "has a brace without its partner in \"p}\"."),
        Example("name: a\n    command: [x, '{}']", "uses {}, which is not a parameter"),
        Example(
            "name: a\n    parameters: {properties: {p: {}}}\n    persistent: true\n"
                + "    command: [x, '{p}']",
            "line 5: a: command: has placeholders, but the process of a persistent tool"
        ),
        Example(
            "name: a\n    persistent: true\n    output: json\n    command: [x]",
            "line 4: a: output: has no effect for a persistent tool"
        ),
        Example(
            "name: a\n    command: [x]\n    timout: 3s",
            "line 4: a: timout: is not a field here. Did you mean \"timeout\"? Known are name,"
        ),
        Example(
            "name: a\n    command: [x]\n    colour: red",
            "a: colour: is not a field here. Known are"
        ),
        Example(
            "name: a\n    command: [x]\n    timeout: 3",
            "line 4: a: timeout: \"3\" has no unit."
        ),
        Example("name: a\n    command: [x]\n    timeout: 0s", "timeout: must be longer than zero."),
        Example("name: a\n    command: [x]\n    timeout: [1]", "timeout: \"\" is not a duration."),
        Example(
            "name: a\n    command: [x]\n    max_output: 0",
            "max_output: must be more than zero."
        ),
        Example("name: a\n    command: [x]\n    max_output: 1X", "\"1X\" has an unknown unit"),
        Example("name: a\n    command: [x]\n    idempotent: yes", "must be true or false."),
        Example("name: a\n    command: [x]\n    read_only: 1", "must be true or false."),
        Example("name: a\n    command: [x]\n    persistent: 'true'", "must be true or false."),
        Example("name: a\n    command: [x]\n    allow_dash: x", "must be true or false."),
        Example("name: a\n    command: [x]\n    max_attempts: 0", "a whole number from 1 to 1000."),
        Example(
            "name: a\n    command: [x]\n    concurrency: 1.5",
            "a whole number from 1 to 4096."
        ),
        Example(
            "name: a\n    command: [x]\n    output: xml",
            "output: must be text, json or base64, or {"
        ),
        Example(
            "name: a\n    command: [x]\n    success_exit_codes: [256]",
            "a list of exit codes from"
        ),
        Example(
            "name: a\n    command: [x]\n    success_exit_codes: 0",
            "a list of exit codes from"
        ),
        Example(
            "name: a\n    command: [x]\n    success_exit_codes: []",
            "a list of exit codes from"
        ),
        Example("name: a\n    command: [x]\n    parameters: text", "must be a JSON Schema"),
        Example(
            "name: a\n    command: [x]\n    parameters: {type: strong}",
            "is not a usable"
        ),
        Example("name: a\n    command: [x]\n    parameters: {default: .inf}", "is not a number"),
        Example("name: a\n    command: [x]\n    description: {}", "description: must be a text."),
        Example("name: a\n    command: [x]\n    env: [A]", "env: must be names with their values"),
        Example("name: a\n    command: [x]\n    env: {A: [1]}", "must give A a text as its value."),
        Example(
            "name: a\n    command: [x]\n    env: {A=B: 1}",
            "cannot be the name of a variable."
        ),
        Example("name: a\n    command: [x]\n    env: {WEFT_RUN: 1}", "are set by the worker."),
        Example("name: a\n    command: [x]\n    pass_env: A", "pass_env: must be a list of names"),
        Example("name: a\n    command: [x]\n    pass_env: [WEFT_KEY]", "are set by the worker."),
        Example(
            "name: a\n    command: [x]\n  - name: a\n    command: [x]",
            "line 4: a: name: is used twice, first on line 2."
        ),
        Example(
            "name: a\n    command: [x]\n  - text",
            "line 4: tools: contains an entry without fields"
        ),
        Example("name: a\n    name: b\n    command: [x]", "The file is not valid YAML: "),
    ]

    @Test(arguments: examples)
    func `each problem is named with its place`(example: Example) {
        let error = #expect(throws: ManifestError.self) {
            try Manifest.parse(yaml: "tools:\n  - \(example.fields)\n", path: "t.yaml")
        }
        #expect(error?.problems.count == 1)
        let description = error?.description ?? ""
        #expect(description.contains(example.problem), "\(description)")
    }

    @Test(arguments: [
        ("", "must start with \"tools:\""), ("- a", "line 1: The manifest must start with"),
        ("tool: []", "line 1: tool: is not a field here. Did you mean \"tools\"?"),
        ("tools: 5", "line 1: tools: must be a list of tools"), ("tools:\n  - [", "not valid YAML"),
        ("a: b: c", "line 1: The file is not valid YAML"), ("tools: *x", "not valid YAML"),
    ])
    func `a file that is not a manifest is refused`(yaml: String, problem: String) {
        let error = #expect(throws: ManifestError.self) {
            try Manifest.parse(yaml: yaml, path: "t.yaml")
        }
        let description = error?.description ?? ""
        #expect(description.contains(problem), "\(description)")
    }

    @Test func `all problems are found at once, in the order of the tools`() {
        let error = #expect(throws: ManifestError.self) {
            try Manifest.parse(
                yaml: """
                    tools:
                      - name: a
                        timeout: 5
                        command: [x, '{y}']
                      - name: b
                        comand: [x]
                    """,
                path: "t.yaml"
            )
        }
        #expect(error?.problems.map(\.entry) == ["a", "a", "b", "b"])
        #expect(error?.problems.map(\.field) == ["timeout", "command", "comand", "command"])
        #expect(error?.problems.map(\.line) == [3, 4, 6, 5])
    }

    @Test func `a manifest of nested aliases is refused and not unfolded`() {
        let layers = (1...9).map { layer -> String in
            let aliases = Array(repeating: "*l\(layer - 1)", count: 9).joined(separator: ",")
            return "      l\(layer): &l\(layer) [\(aliases)]"
        }
        let yaml = """
            tools:
              - name: a
                command: [x]
                parameters:
                  l0: &l0 [x, x, x, x, x, x, x, x, x]
            """
        let error = #expect(throws: ManifestError.self) {
            try Manifest.parse(yaml: yaml + "\n" + layers.joined(separator: "\n"), path: "t.yaml")
        }
        let description = error?.description ?? ""
        #expect(description.contains("more than 1000000 values"), "\(description)")
    }
}
