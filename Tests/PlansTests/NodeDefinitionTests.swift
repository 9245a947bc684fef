// Decoding one node: accepted forms, and the messages for all others.

import Core
import JSON
import OrderedCollections
import Plans
import Testing

@Suite("Node definitions")
struct NodeDefinitionTests {
    private func decode(_ text: String, at position: Int = 2) throws -> NodeDefinition {
        try NodeDefinition(decoding: try RawJSON(validating: text), at: position)
    }

    @Test(
        "Reports an unknown field and suggests the right one",
        arguments: [
            ("depends_on", "dependencies"), ("dependsOn", "dependencies"), ("deps", "dependencies"),
            ("dependecies", "dependencies"), ("Dependencies", "dependencies"),
            ("timeout", "timeout_ms"), ("retries", "max_attempts"), ("max_retries", "max_attempts"),
            ("tool", "tool_name"), ("toolname", "tool_name"), ("arguments", "args"),
            ("arg", "args"),
            ("require", "requires"), ("ids", "id"),
        ]
    )
    func unknownFields(name: String, meant: String) throws {
        let error = #expect(throws: PlanProblems.self) {
            try decode(#"{"id":"t1","tool_name":"x","\#(name)":["a"]}"#)
        }
        #expect(
            error?.problems == [
                PlanProblem(
                    code: .badPlan,
                    node: "t1",
                    message: "node t1 (the 3rd) has the unknown field \"\(name)\"; did you mean "
                        + "\(meant)?"
                )
            ]
        )
    }

    @Test("Reports a field unlike any other with the known fields")
    func unlikeFields() throws {
        let error = #expect(throws: PlanProblems.self) {
            try decode(#"{"id":"t1","tool_name":"x","note":1,"\u0061rgs":{}}"#)
        }
        #expect(error?.problems.count == 1)
        #expect(
            error?.problems.first?.message.hasSuffix(
                "known are id, tool_name, args, dependencies, timeout_ms, max_attempts, requires"
            ) == true
        )
    }

    @Test("Reads all fields")
    func readsAllFields() throws {
        let decoded = try decode(
            #"""
            {"id":"t1","tool_name":"search","args":{"q":"x"},"dependencies":["a","b","a"],
             "timeout_ms":1500,"max_attempts":3,"requires":{"gpu":"yes","zone":"eu"}}
            """#
        )
        let expected = NodeDefinition(
            id: try id("t1"),
            tool: "search",
            arguments: try RawJSON(validating: #"{"q":"x"}"#),
            dependencies: [try id("a"), try id("b")],
            timeout: .milliseconds(1500),
            maxAttempts: 3,
            requires: ["gpu": "yes", "zone": "eu"]
        )
        #expect(decoded == expected)
        #expect(Array(decoded.requires.keys) == ["gpu", "zone"])
    }

    @Test("Missing fields and null have defaults")
    func defaults() throws {
        let bare = try decode(#"{"id":"t1","tool_name":"x"}"#)
        #expect(bare == NodeDefinition(id: try id("t1"), tool: "x"))
        let nulls = #"""
            {"id":"t1","tool_name":"x","args":null,"dependencies":null,"timeout_ms":null,
             "max_attempts":null,"requires":null}
            """#
        #expect(try decode(nulls) == bare)
    }

    @Test("Ids may be written as integers")
    func integerIDs() throws {
        let decoded = try decode(#"{"id":3,"tool_name":"x","dependencies":[1,"2",1]}"#)
        #expect(decoded.id.text == "3")
        #expect(decoded.dependencies.map(\.text) == ["1", "2"])
    }

    @Test("Reads back the node that it wrote")
    func roundTrip() throws {
        let full = NodeDefinition(
            id: try id("t1"),
            tool: "to\"ol",
            arguments: try RawJSON(validating: #"{"q":"$t0"}"#),
            dependencies: [try id("t0")],
            timeout: .seconds(2),
            maxAttempts: 1,
            requires: ["a b": "\"c\""]
        )
        for definition in [full, NodeDefinition(id: try id("a"), tool: "b")] {
            var writer = JSONWriter()
            definition.encode(into: &writer)
            let raw = try RawJSON(validating: writer.bytes[...])
            #expect(try NodeDefinition(decoding: raw, at: 0) == definition)
        }
    }

    private static let long = String(repeating: "x", count: 300)

    @Test(
        "Each fault has its code and a sentence",
        arguments: [
            ("3", "bad_plan: the 3rd node is a number, not an object"),
            (#"{"tool_name":"x"}"#, "bad_plan: the 3rd node has no id"),
            (
                #"{"id":null,"tool_name":"x"}"#,
                "bad_id: the 3rd node has null as its id; it must be a string"
            ),
            (
                #"{"id":1.5,"tool_name":"x"}"#,
                "bad_id: the 3rd node has a number as its id; it must be a string"
            ),
            (
                #"{"id":"a b","tool_name":"x"}"#,
                "bad_id: node a b (the 3rd) has an id that is not 1–64 of A–Z, a–z, 0–9, _ and -"
            ),
            (#"{"id":"t"}"#, "bad_plan: node t (the 3rd) has no tool_name"),
            (#"{"id":"t","tool_name":""}"#, "bad_plan: node t (the 3rd) has an empty tool_name"),
            (
                #"{"id":"t","tool_name":"\#(long)"}"#,
                "limit: node t (the 3rd) has a tool_name of 300 bytes; at most 128 are allowed"
            ),
            (
                #"{"id":"t","tool_name":{}}"#,
                "bad_plan: node t (the 3rd) has an object as its tool_name; it must be a string"
            ),
            (
                #"{"id":"t","tool_name":"x","args":[]}"#,
                "bad_plan: node t (the 3rd) has a list as its args; it must be an object"
            ),
            (
                #"{"id":"t","tool_name":"x","dependencies":"a"}"#,
                "bad_plan: node t (the 3rd) has a string as its dependencies; it must be a list of ids"
            ),
            (
                #"{"id":"t","tool_name":"x","dependencies":["a",true]}"#,
                "bad_plan: node t (the 3rd) has true or false as its 2nd dependency; it must be an id"
            ),
            (
                #"{"id":"t","tool_name":"x","dependencies":["$a"]}"#,
                #"bad_id: node t (the 3rd) depends on "$a", which cannot be an id"#
            ),
            (
                #"{"id":"t","tool_name":"x","timeout_ms":0}"#,
                "limit: node t (the 3rd) has timeout_ms 0; it must be from 1 to 86400000"
            ),
            (
                #"{"id":"t","tool_name":"x","timeout_ms":86400001}"#,
                "limit: node t (the 3rd) has timeout_ms 86400001; it must be from 1 to 86400000"
            ),
            (
                #"{"id":"t","tool_name":"x","timeout_ms":"5"}"#,
                "bad_plan: node t (the 3rd) has a timeout_ms that is not a whole number"
            ),
            (
                #"{"id":"t","tool_name":"x","max_attempts":101}"#,
                "limit: node t (the 3rd) has max_attempts 101; it must be from 1 to 100"
            ),
            (
                #"{"id":"t","tool_name":"x","requires":["gpu"]}"#,
                "bad_plan: node t (the 3rd) has a list as requires; it must be an object of strings"
            ),
            (
                #"{"id":"t","tool_name":"x","requires":{"gpu":1}}"#,
                #"bad_plan: node t (the 3rd) requires "gpu" to be a number; it must be a string"#
            ),
            (
                #"{"id":"t","tool_name":"x","requires":{"gpu":"\#(long)"}}"#,
                "limit: node t (the 3rd) requires a label of more than 256 bytes"
            ),
        ]
    )
    func faults(_ text: String, _ expected: String) throws {
        let found = try problems { _ = try decode(text) }
        #expect(found.map(\.description) == [expected])
    }

    @Test("Accepts the ends of the ranges")
    func rangeEnds() throws {
        for (timeout, attempts) in [(1, 1), (86_400_000, 100)] {
            let text =
                #"{"id":"t","tool_name":"x","timeout_ms":\#(timeout),"max_attempts":\#(attempts)}"#
            #expect(try decode(text).maxAttempts == attempts)
        }
    }

    @Test("Reports all faults of a node at once")
    func allAtOnce() throws {
        let found = try problems {
            _ = try decode(#"{"id":"t","args":1,"dependencies":[{}],"max_attempts":0}"#)
        }
        #expect(outline(found) == ["bad_plan t", "bad_plan t", "bad_plan t", "limit t"])
    }

    @Test("Refuses too many dependencies")
    func tooManyDependencies() throws {
        func text(_ count: Int) -> String {
            let list = (0..<count).map { "\($0)" }.joined(separator: ",")
            return #"{"id":"t","tool_name":"x","dependencies":[\#(list)]}"#
        }
        #expect(try decode(text(10_000)).dependencies.count == 10_000)
        #expect(try outline(problems { _ = try decode(text(10_001)) }) == ["limit t"])
    }

    @Test("Reads back the problems that it wrote")
    func problemRoundTrip() throws {
        let all = [
            PlanProblem(code: .cycle, node: "a", message: "a → b → a"),
            PlanProblem(code: .unknownReference, message: "\"x\"", isWarning: true),
            PlanProblem(code: .init(rawValue: "not_known_yet"), message: ""),
        ]
        for problem in all {
            var writer = JSONWriter()
            problem.encode(into: &writer)
            #expect(PlanProblem(decoding: try RawJSON(validating: writer.bytes[...])) == problem)
        }
        #expect(PlanProblem(decoding: .emptyObject) == nil)
        #expect(PlanProblem(decoding: .null) == nil)
    }
}
