// What a planner needs to be made again: its settings and the reports of models in writing, and what
// it does about a call that was lost with the process that made it.

import Core
import JSON
import PlannerCore
import Plans
import Testing

@Suite("Planner after a restart")
struct RestartTests {
    @Test("Settings are read as they were written")
    func settings() throws {
        var settings = PlannerSettings(tools: tools, format: .text)
        settings.examples = [PlanExample(goal: "find \"it\"", calls: ["search(\"it\")"])]
        settings.remembered = [PlanExample(goal: "b", calls: [])]
        settings.options = PlannerOptions(
            format: .json,
            repairs: 3,
            rounds: 2,
            onModelFailure: .cancel,
            strategy: .growing,
            isPlanOnly: true
        )
        settings.join = .tool("sum")
        settings.maxNodes = 7
        settings.maxTokens = 900
        settings.maxCost = 0.25
        settings.highestPrices = TokenPrices(input: 1.5, output: 6)
        settings.replyTokens = 300
        settings.temperature = 0.5
        settings.outputBytes = 11
        settings.outputsBytes = 22
        let read = try #require(PlannerSettings(decoding: settings.document))
        #expect(read.document == settings.document)
        #expect(read.tools == settings.tools)
        #expect(read.options == settings.options)
        #expect(read.join == settings.join)
        for join in [GoalJoin.model, .concat, .json] {
            settings.join = join
            #expect(PlannerSettings(decoding: settings.document)?.join == join)
        }
        #expect(PlannerSettings(decoding: .emptyObject) == nil)
    }

    @Test("Reports of models are read as they were written")
    func reports() {
        let failure = ModelFailure(
            code: .rateLimited,
            message: "wait",
            isRetryable: true,
            status: 429
        )
        let reports: [ModelEvent] = [
            .delta("a \"quoted\"\ntext"), .delta(""),
            .charged(TokenPrices(input: 0.5, output: 2)),
            .usage(TokenUsage(input: 3, output: 4)), .formatLowered(to: .text),
            .formatLowered(to: .jsonObject),
            .formatLowered(to: .jsonSchema(name: "plan", schema: .emptyObject)),
            .failed(failure),
        ]
        for report in reports + ModelStop.allCases.map({ .ended($0) }) {
            #expect(ModelEvent(decoding: report.document) == report)
        }
        #expect(ModelEvent(decoding: .emptyObject) == nil)
    }

    @Test("A call of which nothing has arrived is made again")
    func repeatsCall() {
        var harness = MachineHarness(format: .text)
        harness.handle(.started)
        let first = harness.expectCall(.planner)
        harness.loseCall()
        let second = harness.expectCall(.planner)
        #expect(second?.messages == first?.messages)
        harness.reply("1. search(a)\n2. join()")
        harness.expectAdded("1")
    }

    @Test("Nodes that have arrived stay, and only the rest is asked for")
    func asksForRest() {
        var harness = MachineHarness(format: .text) { $0.options.repairs = 0 }
        harness.handle(.started)
        harness.expectCall(.planner)
        harness.report(.delta("1. search(a)\n2. search(b"))
        harness.expectAdded("1")
        harness.loseCall()
        guard case .noteProblems? = harness.take() else {
            Issue.record("the plan is not complete, and that is not told")
            return
        }
        let request = harness.expectCall(.planner)
        #expect(request?.isRepair == false)
        harness.reply("2. search(b)\n3. join()")
        harness.expectAdded("2")
    }

    @Test("A decision that was lost is asked for again, a complete one is not")
    func decisions() {
        for isComplete in [false, true] {
            var harness = MachineHarness(format: .json)
            harness.start()
            harness.reply(#"{"tasks":["# + task("t1", "a") + "]}")
            harness.expectAdded("t1")
            harness.expect(.closePlan(joinInstruction: nil))
            harness.settle()
            harness.expectCall(.joiner)
            harness.report(.delta(isComplete ? finish : String(finish.prefix(3))))
            if isComplete { harness.expect(.answerDelta("A is higher")) }
            harness.loseCall()
            if isComplete {
                harness.expect(.answer(RawJSON("A is higher")))
            } else {
                harness.expectCall(.joiner)
            }
            harness.expectNothingElse()
        }
    }
}
