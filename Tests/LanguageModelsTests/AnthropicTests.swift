// Anthropic's messages.
import Core
import HTTPTestKit
import JSON
import PlannerCore
import Testing

@testable import LanguageModels

@Suite("Anthropic's messages")
struct AnthropicTests {
    @Test("Sends a request in the interface's form, and reads the reply in pieces")
    func plain() async throws {
        let request = ModelRequest(
            messages: [.system("A"), .system("B"), .user("Q"), .assistant(""), .user("R")],
            format: simpleFormat,
            stop: ["<END>"]
        )
        let result = try await call(.anthropic, [request], key: "sk-ant-0123456789") {
            $0.baseURL = String($0.baseURL.dropLast(3))
            $0.temperature = 0.5
        } script: { _, _, exchange in
            exchange.stream(Interface.anthropic.stream("Hel", "lo"))
        }
        #expect(
            result.events == [
                .delta("Hel"), .delta("lo"), .usage(TokenUsage(input: 0, output: 5)), .ended(.end),
            ]
        )
        let sent = try #require(result.requests.first)
        #expect(sent.line == "POST /v1/messages HTTP/1.1")
        #expect(sent.header("x-api-key") == "sk-ant-0123456789")
        #expect(sent.header("anthropic-version") == "2023-06-01")
        #expect(
            result.bodies.first == [
                "model": "tiny",
                "max_tokens": 4096,
                "system": "A\n\nB",
                "messages": [
                    ["role": "user", "content": "Q"], ["role": "user", "content": "R"],
                ],
                "stream": true,
                "temperature": 0.5,
                "stop_sequences": ["<END>"],
                "output_config": [
                    "format": [
                        "type": "json_schema",
                        "schema": ["type": "object", "additionalProperties": false],
                    ]
                ],
            ]
        )
    }

    @Test("Ignores thinking, tool input, pings and unknown events; adds up usage")
    func events() async throws {
        let stream = """
            event: message_start
            data: {"type":"message_start","message":{"usage":{"input_tokens":10,\
            "cache_read_input_tokens":5,"output_tokens":1}}}

            event: ping
            data: {"type":"ping"}

            event: content_block_start
            data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"hm"}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}

            event: content_block_start
            data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":"A"}}

            data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"B"}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{}"}}

            event: surprise
            data: {"type":"surprise"}

            event: message_delta
            data: {"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":7}}

            event: message_stop
            data: {"type":"message_stop"}


            """
        let result = try await call(.anthropic) { _, _, exchange in exchange.stream(stream) }
        #expect(result.events.text == "AB")
        #expect(result.events.usage == TokenUsage(input: 15, output: 7))
        #expect(result.events.stop == .length)
    }

    @Test(
        "Each reason to stop has its meaning",
        arguments: [
            ("end_turn", ModelStop.end), ("max_tokens", .length), ("stop_sequence", .stopSequence),
            ("tool_use", .toolUse), ("refusal", .refusal), ("pause_turn", .other),
            ("model_context_window_exceeded", .length),
        ]
    )
    func reasons(_ name: String, _ stop: ModelStop) async throws {
        let result = try await call(.anthropic) { _, _, exchange in
            // The stream ends without message_stop.
            exchange.stream(
                "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"\(name)\"}}\n\n"
            )
        }
        #expect(result.events == [.ended(stop)])
    }

    @Test("Retries an overload before the first text; after it, it is a failure")
    func overload() async throws {
        let error =
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
            + "\"message\":\"Overloaded\"}}\n\n"
        let again = try await call(.anthropic) { number, _, exchange in
            exchange.stream(number == 1 ? error : Interface.anthropic.stream("ok"))
        }
        #expect(again.events.text == "ok" && again.requests.count == 2)
        let late = try await call(.anthropic) { _, _, exchange in
            let delta = Interface.anthropic.stream("x").prefix { $0 != "}" }
            exchange.stream(
                "\(delta)}}\n\n" + error
            )
        }
        #expect(late.events.text == "x" && late.requests.count == 1)
        #expect(late.events.failure?.code == .serverError)
        #expect(late.events.failure?.message.contains("Overloaded") == true)
    }

    @Test("A refused schema becomes text; an object without schema is text from the start")
    func formats() async throws {
        let requests = [simpleRequest(simpleFormat), simpleRequest(.jsonObject)]
        let result = try await call(.anthropic, requests) { _, request, exchange in
            if request.text.contains("output_config") {
                exchange.respond(
                    400,
                    "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\","
                        + "\"message\":\"output_config: Extra inputs are not permitted\"}}"
                )
            } else {
                exchange.stream(Interface.anthropic.stream("t"))
            }
        }
        #expect(result.events.formats == [.text, .text])
        #expect(result.requests.count == 3)
    }

    @Test("Reads the reply of a server that does not stream")
    func whole() async throws {
        let result = try await call(.anthropic) { _, _, exchange in
            exchange.respond(
                200,
                headers: ["Content-Type: application/json"],
                "{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"all\"}],"
                    + "\"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":1,\"output_tokens\":2}}"
            )
        }
        #expect(
            result.events == [
                .delta("all"), .usage(TokenUsage(input: 1, output: 2)), .ended(.end),
            ]
        )
    }
}
