// Commands of a manifest rendered into words: values, spreads, groups, braces, paths. Not here:
// values that start with a dash (DashTests).
import Core
import JSON
import Testing

@testable import Tools

/// The words of a rendered command.
func words(
    _ command: String,
    _ schema: String,
    _ arguments: JSONValue
) throws -> [String] {
    try declared("command: \(command)\n\(schema)").command.render(RawJSON(arguments))
}

/// Why a command cannot be rendered with the arguments, or nil.
func refusal(
    _ command: String,
    _ schema: String,
    _ arguments: JSONValue
) -> Failure? {
    do {
        _ = try words(command, schema, arguments)
        return nil
    } catch {
        return error as? Failure
    }
}

@Suite struct CommandTemplateTests {
    @Test func `values are inserted unchanged, or as compact JSON`() throws {
        let schema = parameters("a", "b", "c", "d", "e")
        let words = try words(
            "[run, --, '{a}', '{b}', '{c}', '{d}', 'x={e};']",
            schema,
            ["a": "it's $HOME; \"x\"\n", "b": 1.5, "c": true, "d": ["k": [1, 2]], "e": nil]
        )
        #expect(
            words == [
                "run", "--", "it's $HOME; \"x\"\n", "1.5", "true", "{\"k\":[1,2]}", "x=null;",
            ]
        )
    }

    @Test func `a placeholder may stand inside an element, more than once`() throws {
        let words = try words(
            "[run, '--range={from}..{to}', 'x{from}']",
            parameters("from", "to"),
            ["from": "a", "to": 7]
        )
        #expect(words == ["run", "--range=a..7", "xa"])
    }

    @Test func `doubled braces are braces`() throws {
        let words = try words(
            "[jq, '{{a: .{key}}}', '{{}}']",
            parameters("key"),
            ["key": "b"]
        )
        #expect(words == ["jq", "{a: .b}", "{}"])
    }

    @Test func `a list spreads over several elements`() throws {
        let command = "[cat, --, '{paths...}', end]"
        #expect(
            try words(command, parameters("paths"), ["paths": ["a b", 2, ["c"]]])
                == ["cat", "--", "a b", "2", "[\"c\"]", "end"]
        )
        #expect(
            try words(command, parameters("paths"), ["paths": []]) == ["cat", "--", "end"]
        )
        #expect(
            try words(command, parameters("paths"), ["paths": "one"])
                == ["cat", "--", "one", "end"]
        )
    }

    @Test func `a list without spreading is one element of JSON`() throws {
        #expect(
            try words("[cat, '{paths}']", parameters("paths"), ["paths": ["a", "b"]])
                == ["cat", "[\"a\",\"b\"]"]
        )
    }

    @Test func `an absent parameter drops its element, and is empty inside a longer one`() throws {
        let schema = parameters(optional: ["a", "b"])
        #expect(try words("[run, '{a}', 'b={b}', end]", schema, [:]) == ["run", "b=", "end"])
    }

    @Test func `a list inside a command is used or left out as a whole`() throws {
        let command = "[grep, [-A, '{after}'], ['--file', '{files...}'], --, x]"
        let schema = parameters(optional: ["after", "files"])
        #expect(try words(command, schema, [:]) == ["grep", "--", "x"])
        #expect(try words(command, schema, ["after": 3]) == ["grep", "-A", "3", "--", "x"])
        #expect(try words(command, schema, ["files": []]) == ["grep", "--", "x"])
        #expect(
            try words(command, schema, ["files": ["a"]]) == ["grep", "--file", "a", "--", "x"]
        )
    }

    @Test func `the last of repeated arguments counts`() throws {
        let tool = try declared("command: [run, '{a}']\n\(parameters("a"))")
        let arguments = try RawJSON(validating: #"{"a":"1","b":"2","a":"3"}"#)
        #expect(try tool.command.render(arguments) == ["run", "3"])
    }

    @Test func `a value with a NUL is refused by name`() {
        let failure = refusal("[run, '{a}']", parameters("a"), ["a": "x\u{0}y"])
        #expect(failure?.code == .badArguments)
        #expect(failure?.message.hasPrefix("/a: holds a NUL character") == true)
    }

    // MARK: - Paths

    @Test func `paths beside the manifest are made absolute`() throws {
        let tool = try declared(
            """
            command: [./beside/run, beside/data.txt, persist.py, beside, missing/file, -x/y, ..,
              '{manifest_dir}/z', /etc/passwd]
            """
        )
        #expect(
            try tool.command.render([:]) == [
                fixtures + "/./beside/run", fixtures + "/beside/data.txt", fixtures + "/persist.py",
                "beside", "missing/file", "-x/y", "..", fixtures + "/z", "/etc/passwd",
            ]
        )
    }

    @Test(arguments: ["../x", "a/../../x", ".."])
    func `a value cannot leave the folder that the command names`(name: String) throws {
        let tool = try declared(
            "command: [cat, '{manifest_dir}/../{a}/b', '{a}']\n\(parameters("a"))"
        )
        let failure = #expect(throws: Failure.self) {
            try tool.command.render(["a": .string(name)])
        }
        #expect(failure?.code == .badArguments)
        #expect(failure?.message.hasPrefix("/a: leads with") == true)
        #expect(
            try tool.command.render(["a": "..x"]) == ["cat", fixtures + "/../..x/b", "..x"]
        )
        #expect(
            try words("[cat, 'a={a}']", parameters("a"), ["a": .string(name)]) == [
                "cat", "a=\(name)",
            ]
        )
    }

    @Test func `a program without a slash is left to PATH`() throws {
        #expect(try declared("command: [persist.py]").command.render([:]) == ["persist.py"])
    }
}

extension CommandTemplate {
    func render(_ arguments: JSONValue) throws -> [String] {
        try render(RawJSON(arguments))
    }
}
