// Commands whose output cannot be written, or that are started without standard descriptors; and
// what other processes see of a process that has keys.
import Foundation
import TestKit
import Testing

extension Integration {
    @Suite("Outputs that cannot be written", .timeLimit(.minutes(Patience.factor)))
    struct OutputTests {
        /// Runs `weft` with a redirection of a shell.
        private func weft(
            _ place: Place,
            _ redirection: String,
            _ arguments: [String],
            environment: [String: String] = [:]
        ) async throws -> Outcome {
            try await place.start(
                ["-c", "\"$0\" \"$@\" \(redirection)", Place.weft] + arguments,
                program: "/bin/sh",
                environment: environment
            )
            .end()
        }

        /// Command lines that print something on standard output.
        private func printing(_ place: Place) async throws -> [[String]] {
            let plan = try place.plan(node("a", "echo", #"{"x":1}"#))
            let own = ["run", "--plan", plan, "--diagnostics"]
            let run = try await place.weft("run", "--plan", plan, "--json")
            let id = try #require(try run.document["run"].text)
            return [
                own, own + ["--json"], ["run", "--plan", plan, "--detach"],
                ["plan", "--check", plan, "--format", "mermaid"],
                ["plan", "--check", plan, "--json"],
                ["show", id], ["show", id, "--json"], ["watch", id], ["watch", id, "--json"],
                ["explain", id], ["status"], ["status", "--json"], ["workers"], ["tools"], ["runs"],
                ["runs", "--json"], ["--help"], ["help", "run"], ["run", "--help"], ["--version"],
                ["--generate-completion-script", "bash"], ["bench", "chain", "--nodes", "5"],
            ]
        }

        @Test("Every command that prints reports a failed write, and exits with 1")
        func full() async throws {
            try await atPlace { place in
                try await place.startCoordinator()
                try await place.startWorker("w")
                for arguments in try await printing(place) {
                    // An empty address counts as none: that run has a cluster of its own.
                    let own = arguments.contains("--diagnostics") ? ["WEFT_COORDINATOR": ""] : [:]
                    let end = try await weft(place, ">/dev/full", arguments, environment: own)
                    #expect(end.code == 1, "\(arguments): \(end.errors)")
                    let sentence =
                        "error: Standard output cannot be written: No space left on device."
                    #expect(end.errors.contains(sentence), "\(arguments): \(end.errors)")
                }
            }
        }

        @Test("Without a standard output the lost answer is reported")
        func closedOutput() async throws {
            try await atPlace { place in
                let plan = try place.plan(node("a", "echo", #"{"x":1}"#))
                let run = ["run", "--plan", plan, "--diagnostics"]
                let closed = try await weft(place, ">&-", run)
                #expect(closed.code == 1)
                #expect(
                    closed.errors
                        == "error: Standard output cannot be written: Bad file descriptor.\n"
                )
                for redirection in ["<&-", "2>&-", "<&- 2>&-"] {
                    let end = try await weft(place, redirection, run)
                    #expect(end.code == 0, "\(redirection): \(end.errors)")
                    #expect(end.output == "[echo] {\"x\":1}\n", "\(redirection)")
                }
                let all = try await weft(place, "<&- >&- 2>&-", run)
                #expect(all.code == 1)
                let input = try await weft(place, "<&-", ["run", "--plan", "-", "--diagnostics"])
                #expect(input.code == 2)
                #expect(input.errors.contains("cannot be read"), "\(input.errors)")
            }
        }

        @Test("A reader that closes the pipe is not an error")
        func closedPipe() async throws {
            try await atPlace { place in
                let plan = try place.plan(node("a", "payload", #"{"bytes":3000000}"#))
                let end = try await weft(
                    place,
                    "| head -c 5; exit ${PIPESTATUS:-0}",
                    ["run", "--plan", plan, "--diagnostics", "--json"]
                )
                #expect(end.code == 0)
                #expect(end.errors.isEmpty, "\(end.errors)")
            }
        }

        @Test("A coordinator without standard descriptors keeps its epoch")
        func closedByCoordinator() async throws {
            try await atPlace { place in
                for round in 1...2 {
                    let process = try place.start(
                        [
                            "-c",
                            "exec \"$0\" coordinator --listen 127.0.0.1:0 --verbose <&- >&- 2>&-",
                            Place.weft,
                        ],
                        program: "/bin/sh"
                    )
                    try await eventually("the coordinator has an epoch, round \(round)") {
                        epoch(place).hasPrefix("\(round)\n")
                    }
                    process.signal(SIGKILL)
                    try await eventually("the coordinator is gone") { !process.isRunning }
                    #expect(epoch(place) == "\(round)\n", "nothing is written over it")
                }
            }
        }

        private func epoch(_ place: Place) -> String {
            let file = FileManager.default.contents(atPath: "\(place.state)/coordinator.lock")
            return String(decoding: file ?? Data(), as: UTF8.self)
        }

        @Test("Names a file that cannot be written, and exits with 1")
        func fullFiles() async throws {
            try await atPlace { place in
                let bench = try await place.weft(
                    "bench",
                    "all",
                    "--quick",
                    "--rounds",
                    "1",
                    "--out",
                    "/dev/full"
                )
                #expect(bench.code == 1)
                #expect(bench.errors.contains("/dev/full cannot be written: No space left"))
                let server = try await ModelServer(place)
                let config = try server.configuration()
                try place.tools(ClusterTests.greet)
                let run = try await place.weft(
                    "run",
                    "Greet.",
                    "--tools",
                    place.manifest,
                    "--config",
                    config,
                    "--record",
                    "/dev/full"
                )
                #expect(run.code == 1)
                #expect(run.errors.contains("recording /dev/full cannot be written: No space left"))
            }
        }

        @Test("Other processes see neither keys nor core files of a process that has keys")
        func protection() async throws {
            try await atPlace { place in
                try place.tools(
                    """
                    tools:
                      - name: look
                        description: Says what it may leave behind.
                        command: [sh, -c, 'ulimit -Sc']
                    """
                )
                let secret = ["SOME_KEY": "canary-5f1c"]
                let coordinator = try place.start(
                    [
                        "-c", "ulimit -Sc 64; exec \"$0\" coordinator --listen 127.0.0.1:0",
                        Place.weft,
                    ],
                    program: "/bin/sh",
                    environment: secret
                )
                try await coordinator.line(with: "coordinator listens on ")
                let pid = coordinator.pid
                let variables =
                    FileManager.default.contents(atPath: "/proc/\(pid)/environ") ?? Data()
                #expect(variables.range(of: Data("canary-5f1c".utf8)) == nil)
                let limits = String(
                    decoding: FileManager.default.contents(atPath: "/proc/\(pid)/limits") ?? Data(),
                    as: UTF8.self
                )
                let core = limits.split(separator: "\n").first {
                    $0.hasPrefix("Max core file size")
                }
                #expect(core?.split(separator: " ").dropFirst(4).first == "0")
                let plan = try place.plan(node("a", "look"))
                let run = try await weft(
                    place,
                    "",
                    ["run", "--plan", plan, "--tools", place.manifest],
                    environment: secret
                )
                // The shell's unit is 512 bytes; tools get the limit of the tests.
                let limit = try await place.start(["-c", "ulimit -Sc"], program: "/bin/sh").end()
                #expect(run.output == "[look] \(limit.output)")
            }
        }
    }
}
