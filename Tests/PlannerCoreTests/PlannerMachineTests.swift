// The planner's machine: from a goal to its answer, and all kinds of failures.

import JSON
import PlannerCore
import Plans
import Testing

@Suite("Planner machine")
struct PlannerMachineTests {
    @Test("Adds nodes while the model writes, then closes the plan, joins and answers")
    func goal() {
        var harness = MachineHarness(format: .json)
        harness.start()
        harness.report(.delta(#"{"tasks":["# + task("t1", "a")))
        harness.expectAdded("t1")
        harness.report(.delta("," + task("t2", "$t1") + #"],"join_instruction":"compare"}"#))
        harness.expectAdded("t2")
        harness.expectNothingElse()
        harness.report(.ended(.end))
        harness.expect(.closePlan(joinInstruction: "compare"))
        harness.expectNothingElse()

        harness.settle()
        let request = harness.expectCall(.joiner)
        #expect(request?.messages.last?.text.contains(#"= "output of t1""#) == true)
        #expect(request?.messages.last?.text.contains("compare A and B") == true)
        harness.report(.delta(String(finish.dropLast(4))))
        harness.expect(.answerDelta("A is high"))
        harness.report(.delta(String(finish.suffix(4))))
        harness.expect(.answerDelta("er"))
        harness.report(.ended(.end))
        harness.expect(.answer(RawJSON("A is higher")))
        harness.expectNothingElse()
    }

    @Test("Asks for the text form as text, up to its end mark")
    func textRequest() {
        var harness = MachineHarness(format: .text) { $0.replyTokens = 99 }
        harness.handle(.started)
        let request = harness.expectCall(.planner)
        #expect(request?.format == .text)
        #expect(request?.stop == [". join()", "<END_OF_PLAN>"])
        #expect(request?.maxTokens == 99)
    }

    @Test("Joiners that need no model answer at once", arguments: [GoalJoin.concat, .json])
    func otherJoiners(join: GoalJoin) throws {
        var harness = MachineHarness(format: .text) { $0.join = join }
        harness.start()
        harness.reply("1. search(a)\n2. join('compare')")
        harness.expectAdded("1")
        harness.expect(.closePlan(joinInstruction: "compare"))
        harness.settle()
        let answer =
            join == .json
            ? try RawJSON(validating: #"{"1":"output of 1"}"#)
            : RawJSON("[search] output of 1\n\nJoin: compare")
        harness.expect(.answer(answer))
        harness.expectNothingElse()
    }

    // MARK: - Repairs

    @Test("Sends problems back to the model; running nodes are neither repeated nor dropped")
    func repair() throws {
        var harness = MachineHarness(format: .json)
        harness.start()
        let first = plan(task("t1", "a"), #"{"id":"t2","tool_name":"fetch","args":{}}"#)
        harness.reply(first)
        harness.expectAdded("t1")
        harness.expectProblems("unknown_tool")
        let call = harness.expectCall(.planner)
        let request = try #require(call)
        #expect(request.messages.dropLast().last == .assistant(first))
        let asked = try #require(request.messages.last?.text)
        #expect(asked.contains(#"calls the tool "fetch", which does not exist"#))
        #expect(asked.contains(#""id":"t1""#))
        #expect(asked.contains("Ids go on with t2"))

        harness.reply(plan(task("t1", "a"), task("t2", "$t1")))
        harness.expectAdded("t2")
        harness.expect(.closePlan(joinInstruction: "compare"))
        harness.expectNothingElse()
    }

    @Test("A repair with nothing to add leaves the plan as it runs")
    func emptyRepair() {
        var harness = MachineHarness(format: .text)
        harness.start()
        harness.reply("1. search(a)\n2. fetch(b)\n3. join()")
        harness.expectAdded("1")
        harness.expectProblems("unknown_tool")
        harness.expectCall(.planner)
        harness.reply("2. join()")
        harness.expect(.closePlan(joinInstruction: nil))
        harness.expectNothingElse()
    }

    @Test("Repairs are limited; then running nodes finish and the run fails", arguments: 0...3)
    func boundedRepairs(repairs: Int) {
        var harness = MachineHarness(format: .text) { $0.options.repairs = repairs }
        harness.start()
        harness.reply("1. search(a)\n2. fetch(b)")
        harness.expectAdded("1")
        for _ in 0..<repairs {
            harness.expectProblems("unknown_tool")
            harness.expectCall(.planner)
            harness.reply("2. fetch(b)")
        }
        harness.expectProblems("unknown_tool")
        harness.expect(.closePlan(joinInstruction: nil))
        harness.settle()
        harness.expectFailure("bad_plan")
        #expect(harness.added.count == 1)
    }

    @Test("A plan without nodes ends in a clear failure")
    func nothingPlanned() {
        var harness = MachineHarness(format: .text) { $0.options.repairs = 1 }
        harness.start()
        harness.reply("I am sorry, I cannot plan this.")
        harness.expectProblems("empty_plan")
        harness.expectCall(.planner)
        harness.reply("I still cannot.")
        harness.expectProblems("empty_plan")
        harness.expectFailure("bad_plan")
        #expect(harness.added == [])
    }

    @Test(
        "A goal that needs no call goes to the joiner",
        arguments: ["1. join()", "1", "join()", "<think>No tool helps.</think>\n1. join()"]
    )
    func noCallNeeded(reply: String) {
        var harness = MachineHarness(format: .text)
        harness.start()
        harness.reply(reply)
        harness.expectProblems("empty_plan")
        harness.expect(.closePlan(joinInstruction: nil))
        harness.settle()
        let request = harness.expectCall(.joiner)
        #expect(request?.messages.last?.text.contains("No tool can help with it") == true)
        harness.reply("Hello.")
        harness.expect(.answerDelta("Hello."))
        harness.expect(.answer(RawJSON("Hello.")))
        harness.expectNothingElse()
    }

    @Test("Repairs a plan cut by the limit on tokens, from where it ends")
    func cutPlan() {
        var harness = MachineHarness(format: .text)
        harness.start()
        harness.reply("1. search(a)\n2. search(b", stop: .length)
        harness.expectAdded("1")
        harness.expectProblems("bad_plan", "bad_plan")
        harness.expectCall(.planner)
        harness.reply("2. search(b)\n3. join()")
        harness.expectAdded("2")
        harness.expect(.closePlan(joinInstruction: nil))
    }

    @Test("Reports warnings, which need no repair")
    func warnings() {
        var harness = MachineHarness(format: .text)
        harness.start()
        harness.reply("1. search('it costs $15')\n2. join()")
        harness.expectAdded("1")
        harness.expectProblems("unknown_reference")
        harness.expect(.closePlan(joinInstruction: nil))
        harness.expectNothingElse()
    }

    // MARK: - Another plan

    @Test("Another plan continues the ids and may refer to all earlier nodes")
    func replanning() throws {
        var harness = MachineHarness(format: .json)
        harness.start()
        harness.reply(plan(task("t1", "a")))
        harness.expectAdded("t1")
        harness.expect(.closePlan(joinInstruction: "compare"))
        harness.settle()
        harness.expectCall(.joiner)
        harness.reply(replan)
        harness.expect(.replanned(number: 2, reason: "B is missing"))
        let call = harness.expectCall(.planner)
        let request = try #require(call)
        let asked = try #require(request.messages.last?.text)
        #expect(asked.contains(#"t1: search("a") = "output of t1""#))
        #expect(asked.contains("\"B is missing\""))
        #expect(asked.contains("Ids go on with t2"))
        harness.reply(plan(task("t2", "after $t1")))
        harness.expectAdded("t2")
        harness.expect(.closePlan(joinInstruction: "compare"))
        harness.settle()
        let last = harness.expectCall(.joiner)
        let join = try #require(last?.messages.last?.text)
        #expect(join.contains("Calls made by plan 1") && join.contains("Calls made by plan 2"))
        #expect(join.components(of: "t1: search(") == 1)
        harness.reply(finish)
        harness.expect(.answerDelta("A is higher"))
        harness.expect(.answer(RawJSON("A is higher")))
    }

    @Test("Plans are limited; the last joiner may not ask for another", arguments: 1...3)
    func boundedRounds(rounds: Int) throws {
        var harness = MachineHarness(format: .json) { $0.options.rounds = rounds }
        harness.start()
        for round in 1...rounds {
            harness.reply(plan(task("t\(round)", "a")))
            harness.expectAdded("t\(round)")
            harness.expect(.closePlan(joinInstruction: "compare"))
            harness.settle()
            let call = harness.expectCall(.joiner)
            let request = try #require(call)
            #expect(
                request.format
                    == .jsonSchema(
                        name: "decision",
                        schema: StrictSchema.decision(mayReplan: round < rounds)
                    )
            )
            harness.reply(replan)
            if round < rounds {
                harness.expect(.replanned(number: round + 1, reason: "B is missing"))
                harness.expectCall(.planner)
            }
        }
        harness.expectFailure("limit")
    }

    // MARK: - Failures of a model

    @Test("A planner that fails before any node fails the run at once")
    func failsAtOnce() {
        var harness = MachineHarness(format: .json)
        harness.start()
        harness.report(.failed(down))
        harness.expectFailure("model_unreachable")
    }

    @Test("If the planner fails in mid-plan, running nodes finish or are cancelled, by the policy")
    func failsInMidPlan() {
        for policy in ModelFailurePolicy.allCases {
            var harness = MachineHarness(format: .text) {
                $0.options.onModelFailure = policy
                $0.options.repairs = 0
            }
            harness.start()
            harness.report(.delta("1. search(a)\n2. sea"))
            harness.expectAdded("1")
            harness.report(.failed(down))
            if policy == .finish {
                harness.expect(.closePlan(joinInstruction: nil))
                harness.expectNothingElse()
                harness.settle()
            }
            harness.expectFailure("model_unreachable")
        }
    }

    @Test("A stream that breaks keeps what arrived, and asks for the rest")
    func breaksInMidPlan() {
        var harness = MachineHarness(format: .text)
        harness.start()
        harness.report(.delta("1. search(a)\n2. sea"))
        harness.expectAdded("1")
        harness.report(.failed(down))
        harness.expectProblems("bad_plan")
        let request = harness.expectCall(.planner)
        #expect(request?.messages.last?.text.contains("running already") == true)
        harness.reply("2. search(b)\n3. join()")
        harness.expectAdded("2")
        harness.expect(.closePlan(joinInstruction: nil))
        harness.expectNothingElse()
    }

    @Test("A planner that fails during a repair fails the run like any other")
    func failsInRepair() {
        var harness = MachineHarness(format: .text)
        harness.start()
        harness.reply("1. search(a)\n2. fetch(b)")
        harness.expectAdded("1")
        harness.expectProblems("unknown_tool")
        harness.expectCall(.planner)
        harness.report(.failed(down))
        harness.expect(.closePlan(joinInstruction: nil))
        harness.settle()
        harness.expectFailure("model_unreachable")
    }

    @Test("A refusal fails the run", arguments: [true, false])
    func refusal(ofJoiner: Bool) {
        var harness = MachineHarness(format: .text)
        harness.start()
        if ofJoiner {
            harness.reply("1. search(a)")
            harness.expectAdded("1")
            harness.expect(.closePlan(joinInstruction: nil))
            harness.settle()
            harness.expectCall(.joiner)
        }
        harness.report(.ended(.refusal))
        harness.expectFailure("model_refused")
    }

    @Test("A joiner that fails fails the run")
    func joinerFails() {
        var harness = MachineHarness(format: .text)
        harness.start()
        harness.reply("1. search(a)")
        harness.expectAdded("1")
        harness.expect(.closePlan(joinInstruction: nil))
        harness.settle()
        harness.expectCall(.joiner)
        harness.report(.delta("Action: Finish(half"))
        harness.expect(.answerDelta("half"))
        harness.report(.failed(down))
        harness.expectFailure("model_unreachable")
    }

    @Test("Asks a joiner without a decision again, a limited number of times")
    func joinerAsked() throws {
        var harness = MachineHarness(format: .text) { $0.options.repairs = 1 }
        harness.start()
        harness.reply("1. search(a)")
        harness.expectAdded("1")
        harness.expect(.closePlan(joinInstruction: nil))
        harness.settle()
        harness.expectCall(.joiner)
        harness.reply("Thought: it is A.")
        let call = harness.expectCall(.joiner)
        let request = try #require(call)
        #expect(request.messages.suffix(2).first == .assistant("Thought: it is A."))
        harness.reply("Thought: it is A, I say.")
        harness.expectFailure("bad_output")
    }

    @Test("Does not give a second answer after a shown answer was cut")
    func cutAnswer() {
        var harness = MachineHarness(format: .text)
        harness.start()
        harness.reply("1. search(a)")
        harness.expectAdded("1")
        harness.expect(.closePlan(joinInstruction: nil))
        harness.settle()
        harness.expectCall(.joiner)
        harness.reply("Action: Finish(half", stop: .length)
        harness.expect(.answerDelta("half"))
        harness.expectFailure("bad_output")
    }
}

extension String {
    fileprivate func components(of part: String) -> Int { ranges(of: part).count }
}
