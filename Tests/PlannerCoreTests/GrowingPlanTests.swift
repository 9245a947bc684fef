// Plans that grow: the model is told outputs while other calls run, in one conversation.

import Core
import JSON
import PlannerCore
import Plans
import Testing

@Suite("Growing plans")
struct GrowingPlanTests {
    private func harness(
        _ format: PlanFormat = .text,
        _ change: (inout PlannerSettings) -> Void = { _ in }
    ) -> MachineHarness {
        MachineHarness(format: format) {
            $0.options.strategy = .growing
            change(&$0)
        }
    }

    private func settled(_ id: String, _ output: String) throws -> PlannerMachine.Event {
        .nodeSettled(
            JoinPart(
                id: try #require(NodeID(id)),
                tool: "search",
                outcome: .succeeded(RawJSON(output))
            )
        )
    }

    @Test("Tells outputs while other calls run, and only adds to the conversation")
    func conversation() throws {
        var harness = harness()
        harness.handle(.started)
        let askedFirst = harness.expectCall(.planner)
        let first = try #require(askedFirst)
        harness.report(.delta("1. search(a)\n2. search(b)\n3. jo"))
        harness.expectAdded("1", "2")
        harness.reply("in()")
        harness.expectNothingElse()

        harness.handle(try settled("1", "found A"))
        let askedSecond = harness.expectCall(.planner)
        let second = try #require(askedSecond)
        #expect(Array(second.messages.prefix(first.messages.count)) == first.messages)
        let added = second.messages.dropFirst(first.messages.count)
        #expect(added.map(\.role) == [.assistant, .user])
        #expect(added.first?.text == "1. search(\"a\")\n2. search(\"b\")\n3. join()")
        #expect(added.last?.text.contains(#"$1: search("a") = "found A""#) == true)
        #expect(added.last?.text.contains("search(\"b\")") == false)
        harness.reply("3. search($1)\n4. join()")
        harness.expectAdded("3")
        harness.expectNothingElse()

        harness.handle(try settled("2", "found B"))
        let askedThird = harness.expectCall(.planner)
        let third = try #require(askedThird)
        #expect(Array(third.messages.prefix(second.messages.count)) == second.messages)
        #expect(third.messages.last?.text.contains("found A") == false, "each output is told once")
        harness.reply("4. join()")
        harness.expectNothingElse()
        harness.handle(try settled("3", "found C"))
        harness.expect(.closePlan(joinInstruction: nil))
        harness.settle()
        let askedJoiner = harness.expectCall(.joiner)
        let joiner = try #require(askedJoiner)
        #expect(joiner.messages.last?.text.contains("output of 3") == true)
    }

    @Test("Outputs that come while the model writes are told next, or joined if nothing runs")
    func meanwhile() throws {
        var harness = harness(.json)
        harness.start()
        harness.report(.delta(#"{"tasks":["# + task("t1", "a") + ","))
        harness.expectAdded("t1")
        harness.handle(try settled("t1", "found A"))
        harness.expectNothingElse()
        harness.reply(task("t2", "b") + "]}")
        harness.expectAdded("t2")
        let askedSecond = harness.expectCall(.planner)
        let second = try #require(askedSecond)
        #expect(second.messages.last?.text.contains("found A") == true)
        harness.handle(try settled("t2", "found B"))
        harness.expectNothingElse()
        harness.reply(#"{"tasks":[],"join_instruction":"compare"}"#)
        harness.expect(.closePlan(joinInstruction: "compare"))
        harness.settle()
        harness.expectCall(.joiner)
    }

    @Test("Without outputs in mid-plan it is a plan as any other")
    func quick() throws {
        var harness = harness()
        harness.start()
        harness.report(.delta("1. search(a)\n"))
        harness.expectAdded("1")
        harness.handle(try settled("1", "found A"))
        harness.reply("2. join()")
        harness.expect(.closePlan(joinInstruction: nil))

        var empty = self.harness()
        empty.start()
        empty.reply("1. join()")
        empty.expectProblems("empty_plan")
        empty.expect(.closePlan(joinInstruction: nil))
    }

    @Test("What cannot be used of later replies goes back, and in the end is left out")
    func badReplies() throws {
        var harness = harness { $0.options.repairs = 1 }
        harness.start()
        harness.report(.delta("1. search(a)\n2. search(b)\n3. join()"))
        harness.expectAdded("1", "2")
        harness.report(.ended(.end))
        harness.handle(try settled("1", "found A"))
        harness.expectCall(.planner)
        harness.reply("3. nothing_like_it()\n4. join()")
        harness.expectProblems("unknown_tool")
        harness.expectCall(.planner)
        harness.reply("3. nothing_like_it()\n4. join()")
        harness.expectProblems("unknown_tool")
        harness.expectProblems("bad_plan")
        harness.expect(.closePlan(joinInstruction: nil))
        harness.settle()
        harness.expectCall(.joiner)
    }

    @Test("A model that fails when others run already leaves their outputs to the joiner")
    func failure() throws {
        for report in [ModelEvent.failed(down), .ended(.refusal)] {
            var harness = harness()
            harness.start()
            harness.report(.delta("1. search(a)\n2. search(b)\n3. join()"))
            harness.expectAdded("1", "2")
            harness.report(.ended(.end))
            harness.handle(try settled("1", "found A"))
            harness.expectCall(.planner)
            harness.report(report)
            harness.expectProblems("bad_plan")
            harness.expect(.closePlan(joinInstruction: nil))
            harness.handle(try settled("2", "found B"))
            harness.settle()
            harness.expectCall(.joiner)
        }
    }

    @Test("Calls of a reply that then failed belong to the plan, and a later plan may use them")
    func failureAfterCall() throws {
        var harness = harness()
        harness.start()
        harness.report(.delta("1. search(a)\n2. search(b)\n3. join()"))
        harness.expectAdded("1", "2")
        harness.report(.ended(.end))
        harness.handle(try settled("1", "found A"))
        harness.expectCall(.planner)
        harness.report(.delta("3. search($1)\n"))
        harness.expectAdded("3")
        harness.report(.ended(.refusal))
        harness.expectProblems("bad_plan")
        harness.expect(.closePlan(joinInstruction: nil))
        harness.handle(try settled("2", "found B"))
        harness.handle(try settled("3", "found C"))
        harness.settle()
        harness.expectCall(.joiner)
        harness.reply("Thought: B is missing.\nAction: Replan(B is missing)")
        harness.expect(.replanned(number: 2, reason: "B is missing"))
        harness.expectCall(.planner)
        harness.report(.delta("4. search($3)\n"))
        harness.expectAdded("4")
    }

    @Test("With the other policy a model that fails fails the run")
    func failureThatCancels() throws {
        var harness = harness { $0.options.onModelFailure = .cancel }
        harness.start()
        harness.report(.delta("1. search(a)\n2. search(b)\n3. join()"))
        harness.expectAdded("1", "2")
        harness.report(.ended(.end))
        harness.handle(try settled("1", "found A"))
        harness.expectCall(.planner)
        harness.report(.failed(down))
        harness.expectFailure("model_unreachable")
    }

    @Test("A call that has failed may be made again")
    func failedCall() throws {
        var harness = harness {
            for tool in $0.tools.indices { $0.tools[tool].mayBeRepeated = true }
        }
        harness.start()
        harness.report(.delta("1. search(a)\n2. search(b)\n3. join()"))
        harness.expectAdded("1", "2")
        harness.report(.ended(.end))
        let failure = Failure(code: .timeout, message: "late")
        let id = try #require(NodeID("1"))
        harness.handle(
            .nodeSettled(JoinPart(id: id, tool: "search", outcome: .failed(failure)))
        )
        let request = harness.expectCall(.planner)
        #expect(request?.messages.last?.text.contains("failed (timeout)") == true)
        // A call that runs still is not made twice.
        harness.reply("3. search(a)\n4. search(b)\n5. search($3)\n6. join()")
        harness.expectAdded("3", "5")
        harness.expectProblems("duplicate_call")
        harness.expectNothingElse()
    }

    @Test("All outputs that are told have a bound together")
    func boundOfConversation() throws {
        var harness = harness { $0.outputsBytes = 300 }
        harness.start()
        let calls = (1...9).map { "\($0). search(q\($0))\n" }.joined()
        harness.report(.delta(calls + "10. join()"))
        harness.expectAdded("1", "2", "3", "4", "5", "6", "7", "8", "9")
        harness.report(.ended(.end))
        var asked = 0
        for number in 1...8 {
            harness.handle(try settled("\(number)", String(repeating: "x", count: 60)))
            guard !harness.actions.isEmpty else { continue }
            harness.expectCall(.planner)
            asked += 1
            harness.reply("\(10 + number). join()")
            harness.expectNothingElse()
        }
        #expect((1...3).contains(asked))
        harness.handle(try settled("9", "y"))
        harness.expect(.closePlan(joinInstruction: nil))
    }

    @Test("No outputs are told when no node may follow, or no token is left")
    func limits() throws {
        for isOfTokens in [true, false] {
            var harness = harness {
                if isOfTokens { $0.maxTokens = 100 } else { $0.maxNodes = 2 }
            }
            harness.start()
            harness.report(.delta("1. search(a)\n2. search(b)\n3. join()"))
            harness.expectAdded("1", "2")
            harness.report(.usage(TokenUsage(input: 80, output: 20)))
            harness.report(.ended(.end))
            harness.handle(try settled("1", "found A"))
            harness.expectNothingElse()
            harness.handle(try settled("2", "found B"))
            harness.expect(.closePlan(joinInstruction: nil))
        }
    }

    @Test("A cancel ends a plan that waits for outputs")
    func cancel() throws {
        var harness = harness()
        harness.start()
        harness.report(.delta("1. search(a)\n2. join()"))
        harness.expectAdded("1")
        harness.report(.ended(.end))
        #expect(!harness.machine.isCalling)
        harness.handle(.cancelRequested(Failure(code: .cancelled, message: "no")))
        harness.expectFailure("cancelled")
        harness.handle(try settled("1", "found A"))
        harness.expectNothingElse()
    }

    @Test("A later plan begins a conversation of its own")
    func replanned() throws {
        var harness = harness(.json)
        harness.start()
        harness.report(.delta(plan(task("t1", "a"))))
        harness.expectAdded("t1")
        harness.report(.ended(.end))
        harness.handle(try settled("t1", "found A"))
        harness.expect(.closePlan(joinInstruction: "compare"))
        harness.settle()
        harness.expectCall(.joiner)
        harness.reply(replan)
        harness.expect(.replanned(number: 2, reason: "B is missing"))
        let askedNext = harness.expectCall(.planner)
        let next = try #require(askedNext)
        #expect(next.messages.last?.text.contains("B is missing") == true)
        harness.report(.delta(plan(task("t2", "b"), task("t3", "c"))))
        harness.expectAdded("t2", "t3")
        harness.report(.ended(.end))
        harness.handle(try settled("t2", "found B"))
        harness.expectCall(.planner)
    }
}
