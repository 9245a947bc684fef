// The positions of a plan's problems in its text.
import JSON
import Plans
import Testing
import Wire

@testable import weft

@Suite("Places of problems")
struct PlanPlacesTests {
    /// The positions of all problems of a plan, as `line:column code`.
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

    @Test("Each problem has the position of the field that it names")
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

    @Test("Warnings come after all errors, each with its position")
    func warnings() {
        let text = """
            {"tasks": [{"id": "g", "tool_name": "noop", "args": {"x": "$price"}},
                       {"id": "h", "tool_name": "noop", "args": {"x": "$price"}}]}
            """
        #expect(places(text) == ["1:53 unknown_reference", "2:53 unknown_reference"])
        #expect(places(#"{"tasks":[]}"#) == ["empty_plan"])
    }

    @Test("A fault in the text has the position of its first byte")
    func faults() {
        #expect(places("{\n  \"é日\": x}") == ["2:9 bad_json"])
        #expect(places("[]") == ["1:1 bad_json"])
        #expect(places("{\"tasks\": [\n  {\"id\": \"a}\n]}") == ["2:10 bad_json"])
    }

    @Test("The line of a problem contains file, line and column")
    func line() {
        let file = PlanFile(name: "p", bytes: Array("[]".utf8), tools: nil)
        #expect(
            file.problems.map { $0.line(in: "plan.json") } == [
                "error: plan.json:1:1: expected { to begin the plan, found ["
            ]
        )
    }
}
