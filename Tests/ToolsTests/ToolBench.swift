// Runs tools on a loop of their own for a test: a thread, manifests from a few lines of YAML, calls
// that record all their reports.
import Core
import Foundation
import JSON
import TestKit
import Testing
import UVLoop
import Wire

@testable import Tools

/// The loop did not end in time.
struct BenchTimedOut: Error {
    var what: String
}

/// Runs a body on a new thread with tools on a loop, and closes the loop.
func onLoop<Value: Sendable>(
    _ body: @escaping @Sendable (ToolBench) throws -> Value
) async throws -> Value {
    try await TestKit.onLoop(limit: .seconds(60)) { loop in try body(ToolBench(loop: loop)) }
}

/// The folder of the scripts that the tests run.
let fixtures = URL(filePath: #filePath).deletingLastPathComponent().path + "/Fixtures"

/// A loop with tools.
final class ToolBench {
    let loop: EventLoop

    init(loop: EventLoop) {
        self.loop = loop
    }

    /// The runner of the one tool that the fields declare.
    func runner(
        _ fields: String,
        environment: [String: String] = WorkerEnvironment.current
    ) throws -> any ToolRunner {
        let tool = try declared(fields)
        if tool.isPersistent {
            return PersistentRunner(loop: loop, tool: tool, environment: environment)
        }
        return ExecutableRunner(loop: loop, tool: tool, environment: environment)
    }

    /// Starts a call of a tool.
    @discardableResult
    func call(
        _ runner: any ToolRunner,
        _ arguments: JSONValue = [:],
        number: Int = 1,
        maxOutput: Int = 1 << 20
    ) -> Call {
        let call = Call()
        call.handle = runner.start(
            invocation(runner.description.name, arguments, number: number, maxOutput: maxOutput)
        ) { call.received($0) }
        return call
    }

    /// Runs until nothing keeps the loop alive.
    func runToEnd() throws {
        let limit = loop.nowNanoseconds + ToolBench.limit
        let mailbox = loop.mailbox
        let watchdog = DispatchWorkItem { mailbox.post { $0.stop() } }
        DispatchQueue.global().asyncAfter(
            deadline: .now() + .nanoseconds(Int(ToolBench.limit)),
            execute: watchdog
        )
        loop.run()
        watchdog.cancel()
        if loop.nowNanoseconds >= limit { throw BenchTimedOut(what: "everything to end") }
    }

    /// Runs until a condition holds, which is checked every few milliseconds.
    func run(_ what: String, until holds: @escaping () -> Bool) throws {
        let limit = loop.nowNanoseconds + ToolBench.limit
        var timer: UVLoop.Timer?
        timer = UVLoop.Timer(loop: loop) { [loop] in
            if holds() || loop.nowNanoseconds >= limit { return loop.stop() }
            timer?.schedule(after: .milliseconds(2))
        }
        timer?.schedule(after: .zero)
        loop.run()
        timer?.close()
        timer = nil
        if loop.nowNanoseconds >= limit { throw BenchTimedOut(what: what) }
    }

    private static let limit = 20_000_000_000 * Int64(Patience.factor)
}

/// The reports of a call.
final class Call {
    var handle: (any RunningInvocation)?
    private(set) var record = CallRecord()
    var onFinish: (CallRecord) -> Void = { _ in }
    var onStart: () -> Void = {}

    var isFinished: Bool { record.outcome != nil }
    var output: String { record.output }

    func received(_ report: ToolReport) {
        if isFinished { record.reportsAfterFinish += 1 }
        switch report {
        case .started:
            record.starts += 1
            onStart()
        case .output(.standardOutput, let bytes):
            record.output += String(decoding: bytes, as: UTF8.self)
        case .output(_, let bytes):
            record.errors += String(decoding: bytes, as: UTF8.self)
        case .progress(let fraction, let note):
            record.progress.append("\(fraction ?? -1) \(note ?? "")")
        case .notStarted(let refusal):
            record.outcome = .failure(refusal.failure)
            record.refusal = refusal
            onFinish(record)
        case .finished(let outcome, _):
            record.outcome = outcome
            onFinish(record)
        }
    }
}

/// The reports of a call, for the test.
struct CallRecord: Sendable {
    var outcome: Result<RawJSON, Failure>?
    /// Set if the tool could not be started.
    var refusal: StartRefusal?
    var output = ""
    var errors = ""
    var progress: [String] = []
    var starts = 0
    var reportsAfterFinish = 0

    /// The output, as JSON text.
    var value: String? {
        if case .success(let value)? = outcome { value.text } else { nil }
    }

    /// The output, if it is a text.
    var text: String? {
        if case .success(let value)? = outcome { value.stringValue } else { nil }
    }

    var failure: Failure? {
        if case .failure(let failure)? = outcome { failure } else { nil }
    }
}

/// The one tool that the fields of a manifest entry declare; it is named probe.
func declared(_ fields: String) throws -> ManifestTool {
    let lines = fields.split(separator: "\n").map { "    \($0)" }.joined(separator: "\n")
    let manifest = try Manifest.parse(
        yaml: "tools:\n  - name: probe\n\(lines)\n",
        path: fixtures + "/tools.yaml"
    )
    return try #require(manifest.tools.first)
}

/// Runs one call of one tool to its end.
func outcome(
    _ fields: String,
    _ arguments: JSONValue = [:],
    number: Int = 1,
    maxOutput: Int = 1 << 20,
    environment: [String: String] = WorkerEnvironment.current
) async throws -> CallRecord {
    try await onLoop { bench in
        let runner = try bench.runner(fields, environment: environment)
        let call = bench.call(runner, arguments, number: number, maxOutput: maxOutput)
        call.onFinish = { _ in runner.shutDown() }
        if call.isFinished { runner.shutDown() }
        try bench.runToEnd()
        return call.record
    }
}

func invocation(
    _ tool: String,
    _ arguments: JSONValue = [:],
    number: Int = 1,
    maxOutput: Int = 1 << 20
) -> Invocation {
    guard let run = RunID("r1"), let node = NodeID("n1") else {
        preconditionFailure("the ids of the tests are good")
    }
    return Invocation(
        attempt: AttemptID(run: run, node: 0, number: number),
        run: run,
        node: node,
        tool: tool,
        arguments: RawJSON(arguments),
        number: number,
        maxOutput: maxOutput
    )
}

/// A schema of properties, all required unless named as optional, as a line of a manifest.
func parameters(_ names: String..., optional: [String] = []) -> String {
    let properties = (names + optional).map { "\($0): {}" }.joined(separator: ", ")
    return "parameters: {type: object, properties: {\(properties)},"
        + " required: [\(names.joined(separator: ", "))]}"
}

/// The live processes of a group, by the system's own list.
func members(ofGroup group: Int32) -> [Int32] {
    let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return entries.compactMap { Int32($0) }.filter { pid in
        guard let fields = processFields(pid), fields.count > 2 else { return false }
        return fields[2] == String(group) && fields[0] != "Z" && fields[0] != "X"
    }
}

/// Whether a process exists and has not ended.
func isRunning(_ pid: Int32) -> Bool {
    guard let state = processFields(pid)?.first else { return false }
    return state != "Z" && state != "X"
}

/// State, parent, group and so on; they follow the name, which is in brackets.
private func processFields(_ pid: Int32) -> [Substring]? {
    guard let status = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else {
        return nil
    }
    return status.split(separator: ")").last?.split(separator: " ")
}
