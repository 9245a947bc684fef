// A run with its own cluster: it needs no setup and leaves nothing behind.
import Foundation
import Glibc
import TestKit
import Testing

extension Integration {
    @Suite("A run with a cluster of its own", .timeLimit(.minutes(Patience.factor)))
    struct EmbeddedTests {
        /// Writes its process number to a file, then runs for long; `stubborn` ignores SIGTERM.
        static let slow = """
            tools:
              - name: slow
                description: Runs for long.
                command: [sh, -c, 'echo $$ >> FOLDER/pids; echo begun; sleep 50 & wait']
                idempotent: true
              - name: stubborn
                description: Runs for long and does not stop when asked.
                command:
                  - sh
                  - -c
                  - 'trap "" TERM INT; echo $$ >> FOLDER/pids; while :; do sleep 1; done'
            """

        @Test("Prints only the answer and leaves nothing behind")
        func answer() async throws {
            try await atPlace { place in
                try place.tools(ClusterTests.greet)
                let plan = try place.plan(
                    node("a", "greet", #"{"name":"you"}"#),
                    node("b", "echo", #"{"of":"$a"}"#)
                )
                let run = try await place.weft(
                    "run",
                    "--plan",
                    plan,
                    "--tools",
                    place.manifest,
                    "--diagnostics",
                    "--workers",
                    "3",
                    "--slots",
                    "1"
                )
                #expect(run.code == 0)
                #expect(run.output == "[greet] hello you\n\n[echo] {\"of\":\"hello you\"}\n")
                #expect(run.errors.isEmpty, "no colour, no progress, no log in a file")
                #expect(place.marked().isEmpty, "every worker is gone")
                let rest = try FileManager.default.contentsOfDirectory(
                    atPath: "\(place.folder)/tmp"
                )
                #expect(rest.isEmpty, "no folder is left")
                #expect(!FileManager.default.fileExists(atPath: place.state))
            }
        }

        @Test("Reports all problems of a bad plan, with exit code 2")
        func badPlan() async throws {
            try await atPlace { place in
                try place.tools(ClusterTests.greet)
                let plan = try place.plan(
                    node("a", "greet", #"{"name":"$b"}"#),
                    node("b", "greet", #"{"name":"$a"}"#),
                    node("c", "greet", #"{"name":"x"}"#, #","dependencies":["nobody"]"#),
                    node("d", "greet", #"{"name":"x"}"#),
                    node("d", "greet", #"{"name":"x"}"#)
                )
                for arguments in [
                    ["run", "--plan", plan, "--tools", place.manifest],
                    ["plan", "--check", plan, "--tools", place.manifest],
                ] {
                    let process = try place.start(arguments)
                    let end = try await process.end()
                    #expect(end.code == 2)
                    #expect(end.output.isEmpty)
                    for word in ["circle: a → b → a", "nobody", "more than once"] {
                        #expect(end.errors.contains(word), "\(word) in \(end.errors)")
                    }
                    #expect(end.errors.split(separator: "\n").count >= 3)
                }
                let json = try await place.weft("plan", "--check", plan, "--json")
                #expect(json.code == 2)
                let codes = try Set(json.document["problems"].list.map { $0["code"].text })
                #expect(codes == ["cycle", "unknown_dependency", "duplicate_id"])
                let tools = try place.plan(
                    node("a", "greet", #"{"name":7}"#),
                    node("b", "nothing_like_it")
                )
                let checked = try await place.weft(
                    "plan",
                    "--check",
                    tools,
                    "--tools",
                    place.manifest,
                    "--json"
                )
                #expect(checked.code == 2)
                let found = try Set(checked.document["problems"].list.map { $0["code"].text })
                #expect(found == ["bad_args", "unknown_tool"])
                let good = try place.plan(node("a", "greet", #"{"name":"x"}"#))
                #expect(try await place.weft("plan", "--check", good).code == 0)
                let drawn = try await place.weft("plan", "--check", good, "--format", "dot")
                #expect(drawn.code == 0 && drawn.output.contains("digraph"))
                let mermaid = try await place.weft("plan", "--check", good, "--format", "mermaid")
                #expect(mermaid.code == 0 && mermaid.output.contains("a"))
            }
        }

        @Test("Input that cannot be read or used gives exit code 2, with a sentence")
        func badUsage() async throws {
            try await atPlace { place in
                let plan = try place.plan(node("a", "echo"))
                try place.write("tools:\n  - name: x\n    comand: [true]\n", to: "bad.yaml")
                for arguments in [
                    ["run", "--plan", "\(place.folder)/nothing.json", "--diagnostics"],
                    ["run", "--plan", plan],
                    ["run", "--plan", plan, "--tools", "\(place.folder)/bad.yaml"],
                    ["run", "--plan", plan, "--diagnostics", "--workers", "0"],
                    ["run", "--plan", plan, "--diagnostics", "--detach"],
                    ["run", "--plan", plan, "--diagnostics", "--timeout", "soon"],
                    ["run", "--plan", plan, "--diagnostics", "--no-such-flag"],
                    ["worker", "--coordinator", "nowhere", "--diagnostics"],
                    ["coordinator", "--listen", "0.0.0.0:0", "--tls", "never"],
                    ["show"], ["nonsense"],
                ] {
                    let process = try place.start(arguments)
                    let end = try await process.end()
                    #expect(end.code == 2, "\(arguments): \(end.errors)")
                    #expect(!end.errors.isEmpty, "\(arguments)")
                    #expect(end.output.isEmpty, "\(arguments)")
                }
            }
        }

        @Test("Ctrl-C cancels the run, stops its tools and leaves")
        func interrupt() async throws {
            try await atPlace { place in
                try place.tools(Self.slow)
                let plan = try place.plan(node("a", "slow"), node("b", "slow"))
                let run = try place.start("run", "--plan", plan, "--tools", place.manifest)
                try await place.wait(for: 2, linesOf: "pids")
                let groups = place.lines(of: "pids").compactMap { pid_t($0) }
                for group in groups { #expect(Place.isAlive(group: group)) }
                run.signal(SIGINT)
                let end = try await run.end()
                #expect(end.code == 130)
                #expect(end.output.isEmpty)
                for group in groups {
                    #expect(!Place.isAlive(group: group), "the tool's group is gone")
                }
                #expect(place.marked().isEmpty)
            }
        }

        @Test("A second Ctrl-C leaves at once; remaining processes end by themselves")
        func secondInterrupt() async throws {
            try await atPlace { place in
                try place.tools(Self.slow)
                let plan = try place.plan(node("a", "stubborn"))
                let run = try place.start("run", "--plan", plan, "--tools", place.manifest)
                try await place.wait(for: 1, linesOf: "pids")
                run.signal(SIGINT)
                try await run.line(with: "Cancelling")
                run.signal(SIGINT)
                let end = try await run.end(within: .seconds(2))
                #expect(end.code == 130)
                try await eventually("workers and tools are gone") { place.marked().isEmpty }
            }
        }

        @Test("An interrupt while its cluster starts leaves nothing behind")
        func earlyInterrupt() async throws {
            try await atPlace { place in
                let plan = try place.plan(node("a", "sleep", #"{"ms":60000}"#))
                // The moments differ: before the first worker, between workers, when all are ready.
                for pause in [0, 5, 10, 20, 30, 40, 60, 100] {
                    let run = try place.start("run", "--plan", plan, "--diagnostics")
                    try await eventually("it has begun") {
                        run.errors.isEmpty && place.marked().count > 1 || !run.isRunning
                    }
                    try await Task.sleep(for: .milliseconds(pause))
                    run.signal(SIGINT)
                    let end = try await run.end()
                    #expect(end.code == 130, "after \(pause) ms: \(end.errors)")
                    try await eventually("its workers are gone") { place.marked().isEmpty }
                    let rest = try FileManager.default.contentsOfDirectory(
                        atPath: "\(place.folder)/tmp"
                    )
                    #expect(rest.isEmpty, "after \(pause) ms")
                }
            }
        }

        @Test("When killed, it leaves nothing that runs for long")
        func killed() async throws {
            try await atPlace { place in
                try place.tools(Self.slow)
                let plan = try place.plan(node("a", "slow"), node("b", "stubborn"))
                let run = try place.start("run", "--plan", plan, "--tools", place.manifest)
                try await place.wait(for: 2, linesOf: "pids")
                run.signal(SIGKILL)
                try await eventually("workers and tools are gone") { place.marked().isEmpty }
            }
        }

        @Test("Reports a worker that cannot start")
        func brokenWorker() async throws {
            try await atPlace { place in
                try place.write(
                    "tools:\n  - name: x\n    description: X.\n    command: [no-such-program-9]\n",
                    to: "tools.yaml"
                )
                let plan = try place.plan(node("a", "x"))
                let run = try await place.weft("run", "--plan", plan, "--tools", place.manifest)
                #expect(run.code == 1 || run.code == 2)
                #expect(run.errors.contains("no-such-program-9"), "\(run.errors)")
            }
        }
    }
}
