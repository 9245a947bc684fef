// The diagnostic tools, and the toolbox that holds tools together.
import Core
import JSON
import Testing
import UVLoop
import Wire

@testable import Tools

/// Calls a diagnostic tool; nil if the call did not finish within its start and should have.
private func diagnose(
    _ name: String,
    _ arguments: JSONValue,
    number: Int = 1,
    maxOutput: Int = 1 << 27,
    atOnce: Bool = true
) async throws -> CallRecord? {
    try await onLoop { bench in
        let toolbox = try Toolbox.make(loop: bench.loop, diagnostics: true)
        guard let runner = toolbox.runner(named: name) else { return nil }
        let call = bench.call(runner, arguments, number: number, maxOutput: maxOutput)
        if atOnce, !call.isFinished { return nil }
        try bench.runToEnd()
        return call.record
    }
}

@Suite struct DiagnosticTests {
    @Test func `noop returns null and echo what it got`() async throws {
        #expect(try await diagnose("noop", ["x": 1])?.value == "null")
        #expect(try await diagnose("echo", ["x": [1, 2.5]])?.value == "{\"x\":[1,2.5]}")
        #expect(
            try await diagnose("echo", ["x": "12345"], maxOutput: 5)?.failure?.code
                == .outputTooLarge
        )
    }

    @Test func `sleep returns after its time`() async throws {
        let (record, seconds) = try await onLoop { bench in
            let toolbox = try Toolbox.make(loop: bench.loop, diagnostics: true)
            let runner = try #require(toolbox.runner(named: "sleep"))
            let start = bench.loop.nowNanoseconds
            let call = bench.call(runner, ["ms": 30])
            try bench.runToEnd()
            return (call.record, Double(bench.loop.nowNanoseconds - start) / 1e9)
        }
        #expect(record.value == "null")
        #expect(record.starts == 1)
        #expect(seconds >= 0.03)
    }

    @Test func `sleep can be cancelled and is ended by a shut down`() async throws {
        let records = try await onLoop { bench in
            let toolbox = try Toolbox.make(loop: bench.loop, diagnostics: true)
            let runner = try #require(toolbox.runner(named: "sleep"))
            let cancelled = bench.call(runner, ["ms": 600_000])
            let shutDown = bench.call(runner, ["ms": 600_000])
            cancelled.handle?.cancel(grace: .seconds(60))
            cancelled.handle?.cancel(grace: .zero)
            toolbox.shutDown()
            try bench.runToEnd()
            return [cancelled.record, shutDown.record]
        }
        #expect(records.map { $0.failure?.code } == [.cancelled, .cancelled])
        #expect(records.map(\.reportsAfterFinish) == [0, 0])
    }

    @Test func `fail fails as told, that many times`() async throws {
        let arguments: JSONValue = [
            "code": "busy", "message": "Not now.", "retryable": true, "times": 2,
        ]
        let failure = Failure(
            code: FailureCode(rawValue: "busy"),
            message: "Not now.",
            isRetryable: true
        )
        #expect(try await diagnose("fail", arguments, number: 1)?.failure == failure)
        #expect(try await diagnose("fail", arguments, number: 2)?.failure == failure)
        #expect(try await diagnose("fail", arguments, number: 3)?.value == "null")
        #expect(try await diagnose("fail", [:])?.failure?.code == .toolError)
        #expect(
            try await diagnose("fail", ["code": "NO"])?.failure?.code == .badArguments
        )
    }

    @Test func `payload is a text of that many bytes`() async throws {
        #expect(try await diagnose("payload", ["bytes": 0])?.text == "")
        #expect(try await diagnose("payload", ["bytes": 100_000])?.text?.utf8.count == 100_000)
        let most = try await diagnose("payload", ["bytes": 67_108_864])
        #expect(most?.value?.utf8.count == 67_108_866)
        for bytes: JSONValue in [67_108_865, -1, 1.5, "1", nil] {
            #expect(
                try await diagnose("payload", ["bytes": bytes])?.failure?.code == .badArguments
            )
        }
        #expect(
            try await diagnose("payload", ["bytes": 99], maxOutput: 100)?.failure?.code
                == .outputTooLarge
        )
    }

    @Test func `all are idempotent, and have enough attempts`() async throws {
        let descriptions = try await onLoop { bench in
            DiagnosticTools.runners(loop: bench.loop).map(\.description)
        }
        #expect(descriptions.map(\.name) == ["noop", "echo", "sleep", "fail", "payload"])
        #expect(descriptions.allSatisfy { $0.isIdempotent })
        #expect(descriptions[3].maxAttempts == 10)
    }
}

@Suite struct ToolboxTests {
    private func function(_ name: String, parameters: RawJSON = .emptyObject) -> FunctionTool {
        FunctionTool(name: name, description: "", parameters: parameters) { _, _ in nil }
    }

    @Test func `manifest, functions and diagnostics come together in order`() async throws {
        let names = try await onLoop { bench in
            let manifest = try Manifest.parse(
                yaml: "tools: [{name: a, command: [x]}, {name: b, persistent: true, command: [x]}]",
                path: "t.yaml"
            )
            let toolbox = try Toolbox.make(
                loop: bench.loop,
                manifest: manifest,
                functions: [function("c")],
                diagnostics: true
            )
            try #require(toolbox.runner(named: "a") is ExecutableRunner)
            try #require(toolbox.runner(named: "b") is PersistentRunner)
            try #require(toolbox.runner(named: "c") is FunctionRunner)
            try #require(toolbox.runner(named: "d") == nil)
            return toolbox.descriptions.map(\.name)
        }
        #expect(names == ["a", "b", "c", "noop", "echo", "sleep", "fail", "payload"])
    }

    @Test func `two tools of one name and a bad schema are reported together`() async throws {
        let problems = try await onLoop { bench -> [String] in
            do {
                _ = try Toolbox.make(
                    loop: bench.loop,
                    functions: [
                        function("noop"), function("x", parameters: RawJSON(["type": "strong"])),
                    ],
                    diagnostics: true
                )
                return []
            } catch let error as ToolboxError {
                return error.problems
            }
        }
        #expect(problems.count == 2)
        #expect(
            problems.first?.hasPrefix("The schema of x, of its parameters or its output, cannot")
                == true
        )
        #expect(
            problems.last == "Two tools are named noop. Rename or leave out one of them."
        )
    }

    @Test func `arguments are checked against the schema`() async throws {
        let failures = try await onLoop { bench in
            let toolbox = try Toolbox.make(loop: bench.loop, diagnostics: true)
            return [
                ("noop", RawJSON.emptyArray), ("noop", .emptyObject), ("none", .emptyObject),
                ("sleep", .emptyObject), ("sleep", RawJSON(["ms": -1, "s": 1])),
                ("sleep", RawJSON(["ms": 0])), ("fail", RawJSON(["code": "NO"])),
            ].map { toolbox.validate(arguments: $1, for: $0) }
        }
        #expect(
            failures.map { $0?.code } == [
                .badArguments, nil, .unknownTool, .badArguments, .badArguments, nil, .badArguments,
            ]
        )
        #expect(
            failures[3]?.message.hasPrefix("The arguments do not fit sleep: /ms: ") == true
        )
        #expect(failures[4]?.message.contains("; ") == true)
    }
}
