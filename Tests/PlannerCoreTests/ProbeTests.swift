// Inputs that make other implementations hang, crash or guess, for reading plans and decisions;
// each has a defined result here.

import Core
import JSON
import PlannerCore
import Plans
import Testing

@Suite("Probes")
struct ProbeTests {
    @Test("Probe: the planner's call fails while tools run")
    func plannerFails() {
        var harness = MachineHarness(format: .text)
        harness.start()
        harness.report(.delta("1. search(a)\n"))
        harness.expect(.addNodes([harness.node("1", "search", #"{"query":"a"}"#)]))
        harness.report(
            .failed(ModelFailure(code: .serverError, message: "status 500", status: 500))
        )
        harness.expect(.closePlan(joinInstruction: nil))
        harness.settle()
        harness.expectFailure("model_server_error")
    }

    @Test("Probe: an unknown tool is reported at once, and its node is never run")
    func unknownTool() {
        #expect(text("1. nosuch(x)\n2. join()").codes == ["unknown_tool"])
    }

    @Test("Probe: an id is skipped and another depends on it")
    func skippedID() {
        let reading = text("1. search(a)\n3. math($2)\n4. join()")
        #expect(reading.lines == [#"1 search {"query":"a"}"#])
        #expect(reading.codes == ["unknown_dependency"])
    }

    @Test("Probe: a line without its parenthesis")
    func missingParenthesis() {
        let reading = text("1. search(\"a\"\n2. math(\"of ${1}\", [\"$1\"]\n3. join()")
        #expect(reading.nodes.map(\.definition.id.text) == ["1", "2"])
        #expect(reading.codes == [])
    }

    @Test("Probe: an argument over two lines")
    func twoLines() {
        #expect(text("1. search(\"a\nb\")\n2. join()").lines == [#"1 search {"query":"a\nb"}"#])
    }

    @Test("Probe: a plan without join runs")
    func noJoin() {
        #expect(text("1. search(a)").codes == [])
    }

    @Test("Probe: a plan with no actions goes to the joiner")
    func noActions() {
        let reading = text("1. join()<END_OF_PLAN>")
        #expect(reading.codes == [])
        #expect(reading.warnings == ["empty_plan"])
    }

    @Test("Probe: a reference to a later node waits for that node")
    func laterReference() {
        let reading = text("1. math(\"half of $2\")\n2. search(x)\n3. join()")
        #expect(reading.nodes.map(\.definition.id.text) == ["2", "1"])
    }

    @Test("Probe: $1 costs $15 has one reference")
    func price() throws {
        let reading = text("1. search(a)\n2. math(\"$1 costs $15\")\n3. join()")
        let node = try #require(reading.nodes.last?.definition)
        var plan = Plan()
        for node in reading.nodes { try plan.append([node.definition]) }
        try plan.close()
        let arguments = try plan.resolveArguments(of: 1) { _ in RawJSON("x") }
        #expect(node.id.text == "2")
        #expect(arguments.text == #"{"problem":"x costs $15"}"#)
    }

    @Test("Probe: an output that contains $1 is inserted unchanged")
    func inertOutput() throws {
        let reading = text("1. search(a)\n2. math(\"<$1>\")\n3. join()")
        var plan = Plan()
        for node in reading.nodes { try plan.append([node.definition]) }
        let arguments = try plan.resolveArguments(of: 1) { _ in RawJSON("$2 for $1") }
        #expect(arguments.text == #"{"problem":"<$2 for $1>"}"#)
    }

    @Test("Probe: a reference within an object counts")
    func referenceInObject() throws {
        let reading = text("1. search(a)\n2. store({\"x\": [\"$1\"], 'y': $1})\n3. join()")
        var plan = Plan()
        for node in reading.nodes { try plan.append([node.definition]) }
        let arguments = try plan.resolveArguments(of: 1) { _ in RawJSON(7) }
        #expect(arguments.text == #"{"data":{"x":[7],"y":7}}"#)
    }

    @Test("Probe: math($1, 2) has two arguments")
    func twoArguments() {
        let reading = text("1. search(a)\n2. add($1, 2)\n3. join()")
        #expect(reading.lines.last == #"2 add {"a":"$1","b":2} <- 1"#)
    }

    @Test("Probe: two lines in one piece, and a third without a line break")
    func linesInPieces() {
        var reader = ModelPlanReader(format: .text, tools: tools)
        #expect(reader.feed("1. search(a)\n2. search(b)\n").count == 2)
        #expect(reader.feed("3. search(c)").count == 1)
        #expect(reader.finish().isSound)
    }

    @Test("Probe: a node that can start does so before the planner's next line")
    func beforeNextLine() {
        var harness = MachineHarness(format: .text)
        harness.start()
        harness.report(.delta("1. search(a)"))
        harness.expect(.addNodes([harness.node("1", "search", #"{"query":"a"}"#)]))
        harness.expectNothingElse()
    }

    @Test("Probe: Finish(f(x) + 1) answers f(x) + 1")
    func parentheses() {
        let decided = decide("Thought: t\nAction: Finish(f(x) + 1)")
        #expect(decided.decision == .success(.finish(answer: RawJSON("f(x) + 1"))))
    }

    @Test("Probe: Finish(Replanting season) is an answer")
    func replanting() {
        let decided = decide("Thought: t\nAction: Finish(Replanting season)")
        #expect(decided.decision == .success(.finish(answer: RawJSON("Replanting season"))))
    }
}
