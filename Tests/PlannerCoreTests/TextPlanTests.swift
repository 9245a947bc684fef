// Plans in LLMCompiler's numbered text: well-formed lines and all others.

import Core
import JSON
import PlannerCore
import Plans
import Testing

@Suite("Plans in numbered text")
struct TextPlanTests {
    @Test("A plan gives its nodes, bound to the parameters in order")
    func plan() {
        let reading = text(
            """
            Thought: look both up, then compare.
            1. search("height of A")
            2. search('height of B')
            3. math("max of ${1} and $2", ["$1", "$2"])
            4. join()<END_OF_PLAN>
            """
        )
        #expect(
            reading.lines == [
                #"1 search {"query":"height of A"}"#, #"2 search {"query":"height of B"}"#,
                #"3 math {"problem":"max of ${1} and $2","context":["$1","$2"]}"#,
            ]
        )
        #expect(reading.codes == [])
        #expect(reading.end?.hasEnd == true)
        #expect(reading.nodes.first?.source == #"1. search("height of A")"#)
    }

    @Test("Delivers a node with the byte of its closing parenthesis")
    func emittedAtClosingParenthesis() {
        var reader = ModelPlanReader(format: .text, tools: tools)
        #expect(reader.feed(#"1. search("a (b)""#).isEmpty)
        #expect(reader.feed(")").map(\.definition.id.text) == ["1"])
    }

    @Test(
        "Literals of Python and JSON keep their types",
        arguments: [
            (#"data={"a": True, 'b': None}"#, #"{"data":{"a":true,"b":null}}"#),
            ("data=[1, -2.5, 1e3, +4, .5, 6., 1_000]", #"{"data":[1,-2.5,1000.0,4,0.5,6.0,1000]}"#),
            ("(1, 2), tag='x'", #"{"data":[1,2],"tag":"x"}"#),
            ("[]", #"{"data":[]}"#),
            (#"{"k": ["$1", {"deep": "${1}"}]}"#, #"{"data":{"k":["$1",{"deep":"${1}"}]}}"#),
            (
                #"[007, 99999999999999999999, 1e999]"#,
                #"{"data":["007",99999999999999999999,1e999]}"#
            ),
            (#"{key: 'v', 'other': bare word}"#, #"{"data":{"key":"v","other":"bare word"}}"#),
            (#"["\n\t\x41\u00e9\ud83d\ude00\q\'"]"#, #"{"data":["\n\tAé😀\\q'"]}"#),
            (#"["one " "two" 'three']"#, #"{"data":["one twothree"]}"#),
            (#"["""a "quoted" line"""]"#, #"{"data":["a \"quoted\" line"]}"#),
        ]
    )
    func literals(written: String, expected: String) throws {
        let reading = text("1. search(x)\n2. store(\(written))\n3. join()")
        #expect(reading.codes == [])
        let node = try #require(reading.nodes.last?.definition)
        #expect(node.arguments.text == expected)
    }

    @Test("References without quotes are dependencies; with a path they get braces")
    func bareReferences() {
        let reading = text("1. search(a)\n2. add($1, b=$1.items[0]['n'])\n3. store([$1, ${2}])")
        #expect(
            reading.lines == [
                #"1 search {"query":"a"}"#, #"2 add {"a":"$1","b":"${1.items[0]['n']}"} <- 1"#,
                #"3 store {"data":["$1","${2}"]} <- 1,2"#,
            ]
        )
    }

    @Test("An argument may have several lines")
    func severalLines() {
        let reading = text("1. search(\n  query=\"one\ntwo\"\n)\n2. search(x)")
        #expect(reading.lines == [#"1 search {"query":"one\ntwo"}"#, #"2 search {"query":"x"}"#])
        #expect(reading.codes == [])
    }

    @Test("A string may contain text like a call on a line of its own")
    func callInString() {
        let reading = text("1. search(\"do:\n2. search(x)\n\")\n3. join()")
        #expect(reading.lines == [#"1 search {"query":"do:\n2. search(x)\n"}"#])
        #expect(reading.codes == [])
    }

    @Test("A call without its parenthesis ends where the next one begins, or the plan")
    func missingParenthesis() {
        let reading = text("1. search(\"a\"\n2. search(b\n3. add(1, 2\n4. join(<END_OF_PLAN>")
        #expect(
            reading.lines == [
                #"1 search {"query":"a"}"#, #"2 search {"query":"b"}"#, #"3 add {"a":1,"b":2}"#,
            ]
        )
        #expect(reading.codes == [])
        #expect(reading.end?.hasEnd == true)
    }

    @Test("Drops the last call of a reply that was cut")
    func cut() {
        let reading = text("1. search(a)\n2. add(1, 12", isCut: true)
        #expect(reading.lines == [#"1 search {"query":"a"}"#])
        #expect(reading.codes == ["bad_plan", "bad_plan"])
        #expect(text("1. search(a)\n2. join()\n3", isCut: true).codes == [])
        #expect(text("1. search(a)\n", isCut: true).codes == ["bad_plan"])
    }

    @Test("An unclosed quote drops its call and none before it")
    func openQuote() {
        let reading = text("1. search(\"a\")\n2. search(\"b)\n3. join()")
        #expect(reading.lines == [#"1 search {"query":"a"}"#])
        #expect(reading.codes == ["bad_plan"])
        #expect(reading.messages == [#"call 2 of "search" ends with a string that is not closed"#])
    }

    @Test(
        "Never guesses where a value ends",
        arguments: [
            "1. search(\"x)\n2. search(\"y\")\n3. join()",
            "1. search(\"a\" 2. search(\"b\")",
            #"1. search("He said "hi" to me")"#,
            "2. search(foo\n1. search(bar)\n)",
        ]
    )
    func misfitQuotes(plan: String) {
        let reading = text(plan)
        #expect(reading.lines == [])
        #expect(reading.codes.first == "bad_args")
    }

    @Test("Ids may be skipped and come in any order")
    func skippedIDs() {
        let reading = text("7. search(a)\n3. search(b)\n10. join()")
        #expect(reading.nodes.map(\.definition.id.text) == ["7", "3"])
        #expect(reading.codes == [])
    }

    @Test("An id given twice keeps its first node, and later references to it are refused")
    func repeatedIDs() {
        let reading = text("1. search(a)\n1. search(b)\n2. math(\"$1\")\n3. search(c)\n4. join()")
        #expect(reading.lines == [#"1 search {"query":"a"}"#, #"3 search {"query":"c"}"#])
        #expect(reading.codes == ["duplicate_id", "duplicate_id"])
    }

    @Test("Counts a call that is repeated word for word once")
    func repeatedCall() {
        let reading = text("1. search(a)\n1. search('a')\n2. math(\"$1\")\n3. join()")
        #expect(reading.nodes.map(\.definition.id.text) == ["1", "2"])
        #expect(reading.codes == [])
    }

    @Test("A reference to a later node waits for it")
    func laterReference() {
        var reader = ModelPlanReader(format: .text, tools: tools)
        #expect(reader.feed("1. math($2)\n").isEmpty)
        #expect(reader.feed("2. search(x)").map(\.definition.id.text) == ["2", "1"])
        #expect(reader.finish().isSound)
    }

    @Test("An unquoted reference to no node is a problem, quoted text stays text")
    func unknownReferences() {
        let reading = text(
            "1. search(a)\n2. search(\"$1 costs $15 and ${9.x}\")\n3. math($8)\n4. join()"
        )
        #expect(
            reading.lines == [
                #"1 search {"query":"a"}"#, #"2 search {"query":"$1 costs $$15 and $${9.x}"}"#,
            ]
        )
        #expect(reading.codes == ["unknown_dependency"])
        #expect(reading.warnings == ["unknown_reference", "unknown_reference"])
    }

    @Test("An unknown tool drops its node and those that need it")
    func unknownTool() {
        let reading = text("1. fetch(a)\n2. math(\"of $1\")\n3. search(b)\n4. join()")
        #expect(reading.lines == [#"3 search {"query":"b"}"#])
        #expect(reading.codes == ["unknown_tool", "unknown_dependency"])
        #expect(reading.messages.first?.contains("search, math, add, store") == true)
    }

    @Test(
        "Arguments that break the schema drop the node",
        arguments: [
            ("add(1)", "bad_args"), ("add(1, 2, 3)", "bad_args"), ("add(1, 'x')", "bad_args"),
            ("add(1, a=2)", "bad_args"), ("add(one=1, two=2)", "bad_args"),
            ("search(\"a\", \"b\")", "bad_args"), ("search()", "bad_args"),
            ("math(search(\"x\"))", "bad_args"), ("add($1, 2)", "self_reference"),
            ("math(\"of $1\")", "self_reference"),
        ]
    )
    func badArguments(call: String, code: String) {
        let reading = text("1. \(call)\n2. join()")
        #expect(reading.lines == [])
        #expect(reading.codes == [code])
    }

    @Test("Words without quotes are text, with commas too if the tool takes one text")
    func bareWords() {
        let reading = text("1. search(Paris, France (the city))\n2. search(1984)\n3. search(it's)")
        #expect(
            reading.lines == [
                #"1 search {"query":"Paris, France (the city)"}"#, #"2 search {"query":"1984"}"#,
                #"3 search {"query":"it's"}"#,
            ]
        )
        #expect(reading.codes == [])
    }

    @Test("Ignores faults of a failed attempt to read a list once it is text")
    func failedTry() {
        let reading = text("1. search((\"x\" y) and [$2 z)")
        #expect(reading.lines == [#"1 search {"query":"(\"x\" y) and [$$2 z"}"#])
        #expect(reading.codes == [])
    }

    @Test("A single object instead of arguments contains the arguments")
    func wholeObject() {
        let reading = text(#"1. add({"a": 1, "b": 2})"# + "\n" + #"2. store({"data": 1})"#)
        #expect(reading.lines == [#"1 add {"a":1,"b":2}"#, #"2 store {"data":{"data":1}}"#])
    }

    @Test("Nodes in a cycle are dropped, with those that depend on them")
    func cycle() {
        let reading = text("1. math($2)\n2. math($3)\n3. math($1)\n4. math($3)\n5. search(x)")
        #expect(reading.lines == [#"5 search {"query":"x"}"#])
        #expect(reading.codes == ["cycle", "cycle"])
        #expect(reading.messages.first == "nodes depend on each other in a circle: 1 → 2 → 3 → 1")
    }

    @Test("A plan without nodes is a problem", arguments: ["", "I cannot do this."])
    func empty(reply: String) {
        #expect(text(reply).codes == ["empty_plan"])
    }

    @Test("A plan without join is complete when the model ends")
    func noJoin() {
        let reading = text("1. search(a)")
        #expect(reading.lines == [#"1 search {"query":"a"}"#])
        #expect(reading.codes == [])
        #expect(reading.end?.hasEnd == false)
    }

    @Test("Ignores prose, fences, comments and marks of lists")
    func decoration() {
        let reading = text(
            """
            Here is the plan (as asked):
            ```text
            1. First (see below), I search.
            - **1.** `search`("a")  # finds a (or b)
            * 2) search("b"); 3. search("c")
            ```
            > 4. join("compare them")
            5. search("not part of it")
            """
        )
        #expect(reading.nodes.map(\.definition.id.text) == ["1", "2", "3"])
        #expect(reading.codes == [])
        #expect(reading.end?.joinInstruction == "compare them")
        #expect(reading.trailingBytes > 0)
    }

    @Test("Reports a call without a number")
    func unnumbered() {
        #expect(text("search(\"a\")\n1. search(b)\n2. join()").codes == ["bad_plan"])
    }

    @Test("A later plan continues the ids and refers to earlier nodes")
    func ledger() throws {
        let ledger = PlanLedger(nodes: [try definition("1", "search", #"{"query":"a"}"#)])
        #expect(ledger.nextNumber == 2)
        let reading = text(
            "1. search(a)\n2. math($1)\n3. join()",
            ledger: ledger
        )
        #expect(reading.lines == [#"2 math {"problem":"$1"} <- 1"#])
        #expect(reading.codes == [])
    }

    @Test("A later plan that begins at 1 again does not mean the earlier nodes")
    func restartedIDs() throws {
        let ledger = PlanLedger(nodes: [try definition("1", "search", #"{"query":"a"}"#)])
        let reading = text("1. search(new)\n2. math($1)\n3. join()", ledger: ledger)
        #expect(
            reading.lines == [#"2 search {"query":"new"}"#, #"3 math {"problem":"$2"} <- 2"#]
        )
        #expect(reading.codes == [])
        // Nor if the new call cannot be used anyway.
        let other = text("1. fetch(new)\n2. math($1)\n3. join()", ledger: ledger)
        #expect(other.lines == [])
        #expect(other.codes == ["unknown_tool", "duplicate_id"])
    }

    @Test("A plan that only repeats existing nodes is a problem")
    func onlyRepeats() throws {
        let ledger = PlanLedger(nodes: [try definition("1", "search", #"{"query":"a"}"#)])
        #expect(text("1. search(a)\n2. join()", ledger: ledger).codes == ["empty_plan"])
    }

    @Test("Stops reading when there is no more room")
    func room() {
        let bytes = Array("1. search(a)\n2. search(b)\n3. search(c)\n4. join()".utf8)
        let reading = read(bytes, .text, room: 2)
        #expect(reading.nodes.map(\.definition.id.text) == ["1", "2"])
        #expect(reading.codes == ["limit"])
    }

    @Test("Stops reading a reply without end")
    func endless() {
        var reader = ModelPlanReader(format: .text, tools: tools)
        let piece = [UInt8](repeating: UInt8(ascii: "("), count: 1 << 20)[...]
        _ = reader.feed("1. search(")
        for _ in 0..<5 { _ = reader.feed(piece) }
        #expect(reader.hasReachedLimit)
        #expect(!reader.finish().isSound)
    }
}
