// Runs calls of a model against a scripted server and keeps their reports.
import Core
import HTTP
import HTTPTestKit
import JSON
import PlannerCore
import Testing
import UVLoop

@testable import LanguageModels

/// The reports of a call, in order.
final class Transcript {
    private(set) var events: [ModelEvent] = []
    var onEvent: (ModelEvent) -> Void = { _ in }

    /// The closure for a call; it fails the test when something follows the end.
    var report: (ModelEvent) -> Void {
        { [self] event in
            #expect(!hasEnded, "\(event) came after the end")
            events.append(event)
            let onEvent = onEvent
            // The closure usually refers to this object.
            if event.isEnd { self.onEvent = { _ in } }
            onEvent(event)
        }
    }

    var hasEnded: Bool { outcome != nil }
    var text: String { events.compactMap(\.deltaText).joined() }
    var outcome: ModelEvent? {
        events.last { event in
            switch event {
            case .ended, .failed: true
            default: false
            }
        }
    }
}

extension ModelEvent {
    var deltaText: String? { if case .delta(let text) = self { text } else { nil } }
    var failure: ModelFailure? { if case .failed(let failure) = self { failure } else { nil } }
    var usage: TokenUsage? { if case .usage(let usage) = self { usage } else { nil } }
    var isEnd: Bool {
        switch self {
        case .ended, .failed: true
        default: false
        }
    }
}

extension [ModelEvent] {
    var text: String { compactMap(\.deltaText).joined() }
    var failure: ModelFailure? { last?.failure }
    var stop: ModelStop? { if case .ended(let stop)? = last { stop } else { nil } }
    var usage: TokenUsage? { compactMap(\.usage).last }
    var formats: [ResponseFormat] {
        compactMap { if case .formatLowered(let format) = $0 { format } else { nil } }
    }
}

/// Which interface a scripted model speaks.
enum Interface: CaseIterable, Sendable {
    case openai
    case anthropic

    func model(
        _ loop: EventLoop,
        _ client: HTTPClient,
        _ settings: ProviderSettings,
        _ key: ModelKey?
    ) -> any CallableModel {
        switch self {
        case .openai: OpenAIModel(loop: loop, client: client, settings: settings, key: key)
        case .anthropic: AnthropicModel(loop: loop, client: client, settings: settings, key: key)
        }
    }

    /// A complete stream that says the texts.
    func stream(_ texts: String...) -> String {
        switch self {
        case .openai:
            return texts.map { "data: " + Self.chunk($0) + "\n\n" }.joined()
                + "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
                + "data: [DONE]\n\n"
        case .anthropic:
            let deltas = texts.map { text in
                "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
                    + "\"delta\":{\"type\":\"text_delta\",\"text\":\(RawJSON(text))}}\n\n"
            }
            return deltas.joined()
                + "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":"
                + "{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":5}}\n\n"
                + "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
        }
    }

    private static func chunk(_ text: String) -> String {
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\(RawJSON(text))},"
            + "\"finish_reason\":null}]}"
    }
}

/// A minimal request.
func simpleRequest(_ format: ResponseFormat = .text) -> ModelRequest {
    ModelRequest(messages: [.system("Be brief."), .user("Plan.")], format: format)
}

/// A minimal schema.
let simpleFormat = ResponseFormat.jsonSchema(
    name: "plan",
    schema: RawJSON(["type": "object", "additionalProperties": false] as JSONValue)
)

/// The result of a call against a scripted server.
struct ScriptedCall: Sendable {
    var events: [ModelEvent]
    var requests: [ScriptedRequest]
    var bodies: [JSONValue] {
        requests.map { (try? JSONValue(parsing: $0.body)) ?? .null }
    }
}

/// Makes calls of a model one after the other; its server follows a script.
func call(
    _ interface: Interface = .openai,
    _ requests: [ModelRequest] = [simpleRequest()],
    key: String? = nil,
    limit: Duration = .seconds(20),
    _ change: @escaping @Sendable (inout ProviderSettings) -> Void = { _ in },
    script: @escaping @Sendable (Int, ScriptedRequest, ScriptedExchange) -> Void
) async throws -> ScriptedCall {
    try await onLoopWithoutProxy(limit: limit) { loop in
        var number = 0
        let server = try ScriptedHTTPServer(loop) { request, exchange in
            number += 1
            script(number, request, exchange)
        }
        let client = HTTPClient(loop: loop)
        var settings = ProviderSettings(baseURL: server.url + "/v1", model: "tiny")
        settings.firstRetryDelay = .milliseconds(10)
        settings.settleTime = .milliseconds(50)
        change(&settings)
        let model = interface.model(loop, client, settings, key.flatMap { ModelKey($0) })
        var events: [ModelEvent] = []
        var waiting = requests[...]
        func next() {
            guard let request = waiting.popFirst() else { return loop.stop() }
            let transcript = Transcript()
            transcript.onEvent = { event in
                if !event.isEnd { return }
                events += transcript.events
                next()
            }
            model.call(request, report: transcript.report)
            #expect(transcript.events.isEmpty)
        }
        next()
        loop.run()
        client.close()
        return ScriptedCall(events: events, requests: server.requests)
    }
}

extension ScriptedExchange {
    /// Sends a whole stream, chunked.
    func stream(_ text: String) {
        startChunks()
        chunk(text)
        endChunks()
    }
}
