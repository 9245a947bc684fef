// Plans that are too large to be checked before the run: they run while they are still being
// written.
import Foundation
import TestKit
import Testing

extension Integration {
    @Suite("Large plans", .timeLimit(.minutes(2 * Patience.factor)))
    struct LargePlanTests {
        /// The rest of the plan after its first node has run, and the expected end.
        struct Ending: Sendable, CustomTestStringConvertible {
            var testDescription: String
            var rest: String
            var code: Int32
            var says: String
            var status: String
        }

        static let endings = [
            Ending(
                testDescription: "a good end",
                rest: "," + node("last", "echo", #"{"of":"$first"}"#) + "]}",
                code: 0,
                says: "",
                status: "succeeded"
            ),
            Ending(
                testDescription: "an id twice",
                rest: "," + node("first", "noop") + "]}",
                code: 2,
                says: "node first is in the plan more than once",
                status: "failed"
            ),
            Ending(
                testDescription: "a cycle",
                rest: "," + node("a", "noop", #"{"of":"$b"}"#) + ","
                    + node("b", "noop", #"{"of":"$a"}"#) + "]}",
                code: 2,
                says: "nodes depend on each other in a circle",
                status: "failed"
            ),
            Ending(
                testDescription: "text that breaks off",
                rest: ",",
                code: 2,
                says: "expected a node, found the end of the text",
                status: "failed"
            ),
        ]

        @Test("Every node of a too large answer can still be fetched")
        func largeAnswer() async throws {
            try await atPlace { place in
                let text = String(repeating: "y", count: 400_000)
                let plan = try place.plan(
                    node("a", "echo", #"{"x":"\#(text)"}"#),
                    node("b", "echo", #"{"x":"\#(text)"}"#),
                    node("c", "echo", #"{"x":"\#(text)"}"#)
                )
                let config = try place.write("limits: {max_value: 1MiB}\n", to: "weft.yaml")
                let line = ["run", "--plan", plan, "--diagnostics", "--config", config]
                let told = try await place.start(line).end()
                #expect(told.code == 1 && told.output.isEmpty)
                #expect(told.errors.contains("weft run --json prints every node"), "\(told.errors)")
                let whole = try await place.start(line + ["--json"]).end()
                #expect(whole.code == 1)
                #expect(whole.errors.contains("the answer is left out"), "\(whole.errors)")
                let document = try JSONSerialization.jsonObject(with: Data(whole.output.utf8))
                let fields = try #require(document as? [String: Any])
                #expect(fields["answer"] is NSNull)
                let nodes = try #require(fields["nodes"] as? [String: [String: Any]])
                #expect(nodes.count == 3)
                #expect(nodes.values.allSatisfy { $0["output"] != nil })
            }
        }

        @Test("Runs nodes before the rest of the plan is written", arguments: endings)
        func streams(_ ending: Ending) async throws {
            try await atPlace { place in
                try place.tools(
                    """
                    tools:
                      - name: mark
                        description: Leaves a mark.
                        command: [sh, -c, 'echo begun >> FOLDER/begun; echo ok']
                    """
                )
                try await place.startCoordinator()
                try await place.startWorker("w1")
                let padding = String(repeating: "x", count: 400_000)
                let nodes = (0..<45).map { node("n\($0)", "noop", "{\"p\":\"\(padding)\"}") }
                let beginning = ([node("first", "mark")] + nodes).joined(separator: ",\n")
                try place.write("{\"tasks\":[\(beginning)", to: "beginning")
                try place.write(ending.rest, to: "rest")
                let writer = try write(to: "\(place.folder)/pipe", from: place.folder)
                defer { writer.terminate() }

                let run = try place.start(
                    "run",
                    "--plan",
                    "\(place.folder)/pipe",
                    "--join",
                    "json"
                )
                try await place.wait(for: 1, linesOf: "begun")
                try place.write("", to: "more")
                let outcome = try await run.end()
                #expect(outcome.code == ending.code, "\(outcome.errors)")
                #expect(outcome.errors.contains(ending.says) || ending.says.isEmpty)
                if ending.code == 0 {
                    #expect(outcome.output.contains(#""last":{"of":"ok"}"#))
                }
                try await eventually("the run has ended as \(ending.status)") {
                    let runs = try await place.weft("runs", "--json").document.list
                    return runs.first?["status"].text == ending.status
                }
            }
        }

        /// Writes the beginning into a pipe, and the rest when there is a file `more`.
        private func write(to pipe: String, from folder: String) throws -> Process {
            try #require(mkfifo(pipe, 0o600) == 0)
            let writer = Process()
            writer.executableURL = URL(fileURLWithPath: "/bin/sh")
            writer.currentDirectoryURL = URL(fileURLWithPath: folder)
            writer.arguments = [
                "-c",
                "{ cat beginning; until [ -e more ]; do sleep 0.02; done; cat rest; } > pipe",
            ]
            try writer.run()
            return writer
        }
    }
}
