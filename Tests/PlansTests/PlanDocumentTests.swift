// A whole document: all its problems at once, and pictures of it.

import Core
import JSON
import Plans
import Testing

@Suite("Plan documents")
struct PlanDocumentTests {
    @Test("A valid document has no problems")
    func sound() throws {
        let text = #"""
            {"tasks":[
              {"id":1,"tool_name":"search","args":{"q":"tall $5 towers"}},
              {"id":"t2","tool_name":"sum","args":{"x":"$1"},"dependencies":[1]}
            ],"join_instruction":"Add."}
            """#
        let (document, problems) = PlanDocument.read(Array(text.utf8))
        #expect(problems == [])
        #expect(document.nodes.map(\.id.text) == ["1", "t2"])
        #expect(document.joinInstruction == "Add.")

        let plan = try Plan(reading: Array(text.utf8)[...])
        #expect(plan.isClosed)
        #expect(plan.count == 2)
        #expect(plan.joinInstruction == "Add.")
        #expect(plan.dependencies(of: 1) == [0])
        #expect(outline(plan.warnings()) == ["unknown_reference 1"])
    }

    @Test("Reports all problems at once, of every kind")
    func everyProblem() throws {
        let text = #"""
            {"tasks":[
              {"id":"a","tool_name":"x","dependencies":["b"]},
              {"id":"b","tool_name":"x","dependencies":["a","nowhere"]},
              {"id":"broken","args":[]},
              {"id":"c","tool_name":"x","dependencies":["broken","c"]},
              {"id":"a","tool_name":"x"},
              {"id":"not an id","tool_name":"x"},
              7,
              {"id":"d","tool_name":"x","args":{"v":"$d"},"max_attempts":1000}
            ],"join_instruction":[]}
            """#
        let (document, found) = PlanDocument.read(Array(text.utf8))
        #expect(
            outline(found) == [
                "bad_plan broken", "bad_plan broken", "bad_id not an id", "bad_plan", "limit d",
                "bad_plan", "self_reference c", "duplicate_id a", "self_reference d",
                "unknown_dependency b", "cycle a",
            ]
        )
        #expect(found[3].message == "the 7th node is a number, not an object")
        #expect(document.nodes.map(\.id.text) == ["a", "b", "c", "a"])
        #expect(try problems { _ = try Plan(reading: Array(text.utf8)[...]) } == found)
    }

    @Test(
        "A document without nodes says so once",
        arguments: [
            (#"{"tasks":[]}"#, ["empty_plan"]), ("{}", ["bad_plan"]), ("", ["bad_json"]),
            (#"{"tasks":null}"#, ["bad_plan"]), ("[]", ["bad_json"]),
            (#"{"tasks":[{}]}"#, ["bad_plan", "bad_plan"]),
        ]
    )
    func noNodes(_ text: String, _ expected: [String]) {
        #expect(outline(PlanDocument.read(Array(text.utf8)).problems) == expected)
    }

    @Test("Checks the nodes of an incomplete document, but not its structure")
    func brokenOff() {
        let text =
            #"{"tasks":[{"id":"a","tool_name":"x","dependencies":["b"]},{"id":"c"},{"id":"b""#
        let (document, found) = PlanDocument.read(Array(text.utf8))
        #expect(outline(found) == ["bad_plan c", "bad_json"])
        #expect(document.nodes.map(\.id.text) == ["a"])
    }

    @Test("Counts problems beyond the limit, of every kind")
    func manyProblems() {
        let bad = Array(repeating: #"{"id":"a"}"#, count: 80).joined(separator: ",")
        let found = PlanDocument.read(Array(#"{"tasks":[\#(bad)]}"#.utf8)).problems
        #expect(found.count == 101)
        #expect(found.last?.message == "and 59 more problems")
        let missing = (0..<150).map { #""x\#($0)""# }.joined(separator: ",")
        let plan = #"{"tasks":[{"id":"a","tool_name":"t","dependencies":[\#(missing)]}]}"#
        let unknown = PlanDocument.read(Array(plan.utf8)).problems
        #expect(unknown.count == 101)
        #expect(unknown.last?.message == "and 50 more problems")
    }

    @Test("Reads back the document that it wrote")
    func roundTrip() throws {
        let document = PlanDocument(
            nodes: [
                try node("a", args: #"{"q":"\"é\" $$"}"#), try node("b", after: ["a"], tool: "é\n"),
            ],
            joinInstruction: "Join \"them\"."
        )
        var writer = JSONWriter()
        document.encode(into: &writer)
        let (read, problems) = PlanDocument.read(writer.bytes)
        #expect(problems == [])
        #expect(read == document)
    }

    @Test("Drawings show every edge and work for any tool name")
    func drawings() throws {
        let document = PlanDocument(nodes: [
            try node("end", tool: #"a"b\c"#),
            try node("t-2", after: ["end"], args: #"{"v":"$end $nowhere"}"#, tool: "x<y>\n]"),
        ])
        #expect(
            PlanDrawing.dot(document) == #"""
                digraph plan {
                    rankdir=LR
                    node [shape=box]
                    "end" [label="end\na\"b\\c"]
                    "t-2" [label="t-2\nx<y> ]"]
                    "end" -> "t-2"
                }

                """#
        )
        #expect(
            PlanDrawing.mermaid(document) == """
                flowchart LR
                    n0["end<br/>a#34;b#92;c"]
                    n1["t-2<br/>x#60;y#62; #93;"]
                    n0 --> n1

                """
        )
    }
}
