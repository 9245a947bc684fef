// When nodes start and how often the model is asked: planned, plan only, react; and joins by a tool.

import Core
import JSON
import PlannerCore
import Plans
import Testing

@Suite("Strategies of a goal")
struct StrategyTests {
    private func call(_ task: String) -> String {
        #"{"thought":"t","action":"call","tasks":[\#(task)],"answer":null}"#
    }

    private let answer = #"{"thought":"t","action":"finish","tasks":[],"answer":"A is higher"}"#

    // MARK: - Planned

    @Test(
        "Planned: nodes start when the plan is complete",
        arguments: [
            PlanningStrategy.planned, .sequential,
        ]
    )
    func planned(strategy: PlanningStrategy) {
        var harness = MachineHarness(format: .json) { $0.options.strategy = strategy }
        harness.start()
        harness.report(.delta(plan(task("t1", "a"), task("t2", "$t1"))))
        harness.expectNothingElse()
        harness.report(.ended(.end))
        harness.expectAdded("t1", "t2")
        harness.expect(.closePlan(joinInstruction: "compare"))
        harness.settle()
        harness.expectCall(.joiner)
    }

    @Test("Planned: nodes kept by a repair start with the rest")
    func plannedRepair() {
        var harness = MachineHarness(format: .json) { $0.options.strategy = .planned }
        harness.start()
        harness.reply(plan(task("t1", "a"), #"{"id":"t2","tool_name":"fetch","args":{}}"#))
        harness.expectProblems("unknown_tool")
        harness.expectCall(.planner)
        harness.reply(plan(task("t2", "$t1")))
        harness.expectAdded("t1", "t2")
    }

    @Test("Planned: when the planner fails, no node is running")
    func plannedFailure() {
        var harness = MachineHarness(format: .json) {
            $0.options.strategy = .planned
            $0.options.repairs = 0
        }
        harness.start()
        harness.report(.delta(#"{"tasks":["# + task("t1", "a")))
        harness.report(.failed(down))
        harness.expectFailure("model_unreachable")
    }

    @Test("With plan only, the repaired plan is the answer, and nothing runs")
    func planOnly() throws {
        var harness = MachineHarness(format: .text) { $0.options.isPlanOnly = true }
        harness.start()
        harness.reply("1. search(a)\n2. fetch(b)\n3. join()")
        harness.expectProblems("unknown_tool")
        harness.expectCall(.planner)
        harness.reply("2. search($1)\n3. join('compare')")
        guard case .answer(let document)? = harness.take() else {
            Issue.record("there is no answer")
            return
        }
        let (plan, problems) = PlanDocument.read(Array(document.bytes))
        #expect(problems.isEmpty)
        #expect(plan.nodes.map(\.id.text) == ["1", "2"])
        #expect(plan.joinInstruction == "compare")
        harness.expectNothingElse()
    }

    // MARK: - React

    @Test(
        "React: the model sees each output, and its answer is shown as it is written"
    )
    func react() throws {
        var harness = MachineHarness(format: .json) { $0.options.strategy = .react }
        harness.handle(.started)
        let first = harness.expectCall(.planner)
        #expect(first?.messages.last?.text.contains("with the id t1") == true)
        harness.report(.delta(call(task("t1", "a"))))
        harness.expectAdded("t1")
        harness.expectNothingElse()
        harness.report(.ended(.end))
        harness.expect(.closePlan(joinInstruction: nil))
        harness.settle()
        let second = harness.expectCall(.planner)
        #expect(second?.messages.last?.text.contains(#"= "output of t1""#) == true)
        #expect(second?.messages.last?.text.contains("with the id t2") == true)
        harness.reply(call(task("t2", "${t1}")))
        harness.expectAdded("t2")
        harness.expect(.closePlan(joinInstruction: nil))
        harness.settle()
        let third = harness.expectCall(.planner)
        #expect(third?.messages.last?.text.contains(#"= "output of t2""#) == true)
        harness.report(.delta(String(answer.dropLast(4))))
        harness.expect(.answerDelta("A is high"))
        harness.report(.delta(String(answer.suffix(4))))
        harness.expect(.answerDelta("er"))
        harness.report(.ended(.end))
        harness.expect(.answer(RawJSON("A is higher")))
        harness.expectNothingElse()
    }

    @Test("The text form: numbered calls, then Finish; a call within an answer is text")
    func reactText() {
        var harness = MachineHarness(format: .text) { $0.options.strategy = .react }
        harness.handle(.started)
        #expect(harness.expectCall(.planner)?.format == .text)
        harness.reply("Thought: look it up\n1. search(\"a\")")
        harness.expectAdded("1")
        harness.expect(.closePlan(joinInstruction: nil))
        harness.settle()
        harness.expectCall(.planner)
        harness.reply("Thought: done\nAction: Finish(call\n2. search(b)\nyourself)")
        #expect(harness.added.count == 1)
        let text = harness.actions.compactMap {
            if case .answerDelta(let text) = $0 { text } else { nil }
        }
        #expect(text.joined() == "call\n2. search(b)\nyourself")
        #expect(harness.actions.last == .answer(RawJSON("call\n2. search(b)\nyourself")))
    }

    @Test("One call a step: text after it is not read", arguments: PlanFormat.allCases)
    func oneCall(format: PlanFormat) {
        var harness = MachineHarness(format: format) { $0.options.strategy = .react }
        harness.handle(.started)
        harness.expectCall(.planner)
        harness.reply(
            format == .text
                ? "1. search(a)\n2. search(b)\nAction: Finish(no)"
                : call(task("t1", "a") + "," + task("t2", "b"))
        )
        harness.expectAdded(format == .text ? "1" : "t1")
        harness.expect(.closePlan(joinInstruction: nil))
        harness.expectNothingElse()
        harness.settle()
        let next = harness.expectCall(.planner)
        let id = format == .text ? "2" : "t2"
        #expect(next?.messages.last?.text.contains("with the id \(id)") == true)
    }

    @Test(
        "Any split of a step gives the same result",
        arguments: [
            "Thought: x\n1. search(\"(a)\")\nAction: Finish(y)\n",
            "Thought: x\nAction: Finish(1. search(a) and\n2. search(b))\n",
            #"{"thought":"}1. search(a)","action":"call","tasks":[{"id":"t1","tool_name":"search","#
                + #""args":{"query":"}"}},{"id":"t2"}],"answer":null} and {"action":"finish"}"#,
            #"{"action":"finish","answer":"{\"tasks\":[]} 1. search(a)","tasks":[]}"#,
        ]
    )
    func splits(text: String) {
        func run(_ size: Int) -> [PlannerMachine.Action] {
            let format: PlanFormat = text.hasPrefix("{") ? .json : .text
            var harness = MachineHarness(format: format) { $0.options.strategy = .react }
            harness.handle(.started)
            var rest = text[...]
            while !rest.isEmpty {
                harness.report(.delta(String(rest.prefix(size))))
                rest = rest.dropFirst(size)
            }
            harness.report(.ended(.end))
            return harness.actions.filter {
                if case .answerDelta = $0 { false } else { true }
            }
        }
        let whole = run(text.count)
        #expect(whole.count > 1)
        for size in 1..<text.count { #expect(run(size) == whole) }
    }

    @Test("Sends back an invalid step as often as allowed; then the run fails")
    func repairs() {
        var harness = MachineHarness(format: .json) {
            $0.options.strategy = .react
            $0.options.repairs = 1
        }
        harness.handle(.started)
        harness.expectCall(.planner)
        harness.reply(call(#"{"id":"t1","tool_name":"fetch","args":{}}"#))
        harness.expectProblems("unknown_tool")
        let again = harness.expectCall(.planner)
        #expect(again?.messages.last?.text.contains("fetch") == true)
        harness.reply("I would rather talk about it.")
        harness.expectProblems("bad_plan")
        harness.expectFailure("bad_plan")
    }

    @Test("Steps are limited: after the last call only the answer is allowed")
    func bounded() {
        var harness = MachineHarness(format: .json) {
            $0.options.strategy = .react
            $0.maxNodes = 1
        }
        harness.handle(.started)
        harness.expectCall(.planner)
        harness.reply(call(task("t1", "a")))
        harness.expectAdded("t1")
        harness.expect(.closePlan(joinInstruction: nil))
        harness.settle()
        let last = harness.expectCall(.planner)
        #expect(last?.messages.last?.text.contains("No further call") == true)
        guard case .jsonSchema(_, let schema)? = last?.format else {
            Issue.record("the reply is not bound to a schema")
            return
        }
        #expect(!schema.text.contains("tool_name"))
        harness.reply(call(task("t2", "a")))
        harness.expectProblems("limit")
        harness.expectFailure("limit")
    }

    @Test("A reply that breaks off after its call is used, before it it is not")
    func brokenOff() {
        for (text, isWhole) in [(call(task("t1", "a")), true), (#"{"thought":"t","act"#, false)] {
            var harness = MachineHarness(format: .json) { $0.options.strategy = .react }
            harness.handle(.started)
            harness.expectCall(.planner)
            harness.report(.delta(text))
            harness.report(.failed(down))
            if isWhole {
                harness.expectAdded("t1")
                harness.expect(.closePlan(joinInstruction: nil))
                harness.expectNothingElse()
            } else {
                harness.expectFailure("model_unreachable")
            }
        }
    }

    // MARK: - Joins

    @Test("A tool joins with goal, instruction, outputs and failures; its output is the answer")
    func toolJoin() throws {
        var harness = MachineHarness(format: .json) { $0.join = .tool("report") }
        harness.start()
        harness.reply(plan(task("t1", "a"), task("t2", "b")))
        harness.expectAdded("t1", "t2")
        harness.expect(.closePlan(joinInstruction: "compare"))
        let ids = harness.added.map(\.id)
        let broken = Failure(code: .toolError, message: "it broke")
        harness.handle(
            .roundSettled([
                JoinPart(id: ids[0], tool: "search", outcome: .succeeded(RawJSON("costs $t1"))),
                JoinPart(id: ids[1], tool: "search", outcome: .failed(broken)),
            ])
        )
        let arguments = try RawJSON(
            validating: #"{"goal":"compare A and B","join_instruction":"compare","#
                + #""outputs":{"t1":"costs $t1"},"#
                + #""failures":{"t2":{"code":"tool_error","message":"it broke"}}}"#
        )
        harness.expect(.callTool("report", arguments: arguments))
        harness.handle(.toolJoined(.succeeded(RawJSON("so it is"))))
        harness.expect(.answer(RawJSON("so it is")))
        harness.handle(.toolJoined(.succeeded(RawJSON("late"))))
        harness.expectNothingElse()
    }

    @Test("A tool that fails to join fails the run, with its code and its name")
    func toolJoinFails() {
        var harness = MachineHarness(format: .text) { $0.join = .tool("report") }
        harness.start()
        harness.reply("1. search(a)\n2. join()")
        harness.expectAdded("1")
        harness.expect(.closePlan(joinInstruction: nil))
        harness.settle()
        _ = harness.take()
        harness.handle(.toolJoined(.failed(Failure(code: .timeout, message: "too slow"))))
        guard case .fail(let failure)? = harness.actions.first else {
            Issue.record("the run has not failed")
            return
        }
        #expect(failure.message.contains("report") && failure.message.contains("too slow"))
        harness.expectFailure("timeout")
    }

    @Test("A model joins a given plan, without another plan")
    func given() throws {
        var harness = MachineHarness(format: .json)
        let node = try definition("a", "search", #"{"query":"x"}"#)
        harness.handle(.planGiven([node], joinInstruction: "Say which."))
        harness.expect(.closePlan(joinInstruction: "Say which."))
        harness.handle(
            .roundSettled([JoinPart(id: node.id, tool: "search", outcome: .succeeded(RawJSON("7")))]
            )
        )
        let request = harness.expectCall(.joiner)
        let text = request?.messages.map(\.text).joined() ?? ""
        #expect(text.contains("Say which.") && text.contains(#"a: search("x") = "7""#))
        #expect(!text.contains("replan"))
        harness.reply(replan)
        harness.expectFailure("limit")
    }
}
