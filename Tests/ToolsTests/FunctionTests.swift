// Tools that are Swift functions: outcomes, reports in order, cancelling, shutting down.
import Core
import JSON
import Testing
import UVLoop
import Wire

@testable import Tools

private struct Odd: Error, CustomStringConvertible {
    var description: String { "three is odd" }
}

/// Runs one call of a function to its end; cancels it after its first output, if told to.
private func run(
    _ arguments: JSONValue = [:],
    number: Int = 1,
    maxOutput: Int = 1 << 20,
    cancelAfter grace: Duration? = nil,
    _ function: @escaping FunctionTool.Call
) async throws -> CallRecord {
    try await onLoop { bench in
        let runner = FunctionRunner(
            loop: bench.loop,
            tool: FunctionTool(name: "probe", description: "", function)
        )
        let call = bench.call(runner, arguments, number: number, maxOutput: maxOutput)
        if let grace {
            try bench.run("the function to start") { !call.output.isEmpty }
            call.handle?.cancel(grace: grace)
            try bench.run("the call to finish") { call.isFinished }
        }
        try bench.runToEnd()
        return call.record
    }
}

@Suite struct FunctionTests {
    @Test func `a function gets its arguments and returns its output`() async throws {
        let record = try await run(["a": 20, "b": 22]) { arguments, _ in
            .integer(Int64((arguments["a"]?.intValue ?? 0) + (arguments["b"]?.intValue ?? 0)))
        }
        #expect(record.value == "42")
        #expect(record.starts == 1)
    }

    @Test func `numbers beyond 64 bits are passed and returned unchanged`() async throws {
        let big = try JSONValue(parsing: "[1000000000000000000000,1e400]")
        let record = try await run(["a": big]) { arguments, _ in arguments["a"] ?? .null }
        #expect(record.value == "[1000000000000000000000,1e400]")
    }

    @Test func `a number that is not finite is bad_output, not null`() async throws {
        for double in [Double.infinity, -.infinity, .nan] {
            let record = try await run { _, _ in ["a": [.double(double)]] }
            #expect(record.failure?.code == .badOutput)
        }
    }

    @Test func `a function knows its attempt`() async throws {
        let record = try await run(number: 3) { _, context in
            .string("\(context.run) \(context.node) \(context.number) \(context.attempt)")
        }
        #expect(record.text == "r1 n1 3 r1/0/3")
    }

    @Test func `reports come in order and before the end`() async throws {
        let record = try await run { _, context in
            for step in 1...200 {
                context.report(progress: Double(step) / 200, note: "step \(step)")
                context.emit("\(step) ")
                if step % 50 == 0 { await Task.yield() }
            }
            context.log("done")
            return nil
        }
        #expect(record.value == "null")
        #expect(record.output == (1...200).map { "\($0) " }.joined())
        #expect(record.errors == "done\n")
        #expect(record.progress.count == 200)
        #expect(record.progress.last == "1.0 step 200")
        #expect(record.reportsAfterFinish == 0)
    }

    @Test func `reports are delivered while the function runs`() async throws {
        let isSeen = Locked(false)
        let record = try await onLoop { bench in
            let runner = FunctionRunner(
                loop: bench.loop,
                tool: FunctionTool(name: "probe", description: "") { _, context in
                    context.emit("waiting")
                    while !context.isCancelled { await Task.yield() }
                    return "ended"
                }
            )
            let call = bench.call(runner)
            try bench.run("the text to arrive") { call.output == "waiting" }
            isSeen.withLock { $0 = !call.isFinished }
            call.handle?.cancel(grace: .seconds(60))
            try bench.runToEnd()
            return call.record
        }
        #expect(isSeen.withLock { $0 })
        #expect(record.text == "ended")
    }

    @Test func `reports after the end are dropped`() async throws {
        let kept = Locked<ToolContext?>(nil)
        let record = try await run { _, context in
            kept.withLock { $0 = context }
            return nil
        }
        kept.withLock { $0?.emit("late") }
        #expect(record.output.isEmpty)
        #expect(record.reportsAfterFinish == 0)
    }

    @Test func `progress is limited to 0 to 1`() async throws {
        let record = try await run { _, context in
            context.report(progress: 7)
            context.report(progress: -1)
            context.report(progress: nil, note: "lost")
            return nil
        }
        #expect(record.progress == ["1.0 ", "0.0 ", "-1.0 lost"])
    }

    @Test func `a thrown failure is kept unchanged`() async throws {
        let failure = Failure(
            code: FailureCode(rawValue: "quota"),
            message: "Used up.",
            isRetryable: true
        )
        #expect(try await run { _, _ in throw failure }.failure == failure)
    }

    @Test func `another error is a tool error with its description`() async throws {
        #expect(
            try await run { _, _ in throw Odd() }.failure
                == Failure(
                    code: .toolError,
                    message: "probe failed: three is odd",
                    isRetryable: true
                )
        )
    }

    @Test func `an output over the limit is output_too_large`() async throws {
        let record = try await run(maxOutput: 10) { _, _ in "12345678901" }
        #expect(record.failure?.code == .outputTooLarge)
        #expect(try await run(maxOutput: 10) { _, _ in "12345678" }.text == "12345678")
    }

    @Test func `a cancel cancels the task`() async throws {
        let record = try await run(cancelAfter: .seconds(60)) { _, context in
            context.emit("started")
            try await Task.sleep(for: .seconds(600))
            return nil
        }
        #expect(record.failure?.code == .cancelled)
        #expect(record.reportsAfterFinish == 0)
    }

    @Test func `a function that ignores a cancel is abandoned`() async throws {
        let mayEnd = Locked(false)
        let record = try await onLoop { bench in
            let runner = FunctionRunner(
                loop: bench.loop,
                tool: FunctionTool(name: "probe", description: "") { _, context in
                    context.emit("started")
                    while !mayEnd.withLock({ $0 }) { await Task.yield() }
                    context.emit("too late")
                    return "too late"
                }
            )
            let call = bench.call(runner)
            try bench.run("the function to start") { !call.output.isEmpty }
            call.handle?.cancel(grace: .milliseconds(20))
            try bench.run("the call to finish") { call.isFinished }
            mayEnd.withLock { $0 = true }
            try bench.runToEnd()
            return call.record
        }
        #expect(record.failure?.code == .cancelled)
        #expect(record.output == "started")
        #expect(record.reportsAfterFinish == 0)
    }

    @Test func `a shutdown ends running calls and refuses new ones`() async throws {
        let records = try await onLoop { bench in
            let runner = FunctionRunner(
                loop: bench.loop,
                tool: FunctionTool(name: "probe", description: "") { _, _ in
                    try await Task.sleep(for: .seconds(600))
                    return nil
                }
            )
            let call = bench.call(runner)
            runner.shutDown()
            let late = bench.call(runner)
            try bench.runToEnd()
            return [call.record, late.record]
        }
        #expect(records.map { $0.failure?.code } == [.cancelled, .cancelled])
    }

    @Test func `the description carries what was declared`() async throws {
        let description = try await onLoop { bench in
            FunctionRunner(
                loop: bench.loop,
                tool: FunctionTool(
                    name: "f",
                    description: "d",
                    parameters: RawJSON(["type": "object"]),
                    isIdempotent: true,
                    timeout: .milliseconds(1500),
                    maxAttempts: 2,
                    concurrency: 3
                ) { _, _ in nil }
            ).description
        }
        #expect(
            description
                == ToolDescription(
                    name: "f",
                    description: "d",
                    parameters: RawJSON(["type": "object"]),
                    isIdempotent: true,
                    timeoutMilliseconds: 1500,
                    maxAttempts: 2,
                    concurrency: 3
                )
        )
    }
}
