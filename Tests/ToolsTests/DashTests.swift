// A value never becomes an option of the program: refused values of a call, refused forms of a
// manifest, and the three ways to allow a dash.
import Core
import JSON
import Testing
import Wire

@testable import Tools

@Suite("Values and options") struct DashTests {
    // MARK: - Refused at the call

    @Test(
        "Refuses a value with a leading dash wherever it is a whole argument",
        arguments: [
            "[run, '{a}']", "[run, x, '{a}']", "[run, '{a}', --]", "[run, '{a}{b}']",
            "[run, '{b}{a}']", "[run, -, '{a}']", "[run, '{a...}']", "[run, [--, '{b}'], '{a}']",
            "[run, '-x={b}', '{a}']", "[run, ['{a}']]", "[run, [x, '{a}']]",
            "[run, [-e, '{b}', '{a}']]", "[run, [-e, '{b}'], '{a}']", "[run, [-v], '{a}']",
            "[git, log, --format=%h, '{a}']", "[git, log, [--format=%h, '{a}']]",
            "[run, '{a}x']", "[env, --, git, log, '{a}']", "[/usr/bin/xargs, --, sort, '{a}']",
            "[run, [-e, '{a...}', '{a}']]",
        ]
    )
    func refused(command: String) {
        let failure = refusal(
            command,
            parameters("a", optional: ["b"]),
            ["a": "--output=FILE", "b": ""]
        )
        #expect(failure?.code == .badArguments)
        #expect(failure?.isRetryable == false)
        #expect(failure?.message.hasPrefix("/a: starts with a dash") == true)
        #expect(failure?.message.contains("[-e, \"{a}\"], or the tool says allow_dash") == true)
    }

    @Test(
        "Refuses a negative number and a lone pair of dashes like any other value",
        arguments: [
            JSONValue.integer(-5), "-", "--", -0.5, "-rf",
        ]
    )
    func refusedValues(value: JSONValue) {
        let failure = refusal("[head, '{n}']", parameters("n"), ["n": value])
        #expect(failure?.code == .badArguments)
    }

    @Test("Names the value that the argument starts with")
    func named() {
        let failure = refusal(
            "[run, '{a}{b}']",
            parameters("a", "b"),
            ["a": "", "b": "--delete"]
        )
        #expect(failure?.message.hasPrefix("/b: starts with a dash") == true)
    }

    @Test("Only the first of several values belongs to the option before it")
    func onlyTheFirst() throws {
        let command = "[run, [-e, '{a...}']]"
        #expect(
            try words(command, parameters("a"), ["a": ["-x", "y"]]) == ["run", "-e", "-x", "y"]
        )
        #expect(
            refusal(command, parameters("a"), ["a": ["x", "-y"]])?.code == .badArguments
        )
    }

    // MARK: - Allowed

    @Test(
        "Allows a dash after --, in a list after an option, and inside an argument",
        arguments: [
            "[run, --, '{a}']", "[run, --, x, '{a}']", "[run, [-e, '{a}']]",
            "[run, [--max, '{a}']]",
            "[run, '--pattern={a}']", "[run, 'x{a}']", "[run, x, [--, '{a}']]",
            "[run, --, '-x{a}']",
            "[run, [-e, '-x{a}']]", "[env, git, log, --, '{a}']", "[xargs, --, sort, --, '{a}']",
            "[env, --, '{a}']",
        ]
    )
    func allowed(command: String) throws {
        #expect(try words(command, parameters("a"), ["a": "-rf"]).joined().contains("-rf"))
    }

    @Test("A tool may allow dashes everywhere")
    func allowedByTool() throws {
        let tool = try declared(
            "command: [run, -e, '{a}', '{a...}', '-x{a}']\n\(parameters("a"))\nallow_dash: true"
        )
        #expect(
            try tool.command.render(["a": "-rf"]) == ["run", "-e", "-rf", "-rf", "-x-rf"]
        )
    }

    @Test("A parameter may allow dashes; the announced schema does not show it")
    func allowedByParameter() throws {
        let fields = """
            command: [run, -e, '{a}', '-x{a}', '{b}']
            parameters:
              type: object
              properties: {a: {type: string, allow_dash: true}, b: {type: string}}
              required: [a, b]
            """
        let tool = try declared(fields)
        #expect(
            try tool.command.render(["a": "-r", "b": "c"]) == ["run", "-e", "-r", "-x-r", "c"]
        )
        #expect(throws: Failure.self) { try tool.command.render(["a": "x", "b": "-c"]) }
        #expect(
            JSONValue(tool.description.parameters)["properties"]
                == ["a": ["type": "string"], "b": ["type": "string"]]
        )
    }

    @Test("Numbers and listed values may be a part of an option")
    func closedParts() throws {
        let fields = """
            command: [make, '-j{n}', '-O{level}']
            parameters:
              type: object
              properties: {n: {type: integer}, level: {enum: [s, "3"]}}
            """
        #expect(
            try declared(fields).command.render(["n": 4, "level": "s"]) == ["make", "-j4", "-Os"]
        )
    }

    // MARK: - Manifests

    @Test(
        "Refuses a placeholder after a bare option, and suggests the list form",
        arguments: [
            ("[run, -e, '{a}']", "[-e, \"{a}\"]"), ("[grep, -n, '{a}', x]", "[-n, \"{a}\"]"),
            ("[git, diff, --stat, '{a}']", "[--stat, \"{a}\"]"),
            ("[run, -e, '{a...}']", "[-e, \"{a...}\"]"), ("[run, -e, ['{a}']]", "[-e, \"{a}\"]"),
            ("[run, -e, '{a}:80']", "[-e, \"{a}:80\"]"), ("[sort, -1, '{a}']", "[-1, \"{a}\"]"),
            ("[env, --, sort, -u, '{a}']", "[-u, \"{a}\"]"),
        ]
    )
    func bareOption(command: String, form: String) throws {
        let problem = try #require(manifestProblem(command, parameters("a")))
        #expect(problem.contains("leaves open whether {a} is the value of"))
        #expect(problem.contains("as a list inside the command: \(form)"))
    }

    @Test(
        "Refuses a free text that continues an option",
        arguments: [
            ("[run, '-e{a}']", "[-e, \"{a}\"]"), ("[run, '-{a}']", "--name={a}"),
            ("[run, '--{a}']", "--name={a}"), ("[run, '--no-{a}=x']", "[--no-, \"{a}\"]"),
            ("[run, ['-n{a}']]", "[-n, \"{a}\"]"),
        ]
    )
    func continuedOption(command: String, form: String) throws {
        let problem = try #require(manifestProblem(command, parameters("a")))
        #expect(problem.contains("lets {a} continue an option"))
        #expect(problem.contains(form))
    }

    private func manifestProblem(_ command: String, _ schema: String) -> String? {
        do {
            _ = try declared("command: \(command)\n\(schema)")
            return nil
        } catch {
            return "\(error)"
        }
    }
}
