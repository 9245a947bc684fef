// Tools whose processes stay, with real processes: replies, replacement, misbehaviour, the end.
import Core
import Foundation
import JSON
import TestKit
import Testing
import UVLoop

@testable import Tools

private let tool = "persistent: true\ncommand: [python3, persist.py]"

/// Makes calls one after the other, each when the previous one has finished.
private func sequence(
    _ fields: String,
    _ arguments: [JSONValue],
    maxOutput: Int = 1 << 20
) async throws -> [CallRecord] {
    try await onLoop { bench in
        let runner = try bench.runner(fields)
        var records: [CallRecord] = []
        for (position, arguments) in arguments.enumerated() {
            let call = bench.call(runner, arguments, maxOutput: maxOutput)
            try bench.run("call \(position) to finish") { call.isFinished }
            records.append(call.record)
        }
        runner.shutDown()
        try bench.runToEnd()
        return records
    }
}

extension CallRecord {
    fileprivate func fact(_ name: String) -> JSONValue? {
        guard case .success(let value)? = outcome else { return nil }
        return JSONValue(value)[name]
    }
}

@Suite struct PersistentTests {
    // MARK: - Processes

    @Test func `one process serves call after call`() async throws {
        let records = try await sequence(
            tool,
            [["do": "facts"], ["value": ["a": [1.5, "ü\n"]]], ["do": "facts"]]
        )
        #expect(records[1].value == "{\"a\": [1.5, \"\\u00fc\\n\"]}")
        #expect(records[0].fact("pid") != nil)
        #expect(records[0].fact("pid") == records[2].fact("pid"))
        #expect(records[2].fact("calls") == 3)
        #expect(records.map(\.starts) == [1, 1, 1])
    }

    @Test func `calls at the same time get a process each, which are used again`() async throws {
        let pids = try await onLoop { bench in
            let runner = try bench.runner(tool)
            let first = (0..<3).map { _ in bench.call(runner, ["do": "facts"]) }
            try bench.run("three calls to finish") { first.allSatisfy(\.isFinished) }
            let second = (0..<3).map { _ in bench.call(runner, ["do": "facts"]) }
            try bench.run("three more calls to finish") { second.allSatisfy(\.isFinished) }
            runner.shutDown()
            try bench.runToEnd()
            return [first, second].map { $0.compactMap { $0.record.fact("pid")?.intValue } }
        }
        #expect(Set(pids[0]).count == 3)
        #expect(Set(pids[0]) == Set(pids[1]))
    }

    @Test func `a process has a working folder for its life and no variables of a call`()
        async throws
    {
        let records = try await sequence(tool, [["do": "facts"], ["do": "facts"]])
        let folder = try #require(records[0].fact("folder")?.stringValue)
        #expect(records[1].fact("folder")?.stringValue == folder)
        #expect(!FileManager.default.fileExists(atPath: folder))
        let names = (records[0].fact("names")?.arrayValue ?? []).compactMap { $0.stringValue }
        #expect(names.contains("PATH"))
        #expect(!names.contains { $0.hasPrefix("WEFT_") })
    }

    @Test func `standard error is streamed and is not a reply`() async throws {
        let record = try await sequence(tool, [["do": "slow_parts"]])[0]
        #expect(record.text?.count == 100_000)
        #expect(record.errors == "working\n")
    }

    @Test func `arguments larger than a pipe come through`() async throws {
        let long = String(repeating: "x", count: 1_000_000)
        let records = try await sequence(
            tool,
            [["value": .string(long)], ["value": 1]],
            maxOutput: 2 << 20
        )
        #expect(records.map { $0.text?.count ?? 0 } == [1_000_000, 0])
        #expect(records[1].value == "1")
    }

    // MARK: - Errors

    @Test func `an error may be a text or an object`() async throws {
        let records = try await sequence(
            tool,
            [
                ["do": "error", "error": "no such word"],
                ["do": "error", "error": ["code": "busy", "message": "later", "retryable": true]],
                ["do": "error", "error": ["code": "Not A Code"]],
                ["do": "facts"],
            ]
        )
        #expect(records[0].failure == Failure(code: .toolError, message: "no such word"))
        #expect(
            records[1].failure
                == Failure(
                    code: FailureCode(rawValue: "busy"),
                    message: "later",
                    isRetryable: true
                )
        )
        #expect(records[2].failure?.code == .toolError)
        // An error is an answer: the process goes on.
        #expect(records[3].fact("calls") == 4)
    }

    @Test(arguments: ["garbage", "wrong_id", "no_id", "empty"])
    func `a line that is not a reply is bad_output, and the process is replaced`(
        what: String
    ) async throws {
        let records = try await sequence(
            tool,
            [["do": "facts"], ["do": .string(what)], ["do": "facts"]]
        )
        #expect(records[1].failure?.code == .badOutput)
        #expect(records[1].failure?.isRetryable == true)
        #expect(records[2].fact("calls") == 1)
        #expect(records[0].fact("pid") != records[2].fact("pid"))
    }

    @Test func `the message shows the line that is not a reply`() async throws {
        let record = try await sequence(
            "persistent: true\ncommand: [python3, persist.py, banner]",
            [["value": 1]]
        )[0]
        #expect(record.failure?.message.hasSuffix("It printed: Loading the model ...") == true)
    }

    @Test func `a second reply ends the process and not the call`() async throws {
        let records = try await sequence(tool, [["do": "twice"], ["do": "facts"]])
        #expect(records[0].value == "1")
        #expect(records[1].fact("calls") == 1)
    }

    @Test func `a reply over the limit is output_too_large`() async throws {
        let records = try await sequence(
            tool,
            [["value": .string(String(repeating: "x", count: 500))], ["do": "slow_parts"]],
            maxOutput: 400
        )
        #expect(records.map { $0.failure?.code } == [.outputTooLarge, .outputTooLarge])
        let fine = try await sequence(tool, [["value": "x"]], maxOutput: 400)
        #expect(fine[0].text == "x")
    }

    // MARK: - Death

    @Test func `a process that dies fails its call, and the next call gets a fresh one`()
        async throws
    {
        let records = try await sequence(
            tool,
            [["do": "facts"], ["do": "die"], ["do": "facts"], ["do": "kill"], ["value": 1]]
        )
        #expect(
            records[1].failure
                == Failure(
                    code: .toolError,
                    message: "python3 exited with code 4 before it answered: cannot go on",
                    isRetryable: true,
                    exitCode: 4,
                    stderrTail: "cannot go on\n"
                )
        )
        #expect(records[2].fact("calls") == 1)
        #expect(
            records[3].failure?.message == "python3 was killed by SIGKILL before it answered"
        )
        #expect(records[3].failure?.signal == 9)
        #expect(records[4].value == "1")
    }

    @Test(
        arguments: [
            ["do": "last"], ["do": "last", "code": 3], ["do": "last", "close": true],
        ] as [JSONValue]
    )
    func `a process that ends after its answer does not fail the next call`(
        _ how: JSONValue
    ) async throws {
        let records = try await onLoop { bench in
            let runner = try bench.runner(tool)
            let first = bench.call(runner, how)
            var second: Call?
            // While the process still exists, so that it gets the call.
            first.onFinish = { _ in second = bench.call(runner, ["do": "facts"]) }
            try bench.run("the second call to finish") { second?.isFinished ?? false }
            runner.shutDown()
            try bench.runToEnd()
            return [first.record, second?.record ?? CallRecord()]
        }
        #expect(records[0].failure == nil)
        #expect(records[1].failure == nil)
        #expect(records[1].fact("calls") == 1)
        #expect(records[1].starts == 1)
        #expect(records[1].fact("pid")?.intValue.map(String.init) != records[0].value)
    }

    @Test func `a failure shows what was written to standard error since its call began`()
        async throws
    {
        let records = try await sequence(
            tool,
            [
                ["do": "mutter"], ["do": "complain", "words": "one"],
                ["do": "complain", "words": "two"], ["do": "mutter"], ["do": "die"],
            ]
        )
        #expect(records[0].errors == "words of an earlier call\n")
        #expect(records[1].errors == "of this call: one\n")
        #expect(records[2].errors == "of this call: two\n")
        #expect(records[4].failure?.stderrTail == "cannot go on\n")
    }

    @Test func `what a process writes between two calls belongs to neither`() async throws {
        let marker = NSTemporaryDirectory() + "tools-tests-\(UUID().uuidString)"
        defer { unlink(marker) }
        let record = try await onLoop { bench in
            let runner = try bench.runner(tool)
            let first = bench.call(runner, ["do": "mutter", "later": .string(marker)])
            try bench.run("the process to mutter again") {
                first.isFinished && FileManager.default.fileExists(atPath: marker)
            }
            let second = bench.call(runner, ["do": "die"])
            try bench.run("the second call to finish") { second.isFinished }
            runner.shutDown()
            try bench.runToEnd()
            return second.record
        }
        #expect(record.errors == "cannot go on\n")
        #expect(record.failure?.stderrTail == "cannot go on\n")
    }

    @Test func `an exit with code 0 is a death too`() async throws {
        let record = try await sequence(tool, [["do": "die", "code": 0]])[0]
        #expect(record.failure?.code == .toolError)
        #expect(record.failure?.exitCode == 0)
    }

    @Test func `a tool that dies at once again and again is started ever more slowly`()
        async throws
    {
        let seconds = try await onLoop { bench in
            let runner = try bench.runner(
                "persistent: true\ncommand: [sh, -c, 'read call; exit 3']"
            )
            var seconds: [Double] = []
            for _ in 0..<5 {
                let start = bench.loop.nowNanoseconds
                let call = bench.call(runner)
                try bench.run("the call to fail") { call.isFinished }
                try #require(call.record.failure?.exitCode == 3)
                seconds.append(Double(bench.loop.nowNanoseconds - start) / 1e9)
            }
            runner.shutDown()
            try bench.runToEnd()
            return seconds
        }
        // The pauses before the third, fourth and fifth start; the calls themselves take extra
        // time.
        #expect(seconds[2] >= 0.09)
        #expect(seconds[3] >= 0.19)
        #expect(seconds[4] >= 0.39)
    }

    @Test func `a process that ends before it reads a call refuses it, which never ran`()
        async throws
    {
        let records = try await onLoop { bench in
            let runner = try bench.runner(
                "persistent: true\ncommand: [sh, -c, 'echo no module >&2; exit 3']"
            )
            let start = bench.loop.nowNanoseconds
            var records: [CallRecord] = []
            for _ in 0..<5 {
                let call = bench.call(runner)
                try bench.run("the call to be refused") { call.isFinished }
                records.append(call.record)
            }
            // The call does not wait for the pause: another worker may be better.
            #expect(bench.loop.nowNanoseconds - start < 2_000_000_000 * Int64(Patience.factor))
            runner.shutDown()
            try bench.runToEnd()
            return records
        }
        for record in records {
            #expect(record.refusal?.isShortage == false)
            #expect(record.failure?.code == .spawnFailed)
            #expect(
                record.failure?.message == "sh exited with code 3 before it read a call: no module"
            )
        }
    }

    @Test func `a call that waits for the pause can be cancelled, and a shutdown ends it`()
        async throws
    {
        let records = try await onLoop { bench in
            let runner = try bench.runner(
                "persistent: true\ncommand: [sh, -c, 'read call; exit 3']"
            )
            for _ in 0..<6 {
                let call = bench.call(runner)
                try bench.run("the call to fail") { call.isFinished }
            }
            let cancelled = bench.call(runner)
            let cutOff = bench.call(runner)
            cancelled.handle?.cancel(grace: .seconds(10))
            let isCancelledAtOnce = cancelled.isFinished
            runner.shutDown()
            let late = bench.call(runner)
            try bench.runToEnd()
            return isCancelledAtOnce ? [cancelled.record, cutOff.record, late.record] : []
        }
        #expect(records.map { $0.failure?.code } == [.cancelled, .cancelled, .cancelled])
        #expect(records.map(\.starts) == [0, 0, 0])
        #expect(records.map(\.reportsAfterFinish) == [0, 0, 0])
    }

    @Test func `a missing program is spawn_failed each time`() async throws {
        let records = try await sequence(
            "persistent: true\ncommand: [no-such-program]",
            [[:], [:], [:]]
        )
        #expect(records.map { $0.failure?.code } == [.spawnFailed, .spawnFailed, .spawnFailed])
    }

    // MARK: - Ending

    @Test func `a cancel ends the process, by force if it has to`() async throws {
        for ignore in [false, true] {
            let records = try await onLoop { bench in
                let runner = try bench.runner(tool)
                let call = bench.call(runner, ["do": "hang", "ignore": .bool(ignore)])
                try bench.run("the call to hang") { call.record.errors == "hanging\n" }
                call.handle?.cancel(grace: ignore ? .milliseconds(50) : .seconds(60))
                try bench.run("the call to finish") { call.isFinished }
                let next = bench.call(runner, ["do": "facts"])
                try bench.run("the next call to finish") { next.isFinished }
                runner.shutDown()
                try bench.runToEnd()
                return [call.record, next.record]
            }
            #expect(records[0].failure?.code == .cancelled)
            #expect(records[0].reportsAfterFinish == 0)
            #expect(records[1].fact("calls") == 1)
        }
    }

    @Test func `a cancel of a call that has its reply leaves the process to others`()
        async throws
    {
        let records = try await onLoop { bench in
            let runner = try bench.runner(tool)
            let first = bench.call(runner, ["do": "facts"])
            try bench.run("the call to finish") { first.isFinished }
            let second = bench.call(runner, ["do": "facts"])
            first.handle?.cancel(grace: .zero)
            try bench.run("the second call to finish") { second.isFinished }
            runner.shutDown()
            try bench.runToEnd()
            return [first.record, second.record]
        }
        #expect(records[1].fact("calls") == 2)
    }

    @Test func `a shutdown closes the input, and kills processes that do not end`() async throws {
        let (pid, seconds) = try await onLoop { bench in
            let runner = try bench.runner(tool)
            let idle = bench.call(runner, ["value": 1])
            let stubborn = bench.call(runner, ["do": "ignore_end"])
            try bench.run("both calls to finish") { idle.isFinished && stubborn.isFinished }
            let start = bench.loop.nowNanoseconds
            runner.shutDown()
            try bench.runToEnd()
            return (
                Int32(stubborn.record.value ?? "") ?? 0,
                Double(bench.loop.nowNanoseconds - start) / 1e9
            )
        }
        #expect(pid > 1)
        #expect(!isRunning(pid))
        #expect(seconds >= 2)
        #expect(seconds < 10)
    }

    @Test func `a running call may still answer after a shutdown`() async throws {
        let record = try await onLoop { bench in
            let runner = try bench.runner(tool)
            let call = bench.call(runner, ["do": "slow_parts"])
            runner.shutDown()
            try bench.runToEnd()
            return call.record
        }
        #expect(record.text?.count == 100_000)
    }

    @Test func `a hanging call is ended by a shutdown`() async throws {
        let record = try await onLoop { bench in
            let runner = try bench.runner(tool)
            let call = bench.call(runner, ["do": "hang", "ignore": true])
            try bench.run("the call to hang") { call.record.errors == "hanging\n" }
            runner.shutDown()
            try bench.runToEnd()
            return call.record
        }
        #expect(record.failure?.code == .cancelled)
        #expect(record.failure?.isRetryable == true)
    }
}
