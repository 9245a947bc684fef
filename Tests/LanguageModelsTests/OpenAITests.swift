// Chat completions, with all the differences between servers.
import Core
import HTTPTestKit
import JSON
import PlannerCore
import Testing

@testable import LanguageModels

@Suite("OpenAI's chat completions")
struct OpenAITests {
    @Test("Sends a request in the interface's form, and reads the reply in pieces")
    func plain() async throws {
        let request = ModelRequest(
            messages: [.system("Rules"), .user("Question"), .assistant("Answer"), .user("More")],
            format: simpleFormat,
            stop: ["<END>"],
            maxTokens: 77
        )
        let result = try await call(.openai, [request], key: "sk-canary-0123456789") {
            $0.temperature = 0.5
            $0.maxTokens = 500
        } script: { _, _, exchange in
            exchange.stream(Interface.openai.stream("Hel", "lo \u{1F600}"))
        }
        #expect(result.events == [.delta("Hel"), .delta("lo \u{1F600}"), .ended(.end)])
        let sent = try #require(result.requests.first)
        #expect(sent.line == "POST /v1/chat/completions HTTP/1.1")
        #expect(sent.header("authorization") == "Bearer sk-canary-0123456789")
        #expect(sent.header("content-type") == "application/json")
        #expect(
            result.bodies.first == [
                "model": "tiny",
                "messages": [
                    ["role": "system", "content": "Rules"],
                    ["role": "user", "content": "Question"],
                    ["role": "assistant", "content": "Answer"],
                    ["role": "user", "content": "More"],
                ],
                "stream": true,
                "stream_options": ["include_usage": true],
                "max_tokens": 77,
                "temperature": 0.5,
                "stop": ["<END>"],
                "response_format": [
                    "type": "json_schema",
                    "json_schema": [
                        "name": "plan", "strict": true,
                        "schema": ["type": "object", "additionalProperties": false],
                    ],
                ],
            ]
        )
    }

    @Test("Sends no key without one")
    func keyless() async throws {
        let result = try await call { _, _, exchange in
            exchange.stream(Interface.openai.stream("x"))
        }
        #expect(result.events.stop == .end)
        #expect(result.requests.first?.header("authorization") == nil)
    }

    @Test(
        "Reads irregular streams",
        arguments: [
            // Line ends, comments, several data lines, no space.
            (
                ": hi\r\n\r\ndata:{\"choices\":[{\"delta\":\r\ndata: {\"content\":\"a\"}}]}\r\n\r\n"
                    + "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\r\n\r\ndata: [DONE]\r\n\r\n",
                "a", "end"
            ),
            // No [DONE], no blank line at the end.
            (
                "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\n"
                    + "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}",
                "b", "end"
            ),
            // Usage with null choices, usage with empty ones, empty data.
            (
                "data: {\"choices\":[{\"delta\":{\"content\":\"c\"},\"finish_reason\":\"length\"}]}"
                    + "\n\ndata: {\"choices\":null,\"usage\":null}\n\n"
                    + "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\ndata:\n\n"
                    + "data: [DONE]\n\n",
                "c", "length"
            ),
            // Null content, a role alone, missing index, missing delta, reasoning beside the text.
            (
                "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null}}]}\n\n"
                    + "data: {\"choices\":[{}]}\n\ndata: {}\n\n"
                    + "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n"
                    + "data: {\"choices\":[{\"delta\":{\"content\":\"d\"}}]}\n\n"
                    + "data: {\"choices\":[{\"delta\":null,\"finish_reason\":\"stop\"}]}\n\n",
                "d", "end"
            ),
            // Tool calls are not text, in every split.
            (
                "data: {\"choices\":[{\"delta\":{\"content\":\"e\",\"tool_calls\":[{\"index\":0,"
                    + "\"id\":\"1\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}]}\n\n"
                    + "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":"
                    + "{\"arguments\":\"{\\\"x\\\":1}\"}}]}}]}\n\n"
                    + "data: {\"choices\":[{\"delta\":{\"function_call\":{\"arguments\":\"{}\"}},"
                    + "\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n",
                "e", "toolUse"
            ),
            // Another choice than the first, content in parts, [DONE] without a reason.
            (
                "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"no\"}},{\"index\":0,"
                    + "\"delta\":{\"content\":[{\"type\":\"text\",\"text\":\"f\"},"
                    + "{\"type\":\"image\"}]}}]}\n\ndata: [DONE]\n\n",
                "f", "end"
            ),
            // A refusal.
            (
                "data: {\"choices\":[{\"delta\":{\"refusal\":\"I may not\"}}]}\n\n"
                    + "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
                "", "refusal"
            ),
            // A filter, and an unknown reason.
            (
                "data: {\"choices\":[{\"finish_reason\":\"content_filter\"}]}\n\n",
                "", "refusal"
            ),
            ("data: {\"choices\":[{\"finish_reason\":\"tired\"}]}\n\n", "", "other"),
            // Half a character is replaced, a whole one and an escaped escape stay.
            (
                "data: {\"choices\":[{\"delta\":{\"content\":\"\\ud83d\\ude00\\\\ud83dg\\ud83d\"},\"finish_reason\":"
                    + "\"stop\"}]}\n\n",
                "\u{1F600}\\ud83dg\u{FFFD}", "end"
            ),
        ]
    )
    func irregular(_ stream: String, _ text: String, _ stop: String) async throws {
        let result = try await call { _, _, exchange in exchange.stream(stream) }
        #expect(result.events.text == text)
        #expect(result.events.stop == ModelStop(rawValue: stop))
        #expect(result.requests.count == 1)
    }

    @Test("Reads a stream the same in every split, also within characters and chunks")
    func splits() async throws {
        let text = "\u{E4}\u{20AC}\u{1F600}"
        var bytes = Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
        let stream = Array(Interface.openai.stream(text).utf8)
        let middle = stream.count / 3
        bytes += ScriptedExchange.chunk(Array(stream[..<middle]))
        bytes += ScriptedExchange.chunk(Array(stream[middle...])) + Array("0\r\n\r\n".utf8)
        let whole = bytes
        let cuts = Array(stride(from: 0, through: whole.count, by: 3))
        let requests = [ModelRequest](repeating: simpleRequest(), count: cuts.count)
        let result = try await call(.openai, requests) { number, _, exchange in
            let cut = cuts[number - 1]
            exchange.send(pieces: [Array(whole[..<cut]), Array(whole[cut...])])
        }
        #expect(result.requests.count == cuts.count)
        #expect(result.events.text == String(repeating: text, count: cuts.count))
        #expect(result.events.filter(\.isEnd).allSatisfy { $0 == .ended(.end) })
    }

    @Test("Reports usage, also when each chunk contains it")
    func usage() async throws {
        let result = try await call { _, _, exchange in
            exchange.stream(
                "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"usage\":"
                    + "{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n"
                    + "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n"
                    + "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,"
                    + "\"completion_tokens\":9}}\n\ndata: [DONE]\n\n"
            )
        }
        #expect(result.events.usage == TokenUsage(input: 3, output: 9))
        #expect(result.events.stop == .end)
    }

    @Test("Reads the reply of a server that does not stream")
    func whole() async throws {
        let result = try await call { _, _, exchange in
            exchange.respond(
                200,
                headers: ["Content-Type: application/json; charset=utf-8"],
                "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"all\"},\"finish_reason\":"
                    + "\"stop\"}],\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":1}}"
            )
        }
        #expect(
            result.events == [
                .delta("all"), .usage(TokenUsage(input: 2, output: 1)), .ended(.end),
            ]
        )
    }

    @Test("An error within the stream ends the call with its message")
    func errorInStream() async throws {
        for (event, code, isRetryable) in [
            (
                "data: {\"error\":{\"message\":\"out of memory\",\"code\":500}}", "server_error",
                true
            ),
            ("event: error\ndata: {\"message\":\"overloaded\"}", "server_error", true),
            (
                "data: {\"object\":\"error\",\"message\":\"bad\",\"code\":400}",
                "bad_configuration", false
            ),
            ("data: {\"error\":{\"type\":\"rate_limit_error\"}}", "rate_limited", true),
            ("data: {\"error\":\"maximum context length is 8\"}", "too_long", false),
        ] {
            let result = try await call { _, _, exchange in
                exchange.stream(
                    "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n\(event)\n\n"
                )
            }
            #expect(result.events.text == "x")
            #expect(result.events.failure?.code.rawValue == code)
            #expect(result.events.failure?.isRetryable == isRetryable)
            // Text has already arrived, so there is no retry.
            #expect(result.requests.count == 1)
        }
    }

    @Test("Reads llama.cpp's error for a form that was cut at its limit as a cut reply")
    func cutForm() async throws {
        let error =
            "data: {\"error\":{\"code\":500,\"message\":\"The model produced output that does not "
            + "match the expected peg-native format\",\"type\":\"server_error\"}}\n\n"
        let text = "data: {\"choices\":[{\"delta\":{\"content\":\"{\"}}]}\n\n"
        let cut = try await call { _, _, exchange in exchange.stream(text + error) }
        #expect(cut.events == [.delta("{"), .ended(.length)])
        // Without any text it is an ordinary failure.
        let failed = try await call {
            $0.retries = 0
        } script: { _, _, exchange in
            exchange.stream(error)
        }
        #expect(failed.events.failure?.code == .serverError)
    }

    @Test("The configuration and the request limit the tokens of a reply")
    func tokenLimits() async throws {
        for (asked, configured, sent) in [(nil, nil, 4096), (nil, 7000, 7000), (9, 7000, 9)]
            as [(Int?, Int?, Int)]
        {
            for interface in Interface.allCases {
                let request = ModelRequest(messages: [.user("Question")], maxTokens: asked)
                let result = try await call(interface, [request]) {
                    $0.maxTokens = configured
                } script: { _, _, exchange in
                    exchange.stream(interface.stream("x"))
                }
                #expect(result.bodies.first?["max_tokens"]?.intValue == sent)
            }
        }
    }

    @Test("A stream that breaks off or is no stream is a failure, after the received text")
    func brokenStreams() async throws {
        let start = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n"
        for rest in ["", "data: {\"choices\":[{\"del", "data: {]\n\n", "data: 7\n\n"] {
            let result = try await call { _, _, exchange in exchange.stream(start + rest) }
            #expect(result.events.text == "x")
            #expect(result.events.failure?.code == .badStream, "\(rest)")
        }
        let cut = try await call { _, _, exchange in
            exchange.startChunks()
            exchange.chunk(start)
            exchange.close()
        }
        #expect(cut.events.text == "x" && cut.events.failure?.code == .badStream)
        let page = try await call { _, _, exchange in
            exchange.respond(200, headers: ["Content-Type: text/html"], "<html>")
        }
        #expect(page.events.failure?.code == .badConfiguration)
    }

    @Test("Lowers a refused schema step by step, reports and remembers it")
    func loweredFormat() async throws {
        let requests = [simpleRequest(simpleFormat), simpleRequest(simpleFormat), simpleRequest()]
        let result = try await call(.openai, requests) { number, request, exchange in
            if request.text.contains("json_") {
                exchange.respond(400, "{\"error\":{\"message\":\"no such response_format\"}}")
            } else {
                exchange.stream(Interface.openai.stream("\(number)"))
            }
        }
        #expect(result.events.text == "345")
        #expect(result.events.formats == [.text, .text])
        #expect(
            result.bodies.map { $0["response_format"]?["type"]?.stringValue }
                == ["json_schema", "json_object", nil, nil, nil]
        )
    }

    @Test("Keeps a lower form that the server accepts")
    func loweredToObject() async throws {
        let result = try await call(.openai, [simpleRequest(simpleFormat)]) {
            _,
            request,
            exchange in
            if request.text.contains("json_schema") {
                exchange.respond(500, "{\"error\":{\"message\":\"failed to parse grammar\"}}")
            } else {
                exchange.stream(Interface.openai.stream("{}"))
            }
        }
        #expect(result.events == [.formatLowered(to: .jsonObject), .delta("{}"), .ended(.end)])
    }

    @Test("Leaves out fields that a server refuses, and remembers them")
    func refusedFields() async throws {
        let request = ModelRequest(
            messages: [.user("x")],
            grammar: "root ::= \"a\"",
            stop: ["<END>"],
            maxTokens: 5,
            temperature: 0
        )
        let result = try await call(.openai, [request, request]) {
            $0.grammar = .always
        } script: { _, request, exchange in
            for (field, words) in [
                ("\"grammar\"", "Unrecognized request argument supplied: grammar"),
                ("\"stream_options\"", "unknown field stream_options"),
                ("\"max_tokens\"", "'max_tokens' is not supported, use 'max_completion_tokens'"),
                ("\"temperature\"", "temperature does not support 0"),
                ("\"stop\"", "Unsupported parameter: 'stop'"),
            ] where request.text.contains(field) {
                return exchange.respond(400, "{\"error\":{\"message\":\"\(words)\"}}")
            }
            exchange.stream(Interface.openai.stream("ok"))
        }
        #expect(result.events == [.delta("ok"), .ended(.end), .delta("ok"), .ended(.end)])
        #expect(result.requests.count == 7)
        #expect(result.bodies.last?["max_completion_tokens"] == 5)
    }

    @Test("Leaves a grammar out where a server refuses the request without saying why")
    func silentRefusal() async throws {
        let request = ModelRequest(
            messages: [.user("x")],
            grammar: "root ::= \"a\"",
            isRepair: true
        )
        let result = try await call(.openai, [request, request]) { _ in
        } script: { _, request, exchange in
            guard !request.text.contains("\"grammar\"") else {
                return exchange.respond(400, "{\"error\":{\"message\":\"Bad request\"}}")
            }
            exchange.stream(Interface.openai.stream("ok"))
        }
        #expect(result.events == [.delta("ok"), .ended(.end), .delta("ok"), .ended(.end)])
        #expect(result.requests.count == 3, "the second call does not try it again")
    }

    @Test(
        "Sends a grammar always, never, or with requests for a repair",
        arguments: [
            (GrammarUse.always, false, true), (.always, true, true), (.never, true, false),
            (.repairs, false, false), (.repairs, true, true),
        ]
    )
    func grammar(use: GrammarUse, isRepair: Bool, isTaken: Bool) async throws {
        let request = ModelRequest(
            messages: [.user("x")],
            grammar: "root ::= \"a\"",
            isRepair: isRepair
        )
        let result = try await call(.openai, [request]) {
            $0.grammar = use
        } script: { _, _, exchange in
            exchange.stream(Interface.openai.stream("a"))
        }
        let body = try #require(result.bodies.first)
        #expect(body["grammar"]?.stringValue == (isTaken ? "root ::= \"a\"" : nil))
        #expect((body["structured_outputs"]?["grammar"] != nil) == isTaken)
    }
}
