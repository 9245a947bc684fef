// Cancelling programs with their own children: no process of the group remains.
import Core
import Foundation
import JSON
import Testing
import UVLoop

@testable import Tools

/// The reports of a script's call, and the processes of its group that remained.
private struct Ended: Sendable {
    var record: CallRecord
    var group: Int32
    var leftInGroup: [Int32]
    var seconds: Double
}

/// Runs a script that prints its group; then cancels it, if told to.
private func run(_ fields: String, cancelAfter grace: Duration? = nil) async throws -> Ended {
    try await onLoop { bench in
        let runner = try bench.runner(fields)
        let start = bench.loop.nowNanoseconds
        let call = bench.call(runner)
        if let grace {
            try bench.run("the script to print its group") { call.output.hasSuffix("\n") }
            call.handle?.cancel(grace: grace)
        }
        var left: [Int32] = []
        var group: Int32 = 0
        call.onFinish = { record in
            group = Int32(record.output.split(separator: "\n").first ?? "") ?? 0
            left = members(ofGroup: group)
        }
        try bench.runToEnd()
        return Ended(
            record: call.record,
            group: group,
            leftInGroup: left,
            seconds: Double(bench.loop.nowNanoseconds - start) / 1e9
        )
    }
}

@Suite struct ProcessGroupTests {
    @Test func `a tool that ends on SIGTERM ends within the grace period`() async throws {
        let ended = try await run("command: [./polite.sh]", cancelAfter: .seconds(60))
        #expect(ended.record.failure?.code == .cancelled)
        #expect(ended.record.failure?.stderrTail == "asked to end\n")
        #expect(ended.record.reportsAfterFinish == 0)
        #expect(ended.group > 1)
        #expect(ended.leftInGroup.isEmpty)
        #expect(ended.seconds < 15)
    }

    @Test func `a tool that ignores SIGTERM is killed with its children after the grace`()
        async throws
    {
        let ended = try await run("command: [./stubborn.sh]", cancelAfter: .milliseconds(100))
        #expect(ended.record.failure?.code == .cancelled)
        #expect(ended.group > 1)
        #expect(ended.leftInGroup.isEmpty)
        #expect(ended.seconds >= 0.1)
    }

    @Test func `a second cancel shortens the grace`() async throws {
        let record = try await onLoop { bench in
            let call = bench.call(try bench.runner("command: [./stubborn.sh]"))
            try bench.run("the script to print its group") { !call.output.isEmpty }
            call.handle?.cancel(grace: .seconds(60))
            call.handle?.cancel(grace: .milliseconds(10))
            call.handle?.cancel(grace: .seconds(60))
            try bench.run("the call to finish") { call.isFinished }
            return call.record
        }
        #expect(record.failure?.code == .cancelled)
    }

    @Test func `a cancel after the end does nothing`() async throws {
        let record = try await onLoop { bench in
            let call = bench.call(try bench.runner("command: [printf, ok]"))
            try bench.run("the call to finish") { call.isFinished }
            call.handle?.cancel(grace: .zero)
            try bench.runToEnd()
            return call.record
        }
        #expect(record.text == "ok")
        #expect(record.reportsAfterFinish == 0)
    }

    @Test func `a cancel right after the start ends the call`() async throws {
        let record = try await onLoop { bench in
            let call = bench.call(try bench.runner("command: [sleep, 1000]"))
            call.handle?.cancel(grace: .seconds(60))
            try bench.runToEnd()
            return call.record
        }
        #expect(record.failure?.code == .cancelled)
    }

    @Test func `children that stay are killed when the tool has ended`() async throws {
        let ended = try await run("command: [./leaves-children.sh]")
        #expect(ended.record.text == String(ended.group))
        #expect(ended.leftInGroup.isEmpty)
        #expect(ended.seconds < 10)
    }

    @Test func `a process that left the group ends with the tool`() async throws {
        let ended = try await run("command: [./escapes.sh]")
        // The process that left the group has printed its number.
        let escaped = ended.group
        try #require(escaped > 1)
        #expect(!isRunning(escaped))
        #expect(ended.record.text == String(escaped))
        #expect(ended.seconds < 10)
    }

    @Test func `a tool that closes its outputs is waited for`() async throws {
        let record = try await onLoop { bench in
            let fifo = NSTemporaryDirectory() + "tools-tests-\(UUID().uuidString)"
            try #require(mkfifo(fifo, 0o600) == 0)
            defer { unlink(fifo) }
            let call = bench.call(
                try bench.runner("command: [./closes-outputs.sh, '\(fifo)']")
            )
            try bench.run("the script to print its group") { call.output.hasSuffix("\n") }
            let pid = Int32(call.output.dropLast()) ?? 0
            try bench.run("the outputs to be closed") {
                descriptors(of: pid).isDisjoint(with: [1, 2])
            }
            let wasFinished = call.isFinished
            let writer = open(fifo, O_WRONLY)
            write(writer, "go\n", 3)
            close(writer)
            try bench.runToEnd()
            return wasFinished ? CallRecord() : call.record
        }
        #expect(record.failure?.exitCode == 7)
    }

    @Test func `output over the limit kills the whole group`() async throws {
        let ended = try await run(
            "command: [sh, -c, 'echo $$; sleep 1000 & yes']\nmax_output: 100KiB"
        )
        #expect(ended.record.failure?.code == .outputTooLarge)
        #expect(ended.group > 1)
        #expect(ended.leftInGroup.isEmpty)
    }

    @Test func `a shutdown kills running calls and refuses new ones`() async throws {
        let records = try await onLoop { bench in
            let runner = try bench.runner("command: [./stubborn.sh]")
            let call = bench.call(runner)
            try bench.run("the script to print its group") { !call.output.isEmpty }
            runner.shutDown()
            let late = bench.call(runner)
            try bench.runToEnd()
            return [call.record, late.record]
        }
        #expect(records.map { $0.failure?.code } == [.cancelled, .cancelled])
    }
}

private func descriptors(of pid: Int32) -> Set<Int> {
    let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")) ?? []
    return Set(entries.compactMap { Int($0) })
}
