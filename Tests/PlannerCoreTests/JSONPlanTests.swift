// Plans in JSON as models write them: between prose, in fences, cut, with one bad task among good
// ones.

import Core
import JSON
import PlannerCore
import Plans
import Testing

@Suite("Plans in JSON")
struct JSONPlanTests {
    private let first = #"{"id":"t1","tool_name":"search","args":{"query":"a"}}"#
    private let second =
        #"{"id":"t2","tool_name":"math","args":{"problem":"$t1"},"dependencies":["t1"]}"#

    @Test("A plan gives its nodes and its join instruction")
    func plan() {
        let reading = json(#"{"tasks":[\#(first),\#(second)],"join_instruction":"add them"}"#)
        #expect(
            reading.lines == [
                #"t1 search {"query":"a"}"#, #"t2 math {"problem":"$t1"} <- t1"#,
            ]
        )
        #expect(reading.codes == [])
        #expect(reading.end?.joinInstruction == "add them")
        #expect(reading.end?.hasEnd == true)
    }

    @Test("Delivers a node with the byte of its closing brace")
    func emittedAtClosingBrace() {
        var reader = ModelPlanReader(format: .json, tools: tools)
        #expect(reader.feed(#"{"tasks":["# + first.dropLast()).isEmpty)
        #expect(reader.feed("}").map(\.definition.id.text) == ["t1"])
    }

    @Test(
        "Ignores the text around the plan",
        arguments: [
            "Sure {really}! Here:\n```json\n{\"tasks\":[TASK]}\n```\nIt has {braces}.",
            #"{"thought":{"tasks":[1]},"n":12,"tasks":[TASK],"more":[{"id":"t9"}]}"#,
            #"{"plan":{"goal":"x","tasks":[TASK]}}"#,
            #"An object {"a": 1} first, then {"tasks":[TASK,]}"#,
            "[TASK]",
            #"[1] and [TASK] and [2]"#,
            "{\"tasks\" : [ \n TASK \n ] , }",
            #"{"id":1} {"x" {"tasks":[TASK]}"#,
        ]
    )
    func tolerance(form: String) {
        let reading = json(form.replacing("TASK", with: first))
        #expect(reading.lines == [#"t1 search {"query":"a"}"#])
        #expect(reading.codes == [])
    }

    @Test("A cut reply is a problem; complete tasks are used")
    func cut() {
        for end in ["", "  ", #",{"id":"t2","tool_name":"sea"#, #"],"join_instruction":"a"#] {
            let reading = json(#"{"tasks":["# + first + end)
            #expect(reading.lines == [#"t1 search {"query":"a"}"#])
            #expect(reading.codes == ["bad_plan"], "\(end)")
        }
    }

    @Test("A task that is not JSON, or not a task, is dropped alone")
    func brokenTask() {
        let tasks = [
            "{'id': 't0'}", "7", #""text""#, "{}", #"{"id":"t 3","tool_name":"search"}"#, first,
        ]
        let reading = json(#"{"tasks":[\#(tasks.joined(separator: ","))]}"#)
        #expect(reading.lines == [#"t1 search {"query":"a"}"#])
        #expect(reading.codes.count >= 5)
        #expect(reading.codes.first == "bad_json")
    }

    @Test("Accepts a missing comma between tasks")
    func missingComma() {
        let reading = json(#"{"tasks":[\#(first) \#(second)]}"#)
        #expect(reading.nodes.count == 2)
        #expect(reading.codes == [])
    }

    @Test("Text that is not JSON after the tasks is a problem")
    func garbageBehindTasks() {
        let reading = json(#"{"tasks":[\#(first)] oops}"#)
        #expect(reading.nodes.count == 1)
        #expect(reading.codes == ["bad_plan"])
    }

    @Test(
        "A reply without a plan is a problem",
        arguments: [
            ("", "bad_plan"), ("{}", "bad_plan"),
            (#"{"tasks":{}}"#, "bad_plan"), ("I cannot.", "bad_plan"), ("{{{{[[[", "bad_plan"),
        ]
    )
    func noPlan(reply: String, code: String) {
        #expect(json(reply).codes == [code])
    }

    @Test("A plan without calls is complete: the goal needs none")
    func noCalls() {
        let reading = json(#"{"tasks":[]}"#)
        #expect(reading.codes == [])
        #expect(reading.warnings == ["empty_plan"])
    }

    @Test("Reports references to unknown nodes, cycles and nodes that refer to themselves")
    func structure() {
        let unknown = json(#"{"tasks":[{"id":"t1","tool_name":"search","args":{"query":"$t9"}}]}"#)
        #expect(unknown.lines == [])
        #expect(unknown.codes == ["unknown_dependency"])
        let circle = json(
            """
            {"tasks":[{"id":"a","tool_name":"math","args":{"problem":"$b"}},
            {"id":"b","tool_name":"math","args":{"problem":"$a"}}]}
            """
        )
        #expect(circle.codes == ["cycle"])
        let own = json(#"{"tasks":[{"id":"a","tool_name":"math","args":{"problem":"$a"}}]}"#)
        #expect(own.codes == ["self_reference"])
    }

    @Test("Null means a missing argument where null is not allowed")
    func nulls() {
        let reading = json(
            """
            {"tasks":[{"id":"t1","tool_name":"store","args":{"data":{"x":null},"tag":null}},
            {"id":"t2","tool_name":"math","args":{"problem":"p","context":null}},
            {"id":"t3","tool_name":"add","args":{"a":1,"b":null}}]}
            """
        )
        #expect(
            reading.lines == [
                #"t1 store {"data":{"x":null}}"#, #"t2 math {"problem":"p","context":null}"#,
            ]
        )
        #expect(reading.codes == ["bad_args"])
    }

    @Test("A reference may replace a value of any type, other text may not")
    func referencesAndSchemas() {
        let reading = json(
            """
            {"tasks":[{"id":"a","tool_name":"search","args":{"query":"x"}},
            {"id":"b","tool_name":"add","args":{"a":"$a","b":"${a.n}"}},
            {"id":"c","tool_name":"add","args":{"a":"$a","b":"many"}},
            {"id":"d","tool_name":"add","args":{"a":"$a"}}]}
            """
        )
        #expect(reading.nodes.map(\.definition.id.text) == ["a", "b"])
        #expect(reading.codes == ["bad_args", "bad_args"])
        #expect(reading.messages.last == "node d: arguments of add: /b: is required")
    }

    @Test("Nodes come after all they need, also in a plan written backwards")
    func order() {
        let tasks = (0..<50).reversed().map { number in
            // Calls that differ in numbers only would count as a plan without an end.
            let words = String(repeating: "w", count: number)
            let query = number == 0 ? "x" : "\(words) $n\(number - 1)"
            return #"{"id":"n\#(number)","tool_name":"search","args":{"query":"\#(query)"}}"#
        }
        let reading = json(#"{"tasks":[\#(tasks.joined(separator: ","))]}"#)
        #expect(reading.nodes.map(\.definition.id.text) == (0..<50).map { "n\($0)" })
    }
}
