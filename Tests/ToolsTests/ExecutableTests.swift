// Tools that are programs, with real processes: output, exit codes, limits, failures to start.
import Core
import Foundation
import JSON
import Testing
import UVLoop

@testable import Tools

@Suite struct ExecutableTests {
    // MARK: - Output

    @Test func `text is the output without its last newline`() async throws {
        #expect(try await outcome("command: [printf, 'a\\n\\n']").text == "a\n")
        #expect(try await outcome("command: [printf, '%s', a]").text == "a")
        #expect(try await outcome("command: ['true']").text == "")
    }

    @Test func `a call starts, streams and finishes once`() async throws {
        let record = try await outcome("command: [sh, -c, 'echo out; echo err >&2']")
        #expect(record.text == "out")
        #expect(record.output == "out\n")
        #expect(record.errors == "err\n")
        #expect(record.starts == 1)
        #expect(record.reportsAfterFinish == 0)
    }

    @Test func `JSON output is passed unchanged`() async throws {
        let record = try await outcome(
            "command: [printf, '%s', ' {{\"a\": [1, 2.0]}} \n']\noutput: json"
        )
        #expect(record.value == "{\"a\": [1, 2.0]}")
    }

    @Test(arguments: ["", "[", "1 2", "nope", "[NaN]", "[1e]"])
    func `output that should be JSON but is not is bad_output`(text: String) async throws {
        let record = try await outcome(
            "command: [printf, '%s', '\(text)']\noutput: json"
        )
        #expect(record.failure?.code == .badOutput)
        #expect(record.failure?.exitCode == 0)
        #expect(
            record.failure?.message.hasPrefix("probe must print one JSON value but did not. ")
                == true
        )
    }

    @Test func `text that is not UTF-8 is bad_output`() async throws {
        let record = try await outcome("command: [printf, 'a\\377b']")
        #expect(record.failure?.code == .badOutput)
        #expect(record.failure?.isRetryable == false)
    }

    @Test func `without placeholders the arguments come on the standard input`() async throws {
        let record = try await outcome(
            "command: [cat]\noutput: json",
            ["q": "it's", "n": [1, nil]]
        )
        #expect(record.value == "{\"q\":\"it's\",\"n\":[1,null]}")
    }

    @Test func `arguments larger than a pipe come through`() async throws {
        let record = try await outcome(
            "command: [wc, -c]",
            ["q": .string(String(repeating: "x", count: 3_000_000))]
        )
        #expect(record.text == "3000009")
    }

    @Test func `a tool need not read its input`() async throws {
        let record = try await outcome(
            "command: [printf, done]",
            ["q": .string(String(repeating: "x", count: 3_000_000))]
        )
        #expect(record.text == "done")
    }

    @Test func `special characters of a shell have no effect`() async throws {
        let hostile = "$(touch pwned) `id`; rm -rf * & | > x \\ ' \" ${HOME} *\n"
        let record = try await outcome(
            "command: [printf, '%s|', --, '{a}', 'x={a}']\n\(parameters("a"))",
            ["a": .string(hostile)]
        )
        #expect(record.text == "--|\(hostile)|x=\(hostile)|")
    }

    // MARK: - Exit codes

    @Test func `a failing exit code is a tool error with the last line of standard error`()
        async throws
    {
        let record = try await outcome(
            "command: [sh, -c, 'echo first >&2; echo last words >&2; echo >&2; exit 2']"
        )
        #expect(
            record.failure
                == Failure(
                    code: .toolError,
                    message: "sh exited with code 2: last words",
                    isRetryable: true,
                    exitCode: 2,
                    stderrTail: "first\nlast words\n\n"
                )
        )
    }

    @Test func `other exit codes may be successes`() async throws {
        let fields = "command: [sh, -c, 'echo 0; exit 1']\nsuccess_exit_codes: [0, 1]"
        #expect(try await outcome(fields).text == "0")
        let only = "command: ['true']\nsuccess_exit_codes: [1]"
        #expect(try await outcome(only).failure?.exitCode == 0)
    }

    @Test func `a signal is named`() async throws {
        let failure = try await outcome("command: [sh, -c, 'kill -SEGV $$']").failure
        #expect(failure?.message == "sh was killed by SIGSEGV")
        #expect(failure?.signal == 11)
        #expect(failure?.exitCode == nil)
        #expect(failure?.isRetryable == true)
    }

    @Test func `what others have killed may have taken effect`() async throws {
        let command = "command: [sh, -c, 'kill -KILL $$']\n"
        let failure = try await outcome(command).failure
        #expect(failure?.code == .outcomeUnknown)
        #expect(failure?.isRetryable == false)
        #expect(failure?.message == "sh was killed by SIGKILL")
        let repeatable = try await outcome(command + "idempotent: true").failure
        #expect(repeatable?.code == .toolError)
        #expect(repeatable?.isRetryable == true)
    }

    @Test func `only the end of a long standard error is kept`() async throws {
        let failure = try await outcome(
            "command: [sh, -c, 'yes abcdefg | head -n 100000 >&2; echo end >&2; exit 1']"
        ).failure
        #expect(failure?.stderrTail?.utf8.count == OutputTail.limit)
        #expect(failure?.stderrTail?.hasSuffix("abcdefg\nend\n") == true)
    }

    @Test func `a tail does not start within a character`() {
        var tail = OutputTail()
        tail.append(Array(String(repeating: "é", count: OutputTail.limit).utf8))
        tail.append([UInt8(ascii: "x")])
        #expect(tail.text == String(repeating: "é", count: OutputTail.limit / 2 - 1) + "x")
    }

    // MARK: - Starting

    @Test func `arguments beyond the limit of the system are bad_args`() async throws {
        let long = String(repeating: "x", count: 200_000)
        let one = try await outcome(
            "command: ['true', '{a}']\n\(parameters("a"))",
            ["a": .string(long)]
        )
        #expect(one.failure?.code == .badArguments)
        #expect(one.failure?.message.hasPrefix("/a: makes an argument of 200000 bytes") == true)
        let part = JSONValue.string(String(repeating: "x", count: 100_000))
        let many = try await outcome(
            "command: ['true', '{a...}']\n\(parameters("a"))",
            ["a": .array(Array(repeating: part, count: 100))]
        )
        #expect(many.failure?.code == .badArguments)
        #expect(many.failure?.isRetryable == false)
        #expect(many.failure?.message.contains("its arguments have 10000100 bytes") == true)
        #expect(many.failure?.message.contains("standard input") == true)
    }

    @Test func `a missing program is spawn_failed`() async throws {
        let record = try await outcome("command: [no-such-program-here]")
        #expect(record.failure?.code == .spawnFailed)
        #expect(record.failure?.isRetryable == true)
        #expect(
            record.failure?.message
                == "no-such-program-here could not be started: no such file or directory. Check"
                + " that no-such-program-here is installed on this worker and in its PATH."
        )
        #expect(record.starts == 0)
    }

    @Test func `a file that may not be executed is spawn_failed`() async throws {
        let record = try await outcome("command: [beside/data.txt]")
        #expect(record.failure?.code == .spawnFailed)
        #expect(record.failure?.message.contains("permission denied") == true)
    }

    @Test func `a failed start leaves no folder behind`() async throws {
        let base = try #require(
            FileManager.default.temporaryDirectory.path.nilIfEmpty.map {
                $0 + "/tools-tests-\(UUID().uuidString)"
            }
        )
        try FileManager.default.createDirectory(
            atPath: base,
            withIntermediateDirectories: true
        )
        defer { try? FileManager.default.removeItem(atPath: base) }
        let record = try await outcome(
            "command: [no-such-program-here]",
            environment: ["TMPDIR": base]
        )
        #expect(record.failure?.code == .spawnFailed)
        #expect(try FileManager.default.contentsOfDirectory(atPath: base).isEmpty)
    }

    @Test func `without a place for a working folder nothing starts`() async throws {
        let record = try await outcome(
            "command: ['true']",
            environment: ["TMPDIR": "/nonexistent"]
        )
        #expect(record.failure?.code == .spawnFailed)
        #expect(record.failure?.isRetryable == true)
        #expect(record.failure?.message.contains("none could be made in /nonexistent") == true)
    }

    @Test func `bad arguments fail before anything starts`() async throws {
        let record = try await outcome(
            "command: [printf, '{a}']\n\(parameters("a"))",
            ["a": "-v"]
        )
        #expect(record.failure?.code == .badArguments)
        #expect(record.starts == 0)
    }

    // MARK: - Limits

    @Test func `the smaller of the two limits on output counts`() async throws {
        let fields = "command: [head, [-c, '{n}'], /dev/zero]\n\(parameters("n"))\nmax_output: 1000"
        #expect(try await outcome(fields, ["n": 1000]).failure == nil)
        #expect(
            try await outcome(fields, ["n": 1001]).failure
                == Failure(
                    code: .outputTooLarge,
                    message: "probe produced more than the allowed 1000 bytes of output."
                )
        )
        #expect(
            try await outcome(fields, ["n": 600], maxOutput: 500).failure?.code == .outputTooLarge
        )
    }

    @Test func `a tool that prints for ever is killed`() async throws {
        let record = try await outcome("command: ['yes']\nmax_output: 64KiB")
        #expect(record.failure?.code == .outputTooLarge)
        #expect(record.output.utf8.count <= 64 << 10)
    }

    @Test func `a flood of standard error does no harm`() async throws {
        let record = try await outcome(
            "command: [sh, -c, 'head -c 5000000 /dev/zero >&2; echo ok']"
        )
        #expect(record.text == "ok")
        #expect(record.errors.utf8.count == 5_000_000)
    }

    @Test func `many run at the same time`() async throws {
        let outputs = try await onLoop { bench in
            let runner = try bench.runner("command: [printf, '%s', '{n}']\n\(parameters("n"))")
            let calls = (0..<50).map { bench.call(runner, ["n": .integer($0)]) }
            try bench.runToEnd()
            return calls.map(\.record.text)
        }
        #expect(outputs == (0..<50).map { String($0) })
    }
}

extension String {
    fileprivate var nilIfEmpty: String? { isEmpty ? nil : self }
}
