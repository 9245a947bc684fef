// The errors for a wrong command line, which come before anything else.
import Foundation
import Glibc
import TestKit
import Testing

extension Integration {
    @Suite("The command line", .timeLimit(.minutes(2 * Patience.factor)))
    struct CommandLineTests {
        @Test(
            "Reports a misspelled word, with exit code 2",
            arguments: [
                ("run --wrokers 3", "--workers"), ("run --paln x", "--plan"),
                ("plan --chekc x", "--check"), ("plan --check x --fromat dot", "--format"),
                ("worker --tool x", "--tools"), ("rnu", "run"), ("help rnu", "run"),
                ("rnu --help", "run"), ("models chekc", "check"), ("bench chian", "chain"),
                ("drain w --dealine 5s", "--deadline"), ("status --coordinater x", "--coordinator"),
            ]
        )
        func misspelt(line: String, meant: String) async throws {
            try await atPlace { place in
                let outcome = try await place.start(line.split(separator: " ").map(String.init))
                    .end()
                #expect(outcome.code == 2, "\(outcome)")
                #expect(outcome.output.isEmpty)
                #expect(outcome.errors.hasPrefix("error: weft"), "\(outcome.errors)")
                #expect(outcome.errors.contains("Did you mean \"\(meant)\"?"), "\(outcome.errors)")
            }
        }

        @Test("Tells its version, its protocol, its build and its libraries")
        func version() async throws {
            try await atPlace { place in
                let outcome = try await place.weft("version")
                #expect(outcome.code == 0, "\(outcome)")
                let names = outcome.output.split(separator: "\n").map { $0.prefix { $0 != " " } }
                #expect(names == ["weft", "protocol", "build", "libraries"], "\(outcome.output)")
                let about = try await place.weft("version", "--json").document
                let short = try await place.weft("--version").output
                #expect("weft \(about["version"].text ?? "")\n" == short)
                #expect(about["software"].text == "weft/\(about["version"].text ?? "")")
                #expect(about["protocol"]["newest"].number == 1)
                #expect(about["protocol"]["supported"].list.map(\.number) == [1])
                #expect(["debug", "release"].contains(about["build"]["configuration"].text))
                #expect(about["build"]["swift"].text?.hasPrefix("6.") == true)
                for library in ["libuv", "OpenSSL", "simdjson", "libyaml", "SQLite", "libcurl"] {
                    let version = about["libraries"][library].text ?? ""
                    #expect(version.first?.isNumber == true, "\(library): \(version)")
                    #expect(outcome.output.contains("\(library) \(version)"))
                }
            }
        }

        @Test("Recognizes a plan file given as a goal")
        func planAsGoal() async throws {
            try await atPlace { place in
                let plan = try place.plan(node("a", "noop"))
                let outcome = try await place.weft("run", plan, "--diagnostics")
                #expect(outcome.code == 2, "\(outcome)")
                #expect(outcome.errors.contains("is a file; did you mean --plan"))
            }
        }

        @Test(
            "Without a coordinator, every command says so and how to start one",
            arguments: [
                "status", "workers", "tools", "runs", "show r1", "watch r1", "explain r1",
                "cancel r1", "drain w1", "worker --diagnostics", "run --plan PLAN",
            ]
        )
        func freshHost(line: String) async throws {
            try await atPlace { place in
                let plan = try place.plan(node("a", "noop"))
                let words = line.replacingOccurrences(of: "PLAN", with: plan).split(separator: " ")
                let outcome = try await place.start(
                    words.map(String.init),
                    environment: ["WEFT_COORDINATOR": "127.0.0.1:1"]
                )
                .end()
                #expect(outcome.code == 3, "\(outcome)")
                #expect(outcome.errors.hasPrefix("error: no coordinator at 127.0.0.1:1"))
                #expect(outcome.errors.contains("start `weft coordinator`"), "\(outcome.errors)")
            }
        }

        @Test("Tells what is wrong with a key file")
        func keyFiles() async throws {
            try await atPlace { place in
                try await place.startCoordinator()
                let empty = try place.write("", to: "empty.key")
                let short = try place.write("abcdef\n", to: "short.key")
                for file in [empty, short] { chmod(file, 0o600) }
                for (file, words) in [
                    (".", ". is a folder"), (empty, "is empty"), (short, "holds 6 hex digits"),
                    ("\(place.state)/worker.key", "is the key of workers"),
                    ("\(place.folder)/none.key", "no key file"),
                ] {
                    let outcome = try await place.weft("status", "--key-file", file)
                    #expect(outcome.code == 4, "\(outcome)")
                    #expect(outcome.errors.hasPrefix("error: "), "\(outcome.errors)")
                    #expect(outcome.errors.contains(words), "\(outcome.errors)")
                }
                let worker = try await place.weft(
                    "worker",
                    "--diagnostics",
                    "--key-file",
                    "\(place.state)/client.key"
                )
                #expect(worker.code == 4 && worker.errors.contains("is the key of clients"))
            }
        }

        @Test("A program that only repeats its input is not a working model")
        func echoedModel() async throws {
            try await atPlace { place in
                let path = try place.write(
                    "models:\n  planner: {api: command, command: [cat]}\n",
                    to: "weft.yaml"
                )
                let check = try await place.weft("models", "check", "--config", path)
                #expect(check.code == 1, "\(check)")
                #expect(check.output.contains("planner does not work"), "\(check.output)")
            }
        }

        @Test(
            "Any error of the command line is one sentence and one hint",
            arguments: [
                "show", "show AAA_", "run --plan", "run --workers x", "run --join foo",
                "run --timeout 5", "-x", "run --plan nix.json --diagnostics",
                "status --coordinator x",
                "worker --diagnostics --slots 0", "coordinator --config nix",
                "bench chain --slots 0",
                "config check", "models check --config nix",
            ]
        )
        func oneStyle(line: String) async throws {
            try await atPlace { place in
                let outcome = try await place.start(line.split(separator: " ").map(String.init))
                    .end()
                #expect(outcome.code == 2, "\(outcome)")
                #expect(outcome.errors.hasPrefix("error: "), "\(outcome.errors)")
                #expect(outcome.errors.split(separator: "\n").count <= 2, "\(outcome.errors)")
            }
        }
    }
}
