// Why a node did not produce an output: a stable code, who is responsible, and a message for
// people.

/// Who is responsible for a failure.
public enum FailureClass: String, Sendable, Hashable, CaseIterable {
    /// The plan or the request asks for something that cannot be done.
    case caller
    /// The tool ran and failed.
    case tool
    /// The worker that ran the tool failed.
    case worker
    /// A connection failed.
    case transport
    /// Weftline itself failed.
    case `internal`
}

/// The stable code of a failure.
///
/// In addition to the codes below, a tool may report one of its own, see ``init(toolReported:)``.
public struct FailureCode: Sendable, Hashable, RawRepresentable, CustomStringConvertible {
    /// The code as written on the wire.
    public var rawValue: String

    /// A code of this text; it is not checked.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// A code that a tool reports: 1–64 of `[a-z0-9_]`, otherwise nil.
    public init?(toolReported text: String) {
        let length = text.utf8.count
        guard length >= 1, length <= 64,
            text.utf8.allSatisfy({ byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "_"):
                    true
                default:
                    false
                }
            })
        else { return nil }
        rawValue = text
    }

    /// The tool ran and reported an error.
    public static let toolError = FailureCode(rawValue: "tool_error")
    /// The tool did not finish in time.
    public static let timeout = FailureCode(rawValue: "timeout")
    /// The node was cancelled.
    public static let cancelled = FailureCode(rawValue: "cancelled")
    /// The worker that ran the node is gone.
    public static let workerLost = FailureCode(rawValue: "worker_lost")
    /// The worker is gone and the tool, which must not run twice, may have run.
    public static let outcomeUnknown = FailureCode(rawValue: "outcome_unknown")
    /// A reference names a part that the output does not have.
    public static let referenceNotFound = FailureCode(rawValue: "reference_not_found")
    /// The arguments do not match the tool's schema.
    public static let badArguments = FailureCode(rawValue: "bad_args")
    /// No worker offers the tool.
    public static let unknownTool = FailureCode(rawValue: "unknown_tool")
    /// The output is larger than allowed.
    public static let outputTooLarge = FailureCode(rawValue: "output_too_large")
    /// The tool's processes reached a limit that its manifest sets.
    public static let toolLimit = FailureCode(rawValue: "tool_limit")
    /// The output does not match the tool's contract.
    public static let badOutput = FailureCode(rawValue: "bad_output")
    /// The tool's process could not be started.
    public static let spawnFailed = FailureCode(rawValue: "spawn_failed")
    /// A node this one depends on did not succeed; used only in an ``Outcome``, never for an
    /// attempt.
    public static let skipped = FailureCode(rawValue: "skipped")
    /// The plan of the run is invalid.
    public static let badPlan = FailureCode(rawValue: "bad_plan")
    /// A person said that the node must not run.
    public static let denied = FailureCode(rawValue: "denied")
    /// The node needed a person's approval, and no answer came in time.
    public static let approvalTimeout = FailureCode(rawValue: "approval_timeout")
    /// A limit was reached.
    public static let limit = FailureCode(rawValue: "limit")
    /// Weftline itself failed.
    public static let `internal` = FailureCode(rawValue: "internal")

    /// Who is responsible for a failure of this code; for codes of a tool, the tool.
    public var failureClass: FailureClass {
        switch self {
        case .cancelled, .referenceNotFound, .badArguments, .unknownTool, .limit, .skipped,
            .badPlan, .denied, .approvalTimeout:
            .caller
        case .workerLost, .outcomeUnknown, .spawnFailed: .worker
        case .internal: .internal
        default: .tool
        }
    }

    /// The code as written on the wire.
    public var description: String { rawValue }
}

/// Why a node, or one attempt at it, produced no output.
///
/// The code and ``isRetryable`` decide what happens next; the message is for people.
public struct Failure: Error, Sendable, Hashable, CustomStringConvertible {
    /// The stable code.
    public var code: FailureCode
    /// One sentence for a person.
    public var message: String
    /// Whether another attempt may succeed.
    public var isRetryable: Bool
    /// The exit code of the tool's process, if it exited.
    public var exitCode: Int?
    /// The signal that ended the tool's process, if one did.
    public var signal: Int?
    /// The last part of what the tool wrote to its standard error.
    public var stderrTail: String?

    /// A failure of that code.
    public init(
        code: FailureCode,
        message: String,
        isRetryable: Bool = false,
        exitCode: Int? = nil,
        signal: Int? = nil,
        stderrTail: String? = nil
    ) {
        self.code = code
        self.message = message
        self.isRetryable = isRetryable
        self.exitCode = exitCode
        self.signal = signal
        self.stderrTail = stderrTail
    }

    /// The code and the message, `timeout: the tool took longer than 5 s`.
    public var description: String { "\(code): \(message)" }
}
