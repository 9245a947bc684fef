// The part `models` of a configuration file, and the models made from it.
import Configuration
import Foundation
import HTTPTestKit
import PlannerCore
import Testing
import UVLoop

@testable import LanguageModels

private func parse(_ yaml: String) throws -> ModelConfiguration {
    try ModelConfiguration.parse(yaml: yaml, path: "/etc/weft/weft.yaml")
}

private func problems(_ yaml: String) -> [String] {
    do {
        _ = try parse(yaml)
        return []
    } catch {
        return (error as? ModelConfigurationError)?.problems.map(\.description) ?? ["\(error)"]
    }
}

@Suite("Configuration of models")
struct ConfigurationTests {
    @Test("Reads all fields of all kinds")
    func complete() throws {
        let configuration = try parse(
            """
            version: 1
            models:
              planner:
                api: openai
                base_url: http://127.0.0.1:8080/v1/
                model: tiny
                key_file: keys/openai
                max_tokens: 100
                temperature: 0.25
                timeout: 2m
                connect_timeout: 500ms
                idle_timeout: 1.5s
                retries: 0
                proxy: ""
                ca_file: keys/ca.pem
              joiner: {api: command, command: [./join.sh, -x], pass_env: [KEY], timeout: 1h}
            """
        )
        let provider = ProviderSettings(
            baseURL: "http://127.0.0.1:8080/v1",
            model: "tiny",
            key: .file("/etc/weft/keys/openai"),
            maxTokens: 100,
            temperature: 0.25,
            timeout: .seconds(120),
            connectTimeout: .milliseconds(500),
            idleTimeout: .milliseconds(1500),
            retries: 0,
            proxy: "",
            caFile: "/etc/weft/keys/ca.pem"
        )
        let command = CommandSettings(
            arguments: ["/etc/weft/./join.sh", "-x"],
            directory: "/etc/weft",
            passedVariables: ["KEY"],
            timeout: .seconds(3600)
        )
        #expect(
            configuration
                == ModelConfiguration(planner: .openai(provider), joiner: .command(command))
        )
        #expect(configuration.keyVariables == ["KEY"])
    }

    @Test("Missing fields have defaults")
    func defaults() throws {
        let openai = ProviderSettings(
            baseURL: "https://api.openai.com/v1",
            model: "m",
            key: .environment("OPENAI_API_KEY")
        )
        let anthropic = ProviderSettings(baseURL: "https://api.anthropic.com", model: "m")
        let both = try parse(
            """
            models:
              planner: {api: openai, model: m, key_env: OPENAI_API_KEY}
              joiner: {api: anthropic, model: m}
            """
        )
        #expect(
            both == ModelConfiguration(planner: .openai(openai), joiner: .anthropic(anthropic))
        )
        let recorded = try parse("models: {planner: {api: recorded, file: demo.jsonl}}")
        let file = "/etc/weft/demo.jsonl"
        #expect(
            recorded.planner == .recorded(path: file, pace: .recorded, isRepeated: true)
        )
        let paced = try parse(
            "models: {planner: {api: recorded, file: /x, pace: 20ms, repeat: false}}"
        )
        #expect(
            paced.planner
                == .recorded(path: "/x", pace: .every(.milliseconds(20)), isRepeated: false)
        )
        for yaml in ["", "other: 1", "models:", "models: {}"] {
            #expect(try parse(yaml) == ModelConfiguration())
        }
    }

    @Test("Accepts a URL that already contains the appended path")
    func paths() throws {
        for (written, meant) in [
            ("https://x/v1/chat/completions", "https://x/v1"), ("https://x/", "https://x"),
            ("https://x/v1/messages/", "https://x/v1"),
        ] {
            let yaml = "models: {planner: {api: openai, model: m, base_url: '\(written)'}}"
            guard case .openai(let settings) = try parse(yaml).planner else {
                Issue.record("no model")
                continue
            }
            #expect(settings.baseURL == meant)
        }
    }

    @Test("Reports all problems at once, each with its line")
    func everything() {
        let found = problems(
            """
            models:
              planner:
                api: openai
                base_url: ftp://x
                key_env: "sk-canary 1"
                max_tokens: 0
                temperature: warm
                timeout: 10
                retries: 99
                modle: x
              joiner: {api: command, command: [], pass_env: X}
              dreamer: {api: openai}
            """
        )
        #expect(
            found.map { $0.split(separator: " ").prefix(4).joined(separator: " ") } == [
                "line 10: planner: modle:", "line 4: planner: base_url:", "line 3: planner: model:",
                "line 5: planner: key_env:", "line 6: planner: max_tokens:",
                "line 7: planner: temperature:", "line 8: planner: timeout:",
                "line 9: planner: retries:", "line 11: joiner: command:", "line 12: dreamer: is",
            ]
        )
        #expect(!found.contains { $0.contains("canary") })
    }

    @Test(
        "Refuses each impossible value",
        arguments: [
            ("[", "not valid YAML"), ("- models", "must consist of fields"),
            ("models: 7", "planner or joiner"), ("models: {planner: x}", "must have fields"),
            ("models: {planner: {}}", "api: is missing"),
            ("models: {planner: {api: telepathy}}", "must be one of openai"),
            ("models: {planner: {api: openai}}", "model: is missing"),
            ("models: {planner: {api: openai, model: ''}}", "model: is empty"),
            ("models: {planner: {api: openai, model: [m]}}", "must be a text"),
            ("models: {planner: {api: openai, model: m, api_key: sk-canary}}", "key_env"),
            ("models: {planner: {api: openai, model: m, key_env: A, key_file: b}}", "excludes"),
            ("models: {planner: {api: openai, model: m, insecure: maybe}}", "true or false"),
            (
                "models: {planner: {api: openai, model: m, base_url: 'https://u:sk-canary@x'}}",
                "user"
            ),
            (
                "models: {planner: {api: openai, model: m, base_url: 'https://x/?key=sk-canary'}}",
                "query"
            ),
            (
                "models: {planner: {api: openai, model: m, proxy: 'http://u:sk-canary@x'}}",
                "no user"
            ),
            (
                "models: {planner: {api: openai, model: m, key_env: K, base_url: 'http://far/v1'}}",
                "without encryption"
            ),
            ("models: {planner: {api: recorded}}", "file: is missing"),
            (
                "models: {planner: {api: recorded, file: x, pace: fast}}",
                "pace: must be recorded, 0 or the time"
            ),
            ("models: {planner: {api: recorded, file: x, timeout: 1s}}", "timeout: is not a field"),
            ("models: {planner: {api: command}}", "command: is missing"),
            ("models: {planner: {api: command, command: prog arg}}", "must be a list"),
            ("models: {planner: {api: openai, model: m, timeout: 25h}}", "must be from 1ms to 24h"),
            ("models: {planner: {api: openai, model: m, timeout: 0s}}", "must be from 1ms to 24h"),
        ]
    )
    func refusals(_ yaml: String, _ words: String) {
        let found = problems(yaml)
        #expect(found.contains { $0.contains(words) }, "\(found)")
        #expect(!found.contains { $0.contains("canary") })
    }

    @Test("A key may be sent unencrypted to this host, or anywhere if the file allows it")
    func insecure() throws {
        for url in [
            "http://127.0.0.1:1/v1", "http://localhost/v1", "http://[::1]:80/v1", "https://far/v1",
            "http://127.8.9.1/v1",
        ] {
            let yaml = "{api: openai, model: m, key_env: K, base_url: '\(url)'}"
            #expect(problems("models: {planner: \(yaml)}").isEmpty)
        }
        let yaml = "{api: openai, model: m, key_env: K, base_url: 'http://far/v1', insecure: true}"
        #expect(problems("models: {planner: \(yaml)}").isEmpty)
        for url in [
            "http://127.evil.example/v1", "http://localhost.evil.example", "http://10.0.0.1",
        ] {
            let yaml = "{api: openai, model: m, key_env: K, base_url: '\(url)'}"
            #expect(problems("models: {planner: \(yaml)}").count == 1)
        }
    }

    @Test("A catalogue makes the models; without a joiner, the planner joins")
    func catalogue() async throws {
        let facts = try await onLoopWithoutProxy { loop in
            let planner = ModelConfiguration.Model.openai(
                ProviderSettings(baseURL: "http://127.0.0.1:9", model: "m", key: .environment("K"))
            )
            let command = ModelConfiguration.Model.command(CommandSettings(arguments: ["cat"]))
            let environment = ["K": "sk-0123456789"]
            let one = try ModelCatalogue.make(
                ModelConfiguration(planner: planner),
                loop: loop,
                environment: environment
            )
            let two = try ModelCatalogue.make(
                ModelConfiguration(planner: planner, joiner: command),
                loop: loop,
                environment: environment
            )
            let none = try ModelCatalogue.make(
                ModelConfiguration(),
                loop: loop,
                environment: [:]
            )
            defer {
                one.close()
                two.close()
                none.close()
            }
            return [
                one.planner is OpenAIModel, one.joiner === one.planner, two.joiner is CommandModel,
                none.planner == nil && none.joiner == nil,
            ]
        }
        #expect(facts == [true, true, true, true])
    }

    @Test("A catalogue reports everything that is missing at once")
    func missing() async throws {
        let messages = try await onLoopWithoutProxy { loop in
            let configuration = ModelConfiguration(
                planner: .anthropic(
                    ProviderSettings(baseURL: "https://x", model: "m", key: .environment("NO_KEY"))
                ),
                joiner: .recorded(path: "/nonexistent/x", pace: .recorded, isRepeated: true)
            )
            do throws(ModelConfigurationError) {
                _ = try ModelCatalogue.make(configuration, loop: loop, environment: [:])
                return [String]()
            } catch {
                return error.problems.map(\.description)
            }
        }
        #expect(messages.count == 2)
        #expect(messages.first?.contains("planner: The environment variable NO_KEY") == true)
        #expect(messages.last?.contains("joiner: The recording /nonexistent/x") == true)
    }
}
