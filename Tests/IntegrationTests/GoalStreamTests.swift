// Irregular streams of providers, and models of the other kinds, through the real program. Not
// here: models that fail (GoalFailureTests).
import Foundation
import TestKit
import Testing

extension Integration {
    @Suite("Goals and streams", .timeLimit(.minutes(Patience.factor)))
    struct GoalStreamTests {
        /// One chunk of a chat completion with this content, as JSON.
        private static func chunk(_ fields: String) -> String {
            "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\(fields)}]}\n\n"
        }

        private static let start = #"{\"tasks\":[{\"id\":\"t1\",\"tool_name\":\"echo\","#
        private static let end = #"\"args\":{\"of\":\"é😀\"}}]}"#

        private static func content(_ text: String) -> String {
            chunk("\"delta\":{\"content\":\"\(text)\"}")
        }

        @Test("Irregular streams give exactly the written plan")
        func irregular() async throws {
            try await atPlace { place in
                let server = try await ModelServer(place)
                let stop = Self.chunk(#""delta":{},"finish_reason":"stop""#)
                let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9}}\n\n"
                let both = Self.content(Self.start) + Self.content(Self.end)
                let call =
                    #"{"index":0,"id":"c","function":{"name":"fail","arguments":"{\"tasks\":["}}"#
                let variants: [(String, Reply)] = [
                    ("plain", [.raw(both + stop + usage + "data: [DONE]\n\n")]),
                    ("crlf", [.raw((both + stop).replacingOccurrences(of: "\n", with: "\r\n"))]),
                    ("cr", [.raw((both + stop).replacingOccurrences(of: "\n", with: "\r"))]),
                    ("comments", [.raw(": hi\n\n" + both + ": in between\nevent: x\n" + stop)]),
                    ("no DONE", [.raw(both + stop)]),
                    ("no finish reason", [.raw(both + "data: [DONE]\n\n")]),
                    ("null choices", [.raw(both + stop + "data: {\"choices\":null}\n\n")]),
                    ("byte by byte", (both + stop).utf8.map { .bytes([$0]) }),
                    (
                        "two lines of data",
                        [
                            .raw(
                                both.replacingOccurrences(
                                    of: "\"choices\":",
                                    with: "\ndata: \"choices\":"
                                ) + stop
                            )
                        ]
                    ),
                    (
                        "tool calls are no text",
                        [
                            .raw(Self.chunk(#""delta":{"role":"assistant","content":null}"#)),
                            .raw(Self.content(Self.start)),
                            .raw(Self.chunk("\"delta\":{\"tool_calls\":[\(call)]}")),
                            .raw(Self.chunk(#""delta":{"reasoning_content":"{\"tasks\":"}"#)),
                            .raw(Self.content(Self.end) + stop),
                        ]
                    ),
                    (
                        "an answer in one piece",
                        [
                            .whole(
                                #"{"choices":[{"message":{"content":"\#(Self.start)\#(Self.end)"},"#
                                    + #""finish_reason":"stop"}]}"#
                            )
                        ]
                    ),
                ]
                for (goal, reply) in variants { try server.script(goal, planner: [reply]) }
                try await place.startCluster(try server.configuration())
                for (goal, _) in variants {
                    let run = try await place.weft("run", goal, "--join", "json")
                    #expect(run.code == 0, "\(goal): \(run.errors)")
                    #expect(run.output == "{\"t1\":{\"of\":\"é😀\"}}\n", "\(goal): \(run.output)")
                }
                #expect(try server.requests().count == variants.count)
            }
        }

        @Test("A refused schema becomes an object, then text; the next call remembers")
        func lowered() async throws {
            try await atPlace { place in
                // Tools whose arguments a strict schema can express.
                try place.tools(
                    """
                    tools:
                      - name: say
                        parameters: {type: object, properties: {word: {type: string}}, \
                    required: [word], additionalProperties: false}
                        command: [printf, "%s", "{word}"]
                    """
                )
                let server = try await ModelServer(place)
                let refused = Reply(
                    [.status(400, #"{"error":{"message":"response_format is not supported"}}"#)]
                )
                let words = planText(node("t1", "say", #"{"word":"hi"}"#))
                try server.script(
                    planner: [refused, refused, .text(words)],
                    joiner: [.text("Action: Finish(it said hi)")]
                )
                let run = try await place.start(
                    "run",
                    "Say hi.",
                    "--plan-format",
                    "json",
                    "--workers",
                    "1",
                    "--tools",
                    place.manifest,
                    "--config",
                    try server.configuration()
                )
                .end()
                #expect(run.code == 0, "\(run.errors)")
                #expect(run.output == "it said hi\n")
                let forms = try server.requests().map { request in
                    request.purpose + " " + (request.body["response_format"]["type"].text ?? "-")
                }
                // The joiner is the same model, so the refused forms are not tried again.
                #expect(
                    forms == [
                        "planner json_schema", "planner json_object", "planner -", "joiner -",
                    ]
                )
                let schema = try server.requests()[0].body["response_format"]["json_schema"]
                #expect(schema["strict"].description == "true")
                let branches = schema["schema"]["properties"]["tasks"]["items"]["anyOf"]
                #expect(branches[0]["properties"]["tool_name"]["enum"].description == "[\"say\"]")
            }
        }

        @Test("Reads Anthropic's streams the same way")
        func anthropic() async throws {
            try await atPlace { place in
                let server = try await ModelServer(place)
                let words = planText(node("t1", "echo", #"{"of":"é😀"}"#))
                let thinking =
                    "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
                    + "{\"type\":\"thinking_delta\",\"thinking\":\"{\\\"tasks\\\":[\"}}\n\n"
                let tool =
                    "event: content_block_delta\r\ndata: {\"type\":\"content_block_delta\","
                    + "\"index\":1,\"delta\":{\"type\":\"input_json_delta\","
                    + "\"partial_json\":\"{\\\"tasks\"}}\r\n\r\n"
                try server.script(
                    planner: [
                        [.status(529, "overloaded", headers: ["retry-after-ms": "10"])],
                        [
                            .usage(100, 1), .raw(thinking), .raw("event: ping\ndata: {}\n\n"),
                            .say(words, by: 3), .raw(tool), .finish("end_turn"), .done,
                        ],
                    ],
                    joiner: [
                        [.say(#"{"action":"finish","answer":"done"}"#), .finish("end_turn"), .hang]
                    ]
                )
                let key = "sk-ant-0123456789"
                let run = try await place.goal(
                    with: try server.configuration(api: "anthropic", "key_env: THE_KEY"),
                    environment: ["THE_KEY": key]
                )
                #expect(run.code == 0, "\(run.errors)")
                #expect(run.output == "done\n")
                let headers = try server.requests().map { $0.document["headers"] }
                #expect(headers.count == 3)
                #expect(headers.allSatisfy { $0["x-api-key"].text == key })
                #expect(headers.allSatisfy { $0["anthropic-version"].text == "2023-06-01" })
            }
        }

        @Test("A recording of a server replays the same plan, in the same pieces")
        func recorded() async throws {
            try await atPlace { place in
                let server = try await ModelServer(place)
                let first = planText(node("t1", "echo", #"{"of":1}"#))
                let second = planText(node("t2", "echo", #"{"of":"$t1"}"#))
                let replan = #"{"thought":"","action":"replan","reason":"more","answer":null}"#
                try server.script(
                    planner: [.text(first), .text(second)],
                    joiner: [.text(replan), .answer("done")]
                )
                let file = "\(place.folder)/said.jsonl"
                let live = try await place.goal(
                    with: try server.configuration(),
                    "--record",
                    file,
                    "--json"
                )
                #expect(live.code == 0, "\(live.errors)")
                let pieces = place.lines(of: "said.jsonl").count { $0.contains("\"delta\"") }
                #expect(pieces > 20)
                let replay = try place.write(
                    "models: {planner: {api: recorded, file: said.jsonl, pace: 0},"
                        + " joiner: {api: recorded, file: said.jsonl, pace: 0}}",
                    to: "replay.yaml"
                )
                let again = try await place.goal(with: replay, "--json")
                #expect(again.code == 0, "\(again.errors)")
                for field in ["answer", "status"] {
                    #expect(
                        try again.document[field].description == live.document[field].description
                    )
                }
                for id in ["t1", "t2"] {
                    let nodes = try [live, again].map { try $0.document["nodes"][id] }
                    #expect(nodes[0]["output"].description == nodes[1]["output"].description)
                    #expect(!nodes[0]["output"].isAbsent)
                }
                #expect(try server.requests().count == 4)
            }
        }
    }
}
