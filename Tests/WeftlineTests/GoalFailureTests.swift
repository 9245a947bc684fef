// How goals end without an answer: models that fail, plans that cannot be used, limits, cancelling,
// models that cannot be made. Each has its stable code.
import Core
import Foundation
import HTTPTestKit
import TestKit
import Testing
import UVLoop
import Weftline

@Suite("Goals without an answer", .timeLimit(.minutes(Patience.factor)))
struct GoalFailureTests {
    private struct Broken: Error, CustomStringConvertible {
        var description: String { "the shuttle is stuck" }
    }

    private func failure(
        _ model: LanguageModel,
        tools: [FunctionTool] = [echo],
        _ options: RunOptions = RunOptions()
    ) async throws -> Failure {
        try await LocalCluster.with(tools: tools, model: model) { cluster in
            try await #require(throws: Failure.self) {
                try await cluster.run(goal: "Weave.", options: options)
            }
        }
    }

    // MARK: - Models

    @Test("A model that fails gives the run its code")
    func modelFails() async throws {
        let limited = try await failure(
            .function { _, _ in
                throw ModelFailure(code: .rateLimited, message: "come back later")
            }
        )
        #expect(limited.code == .modelRateLimited)
        #expect(limited.message.contains("come back later"))
        let broken = try await failure(.function { _, _ in throw Broken() })
        #expect(broken.code == .modelProviderError)
        #expect(broken.message.contains("the shuttle is stuck"))
        let slow = try await failure(
            .function(timeout: .milliseconds(20)) { _, _ in
                try await Task.sleep(for: .seconds(600))
            }
        )
        #expect(slow.code == .modelTimeout)
        let usedUp = try await failure(.scripted([]))
        #expect(usedUp.code == .modelBadConfiguration)
    }

    @Test("A model that fails in the middle of a plan leaves what ran in the result")
    func failsInMidPlan() async throws {
        let ran = Locked(false)
        let tool = FunctionTool(name: "run", description: "Runs.") { _, _ in
            ran.withLock { $0 = true }
            return 1
        }
        let model = LanguageModel.function { _, reply in
            reply.write(#"{"tasks":["# + written("t1", "run"))
            #expect(await eventually { ran.withLock { $0 } })
            throw ModelFailure(code: .badStream, message: "cut")
        }
        try await LocalCluster.with(tools: [tool], model: model) { cluster in
            let run = try await cluster.start(goal: "Weave.")
            var failures: [Failure] = []
            for await event in run.events { failures += event.failure.map { [$0] } ?? [] }
            let result = try await run.result
            #expect(result.status == .failed)
            #expect(result.failure?.code == .modelBadStream)
            #expect(failures.map(\.code) == [.modelBadStream])
            #expect(try result.output(of: "t1") == 1)
            let thrown = #expect(throws: Failure.self) { try result.answered() }
            #expect(thrown == result.failure)
        }
    }

    @Test("The named codes are those of a model's failures")
    func codes() async throws {
        let codes: [(ModelFailure.Code, FailureCode)] = [
            (.unreachable, .modelUnreachable), (.refusedKey, .modelRefusedKey),
            (.rateLimited, .modelRateLimited), (.serverError, .modelProviderError),
            (.timeout, .modelTimeout), (.badStream, .modelBadStream),
            (.cancelled, .modelCancelled), (.badConfiguration, .modelBadConfiguration),
            (.tooLong, .modelTooLong),
        ]
        let next = Locked(0)
        let model = LanguageModel.function { _, _ in
            let index = next.withLock { $0 }
            throw ModelFailure(code: codes[index].0, message: "as asked")
        }
        try await LocalCluster.with(tools: [echo], model: model) { cluster in
            for (index, (_, code)) in codes.enumerated() {
                next.withLock { $0 = index }
                let failure = try await #require(throws: Failure.self) {
                    try await cluster.run(goal: "Fail.")
                }
                #expect(failure.code == code)
            }
        }
        let refusal = try await failure(.function { _, reply in reply.report(.refusal) })
        #expect(refusal.code == .modelRefused)
    }

    // MARK: - Plans and limits

    @Test("A plan that cannot be used fails after its repairs, and says why")
    func badPlan() async throws {
        let calls = Locked(0)
        let model = LanguageModel.function { _, reply in
            calls.withLock { $0 += 1 }
            reply.write(writtenPlan(written("t1", "loom")))
        }
        let bad = try await failure(model, RunOptions(planner: PlannerOptions(repairs: 1)))
        #expect(bad.code == .badPlan)
        #expect(bad.message.contains("loom"))
        #expect(calls.withLock { $0 } == 2)
    }

    @Test("Rounds, nodes, tokens and time are limited")
    func limits() async throws {
        let again = LanguageModel.function { request, reply in
            reply.write(
                request.isForPlan
                    ? writtenPlan(written("t\(request.messages.count)", "echo"))
                    : writtenReplan("more")
            )
        }
        for rounds in [1, 2] {
            #expect(
                try await failure(again, RunOptions(planner: PlannerOptions(rounds: rounds))).code
                    == .limit
            )
        }
        let many = writtenPlan(written("t1", "echo"), written("t2", "echo"))
        let nodes = RunOptions(planner: PlannerOptions(repairs: 0), maxNodes: 1)
        #expect(try await failure(.scripted([many]), nodes).code == .limit)
        let greedy = LanguageModel.function { _, reply in
            reply.report(TokenUsage(input: 90, output: 20))
            reply.write(many)
        }
        #expect(try await failure(greedy, RunOptions(maxTokens: 100)).code == .limit)
        let cancelled = Locked(false)
        let slow = LanguageModel.function { _, _ in
            do {
                try await Task.sleep(for: .seconds(600))
            } catch {
                cancelled.withLock { $0 = true }
                throw error
            }
        }
        let time = RunOptions(timeLimit: .milliseconds(50))
        #expect(try await failure(slow, time).code == .timeout)
        #expect(await eventually { cancelled.withLock { $0 } })
    }

    @Test("Refuses options that the protocol does not allow; the client still works")
    func badOptions() async throws {
        let model = LanguageModel.scripted([
            writtenPlan(written("t1", "echo")), writtenAnswer(#""woven""#),
        ])
        try await LocalCluster.with(tools: [echo], model: model) { cluster in
            let bad = [
                RunOptions(planner: PlannerOptions(rounds: 0)),
                RunOptions(planner: PlannerOptions(rounds: 21)),
                RunOptions(planner: PlannerOptions(repairs: 11)),
                RunOptions(planner: PlannerOptions(repairs: -1)), RunOptions(maxNodes: 0),
                RunOptions(maxTokens: 0),
                RunOptions(tools: [""]), RunOptions(label: String(repeating: "x", count: 257)),
            ]
            for options in bad {
                let error = try await #require(throws: ClientError.self) {
                    try await cluster.run(goal: "Weave.", options: options)
                }
                #expect(error.kind == .rejected)
            }
            for goal in ["", String(repeating: "x", count: 65_537)] {
                let error = try await #require(throws: ClientError.self) {
                    try await cluster.run(goal: goal)
                }
                #expect(error.kind == .rejected)
            }
            #expect(try await cluster.run(goal: "Weave.").text == "woven")
        }
    }

    // MARK: - Cancelling

    @Test("Cancelling the task cancels the run, the model's call and the nodes")
    func cancelTask() async throws {
        let waiting = Waiting()
        let model = Locked((isCalled: false, isCancelled: false))
        let endless = LanguageModel.function { _, reply in
            model.withLock { $0.isCalled = true }
            reply.write(#"{"tasks":["# + written("t1", "wait"))
            do {
                try await Task.sleep(for: .seconds(600))
            } catch {
                model.withLock { $0.isCancelled = true }
                throw error
            }
        }
        try await LocalCluster.with(tools: [waiting.tool], model: endless) { cluster in
            let task = Task { try await cluster.run(goal: "Wait.") }
            #expect(await eventually { waiting.started == 1 && model.withLock { $0.isCalled } })
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(await eventually { model.withLock { $0.isCancelled } })
            #expect(waiting.cancelled == 1)
        }
    }

    @Test("Shutting down a cluster ends the model's call and every wait")
    func shutDown() async throws {
        let model = Locked((isCalled: false, isCancelled: false))
        let endless = LanguageModel.function { _, _ in
            model.withLock { $0.isCalled = true }
            do {
                try await Task.sleep(for: .seconds(600))
            } catch {
                model.withLock { $0.isCancelled = true }
                throw error
            }
        }
        let cluster = try await LocalCluster.start(tools: [echo], model: endless)
        let run = try await cluster.start(goal: "Wait.")
        #expect(await eventually { model.withLock { $0.isCalled } })
        await cluster.shutDown()
        await #expect(throws: ClientError.self) { try await run.result }
        #expect(await eventually { model.withLock { $0.isCancelled } })
    }

    // MARK: - No model

    @Test("Refuses a goal without a model, here and elsewhere")
    func noModel() async throws {
        try await LocalCluster.with(tools: [echo]) { cluster in
            let here = try await #require(throws: ClientError.self) {
                try await cluster.run(goal: "Weave.")
            }
            #expect(here.kind == .rejected && here.code == .badPlan)
            #expect(here.message.contains("language model"))
            let client = try await WeftClient.connect(to: cluster.endpoint, key: cluster.clientKey)
            let elsewhere = try await #require(throws: ClientError.self) {
                try await client.run(goal: "Weave.")
            }
            #expect(elsewhere.kind == .rejected && elsewhere.code == .badPlan)
            await client.close()
        }
    }

    @Test("A model that cannot be made stops the start, with all problems and no key")
    func unusableModels() async throws {
        let folder = try TemporaryFolder()
        let noPlanner = try folder.write("weft.yaml", "models: {}")
        let cases: [(LanguageModel, LanguageModel?, [String])] = [
            (.openAI("gpt-4o", key: .environment("WEFT_NO_SUCH_KEY")), nil, ["WEFT_NO_SUCH_KEY"]),
            (.openAI("m", baseURL: "http://10.0.0.1", key: .environment("PATH")), nil, ["https"]),
            (.anthropic("", key: nil), .openAI("m", baseURL: "ftp://x"), ["model", "base URL"]),
            (.command([]), nil, ["program"]),
            (.recording("\(folder.path)/none.jsonl"), nil, ["none.jsonl"]),
            (.configuration("\(folder.path)/none.yaml"), nil, ["none.yaml", "cannot be read"]),
            (.configuration(noPlanner), nil, ["weft.yaml", "planner"]),
        ]
        for (model, joiner, words) in cases {
            let error = try await #require(throws: ModelConfigurationError.self) {
                try await LocalCluster.start(tools: [echo], model: model, joiner: joiner)
            }
            for word in words { #expect(error.description.contains(word)) }
        }
    }

    @Test("A provider gets the key of its file and streams into the run")
    func provider() async throws {
        let folder = try TemporaryFolder()
        let key = try folder.write("key", "sk-0123456789abcdef\n")
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
        let seen = Locked<(url: String, keys: [String])>(("", []))
        let thread = try await LoopThread.start(name: "provider") { loop in
            let provider = try ScriptedHTTPServer(loop) { request, exchange in
                seen.withLock { $0.keys.append(request.header("authorization") ?? "") }
                if request.text.contains("Calls made") {
                    return exchange.respond(401, #"{"error":{"message":"no sk-0123456789abcdef"}}"#)
                }
                let text = RawJSON(.string(writtenPlan(written("t1", "echo")))).text
                let delta = #"{"choices":[{"index":0,"delta":{"content":\#(text)}}]}"#
                exchange.startChunks()
                exchange.chunk("data: \(delta)\n\n")
                exchange.chunk("data: [DONE]\n\n")
                exchange.endChunks()
            }
            seen.withLock { $0.url = provider.url }
            return provider
        }
        let model = LanguageModel.openAI(
            "gpt-4o",
            baseURL: seen.withLock { $0.url } + "/v1/",
            key: .file(key)
        )
        let refused = try await failure(model)
        #expect(refused.code == .modelRefusedKey)
        #expect(!"\(refused)".contains("0123456789"))
        let json = RunOptions(join: .json)
        let result = try await LocalCluster.with(tools: [echo], model: model) { cluster in
            try await cluster.run(goal: "Weave.", options: json)
        }
        #expect(result.answer == ["t1": nil])
        let sent = "Bearer sk-0123456789abcdef"
        #expect(seen.withLock { $0.keys } == [sent, sent, sent])
        thread.post { $0.close() }
        thread.end(within: .seconds(1))
        await thread.ended()
    }
}
