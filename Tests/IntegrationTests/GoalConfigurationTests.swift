// Mistakes in a configuration and a provider's certificate, as reported by `weft config check`,
// `weft models check` and `weft run`.
import Foundation
import TestKit
import Testing

extension Integration {
    @Suite("Configurations of models", .timeLimit(.minutes(Patience.factor)))
    struct GoalConfigurationTests {
        @Test("Calls a provider only if its certificate's authority is trusted")
        func certificates() async throws {
            try await atPlace { place in
                let folder = place.folder
                // Our own authority, and a server of this host with its certificate.
                try place.write("subjectAltName=IP:127.0.0.1", to: "names")
                let files = "-keyout %.key -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256"
                for command in [
                    "req -x509 -out ca.pem -subj /CN=Authority \(files) -days 2"
                        .replacingOccurrences(of: "%", with: "ca"),
                    "req -out server.csr -subj /CN=Server \(files)"
                        .replacingOccurrences(of: "%", with: "server"),
                    "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2"
                        + " -extfile names -out server.pem",
                ] {
                    let words = command.split(separator: " ").map { word in
                        let isFile =
                            word.contains(".pem") || word.contains(".key")
                            || word.contains(".csr") || word == "names"
                        return isFile ? "\(folder)/\(word)" : String(word)
                    }
                    let made = try await place.start(words, program: "openssl").end()
                    try #require(made.code == 0, "\(made.errors)")
                }
                let server = try await ModelServer(
                    place,
                    certificate: (file: "\(folder)/server.pem", key: "\(folder)/server.key")
                )
                try server.script(
                    planner: [.text(planText(node("t1", "echo", #"{"of":1}"#)))],
                    joiner: [.answer("over TLS")]
                )
                let trusting = try server.configuration("ca_file: ca.pem")
                let run = try await place.goal(with: trusting)
                #expect(run.code == 0, "\(run.errors)")
                #expect(run.output == "over TLS\n")

                let strange = try server.configuration("retries: 2", to: "strange.yaml")
                for command in [["run", "Go.", "--diagnostics"], ["models", "check"]] {
                    let run = try await place.start(command + ["--config", strange]).end()
                    #expect(run.code == 1)
                    let said = run.output + run.errors
                    #expect(said.contains("cannot be trusted"), "\(said)")
                    #expect(said.contains("ca_file"), "\(said)")
                }
                // Another name of this host is not in the certificate.
                let other = try place.write(
                    try String(contentsOfFile: trusting, encoding: .utf8)
                        .replacingOccurrences(of: "127.0.0.1", with: "localhost"),
                    to: "other.yaml"
                )
                let named = try await place.goal(with: other)
                #expect(named.code == 1)
                #expect(named.errors.contains("cannot be trusted"), "\(named.errors)")
                #expect(named.errors.contains("localhost"), "\(named.errors)")

                for (name, words) in [("none.pem", "cannot be read"), ("names", "no certificates")]
                {
                    let path = try server.configuration("ca_file: \(name)", to: "broken.yaml")
                    for command in [["run", "Go.", "--diagnostics"], ["config", "check"]] {
                        let check = try await place.start(command + ["--config", path]).end()
                        #expect(check.code == 2)
                        #expect(check.errors.contains("/\(name) "), "\(check.errors)")
                        #expect(check.errors.contains(words), "\(check.errors)")
                    }
                }
                #expect(try server.requests().count == 2)
            }
        }

        @Test("Reports a mistake in any field with its line, its field and what to do")
        func mistakes() async throws {
            try await atPlace { place in
                try place.write("", to: "empty.key")
                let provider = "api: openai, model: m"
                for (fields, words) in [
                    ("model: m", "api: is missing. Choose openai, anthropic, recorded, command."),
                    ("api: gpt, model: m", "api: must be one of openai, anthropic,"),
                    ("api: openai", "model: is missing. Name the model as the provider knows it."),
                    ("\(provider), base_url: 'api.x.com/v1'", "base_url: must be a URL such as"),
                    ("\(provider), key_env: 'sk-123 4'", "key_env: must be the name of an"),
                    ("\(provider), key_env: NO_SUCH_KEY", "NO_SUCH_KEY is not set. Set it to"),
                    ("\(provider), key_file: none", "There is no key file"),
                    ("\(provider), key_file: empty.key", "chmod 600"),
                    ("\(provider), api_key: sk-123", "api_key: A key does not belong in this"),
                    ("\(provider), max_tokens: many", "max_tokens: must be a whole number from 1"),
                    ("\(provider), temperature: 11", "temperature: must be a number from 0 to 10."),
                    ("\(provider), timeout: 10", "timeout: \"10\" has no unit. Write a duration"),
                    (
                        "\(provider), connect_timeout: 5x",
                        "connect_timeout: \"5x\" has an unknown unit"
                    ),
                    ("\(provider), idle_timeout: -1s", "idle_timeout: \"-1s\" is not a duration."),
                    ("\(provider), retries: 11", "retries: must be a whole number from 0 to 10."),
                    ("\(provider), proxy: 'http://u:p@x'", "proxy: must have no user."),
                    ("\(provider), ca_file: none.pem", "none.pem cannot be read"),
                    ("\(provider), insecure: 1", "insecure: must be true or false."),
                    (
                        "\(provider), tiemout: 1s",
                        "tiemout: is not a field here. Did you mean \"timeout\"?"
                    ),
                    ("api: recorded", "file: is missing. Name the file of the recording."),
                    ("api: recorded, file: none.jsonl", "none.jsonl cannot be read"),
                    ("api: recorded, file: x, pace: fast", "pace: must be recorded, 0 or the time"),
                    ("api: recorded, file: x, repeat: often", "repeat: must be true or false."),
                    ("api: command", "command: is missing. Give the program as a list."),
                    ("api: command, command: ls -l", "command: must be a list of texts, such as"),
                    ("api: command, command: [no-such-program]", "no-such-program in PATH"),
                    ("api: command, command: [./none]", "none cannot be executed"),
                    ("api: command, command: [ls], pass_env: X", "pass_env: must be a list"),
                ] {
                    let path = try place.write(
                        "models:\n  planner: {\(fields)}\n",
                        to: "weft.yaml"
                    )
                    let check = try await place.weft("config", "check", "--config", path)
                    #expect(check.code == 2, "\(fields)")
                    #expect(check.output.isEmpty)
                    let lines = check.errors.split(separator: "\n")
                    let said = lines.filter { $0.contains(words) }
                    #expect(said.count == 1, "\(fields): \(check.errors)")
                    #expect(lines.allSatisfy { $0.hasPrefix("error: \(path): ") })
                    #expect(said.first?.contains("planner: ") == true)
                    #expect(!check.errors.contains("sk-123"))
                }
            }
        }
    }
}
