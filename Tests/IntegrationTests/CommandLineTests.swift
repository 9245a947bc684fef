// What the program says to a command line that is wrong, before it looks at anything else.
import Foundation
import TestKit
import Testing

extension Integration {
    @Suite("The command line", .timeLimit(.minutes(2 * Patience.factor)))
    struct CommandLineTests {
        @Test(
            "A misspelt word is the one that is spoken of, and the exit code is 2",
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

        @Test("A plan in the place of a goal is told from one")
        func planAsGoal() async throws {
            try await atPlace { place in
                let plan = try place.plan(node("a", "noop"))
                let outcome = try await place.weft("run", plan, "--diagnostics")
                #expect(outcome.code == 2, "\(outcome)")
                #expect(outcome.errors.contains("is a file; did you mean --plan"))
            }
        }

        @Test(
            "Whatever is wrong with a command line, the first word is error:",
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
            }
        }
    }
}
