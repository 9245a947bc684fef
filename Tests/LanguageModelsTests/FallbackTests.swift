// Models behind each other: the next one is called when one fails before its first text.

import Core
import Foundation
import HTTPTestKit
import PlannerCore
import Testing
import UVLoop

@testable import LanguageModels

@Suite("Models with others behind them")
struct FallbackTests {
    private static let down = ModelFailure(code: .unreachable, message: "no connection")

    private func model(_ loop: EventLoop, _ events: ModelEvent...) -> RecordedModel {
        let entries = events.map { Recording.Entry(time: .zero, event: $0) }
        return RecordedModel(
            loop: loop,
            recording: Recording(calls: [Recording.Call(entries: entries)]),
            pace: .every(.zero)
        )
    }

    private func events(
        _ make: @escaping @Sendable (EventLoop) -> [RecordedModel]
    ) async throws
        -> [ModelEvent]
    {
        try await onLoopWithoutProxy { loop in
            let transcript = Transcript()
            transcript.onEvent = { if $0.isEnd { loop.stop() } }
            FallbackModel(make(loop)).call(simpleRequest(), report: transcript.report)
            loop.run()
            return transcript.events
        }
    }

    @Test("The next model answers when one fails before its first text")
    func next() async throws {
        let found = try await events { loop in
            [
                model(loop, .failed(Self.down)),
                model(loop, .usage(TokenUsage(input: 1, output: 0)), .failed(Self.down)),
                model(loop, .delta("7"), .ended(.end)), model(loop, .delta("8"), .ended(.end)),
            ]
        }
        #expect(found.suffix(2) == [.delta("7"), .ended(.end)])
    }

    @Test("Tokens have the prices of the model that answers, none if it has none")
    func prices() async throws {
        let (cheap, dear) = (
            TokenPrices(input: 1, output: 2), TokenPrices(input: 10, output: 20)
        )
        let found = try await onLoopWithoutProxy { loop in
            let transcript = Transcript()
            transcript.onEvent = { if $0.isEnd { loop.stop() } }
            let models: [any CallableModel] = [
                PricedModel(model(loop, .failed(Self.down)), prices: dear),
                PricedModel(model(loop, .delta("7"), .delta("8"), .ended(.end)), prices: cheap),
            ]
            FallbackModel(models).call(simpleRequest(), report: transcript.report)
            loop.run()
            return transcript.events
        }
        #expect(found == [.charged(cheap), .delta("7"), .delta("8"), .ended(.end)])
        let unpriced = try await onLoopWithoutProxy { loop in
            let transcript = Transcript()
            transcript.onEvent = { if $0.isEnd { loop.stop() } }
            let models: [any CallableModel] = [
                PricedModel(model(loop, .failed(Self.down)), prices: dear),
                model(loop, .delta("7"), .ended(.end)),
            ]
            FallbackModel(models).call(simpleRequest(), report: transcript.report)
            loop.run()
            return transcript.events
        }
        #expect(unpriced == [.delta("7"), .ended(.end)])
        // What the first one reported before it failed does not stand for the next one.
        let counted = try await onLoopWithoutProxy { loop in
            let transcript = Transcript()
            transcript.onEvent = { if $0.isEnd { loop.stop() } }
            let used = ModelEvent.usage(TokenUsage(input: 9, output: 0))
            let models: [any CallableModel] = [
                PricedModel(model(loop, used, .failed(Self.down)), prices: dear),
                model(loop, .delta("7"), .ended(.end)),
            ]
            FallbackModel(models).call(simpleRequest(), report: transcript.report)
            loop.run()
            return transcript.events
        }
        #expect(
            counted == [
                .charged(dear), .usage(TokenUsage(input: 9, output: 0)),
                .charged(TokenPrices(input: 0, output: 0)), .usage(TokenUsage()), .delta("7"),
                .ended(.end),
            ]
        )
    }

    @Test("A failure after the first text, and the last model's, are reported")
    func failures() async throws {
        let late = try await events { loop in
            [
                model(loop, .delta("7"), .failed(Self.down)),
                model(loop, .delta("8"), .ended(.end)),
            ]
        }
        #expect(late == [.delta("7"), .failed(Self.down)])
        let all = try await events { loop in
            [model(loop, .failed(Self.down)), model(loop, .failed(Self.down))]
        }
        #expect(all == [.failed(Self.down)])
    }

    @Test("A cancelled call is not made by the next model")
    func cancelled() async throws {
        let found = try await onLoopWithoutProxy { loop in
            let transcript = Transcript()
            let models = [
                model(loop, .delta("7"), .ended(.end)), model(loop, .delta("8"), .ended(.end)),
            ]
            FallbackModel(models).call(simpleRequest(), report: transcript.report).cancel()
            return transcript.events
        }
        #expect(found == [.failed(.cancelled)])
    }

    @Test("A grammar is for repairs where the file says nothing, and never for OpenAI itself")
    func grammarUse() throws {
        for (fields, use) in [
            ("base_url: \"http://127.0.0.1:1/v1\"", GrammarUse.repairs), ("retries: 1", .never),
            ("base_url: \"http://127.0.0.1:1/v1\", grammar: false", .never),
            ("grammar: true", .always),
        ] {
            let yaml = "models: {planner: {api: openai, model: a, \(fields)}}"
            let planner = try ModelConfiguration.parse(yaml: yaml, path: "/x/y").planner
            guard case .openai(let settings) = planner else {
                Issue.record("it is not openai")
                continue
            }
            #expect(settings.grammar == use, "\(fields)")
        }
    }

    @Test("Prices belong to a model of any kind, and both have to be there")
    func pricesOfConfiguration() throws {
        let yaml = """
            models:
              planner:
                - {api: openai, model: a, prices: {input: 0.5, output: 2}}
                - {api: command, command: [cat], prices: {input: 1, output: 0}}
              joiner: {api: anthropic, model: b}
            """
        let configuration = try ModelConfiguration.parse(yaml: yaml, path: "/x/y")
        #expect(configuration.highestPrices == TokenPrices(input: 1, output: 2))
        #expect(configuration.planner?.parts.count == 2)
        for prices in ["{input: 1}", "{input: -1, output: 1}", "7", "{input: 1, output: 1, x: 1}"] {
            #expect(throws: ModelConfigurationError.self, "\(prices)") {
                try ModelConfiguration.parse(
                    yaml: "models: {planner: {api: openai, model: a, prices: \(prices)}}",
                    path: "/x/y"
                )
            }
        }
    }

    @Test("A configuration names several models as a list")
    func configuration() throws {
        let yaml = """
            models:
              planner:
                - {api: openai, model: a, base_url: "http://127.0.0.1:1/v1", grammar: true}
                - {api: command, command: [cat]}
            """
        let planner = try #require(try ModelConfiguration.parse(yaml: yaml, path: "/x/y").planner)
        #expect(planner.parts.count == 2)
        guard case .openai(let settings) = planner.parts[0] else {
            Issue.record("the first one is not openai")
            return
        }
        #expect(settings.grammar == .always)
        #expect(throws: ModelConfigurationError.self) {
            try ModelConfiguration.parse(yaml: "models: {planner: []}", path: "/x/y")
        }
        #expect(throws: ModelConfigurationError.self) {
            try ModelConfiguration.parse(
                yaml: "models: {planner: {api: anthropic, model: a, grammar: true}}",
                path: "/x/y"
            )
        }
    }
}
