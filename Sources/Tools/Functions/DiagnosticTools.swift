// Tools that every worker can offer to try out a cluster: noop, echo, sleep, fail, payload. They
// run on the loop itself, so that they measure only the round trip.
internal import Core
internal import JSON
public import UVLoop
public import Wire

/// The built-in tools for tests and measurements.
public enum DiagnosticTools {
    /// The most bytes of text that `payload` returns.
    public static let payloadLimit = 64 << 20

    /// The descriptions that a worker announces, in the order of ``runners(loop:)``.
    public static var descriptions: [ToolDescription] {
        [noopDescription, echoDescription, SleepRunner.tool, failDescription, payloadDescription]
    }

    private static var noopDescription: ToolDescription {
        ToolDescription(
            name: "noop",
            description: "Does nothing and returns null.",
            isIdempotent: true,
            isReadOnly: true
        )
    }

    private static var echoDescription: ToolDescription {
        ToolDescription(
            name: "echo",
            description: "Returns its arguments as they are.",
            isIdempotent: true,
            isReadOnly: true
        )
    }

    /// The runners of `noop`, `echo`, `sleep`, `fail` and `payload`, in this order.
    ///
    /// All but `sleep` finish before their start returns. `makeTimer` makes the timers for `sleep`.
    public static func runners(
        loop: EventLoop,
        makeTimer: @escaping MakeTimer = { Timer(loop: $0, onFire: $1) }
    ) -> [any ToolRunner] {
        [
            ImmediateRunner(noopDescription) { _ in .success(.null) },
            ImmediateRunner(echoDescription) { .success($0.arguments) },
            SleepRunner(loop: loop, makeTimer: makeTimer),
            ImmediateRunner(failDescription, fail),
            ImmediateRunner(payloadDescription, payload),
        ]
    }

    // MARK: - fail

    private static var failDescription: ToolDescription {
        ToolDescription(
            name: "fail",
            description: "Fails with the given code, message and retryability; with `times`,"
                + " only that many first attempts of a node fail.",
            parameters: RawJSON([
                "type": "object",
                "properties": [
                    "code": ["type": "string", "pattern": "^[a-z0-9_]{1,64}$"],
                    "message": ["type": "string"],
                    "retryable": ["type": "boolean"],
                    "times": ["type": "integer", "minimum": 0],
                ],
                "additionalProperties": false,
            ]),
            // Enough attempts for `times`.
            isIdempotent: true,
            isReadOnly: true,
            maxAttempts: 10
        )
    }

    private static func fail(_ invocation: Invocation) -> Result<RawJSON, Failure> {
        let arguments = JSONValue(invocation.arguments)
        if let times = arguments["times"]?.intValue, invocation.number > times {
            return .success(.null)
        }
        let spelling = arguments["code"]?.stringValue ?? FailureCode.toolError.rawValue
        guard let code = FailureCode(toolReported: spelling) else {
            return .failure(
                Failure(
                    code: .badArguments,
                    message: "/code: must be 1 to 64 of a-z, 0-9 and _."
                )
            )
        }
        return .failure(
            Failure(
                code: code,
                message: arguments["message"]?.stringValue ?? "The tool fail was told to fail.",
                isRetryable: arguments["retryable"]?.boolValue ?? false
            )
        )
    }

    // MARK: - payload

    private static var payloadDescription: ToolDescription {
        ToolDescription(
            name: "payload",
            description: "Returns a text of that many bytes.",
            parameters: RawJSON([
                "type": "object",
                "properties": [
                    "bytes": [
                        "type": "integer", "minimum": 0, "maximum": .integer(Int64(payloadLimit)),
                    ]
                ],
                "required": ["bytes"],
                "additionalProperties": false,
            ]),
            isIdempotent: true,
            isReadOnly: true
        )
    }

    private static func payload(_ invocation: Invocation) -> Result<RawJSON, Failure> {
        guard let count = invocation.arguments.value(at: [.key("bytes")])?.intValue,
            (0...payloadLimit).contains(count)
        else {
            return .failure(
                Failure(
                    code: .badArguments,
                    message: "/bytes: must be a whole number from 0 to \(payloadLimit)."
                )
            )
        }
        guard count + 2 <= invocation.maxOutput else {
            return .failure(.outputTooLarge(invocation.tool, limit: invocation.maxOutput))
        }
        var text = [UInt8](repeating: UInt8(ascii: "x"), count: count + 2)
        text[0] = UInt8(ascii: "\"")
        text[count + 1] = UInt8(ascii: "\"")
        return .success(RawJSON(trusted: text[...]))
    }
}

/// Runs a function on the loop, within `start`.
final class ImmediateRunner: ToolRunner {
    let description: ToolDescription
    private let call: (Invocation) -> Result<RawJSON, Failure>
    // Finished invocations do not differ, so they share one handle.
    private let finished = FinishedInvocation()

    init(
        _ description: ToolDescription,
        _ call: @escaping (Invocation) -> Result<RawJSON, Failure>
    ) {
        self.description = description
        self.call = call
    }

    func start(
        _ invocation: Invocation,
        report: @escaping (ToolReport) -> Void
    ) -> any RunningInvocation {
        var outcome = call(invocation)
        if case .success(let output) = outcome, output.count > invocation.maxOutput {
            outcome = .failure(.outputTooLarge(invocation.tool, limit: invocation.maxOutput))
        }
        report(.finished(outcome, isTruncated: false))
        return finished
    }

    func shutDown() {}
}

/// Waits with a timer of the loop.
private final class SleepRunner: ToolRunner {
    static var tool: ToolDescription {
        ToolDescription(
            name: "sleep",
            description: "Waits that many milliseconds and returns null.",
            parameters: RawJSON([
                "type": "object",
                "properties": ["ms": ["type": "number", "minimum": 0, "maximum": 86_400_000]],
                "required": ["ms"],
                "additionalProperties": false,
            ]),
            isIdempotent: true,
            isReadOnly: true
        )
    }

    let description = SleepRunner.tool
    private let loop: EventLoop
    private let makeTimer: MakeTimer
    private var sleeping: [ObjectIdentifier: SleepInvocation] = [:]

    init(loop: EventLoop, makeTimer: @escaping MakeTimer) {
        self.loop = loop
        self.makeTimer = makeTimer
    }

    func start(
        _ invocation: Invocation,
        report: @escaping (ToolReport) -> Void
    ) -> any RunningInvocation {
        guard let milliseconds = invocation.arguments.value(at: [.key("ms")])?.doubleValue,
            (0...86_400_000).contains(milliseconds)
        else {
            report(
                .failed(
                    Failure(
                        code: .badArguments,
                        message: "/ms: must be a number from 0 to 86400000."
                    )
                )
            )
            return FinishedInvocation()
        }
        report(.started)
        let sleep = SleepInvocation(tool: invocation.tool, report: report)
        let id = ObjectIdentifier(sleep)
        sleeping[id] = sleep
        sleep.onEnd = { [weak self] in self?.sleeping[id] = nil }
        sleep.timer = makeTimer(loop) { [weak sleep] in sleep?.finish(.success(.null)) }
        sleep.timer?.schedule(after: .microseconds(Int64(milliseconds * 1000)))
        return sleep
    }

    func shutDown() {
        for sleep in Array(sleeping.values) { sleep.cancel(grace: .zero) }
    }
}

private final class SleepInvocation: RunningInvocation {
    var onEnd: () -> Void = {}
    var timer: (any OneShotTimer)?
    private let tool: String
    private let report: (ToolReport) -> Void

    init(tool: String, report: @escaping (ToolReport) -> Void) {
        self.tool = tool
        self.report = report
    }

    func cancel(grace: Duration) {
        finish(.failure(.cancelled(tool)))
    }

    func finish(_ outcome: Result<RawJSON, Failure>) {
        guard let timer else { return }
        timer.close()
        self.timer = nil
        onEnd()
        report(.finished(outcome, isTruncated: false))
    }
}
