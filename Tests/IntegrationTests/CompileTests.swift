// Goals on a real cluster with scripted models, and commands that check a configuration.
import TestKit
import Testing

extension Integration {
    @Suite("Goals and models", .timeLimit(.minutes(Patience.factor)))
    struct CompileTests {
        @Test("Streaming a plan saves time and comes close to the best possible time")
        func stagger() async throws {
            try await atPlace { place in
                let bench = try await place.weft(
                    "bench",
                    "compile",
                    "--shape",
                    "stagger",
                    "--runs",
                    "1",
                    "--json"
                )
                #expect(bench.code == 0, "\(bench.errors)")
                let figures = try bench.document
                let streamed = figures["streamed_measured_ms"].number ?? .infinity
                #expect(streamed <= figures["planned_measured_ms"].number ?? 0)
                for strategy in ["streamed", "planned", "sequential", "react"] {
                    let gap = figures["\(strategy)_gap_ms"].number ?? .infinity
                    // When the model is asked before each call, a run has as many gaps as calls.
                    #expect(gap >= 0 && gap < (strategy == "react" ? 400 : 100), "\(strategy)")
                }
                #expect((figures["speedup_over_react"].number ?? 0) > 1)
            }
        }

        @Test("Reports all problems of a configuration at once")
        func problems() async throws {
            try await atPlace { place in
                let path = try place.write(
                    """
                    models:
                      planner: {api: openai, model: m, timeout: 3, key_env: NO_SUCH_KEY}
                      joiner: {api: recorded, file: none.jsonl, pac: 3}
                    """,
                    to: "weft.yaml"
                )
                for command in ["config", "models"] {
                    let check = try await place.weft(command, "check", "--config", path)
                    #expect(check.code == 2)
                    for word in ["timeout", "NO_SUCH_KEY", "none.jsonl", "pac"] {
                        #expect(check.errors.contains(word))
                    }
                }
            }
        }

        @Test("Calls each model once, and reports one that cannot be reached")
        func models() async throws {
            try await atPlace { place in
                _ = try place.write(
                    """
                    {"weft_recording":1}
                    {"call":"planner"}
                    {"at_ms":1,"delta":"{\\"words\\":\\"one\\"}"}
                    {"at_ms":2,"ended":"end"}
                    """,
                    to: "said.jsonl"
                )
                let planner = "models:\n  planner: {api: recorded, file: said.jsonl}\n"
                let path = try place.write(planner, to: "weft.yaml")
                #expect(try await place.weft("config", "check", "--config", path).code == 0)
                #expect(try await place.weft("models", "check", "--config", path).code == 0)
                let address = "http://127.0.0.1:1/v1"
                let joiner = "  joiner: {api: openai, model: m, base_url: '\(address)', retries: 0}"
                _ = try place.write(planner + joiner, to: "weft.yaml")
                let check = try await place.weft("models", "check", "--json", "--config", path)
                #expect(check.code == 1)
                let models = try check.document["models"]
                #expect(models[0]["works"].number == 1)
                #expect(models[1]["error"]["code"].text == "unreachable")
            }
        }
    }
}
