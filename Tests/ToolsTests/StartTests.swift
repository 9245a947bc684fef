// Failed starts of a tool: refused calls, problems that are found without a try, and the number of
// slots for the free descriptors.
import Core
import JSON
import TestKit
import Testing
import Wire

@testable import Tools

@Suite struct StartTests {
    @Test func `a missing program refuses the call and returns its arguments`()
        async throws
    {
        let record = try await onLoop { bench in
            let runner = try bench.runner("command: [no-such-program]")
            let call = bench.call(runner, ["n": 1])
            try bench.run("the refusal") { call.isFinished }
            runner.shutDown()
            try bench.runToEnd()
            return call.record
        }
        #expect(record.failure?.code == .spawnFailed)
        #expect(record.refusal?.isShortage == false)
        #expect(record.refusal?.arguments.text == #"{"n":1}"#)
        #expect(record.starts == 0)
    }

    @Test func `problems are found without a start`() throws {
        func obstacle(_ command: String) throws -> String? {
            try declared("command: \(command)").obstacle(["PATH": "/usr/bin:/bin"])
        }
        #expect(try obstacle("[sh, -c, 'true']") == nil)
        #expect(try obstacle("[/bin/sh]") == nil)
        #expect(try obstacle("[nothing-here]") == "the program nothing-here does not exist")
        #expect(try obstacle("[/usr/bin]") == "/usr/bin may not be executed")
        #expect(try obstacle("[/etc/passwd]") == "/etc/passwd may not be executed")
    }

    @Test func `slots are as many as there are descriptors for, and at least one`() async throws {
        let counts = try await onLoop { bench in
            let toolbox = try Toolbox.make(
                loop: bench.loop,
                manifest: Manifest.parse(
                    yaml: """
                        tools:
                          - {name: run, command: [cat]}
                          - {name: keep, command: [cat], persistent: true, concurrency: 2}
                        """,
                    path: "/t.yaml"
                )
            )
            defer { toolbox.shutDown() }
            return [1, 30, 60, 1_000].map { toolbox.slots(upTo: 32, descriptors: $0) }
        }
        // 16 are kept for other things; a process takes three, and two of them are kept.
        #expect(counts == [1, 2, 12, 32])
    }
}
