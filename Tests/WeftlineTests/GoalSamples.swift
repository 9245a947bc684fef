// The code of the page on goals, compiled and run; a test compares.
import Core
import TestKit
import Testing
import Weftline

/// A program's own client, as on the page.
private enum MyClient {
    static func stream(_ request: ModelRequest) -> AsyncStream<String> {
        AsyncStream { continuation in
            continuation.yield(
                request.isForPlan
                    ? writtenPlan(written("t1", "echo", #"{"value":7}"#))
                    : writtenAnswer("\"seven\"")
            )
            continuation.finish()
        }
    }
}

@Suite("Samples of the page on goals", .timeLimit(.minutes(Patience.factor)))
struct GoalSamples {
    @Test("Names models as on the page")
    func models() {
        let remote = LanguageModel.openAI("gpt-4o", key: .environment("OPENAI_API_KEY"))
        let local = LanguageModel.openAI("qwen2.5", baseURL: "http://127.0.0.1:11434/v1")
        let own = LanguageModel.function { request in
            MyClient.stream(request)
        }
        _ = (remote, local, own)
    }

    @Test("Watches a goal as on the page")
    func watching() async throws {
        let model = LanguageModel.function { request in
            MyClient.stream(request)
        }
        let cluster = try await LocalCluster.start(tools: [echo], model: model)
        var shown = ""
        func show(_ text: String) { shown += text }

        let options = RunOptions(
            planner: PlannerOptions(rounds: 2),
            maxTokens: 20_000,
            timeLimit: .seconds(60)
        )
        let run = try await cluster.start(goal: "What is the number?", options: options)
        for await event in run.events {
            switch event.kind {
            case .planned: show("planned \(event.plannedNodes.map(\.tool))\n")
            case .nodeSucceeded: show("done \(event.node ?? "")\n")
            case .replanned: show("once more: \(event.reason ?? "")\n")
            case .answering: show(event.text ?? "")
            default: break
            }
        }
        let answer = try await run.result.answered().text

        #expect(shown == "planned [\"echo\"]\ndone t1\nseven")
        #expect(answer == "seven")

        do {
            let result = try await cluster.run(goal: "What is the number?")
            show(result.text)
        } catch let failure as Failure where failure.code == .modelTimeout {
            show("The model was too slow: \(failure.message)")
        }
        #expect(shown.hasSuffix("sevenseven"))
        await cluster.shutDown()
    }

    @Test("A coordinator elsewhere reaches a goal as on the page")
    func remote() async throws {
        let model = LanguageModel.function { request in
            MyClient.stream(request)
        }
        let cluster = try await LocalCluster.start(tools: [echo], model: model)
        let endpoint = cluster.endpoint
        let key = cluster.clientKey

        let client = try await WeftClient.connect(to: endpoint, key: key)
        let result = try await client.run(goal: "What is the number?")

        #expect(result.text == "seven")
        await client.close()
        await cluster.shutDown()
    }
}
