// Where the problems of a plan stand in its text, and where a text stops being JSON.
import JSON
import Plans
import Testing
import Wire

@testable import weft

@Suite("Places of problems")
struct PlanPlacesTests {
    /// The places of all problems of a plan, as `line:column code`.
    private func places(_ text: String) -> [String] {
        let tools = [
            ToolDescription(name: "noop", description: "Does nothing."),
            ToolDescription(
                name: "greet",
                description: "Greets.",
                parameters: RawJSON([
                    "type": "object",
                    "properties": ["names": ["type": "array", "items": ["type": "string"]]],
                    "required": ["names"],
                ])
            ),
        ]
        let check = PlanCheck(tools, owner: "the manifest")
        return PlanFile(name: "p", bytes: Array(text.utf8), tools: check).problems.map {
            ($0.position.map { "\($0.line):\($0.column) " } ?? "") + $0.problem.code.rawValue
        }
    }

    @Test("Each problem stands at the field it speaks of")
    func fields() {
        let text = """
            {"tasks": [
              {"id": "a", "tool_name": "nope"},
              {"id": "a", "tool_name": "noop"},
              {"id": "é", "tool_name": "noop"},
              {"tool_name": "noop"},
              {"id": "c", "tool_name": "noop", "timeout_ms": "soon"},
              {"id": "d", "tool_name": "greet", "args": {"names": ["x", 7]}},
              {"id": "e", "tool_name": "noop", "args": {"x": "$e"}},
              {"id": "f", "tool_name": "noop", "dependencies": ["c", "gone"]},
              {"id": "g", "tool_name": "noop", "args": {"x": "$price"}}
            ], "join_instruction": 7}
            """
        #expect(
            places(text) == [
                "2:28 unknown_tool", "3:10 duplicate_id", "4:10 bad_id", "5:3 bad_plan",
                "6:36 bad_plan", "7:61 bad_args", "8:44 self_reference",
                "9:58 unknown_dependency", "11:4 bad_plan",
            ]
        )
    }

    @Test("Warnings stand where they are, behind all errors")
    func warnings() {
        let text = """
            {"tasks": [{"id": "g", "tool_name": "noop", "args": {"x": "$price"}},
                       {"id": "h", "tool_name": "noop", "args": {"x": "$price"}}]}
            """
        #expect(places(text) == ["1:53 unknown_reference", "2:53 unknown_reference"])
        #expect(places(#"{"tasks":[]}"#) == ["empty_plan"])
    }

    @Test(
        "The first byte that cannot be is found",
        arguments: [
            (#"{"a":1,}"#, 7), (#"{"a":1"#, 6), (#"[1 2]"#, 3), (#"{"a" 1}"#, 5), (#"{a:1}"#, 1),
            (#"["abc]"#, 1), ("[\"a\nb\"]", 3), (#"["\q"]"#, 2), (#"["\u12"]"#, 2), ("[01]", 2),
            ("[1.]", 1), ("[tru]", 1), ("", 0), ("[] []", 3), ("// no\n{}", 0), ("{'a':1}", 1),
        ]
    )
    func faults(text: String, offset: Int) {
        #expect(JSONScan(Array(text.utf8)).fault() == offset)
    }

    @Test("What is JSON has no fault")
    func sound() {
        for text in [
            "{}", " [1, -2.5e+3, 0, \"\\u00e9\\\"\", true, false, null, {\"a\": [[]]}] \n", "\"é\"",
        ] {
            #expect(JSONScan(Array(text.utf8)).fault() == nil, "\(text)")
        }
        #expect(JSONScan([0x22, 0x61, 0xC3, 0x28, 0x22]).fault() == 2)
    }

    @Test("Columns count characters, lines from one")
    func positions() {
        let scan = JSONScan(Array("{\n  \"é日\": x}".utf8))
        let place = scan.position(of: scan.fault() ?? 0)
        #expect(place.line == 2)
        #expect(place.column == 9)
    }
}
