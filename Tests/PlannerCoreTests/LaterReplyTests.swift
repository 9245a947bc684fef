// Replies after the first one, and replies whose beginning or end misleads: what was planned before is
// neither repeated nor mixed up with what is new.

import Core
import JSON
import OrderedCollections
import Plans
import Testing

@testable import PlannerCore

@Suite("Later and misleading replies")
struct LaterReplyTests {
    private var harmless: [PlannerTool] {
        tools.map {
            var tool = $0
            tool.mayBeRepeated = true
            return tool
        }
    }

    private func reader(_ ledger: PlanLedger, _ tools: [PlannerTool]) -> ModelPlanReader {
        ModelPlanReader(
            format: .text,
            tools: tools,
            ledger: ledger,
            nodes: Array(ledger.nodes.values)
        )
    }

    private func read(_ text: String, _ reader: inout ModelPlanReader) -> Reading {
        var reading = Reading()
        reading.nodes = reader.feed(text)
        let end = reader.finish()
        reading.nodes += end.nodes
        reading.end = end
        return reading
    }

    @Test("A repair may write the whole plan again")
    func wholePlan() {
        var first = reader(PlanLedger(), harmless)
        _ = read("1. search(a)\n2. search(b)\n3. search(c)\n4. fetch(d)", &first)
        var second = reader(first.ledger, harmless)
        let plan =
            "1. search(a)\n2. search(b)\n3. search(c)\n4. search(d)\n5. math(\"$1-$4\")\n6. join()"
        let reading = read(plan, &second)
        #expect(reading.lines == [#"4 search {"query":"d"}"#, #"5 math {"problem":"$1-$4"}"#])
        #expect(reading.codes == [])
        // A plan that needs the same calls again is no plan without end.
        var third = reader(PlanLedger(), harmless)
        let again = ["a", "b", "c", "a", "b", "c", "d"].enumerated()
            .map { "\($0 + 1). search(\($1))\n" }.joined()
        #expect(read(again, &third).nodes.count == 4)
    }

    @Test("What an id stood for in an earlier reply does not matter once it is given again")
    func staleAlias() {
        var first = reader(PlanLedger(), harmless)
        #expect(read("1. search(sofa)\n2. search(sofa)", &first).nodes.count == 1)
        var second = reader(first.ledger, harmless)
        let reading = read("1. search(clock)\n2. search(lamp)\n3. math(\"$1 - $2\")", &second)
        let ids = reading.nodes.map(\.definition.id.text)
        #expect(reading.codes == [] && ids.count == 3)
        #expect(
            reading.nodes.last?.definition.arguments.text
                == #"{"problem":"$\#(ids[0]) - $\#(ids[1])"}"#
        )
        // A call that cannot be made is not replaced by what its id stood for.
        var third = reader(first.ledger, harmless)
        #expect(read("2. fetch(x)\n3. math(\"of $2\")", &third).nodes.isEmpty)
        // Two calls under one id are ambiguous, also if one of them was made before.
        var fourth = reader(PlanLedger(), harmless)
        let twice = read("1. search(x)\n2. search(y)\n2. search(x)\n3. math(\"of $2\")", &fourth)
        #expect(twice.codes == ["duplicate_id", "duplicate_id"])
    }

    @Test("A call that must not be repeated keeps its id when it is written again")
    func notTwice() {
        var first = reader(PlanLedger(), tools)
        #expect(read("1. search(\"costs $15\")\n2. fetch(x)", &first).nodes.count == 1)
        var second = reader(first.ledger, tools)
        let reading = read("1. search(\"costs $15\")\n2. math(\"of $1\")", &second)
        #expect(reading.lines == [#"2 math {"problem":"of $1"}"#])
    }

    @Test("New numbers avoid those that the reply uses")
    func freeNumbers() throws {
        let ledger = PlanLedger(nodes: [
            try definition("1", "search", #"{"query":"a"}"#),
            try definition("2", "search", #"{"query":"b"}"#),
        ])
        var reader = reader(ledger, tools)
        let reading = read("3. search(c)\n1. search(d)\n4. math(\"$3 and $1\")", &reader)
        #expect(reading.codes == [])
        #expect(reading.nodes.count == 3)
        let first = reading.nodes[1].definition.id
        #expect(reading.nodes[2].definition.arguments.text == #"{"problem":"$3 and $\#(first)"}"#)
    }

    @Test("Names that may mean something else stay")
    func otherNames() {
        let mail = tool(
            "mail",
            #"{"type":"object","properties":{"to":{"type":"string"},"cc":{"type":"string"},"max_price":{"type":"number"}},"required":["to"]}"#
        )
        var reader = reader(PlanLedger(), [mail])
        let reading = read("1. mail(to=\"a\", bcc=\"b\", min_price=7)", &reader)
        #expect(reading.lines == [#"1 mail {"to":"a","bcc":"b","min_price":7}"#])
    }

    @Test("Warnings do not take the room of problems")
    func warnings() {
        let script = (0..<150).map { "${a\($0)[@]}" }.joined(separator: " ")
        let reading = text("1. search(\"\(script)\")\n2. fetch(x)\n3. math(\"of $2\")\n4. join()")
        #expect(reading.codes == ["unknown_tool", "unknown_dependency"])
    }

    @Test("One tool with a long description does not hide the others")
    func longDescription() {
        var long = tools[0]
        long.description = String(repeating: "goal ", count: 4_000)
        let prompt = PlannerPrompt(
            goal: "the goal",
            tools: [long] + tools.dropFirst(),
            format: .text
        )
        #expect(prompt.shownTools.count == tools.count)
        #expect(prompt.plan()[0].text.utf8.count < 8 << 10)
    }

    @Test("The form of a reply is found the same in any split")
    func formInAnySplit() {
        let thought = String(repeating: "hm ", count: 90)
        let fenced = "```json\n{\"thought\":\"\(thought)\",\"tasks\":[\(task("t1", "a"))]}\n```"
        for size in [1, 7, 100, 1_000] {
            let bytes = Array(fenced.utf8)
            let sizes = Array(repeating: size, count: bytes.count / size)
            #expect(PlannerCoreTests.read(bytes, .text, sizes: sizes).nodes.count == 1, "\(size)")
        }
        let prose = "2 calls: " + plan(task("t1", "a"))
        #expect(json(prose).nodes.count == 1)
    }

    @Test("A server that stops before join() leaves a number, also after prose")
    func numberAlone() {
        let reading = text("No tool tells jokes.\n1")
        #expect(reading.codes == [])
        #expect(reading.warnings == ["empty_plan"])
        #expect(text("No tool tells jokes.").codes == ["empty_plan"])
    }

    @Test(
        "A label before a number is no part of the call",
        arguments: ["Call: ", "Action: ", "- call: "]
    )
    func labels(label: String) {
        let reading = text("Thought: so.\n\(label)1. search(a)\n")
        #expect(reading.lines == [#"1 search {"query":"a"}"#])
        #expect(text("Note: 1. see (below)").lines == [])
    }

    @Test("Without a model that joins, a plan without calls is no answer")
    func nothingToJoin() {
        var harness = MachineHarness(format: .text) {
            $0.join = .concat
            $0.options.repairs = 0
        }
        harness.start()
        harness.reply("1. join()")
        harness.expectProblems("empty_plan")
        harness.expectFailure("bad_plan")
    }

    @Test("A word that begins like replan is an answer; its lines stay apart")
    func replanting() {
        var reply = JoinerReply()
        _ = reply.feed("Replanting costs 900.\n\nThat is all.")
        let answer = reply.finish().decision
        #expect(
            answer == .success(.finish(answer: RawJSON("Replanting costs 900.\n\nThat is all.")))
        )
    }

    @Test("Blanks without end stop a plan at the same byte in any split")
    func blanksInAnySplit() {
        let reply =
            "1. search(a)" + String(repeating: " ", count: 400) + "\n2. search(b)\n3. join()"
        for size in [1, 50, 1_000] {
            var harness = MachineHarness(format: .text)
            harness.start()
            var rest = Array(reply.utf8)[...]
            while !rest.isEmpty {
                harness.report(.delta(String(decoding: rest.prefix(size), as: UTF8.self)))
                rest = rest.dropFirst(size)
            }
            #expect(harness.added.count == 1, "\(size)")
            harness.report(.failed(ModelFailure(code: .cancelled, message: "cancelled")))
            #expect(harness.actions.contains(.closePlan(joinInstruction: nil)))
        }
    }

    @Test("An answer that only repeats itself is asked for again")
    func endlessAnswer() {
        var harness = MachineHarness(format: .text) { $0.options.repairs = 1 }
        harness.start()
        harness.reply("1. join()")
        harness.expectProblems("empty_plan")
        harness.expect(.closePlan(joinInstruction: nil))
        harness.settle()
        harness.expectCall(.joiner)
        harness.report(.delta("It is so " + String(repeating: "very ", count: 900)))
        harness.expect(.cancelModel)
        harness.report(.failed(ModelFailure(code: .cancelled, message: "cancelled")))
        harness.expectCall(.joiner)
        harness.reply("It is so.")
        harness.expect(.answerDelta("It is so."))
        harness.expect(.answer(RawJSON("It is so.")))
    }

    @Test("A thought that planned something is taken back if nothing of it has started")
    func plannedThought() {
        var harness = MachineHarness(format: .text) { $0.options.strategy = .planned }
        harness.start()
        harness.reply("Maybe:\n1. search(z)\n</think>1. search(a)\n2. join()")
        harness.expectAdded("1")
        #expect(harness.added.map(\.arguments.text) == [#"{"query":"a"}"#])
    }
}
