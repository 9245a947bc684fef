// Programs as models.
import Foundation
import HTTPTestKit
import JSON
import PlannerCore
import Testing
import UVLoop

@testable import LanguageModels

/// Calls a model that is a shell script; `act` may cancel it.
private func run(
    _ script: String,
    _ request: ModelRequest = simpleRequest(),
    environment: [String: String] = [:],
    _ change: @escaping @Sendable (inout CommandSettings) -> Void = { _ in },
    onEvent: @escaping @Sendable (ModelEvent, any ModelCall) -> Void = { _, _ in }
) async throws -> [ModelEvent] {
    try await onLoopWithoutProxy { loop in
        var settings = CommandSettings(arguments: ["sh", "-c", script])
        change(&settings)
        let model = CommandModel(
            loop: loop,
            settings: settings,
            environment: environment.merging(["PATH": "/usr/local/bin:/usr/bin:/bin"]) { $1 }
        )
        let transcript = Transcript()
        var running: (any ModelCall)?
        transcript.onEvent = { event in
            if let running { onEvent(event, running) }
            if event.isEnd { loop.stop() }
        }
        running = model.call(request, report: transcript.report)
        #expect(transcript.events.isEmpty)
        loop.run()
        return transcript.events
    }
}

@Suite("Programs as models")
struct CommandTests {
    @Test("The request is one JSON line on standard input, the output is the reply")
    func roundTrip() async throws {
        let request = ModelRequest(
            messages: [.system("A\n"), .user("B")],
            format: simpleFormat,
            stop: ["<END>"],
            temperature: 0.5
        )
        let events = try await run("cat", request) { $0.maxTokens = 9 }
        #expect(events.stop == .end)
        #expect(events.text.filter { $0 == "\n" }.count == 1)
        #expect(
            try JSONValue(parsing: events.text) == [
                "messages": [
                    ["role": "system", "content": "A\n"], ["role": "user", "content": "B"],
                ],
                "format": "json_schema",
                "schema": ["type": "object", "additionalProperties": false],
                "stop": ["<END>"],
                "max_tokens": 9,
                "temperature": 0.5,
            ]
        )
    }

    @Test("Reports output as it is written, in whole characters")
    func streaming() async throws {
        // The program continues only after its first words have been seen.
        let go = FileManager.default.temporaryDirectory
            .appendingPathComponent("weft-go-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: go) }
        let script =
            "printf 'one \\303'; while [ ! -e '\(go)' ]; do sleep 0.01; done; printf '\\244 two'"
        let events = try await run(
            script,
            onEvent: { _, _ in
                _ = FileManager.default.createFile(atPath: go, contents: nil)
            }
        )
        #expect(events.text == "one \u{E4} two")
        #expect(events.first == .delta("one "))
        #expect(events.stop == .end)
    }

    @Test("A program that reads nothing, and one that is killed by a signal")
    func endings() async throws {
        let deaf = ModelRequest(messages: [.user(String(repeating: "x", count: 1 << 20))])
        #expect(try await run("echo hi", deaf) == [.delta("hi\n"), .ended(.end)])
        let killed = try await run("kill -9 $$")
        #expect(killed.failure?.code == .serverError)
        #expect(killed.failure?.message.contains("signal 9") == true)
    }

    @Test("A bad exit is a failure with the end of the standard error")
    func badExit() async throws {
        let events = try await run("echo part; echo first >&2; echo 'no\tmodel' >&2; exit 3")
        #expect(events.text == "part\n")
        #expect(events.failure?.code == .serverError)
        #expect(events.failure?.message.hasSuffix("code 3: first no model") == true)
        let silent = try await run("exit 1")
        #expect(silent.failure?.message.hasSuffix("code 1.") == true)
        let endless = try await run("yes error | head -c 300000 >&2; echo last >&2; exit 1")
        #expect(endless.failure?.message.hasSuffix("error last") == true)
        #expect((endless.failure?.message.count ?? 0) < 700)
    }

    @Test("A missing program is a bad configuration")
    func missing() async throws {
        let events = try await run("") { $0.arguments = ["/nonexistent/program"] }
        #expect(events.count == 1)
        #expect(events.failure?.code == .badConfiguration)
    }

    @Test("The program gets only allowed variables, which do not appear in its failure")
    func environment() async throws {
        let variables = ["API_KEY": "sk-canary-12345678", "OTHER": "x", "HOME": "/h"]
        let events = try await run(
            "echo \"$API_KEY|$OTHER|$HOME\"; echo \"bad $API_KEY\" >&2; exit 1",
            environment: variables
        ) { $0.passedVariables = ["API_KEY"] }
        #expect(events.text == "sk-canary-12345678||/h\n")
        #expect(events.failure?.message.contains("bad [key]") == true)
    }

    @Test("Runs in its folder")
    func folder() async throws {
        let events = try await run("pwd") { $0.directory = "/usr" }
        #expect(events.text == "/usr\n")
    }

    @Test("Cancelling ends it with its children, even if it ignores SIGTERM")
    func cancelling() async throws {
        for script in ["echo $$; sleep 1000", "trap '' TERM; echo $$; sleep 1000; sleep 1000"] {
            let cancelTwice: @Sendable (ModelEvent, any ModelCall) -> Void = { event, call in
                guard case .delta = event else { return }
                call.cancel()
                call.cancel()
            }
            let events = try await run(script, onEvent: cancelTwice)
            #expect(events.count == 2)
            #expect(events.failure?.code == .cancelled)
            let number = events.text.trimmingCharacters(in: .whitespacesAndNewlines)
            let deadline = ContinuousClock.now + .seconds(10)
            let isThere = { FileManager.default.fileExists(atPath: "/proc/\(number)") }
            while isThere(), ContinuousClock.now < deadline { await Task.yield() }
            #expect(!isThere())
        }
    }

    @Test("Ends a program that takes too long")
    func timeout() async throws {
        let events = try await run("echo x; sleep 1000") { $0.timeout = .milliseconds(300) }
        #expect(events.failure?.code == .timeout)
    }
}
