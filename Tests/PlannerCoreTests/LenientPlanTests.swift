// What small models write: plans that can be used although they are not quite right, and plans that
// would never end.

import Core
import JSON
import PlannerCore
import Plans
import Schemas
import Testing

@Suite("Plans of small models")
struct LenientPlanTests {
    private static let typed = #"""
        {"type":"object","properties":{"n":{"type":"number"},"count":{"type":"integer"},
        "name":{"type":"string"},"tags":{"type":"array","items":{"type":"string"}},
        "dry_run":{"type":"boolean"},"where":{"type":"object"},"unit":{"enum":["km","Mile"]}},
        "additionalProperties":false}
        """#

    private func coerced(_ arguments: String) throws -> String {
        let schema = JSONValue(try RawJSON(validating: Self.typed))
        let value = JSONValue(try RawJSON(validating: arguments))
        return RawJSON(value.coerced(to: schema) { $0.hasPrefix("$") }).text
    }

    @Test(
        "Values get the kind that the schema asks for, where there is one reading",
        arguments: [
            (#"{"n":"0.1"}"#, #"{"n":0.1}"#), (#"{"n":" 12 "}"#, #"{"n":12}"#),
            (#"{"n":"twelve"}"#, #"{"n":"twelve"}"#), (#"{"count":"3"}"#, #"{"count":3}"#),
            (#"{"count":"3.5"}"#, #"{"count":"3.5"}"#), (#"{"name":7}"#, #"{"name":"7"}"#),
            (#"{"name":true}"#, #"{"name":"true"}"#),
            (#"{"name":{"a":1}}"#, #"{"name":"{\"a\":1}"}"#),
            (#"{"tags":"red"}"#, #"{"tags":["red"]}"#),
            (#"{"tags":["red",5]}"#, #"{"tags":["red","5"]}"#),
            (#"{"tags":"[\"a\",\"b\"]"}"#, #"{"tags":["a","b"]}"#),
            (#"{"tags":"$1"}"#, #"{"tags":"$1"}"#),
            (#"{"dry_run":"True"}"#, #"{"dry_run":true}"#),
            (#"{"dry_run":"maybe"}"#, #"{"dry_run":"maybe"}"#),
            (#"{"where":"{\"a\":1}"}"#, #"{"where":{"a":1}}"#),
            (#"{"unit":"mile"}"#, #"{"unit":"Mile"}"#),
            (#"{"name":null}"#, #"{"name":null}"#),
        ]
    )
    func kinds(written: String, meant: String) throws {
        let made = try coerced(written)
        #expect(made == meant)
        #expect(try coerced(meant) == meant)
    }

    private let typedTool = tool("set", LenientPlanTests.typed)

    private func read(_ text: String, _ tools: [PlannerTool], goal: String = "") -> Reading {
        var reader = ModelPlanReader(
            format: .text,
            tools: tools,
            ledger: PlanLedger(),
            goal: goal
        )
        var reading = Reading()
        reading.nodes = reader.feed(text)
        let end = reader.finish()
        reading.nodes += end.nodes
        reading.end = end
        return reading
    }

    @Test(
        "Names of arguments that are nearly right are repaired",
        arguments: [
            (#"set(coutn=3)"#, #"1 set {"count":3}"#),
            (#"set(dryRun=true)"#, #"1 set {"dry_run":true}"#),
            (#"set(Name="x")"#, #"1 set {"name":"x"}"#),
        ]
    )
    func names(call: String, line: String) {
        #expect(read("1. \(call)\n2. join()", [typedTool]).lines == [line])
        #expect(read("1. set(colour=3)", [typedTool]).codes == ["bad_args"])
    }

    @Test("A declared dependency on itself or on nothing is left out, with a warning")
    func dependencies() {
        for (needs, code) in [("t1", "self_reference"), ("t9", "unknown_dependency")] {
            let task =
                #"{"id":"t1","tool_name":"search","args":{"query":"a"},"dependencies":["\#(needs)"]}"#
            let reading = json(#"{"tasks":[\#(task)]}"#)
            #expect(reading.lines == [#"t1 search {"query":"a"}"#])
            #expect(reading.codes == [])
            #expect(reading.warnings == [code])
        }
    }

    @Test("References to nothing, and malformed ones, go back to the model")
    func references() {
        #expect(json(#"{"tasks":[\#(task("t1", "$t7"))]}"#).codes == ["unknown_dependency"])
        #expect(text("1. search(a)\n2. math(\"$1 + $2 + $3\")").codes == ["self_reference"])
        #expect(text("1. search(a)\n2. math(\"$1 + $3\")").codes == ["unknown_dependency"])
        for malformed in ["${1.items[-1]}", "${1.x[*].y}", "${ 1 }", "${len(1)}"] {
            let reading = text("1. search(a)\n2. math(\"\(malformed)\")\n3. math(\"$2\")")
            #expect(reading.lines == [#"1 search {"query":"a"}"#], "\(malformed)")
            #expect(reading.codes.first == "malformed_reference", "\(malformed)")
        }
        let code = text("1. search(\"`${items.map(x => x)}`\")")
        #expect(code.codes == [])
    }

    @Test("Two equal calls are one node, unless the tool may not be called less often")
    func twins() {
        var harmless = tools[0]
        harmless.mayBeRepeated = true
        let plan = "1. search(a)\n2. search(\"a\")\n3. math(\"$1 or $2\")\n4. search(b)\n5. join()"
        let merged = read(plan, [harmless, tools[1]])
        #expect(
            merged.lines == [
                #"1 search {"query":"a"}"#, #"3 math {"problem":"$1 or $1"}"#,
                #"4 search {"query":"b"}"#,
            ]
        )
        #expect(merged.warnings == ["duplicate_call"])
        #expect(read(plan, tools).lines.count == 4)
        // Also if the second one was referred to before it came.
        let early = read("1. math(\"$3\")\n2. search(a)\n3. search(a)", [harmless, tools[1]])
        #expect(early.lines == [#"2 search {"query":"a"}"#, #"1 math {"problem":"$2"}"#])
        #expect(early.codes == [])
    }

    @Test("A plan that repeats a call or counts up without end is used up to there")
    func endless() {
        var harmless = tools[0]
        harmless.mayBeRepeated = true
        let same = (1...500).map { "\($0). search(a)\n" }.joined()
        let repeated = read(same, [harmless])
        #expect(repeated.lines.count == 1)
        #expect(repeated.codes == [])
        #expect(repeated.warnings.contains("bad_plan"))
        let unknown = "1. search(a)\n" + (2...500).map { "\($0). lower(code)\n" }.joined()
        let refused = read(unknown, tools)
        #expect(refused.lines.count == 1)
        #expect(refused.codes == Array(repeating: "unknown_tool", count: 4))
        let wrong = (1...500).map { "\($0). add(one, two)\n" }.joined()
        #expect(read(wrong, tools).codes == Array(repeating: "bad_args", count: 4))
        let many = (1...500).map { "\($0). add(1, 2, 3)\n" }.joined()
        #expect(read(many, tools).codes == Array(repeating: "bad_args", count: 4))
        let tasks = (1...500).map { #"{"id":"t\#($0)","tool_name":"lower","args":{}}"# }
        #expect(json(#"{"tasks":[\#(tasks.joined(separator: ","))]}"#).codes.count == 4)
        let counting = (1...500).map { "\($0). search(\"day \($0)\")\n" }.joined()
        let counted = read(counting, tools)
        #expect(counted.codes == [])
        #expect((10...20).contains(counted.nodes.count))
        #expect(
            read(counting, tools, goal: "What happened on the first 100 days?").nodes.count > 95
        )
        let dates = (1...30).map { "2024-01-\($0)" }
        let named = dates.enumerated().map { "\($0 + 1). search(\"\($1)\")\n" }.joined()
        #expect(
            read(named, tools, goal: "What was on \(dates.joined(separator: ", "))?").nodes.count
                == 30
        )
    }

    @Test("A plan whose calls cannot be used, or refer on and on, is used up to there")
    func endlessReferences() {
        let first = (1...5).map { "\($0). search(\"word \($0)\")\n" }.joined()
        // Every call of a tool that is not there is another one.
        let unknown = first + (6...500).map { "\($0). lower(\"\($0)\")\n" }.joined()
        #expect(read(unknown, tools).lines.count == 5)
        #expect(read(unknown, tools).codes == Array(repeating: "unknown_tool", count: 8))
        // Two that take turns, with good ones between them.
        let turns = (1...500).map {
            $0 % 7 == 0 ? "\($0). search(x\($0))\n" : "\($0). lower(\($0 % 2))\n"
        }
        #expect(read(turns.joined(), tools).codes.count <= 6)
        // Each refers to the one before it.
        let chain = first + (6...500).map { "\($0). math(\"$\($0 - 1)\")\n" }.joined()
        #expect((15...25).contains(read(chain, tools).nodes.count))
        // Numbers that the goal names among the others change nothing.
        let named = first + (6...500).map { "\($0). math(\"of $\($0 - 3)\")\n" }.joined()
        #expect(read(named, tools, goal: "What is 17 times 20?").nodes.count < 35)
        // One for each of those before is no endless plan, however many they are.
        let words = (1...40).map { "\($0). search(\"\(String(repeating: "w", count: $0))\")\n" }
        let each = words + (1...40).map { "\($0 + 40). math(\"of $\($0)\")\n" }
        #expect(read(each.joined() + "81. join()", tools).nodes.count == 80)
    }

    @Test("A model that writes the other form is read, however the reply is split")
    func otherForm() {
        let object = "```json\n" + plan(task("t1", "a"), task("t2", "of $t1")) + "\n```"
        let lines = "1. search(a)\n2. search(\"of $1\")\n3. join()"
        for seed in seeds(50) {
            var generator = SplitMix64(seed: seed)
            let first = Array(object.utf8)
            let sizes = splits(of: first.count, using: &generator)
            #expect(PlannerCoreTests.read(first, .text, sizes: sizes).nodes.count == 2)
            let second = Array(lines.utf8)
            let others = splits(of: second.count, using: &generator)
            #expect(PlannerCoreTests.read(second, .json, sizes: others).nodes.count == 2)
        }
    }

    @Test("A later reply may begin with 1 again: its nodes get ids of their own")
    func numbersAgain() throws {
        let old = PlanLedger(nodes: [
            try definition("1", "search", #"{"query":"a"}"#),
            try definition("2", "search", #"{"query":"b"}"#),
        ])
        let again = text(
            "1. search(a)\n2. math(\"of $1\")\n3. math(\"of $2\")\n4. join()",
            ledger: old
        )
        #expect(again.codes == [])
        #expect(
            again.lines == [
                #"3 math {"problem":"of $1"}"#, #"4 math {"problem":"of $3"}"#,
            ]
        )
        // What refers to itself by a taken number refers to the earlier node.
        let own = text("1. math(\"of $1\")\n2. join()", ledger: old)
        #expect(own.lines == [#"3 math {"problem":"of $1"}"#])
        let object = json(
            #"{"tasks":[\#(task("t1", "c")),\#(task("t2", "$t1"))]}"#,
            ledger: PlanLedger(nodes: [try definition("t1", "search", #"{"query":"a"}"#)])
        )
        #expect(object.lines == [#"t2 search {"query":"c"}"#, #"t3 search {"query":"$t2"}"#])
    }

    // MARK: - The machine

    private func split(_ text: String, _ seed: UInt64, _ report: (ModelEvent) -> Void) {
        var generator = SplitMix64(seed: seed)
        var rest = Array(text.utf8)[...]
        for size in splits(of: rest.count, using: &generator) {
            report(.delta(String(decoding: rest.prefix(size), as: UTF8.self)))
            rest = rest.dropFirst(size)
        }
        report(.delta(String(decoding: rest, as: UTF8.self)))
    }

    @Test(
        "Everything up to the end of a thought is neither plan nor answer",
        arguments: [
            "<think>1. search(z)\nHm < no.</think>", "\n<think></think>\n", "I wonder.</think>",
        ]
    )
    func thoughts(thought: String) {
        for seed in seeds(50) {
            var harness = MachineHarness(format: .text)
            harness.start()
            split(thought + "1. search(a < b)\n2. join()", seed) { harness.report($0) }
            harness.report(.ended(.end))
            #expect(harness.added.map(\.arguments.text) == [#"{"query":"a < b"}"#])
            harness.settle()
            split(thought + "Answer: 1 < 2</thin", seed) { harness.report($0) }
            harness.report(.ended(.end))
            #expect(harness.actions.last == .answer(RawJSON("1 < 2</thin")))
        }
    }

    @Test("White space and repetitions without end are stopped; what came before counts")
    func endlessText() {
        for tail in [
            String(repeating: " ", count: 4000), String(repeating: "and so on, ", count: 900),
        ] {
            var harness = MachineHarness(format: .text)
            harness.start()
            harness.report(.delta("1. search(a)\n"))
            harness.expectAdded("1")
            for character in tail.prefix(400) { harness.report(.delta(String(character))) }
            harness.expect(.cancelModel)
            harness.expectNothingElse()
            harness.report(.failed(ModelFailure(code: .cancelled, message: "cancelled")))
            harness.expectProblems("bad_plan")
            harness.expect(.closePlan(joinInstruction: nil))
            harness.expectNothingElse()
        }
    }

    @Test("A reply has a bound of tokens that follows from the budget of nodes")
    func bound() {
        var harness = MachineHarness(format: .text) { $0.maxNodes = 4 }
        harness.handle(.started)
        let request = harness.expectCall(.planner)
        #expect(request?.maxTokens == PlannerLimits.planTokens + 4 * PlannerLimits.callTokens)
    }
}
