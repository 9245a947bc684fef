// The planner's machine at its limits, in each of its states, and in random conversations.

import Core
import JSON
import PlannerCore
import Plans
import Testing

@Suite("Limits of the planner's machine")
struct PlannerBoundsTests {
    @Test("More nodes than allowed stop the model, and the run fails")
    func nodeBudget() {
        var harness = MachineHarness(format: .text) { $0.maxNodes = 2 }
        harness.start()
        harness.report(.delta("1. search(a)\n2. search(b)\n3. search(c)\n4. search(d)"))
        harness.expectAdded("1", "2")
        harness.expect(.cancelModel)
        harness.expectNothingElse()
        harness.report(.delta("5. search(e)"))
        harness.report(.failed(ModelFailure(code: .cancelled, message: "cancelled")))
        harness.expectProblems("limit")
        harness.expect(.closePlan(joinInstruction: nil))
        harness.settle()
        harness.expectFailure("limit")
    }

    @Test("The planner stops beyond the limit of tokens")
    func tokenBudget() {
        var harness = MachineHarness(format: .text) { $0.maxTokens = 100 }
        harness.start()
        harness.report(.delta("1. search(a)\n"))
        harness.expectAdded("1")
        harness.report(.usage(TokenUsage(input: 60, output: 40)))
        harness.expectNothingElse()
        harness.report(.usage(TokenUsage(input: 60, output: 41)))
        harness.expect(.cancelModel)
        harness.expect(.closePlan(joinInstruction: nil))
        harness.report(.failed(ModelFailure(code: .cancelled, message: "cancelled")))
        harness.expectNothingElse()
        harness.settle()
        harness.expectFailure("limit")
    }

    @Test(
        "Used up tokens prevent the next call, but not an answer"
    )
    func tokensSpent() {
        var harness = MachineHarness(format: .text) { $0.maxTokens = 100 }
        harness.start()
        harness.report(.delta("1. search(a)\n2. join()"))
        harness.expectAdded("1")
        harness.report(.usage(TokenUsage(input: 90, output: 20)))
        harness.report(.ended(.end))
        harness.expect(.closePlan(joinInstruction: nil))
        harness.settle()
        harness.expectFailure("limit")

        var other = MachineHarness(format: .text) { $0.maxTokens = 100 }
        other.start()
        other.report(.delta("1. search(a)\n2. join()"))
        other.expectAdded("1")
        other.report(.usage(TokenUsage(input: 50, output: 20)))
        other.report(.ended(.end))
        other.expect(.closePlan(joinInstruction: nil))
        other.settle()
        other.expectCall(.joiner)
        other.report(.delta("Action: Finish(A)\n"))
        other.expect(.answerDelta("A"))
        other.report(.usage(TokenUsage(input: 50, output: 20)))
        other.report(.ended(.end))
        other.expect(.answer(RawJSON("A")))
        #expect(other.machine.usage == TokenUsage(input: 100, output: 40))
    }

    @Test("Estimates tokens by bytes when the provider does not count them")
    func uncountedTokens() {
        var harness = MachineHarness(format: .text) { $0.maxTokens = 100 }
        harness.start()
        harness.reply("1. search(a)\n2. join()")
        harness.expectAdded("1")
        harness.expect(.closePlan(joinInstruction: nil))
        #expect(harness.machine.usage.output == 6)
        #expect(harness.machine.usage.input > 100)
        harness.settle()
        harness.expectFailure("limit")

        // A call that never reached the provider costs nothing.
        var other = MachineHarness(format: .text)
        other.start()
        other.report(.failed(down))
        other.expectFailure("model_unreachable")
        #expect(other.machine.usage == TokenUsage())
    }

    @Test("The rest of the limit on tokens is the limit of the next reply")
    func replyBound() {
        var harness = MachineHarness(format: .text) { $0.maxTokens = 500 }
        harness.handle(.started)
        #expect(harness.expectCall(.planner)?.maxTokens == 500)
        harness.report(.delta("1. search(a)\n2. join()"))
        harness.expectAdded("1")
        harness.report(.usage(TokenUsage(input: 300, output: 20)))
        harness.report(.ended(.end))
        harness.expect(.closePlan(joinInstruction: nil))
        harness.settle()
        #expect(harness.expectCall(.joiner)?.maxTokens == 180)
    }

    private static let prices = TokenPrices(input: 1, output: 10)

    @Test("Tokens cost what the model that was called says, counted or estimated")
    func cost() {
        var harness = MachineHarness(format: .text)
        harness.start()
        harness.report(.usage(TokenUsage(input: 1_000, output: 1)))
        harness.report(.charged(Self.prices))
        harness.report(.delta("1. search(a)\n2. join()"))
        harness.expectAdded("1")
        harness.report(.usage(TokenUsage(input: 1_000, output: 100, cost: 77)))
        #expect(harness.machine.usage == TokenUsage(input: 1_000, output: 100, cost: 0.002))
        harness.report(.ended(.end))
        harness.expect(.closePlan(joinInstruction: nil))
        harness.settle()
        harness.expectCall(.joiner)
        // The next call is one of another model: the old prices do not hold for it.
        harness.report(.usage(TokenUsage(input: 1_000, output: 100)))
        #expect(harness.machine.usage == TokenUsage(input: 2_000, output: 200, cost: 0.002))
        harness.report(.charged(TokenPrices(input: 0, output: 20)))
        #expect(harness.machine.usage.cost == 0.004)

        var uncounted = MachineHarness(format: .text)
        uncounted.start()
        uncounted.report(.charged(TokenPrices(input: 0, output: 1_000_000)))
        uncounted.reply("1. search(a)\n2. join()")
        #expect(uncounted.machine.usage.cost == Double(uncounted.machine.usage.output))
    }

    @Test("A call that is cancelled has used what it has written, and its request")
    func usageOfCancelledCall() {
        for isCounted in [true, false] {
            var harness = MachineHarness(format: .text)
            harness.handle(.started)
            let request = harness.expectCall(.planner)
            harness.report(.charged(Self.prices))
            harness.report(.delta("1. search(a)\n2. sea"))
            harness.expectAdded("1")
            if isCounted { harness.report(.usage(TokenUsage(input: 500, output: 9))) }
            harness.handle(.cancelRequested(Failure(code: .timeout, message: "late")))
            harness.expect(.cancelModel)
            harness.expectFailure("timeout")
            let bytes = request?.messages.reduce(0) { $0 + $1.text.utf8.count } ?? 0
            let estimated = TokenUsage(input: (bytes + 3) / 4, output: 5)
            let used = isCounted ? TokenUsage(input: 500, output: 9) : estimated
            #expect(harness.machine.usage == used.charged(at: Self.prices))
            // The late end of the call changes nothing.
            harness.report(.failed(ModelFailure(code: .cancelled, message: "cancelled")))
            #expect(harness.machine.usage == used.charged(at: Self.prices))
        }
    }

    @Test("The models stop when their cost is reached, and replies are no longer than can be paid")
    func boundOfCost() {
        var harness = MachineHarness(format: .text) {
            $0.maxCost = 0.005
            $0.highestPrices = Self.prices
        }
        harness.handle(.started)
        #expect(harness.expectCall(.planner)?.maxTokens == 500)
        harness.report(.charged(Self.prices))
        harness.report(.delta("1. search(a)\n2. join()"))
        harness.expectAdded("1")
        harness.report(.usage(TokenUsage(input: 1_000, output: 100)))
        harness.report(.ended(.end))
        harness.expect(.closePlan(joinInstruction: nil))
        harness.settle()
        #expect(harness.expectCall(.joiner)?.maxTokens == 300)
        harness.report(.charged(Self.prices))
        harness.report(.usage(TokenUsage(input: 2_000, output: 101)))
        harness.expect(.cancelModel)
        harness.expect(
            .fail(
                Failure(
                    code: .limit,
                    message: "the models have cost 0.00501; at most 0.005 is allowed"
                )
            )
        )

        var spent = MachineHarness(format: .text) {
            $0.maxCost = 0.005
            $0.highestPrices = Self.prices
        }
        spent.start()
        spent.report(.charged(Self.prices))
        spent.report(.delta("1. search(a)\n2. join()"))
        spent.expectAdded("1")
        spent.report(.usage(TokenUsage(input: 0, output: 500)))
        spent.report(.ended(.end))
        spent.expect(.closePlan(joinInstruction: nil))
        spent.settle()
        spent.expect(
            .fail(
                Failure(
                    code: .limit,
                    message: "the models have cost 0.005; at most 0.005 is allowed"
                )
            )
        )
    }

    @Test("A connection that breaks after the end of a plan or decision does no harm")
    func lateFailures() {
        var harness = MachineHarness(format: .json)
        harness.start()
        harness.report(.delta(plan(task("t1", "a"))))
        harness.expectAdded("t1")
        harness.report(.failed(down))
        harness.expect(.closePlan(joinInstruction: "compare"))
        harness.settle()
        harness.expectCall(.joiner)
        harness.report(.delta(finish))
        harness.expect(.answerDelta("A is higher"))
        harness.report(.failed(down))
        harness.expect(.answer(RawJSON("A is higher")))
        harness.expectNothingElse()

        var react = MachineHarness(format: .text) { $0.options.strategy = .react }
        react.start()
        react.report(.delta("Action: Finish(A)\n"))
        react.expect(.answerDelta("A"))
        react.report(.failed(down))
        react.expect(.answer(RawJSON("A")))
    }

    @Test("Stops a model that writes on after its plan, and uses the plan")
    func runningOn() {
        var harness = MachineHarness(format: .text)
        harness.start()
        harness.report(.delta("1. search(a)\n2. join()\n"))
        harness.expectAdded("1")
        harness.report(.delta(String(repeating: "and so on ", count: 200)))
        harness.expect(.cancelModel)
        harness.report(.delta("and on"))
        harness.expectNothingElse()
        harness.report(.failed(ModelFailure(code: .cancelled, message: "cancelled")))
        harness.expect(.closePlan(joinInstruction: nil))
        harness.expectNothingElse()
    }

    @Test("A repair says that it is one, and every plan in the text form has a grammar")
    func grammarOfRepair() {
        var harness = MachineHarness(format: .text)
        harness.handle(.started)
        let first = harness.expectCall(.planner)
        #expect(first?.grammar?.contains("search") == true)
        #expect(first?.isRepair == false)
        harness.reply("1. nothing_like_it()\n2. join()")
        harness.expectProblems("unknown_tool")
        let repair = harness.expectCall(.planner)
        #expect(repair?.grammar == first?.grammar)
        #expect(repair?.isRepair == true)
    }

    @Test("Tells how many calls are left if they are few")
    func callsLeft() {
        var texts: [String] = []
        for count in [1, 4, 1_000] {
            var harness = MachineHarness(format: .text) { $0.maxNodes = count }
            harness.handle(.started)
            let messages = harness.expectCall(.planner)?.messages ?? []
            texts.append(messages.last?.text ?? "")
            #expect(!messages.dropLast().contains { $0.text.contains("at most.") })
        }
        #expect(texts[0].hasSuffix("\nOne call at most.\n"))
        #expect(texts[1].hasSuffix("\n4 calls at most.\n"))
        #expect(!texts[2].contains("at most"))
    }

    @Test("Does not ask again for a form that the provider refused")
    func loweredFormat() {
        var harness = MachineHarness(format: .json)
        harness.handle(.started)
        let first = harness.expectCall(.planner)
        guard case .jsonSchema(name: "plan", _)? = first?.format else {
            // One of the tools accepts objects of any shape, which no strict schema can express.
            #expect(first?.format == .jsonObject)
            harness.report(.formatLowered(to: .text))
            harness.reply(plan(task("t1", "a")))
            harness.expectAdded("t1")
            harness.expect(.closePlan(joinInstruction: "compare"))
            harness.settle()
            #expect(harness.expectCall(.joiner)?.format == .text)
            return
        }
    }

    // MARK: - States

    @Test("An event that does not belong to a state changes nothing")
    func ignoredEvents() {
        let strays: [PlannerMachine.Event] = [
            .roundSettled([]), .modelReported(.delta("1. search(z)")), .modelReported(.ended(.end)),
            .modelReported(.failed(down)), .modelReported(.usage(TokenUsage(input: 1, output: 1))),
            .started,
        ]
        func poke(_ harness: inout MachineHarness, _ events: [PlannerMachine.Event]) {
            for event in events { harness.handle(event) }
            harness.expectNothingElse()
        }
        var harness = MachineHarness(format: .text)
        poke(&harness, Array(strays.dropLast()))
        harness.start()
        poke(&harness, [.started, .roundSettled([])])
        harness.reply("1. search(a)")
        harness.expectAdded("1")
        harness.expect(.closePlan(joinInstruction: nil))
        poke(&harness, Array(strays.dropFirst()))
        harness.settle()
        harness.expectCall(.joiner)
        poke(&harness, [.started, .roundSettled([])])
        harness.reply("Action: Finish(A)")
        harness.expect(.answerDelta("A"))
        harness.expect(.answer(RawJSON("A")))
        poke(&harness, strays + [.cancelRequested(Failure(code: .cancelled, message: "late"))])
    }

    @Test("A cancel ends the run in every state, and its open call")
    func cancelled() {
        let cancel = PlannerMachine.Event.cancelRequested(
            Failure(code: .timeout, message: "the run took too long")
        )
        for stage in 0...3 {
            var harness = MachineHarness(format: .text)
            if stage >= 1 { harness.start() }
            if stage >= 2 {
                harness.reply("1. search(a)")
                harness.expectAdded("1")
                harness.expect(.closePlan(joinInstruction: nil))
            }
            if stage >= 3 {
                harness.settle()
                harness.expectCall(.joiner)
            }
            harness.handle(cancel)
            if stage == 1 || stage == 3 { harness.expect(.cancelModel) }
            harness.expectFailure("timeout")
            harness.report(.failed(ModelFailure(code: .cancelled, message: "cancelled")))
            harness.settle()
            harness.expectNothingElse()
        }
    }

    @Test("Every run ends within its limits, for any text and any end of the model")
    func anyConversation() {
        var generator = SplitMix64(seed: 41)
        let pieces = [
            "1. search(a)\n", "2. math($1)\n", "3. search(\"b\")\n", "4. fetch(x)\n",
            "5. math($9)\n",
            "join()", "6. join()", "Action: Finish(", "Action: Replan(", "x)", "\n", "(", "\"", " ",
        ]
        let stops: [ModelEvent] = [
            .ended(.end), .ended(.length), .ended(.refusal), .ended(.stopSequence), .failed(down),
        ]
        var answers = 0
        for _ in 0..<600 {
            var harness = MachineHarness(format: .text) {
                $0.maxNodes = 5
                $0.maxTokens = 500
            }
            harness.handle(.started)
            var steps = 0
            while !harness.machine.hasEnded, steps < 400 {
                steps += 1
                guard harness.machine.isCalling else {
                    harness.settle()
                    continue
                }
                switch Int.random(in: 0..<10, using: &generator) {
                case 0: harness.report(.usage(TokenUsage(input: 5, output: 5)))
                case 1: harness.report(.ended(.end))
                case 2 where Int.random(in: 0..<4, using: &generator) == 0:
                    harness.report(stops.randomElement(using: &generator) ?? .ended(.end))
                default: harness.report(.delta(pieces.randomElement(using: &generator) ?? ""))
                }
            }
            #expect(harness.machine.hasEnded)
            #expect(harness.added.count <= 5)
            #expect(harness.calls.count <= 18)
            if case .answer? = harness.actions.last { answers += 1 }
        }
        #expect(answers > 5)
    }
}
