// Goals through the library: models that are Swift functions or scripts, their plans, the answer
// and the events. Not here: goals that fail (GoalFailureTests).
import Core
import Foundation
import TestKit
import Testing
import UVLoop
import Weftline

/// A call as a model writes it in a plan; arguments are JSON.
func written(_ id: String, _ tool: String, _ arguments: String = "{}") -> String {
    #"{"id":"\#(id)","tool_name":"\#(tool)","args":\#(arguments)}"#
}

/// A plan as a model writes it.
func writtenPlan(_ calls: String...) -> String {
    #"{"tasks":["# + calls.joined(separator: ",") + "]}"
}

/// The decision to answer, as a model writes it; the answer is JSON.
func writtenAnswer(_ answer: String) -> String {
    #"{"thought":"","action":"finish","reason":null,"answer":\#(answer)}"#
}

/// The decision to plan again, as a model writes it.
func writtenReplan(_ reason: String) -> String {
    #"{"thought":"","action":"replan","reason":"\#(reason)","answer":null}"#
}

@Suite("Goals", .timeLimit(.minutes(Patience.factor)))
struct GoalTests {
    static let threads = writtenPlan(
        written("t1", "sum", #"{"terms":[40,2]}"#),
        written("t2", "echo", #"{"value":"$t1 threads"}"#)
    )

    @Test("A goal gives an answer as text, with the nodes and the tokens")
    func answer() async throws {
        let model = LanguageModel.function { request, reply in
            if request.isForPlan {
                #expect(request.messages.contains { $0.text.contains("How many threads?") })
                reply.write(Self.threads)
                reply.report(TokenUsage(input: 100, output: 20))
            } else {
                #expect(request.messages.contains { $0.text.contains("42 threads") })
                reply.write(writtenAnswer(#""There are 42.""#))
                reply.report(TokenUsage(input: 50, output: 5))
            }
        }
        let result = try await LocalCluster.with(tools: [echo, sum], model: model) { cluster in
            try await cluster.run(goal: "How many threads?")
        }
        #expect(result.isSuccess)
        #expect(result.text == "There are 42.")
        #expect(result.answer == "There are 42.")
        #expect(try result.output(of: "t2") == "42 threads")
        #expect(result.usage == TokenUsage(input: 150, output: 25))
    }

    @Test("An answer that is JSON stays JSON, also without a model that joins")
    func structuredAnswer() async throws {
        let model = LanguageModel.scripted([
            Self.threads, writtenAnswer(#"{"threads":42}"#), Self.threads,
        ])
        try await LocalCluster.with(tools: [echo, sum], model: model) { cluster in
            let first = try await cluster.run(goal: "How many threads?")
            #expect(first.answer == ["threads": 42])
            // The model does not count its tokens, so they are estimated.
            #expect(first.usage?.output ?? 0 > 0)
            let options = RunOptions(join: .json, reportsNodes: false)
            let second = try await cluster.run(goal: "How many threads?", options: options)
            #expect(second.answer == ["t1": 42, "t2": "42 threads"])
            #expect(second.nodes.isEmpty)
        }
    }

    @Test("A node starts while the plan is still being written")
    func streaming() async throws {
        let started = Locked(false)
        let early = FunctionTool(name: "early", description: "Starts early.") { _, _ in
            started.withLock { $0 = true }
            return 1
        }
        let startedInTime = Locked(false)
        let model = LanguageModel.function { request, reply in
            guard request.isForPlan else { return reply.write(writtenAnswer("1")) }
            reply.write(#"{"tasks":["# + written("t1", "early"))
            let isEarly = await eventually { started.withLock { $0 } }
            startedInTime.withLock { $0 = isEarly }
            reply.write("," + written("t2", "echo", #"{"value":"$t1"}"#) + "]}")
        }
        let result = try await LocalCluster.with(tools: [early, echo], model: model) { cluster in
            try await cluster.run(goal: "Be early.")
        }
        #expect(startedInTime.withLock { $0 })
        #expect(result.answer == 1)
        #expect(result.nodes.map(\.id) == ["t1", "t2"])
    }

    @Test("Events report how the plan grows, why it is replaced, and the answer in pieces")
    func events() async throws {
        let model = LanguageModel.function { request, reply in
            if request.isForPlan {
                let isFirst = !request.messages.contains { $0.text.contains("a weft is missing") }
                let node = written(isFirst ? "t1" : "t2", "echo", #"{"value":7}"#)
                reply.write(writtenPlan(node))
                reply.report(TokenUsage(input: 10, output: 1))
            } else if request.messages.contains(where: { $0.text.contains("Calls made by plan 2") })
            {
                reply.report(TokenUsage(input: 5, output: 2))
                for piece in writtenAnswer(#""Seven and seven.""#) { reply.write(String(piece)) }
            } else {
                reply.write(writtenReplan("a weft is missing"))
                reply.report(TokenUsage(input: 5, output: 2))
            }
        }
        try await LocalCluster.with(tools: [echo], model: model) { cluster in
            let run = try await cluster.start(goal: "Sevens.", watching: .nodes)
            var events: [RunEvent] = []
            for await event in run.events { events.append(event) }
            let result = try await run.result

            #expect(result.text == "Seven and seven.")
            let planned = events.flatMap(\.plannedNodes)
            #expect(planned.map(\.id.text) == ["t1", "t2"])
            #expect(planned.map(\.tool) == ["echo", "echo"])
            let replanned = try #require(events.firstIndex { $0.kind == .replanned })
            #expect(events[replanned].round == 2)
            #expect(events[replanned].reason == "a weft is missing")
            #expect(events[replanned].usage == TokenUsage(input: 15, output: 3))
            let first = try #require(
                events.firstIndex { $0.kind == .nodeSucceeded && $0.node == "t1" }
            )
            let second = try #require(events.firstIndex { $0.plannedNodes.first?.id.text == "t2" })
            #expect(first < replanned && replanned < second)
            let answering = events.filter { $0.kind == .answering }
            #expect(answering.compactMap(\.text).joined() == "Seven and seven.")
            #expect(events.last?.kind == .runSucceeded)
            #expect(events.last?.usage == TokenUsage(input: 30, output: 6))
        }
    }

    @Test("Reports problems of a plan and sends them back to the model")
    func repair() async throws {
        let model = LanguageModel.scripted([
            writtenPlan(written("t1", "echo", #"{"value":1}"#), written("t2", "loom")),
            writtenPlan(written("t2", "echo", #"{"value":"$t1"}"#)),
            writtenAnswer("1"),
        ])
        try await LocalCluster.with(tools: [echo], model: model) { cluster in
            let run = try await cluster.start(goal: "One.", watching: .progress)
            var problems: [PlanProblem] = []
            for await event in run.events { problems += event.problems }
            #expect(problems.contains { $0.code == .unknownTool && $0.message.contains("loom") })
            let result = try await run.result.answered()
            #expect(try result.output(of: "t2") == 1)
        }
    }

    @Test("A function may return its reply as a sequence, and another model may join")
    func sequences() async throws {
        let planner = LanguageModel.function { request in
            #expect(request.isForPlan)
            return AsyncThrowingStream<String, any Error> { continuation in
                for piece in Self.threads.split(separator: ",", omittingEmptySubsequences: false) {
                    continuation.yield((piece.first == "{" ? "" : ",") + piece)
                }
                continuation.finish()
            }
        }
        let joiner = LanguageModel.function { request in
            #expect(!request.isForPlan)
            return AsyncStream { continuation in
                continuation.yield(writtenAnswer(#""42""#))
                continuation.finish()
            }
        }
        let result = try await LocalCluster.with(
            tools: [echo, sum],
            model: planner,
            joiner: joiner
        ) { cluster in
            try await cluster.run(goal: "How many threads?")
        }
        #expect(result.text == "42")
    }

    @Test("A plan may be numbered lines, with only the allowed tools")
    func textPlan() async throws {
        let model = LanguageModel.function { request, reply in
            guard request.messages.contains(where: { $0.text.contains("Calls made") }) else {
                #expect(request.format == .text)
                #expect(!request.messages.contains { $0.text.contains("Always fails") })
                #expect(!request.messages.contains { $0.text.contains("Adds up.") })
                return reply.write("1. echo(value=\"weft\")\n2. join()<END_OF_PLAN>")
            }
            reply.write("Thought: done\nAction: Finish(weft)")
        }
        let options = RunOptions(
            tools: ["echo"],
            planner: PlannerOptions(format: .text),
            label: "loom"
        )
        let result = try await LocalCluster.with(tools: [echo, sum], model: model) { cluster in
            try await cluster.run(goal: "Weft.", options: options)
        }
        #expect(result.text == "weft")
        #expect(try result.output(of: "1") == "weft")
    }

    @Test("Two goals at once do not mix")
    func twoAtOnce() async throws {
        let meeting = Locked<Set<String>>([])
        let model = LanguageModel.function { request, reply in
            let word = request.messages.contains { $0.text.contains("Say warp.") } ? "warp" : "weft"
            guard request.isForPlan else { return reply.write(writtenAnswer("\"\(word)\"")) }
            reply.write(#"{"tasks":["#)
            meeting.withLock { _ = $0.insert(word) }
            // Each goal is planned only when the other one is planned, too.
            #expect(await eventually { meeting.withLock { $0.count } == 2 })
            reply.write(written("t1", "echo", "{\"value\":\"\(word)\"}") + "]}")
        }
        try await LocalCluster.with(tools: [echo], model: model) { cluster in
            async let warp = cluster.run(goal: "Say warp.")
            async let weft = cluster.run(goal: "Say weft.")
            let both = try await (warp, weft)
            #expect(both.0.text == "warp")
            #expect(both.1.text == "weft")
            #expect(try both.0.output(of: "t1") == "warp")
            #expect(try both.1.output(of: "t1") == "weft")
        }
    }

    @Test("A coordinator elsewhere plans with its models and runs on its workers")
    func remote() async throws {
        let folder = try TemporaryFolder()
        let config = try folder.write(
            "weft.yaml",
            "models: {planner: {api: recorded, file: weft.jsonl, pace: 1ms}}"
        )
        try folder.write("weft.jsonl", recording(Self.threads, writtenAnswer(#""42""#)))
        let coordinator = try await StandaloneCoordinator.start(modelsAt: config)
        let worker = try await EmbeddedWorker.start(
            tools: [echo, sum],
            coordinator: coordinator.endpoint,
            key: coordinator.workerKey,
            options: EmbeddedWorker.Options(name: "loom")
        )
        let client = try await WeftClient.connect(
            to: coordinator.endpoint,
            key: coordinator.clientKey
        )
        let result = try await client.run(goal: "How many threads?")
        #expect(result.text == "42")
        #expect(result["t2"]?.worker == "loom")
        let run = try await client.start(goal: "Again.", options: RunOptions(label: "again"))
        var text = ""
        for await event in run.events where event.kind == .answering { text += event.text ?? "" }
        #expect(text == "42")
        await client.close()
        await worker.stop()
        await coordinator.stop()
    }

    @Test("A recording replays planner and joiner, each its own calls, any number of times")
    func replay() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            "weft.jsonl",
            recording(Self.threads, writtenAnswer(#""42""#))
        )
        let model = LanguageModel.recording(path, pace: .every(.zero))
        try await LocalCluster.with(tools: [echo, sum], model: model) { cluster in
            for _ in 0..<2 {
                let result = try await cluster.run(goal: "How many threads?")
                #expect(result.text == "42")
            }
        }
    }
}

extension ModelRequest {
    /// Whether the request asks for a plan, not for a decision.
    var isForPlan: Bool {
        messages[0].text.hasPrefix("You plan calls")
    }
}

/// A recording of one call of a planner and one of a joiner.
func recording(_ plan: String, _ decision: String) -> String {
    func call(_ label: String, _ text: String) -> String {
        let delta = RawJSON(JSONValue.string(text)).text
        return """
            {"call":"\(label)"}
            {"at_ms":1,"delta":\(delta)}
            {"at_ms":2,"ended":"end"}

            """
    }
    return "{\"weft_recording\":1}\n" + call("planner", plan) + call("joiner", decision)
}
