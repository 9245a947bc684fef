// The life of an attempt between coordinator and worker: dispatch, started, reject, progress,
// result, ack, cancel. Their chunks are in Chunks.swift, their codec in Attempts+Codec.swift.

public import Core

/// Start an attempt.
///
/// Arguments in chunks have been sent before this message, which completes them.
public struct Dispatch: Sendable, Equatable {
    /// The attempt; opaque to the worker.
    public var attempt: AttemptID
    /// Its run, for logs and for the tool.
    public var run: RunID
    /// Its node, for logs and for the tool.
    public var node: NodeID
    /// What to run.
    public var tool: String
    /// The resolved arguments.
    public var arguments: Payload
    /// How long it may take, in milliseconds; nil for as long as it likes.
    public var timeoutMilliseconds: Int?
    /// How long it may run on without a report, in milliseconds.
    public var leaseMilliseconds: Int
    /// The bytes its output may have.
    public var maxOutput: Int
    /// Which try of the node this is, from 1.
    public var number: Int
    /// The span of the attempt, for the tool, if the run was submitted with one.
    public var traceParent: TraceParent?

    /// Makes the message of its fields.
    public init(
        attempt: AttemptID,
        run: RunID,
        node: NodeID,
        tool: String,
        arguments: Payload,
        timeoutMilliseconds: Int? = nil,
        leaseMilliseconds: Int,
        maxOutput: Int,
        number: Int,
        traceParent: TraceParent? = nil
    ) {
        self.attempt = attempt
        self.run = run
        self.node = node
        self.tool = tool
        self.arguments = arguments
        self.timeoutMilliseconds = timeoutMilliseconds
        self.leaseMilliseconds = leaseMilliseconds
        self.maxOutput = maxOutput
        self.number = number
        self.traceParent = traceParent
    }
}

/// The attempt runs; may be left out when its result leaves in the same write.
public struct Started: Sendable, Equatable {
    /// Which attempt.
    public var attempt: AttemptID

    /// Makes the message of its field.
    public init(attempt: AttemptID) {
        self.attempt = attempt
    }
}

/// Why a worker did not begin an attempt; a code of a newer worker that is not among these is read
/// as `busy`.
public enum RejectCode: String, Sendable, Hashable, CaseIterable {
    /// No slot is free.
    case busy
    /// The worker drains.
    case draining
    /// It has no such tool.
    case unknownTool = "unknown_tool"
    /// The arguments do not fit the tool; a failure of the node.
    case badArguments = "bad_args"
    /// The coordinator called it back before it had begun.
    case recalled
}

/// The attempt was not begun and will not be; no result follows.
public struct Reject: Sendable, Equatable {
    /// Which attempt.
    public var attempt: AttemptID
    /// Why.
    public var code: RejectCode
    /// Whether the worker is busy because it lacks descriptors, processes or memory to start the
    /// tool; `message` says which.
    ///
    /// A field and not a code: a coordinator that does not know it takes the attempt back as after
    /// any `busy`.
    public var isShortage: Bool
    /// A sentence for a person.
    public var message: String?

    /// Makes the message of its fields.
    public init(
        attempt: AttemptID,
        code: RejectCode,
        isShortage: Bool = false,
        message: String? = nil
    ) {
        self.attempt = attempt
        self.code = code
        self.isShortage = isShortage
        self.message = message
    }
}

/// A report that an attempt goes on; renews its lease.
public struct Progress: Sendable, Equatable {
    /// Which attempt.
    public var attempt: AttemptID
    /// How much is done, 0–1.
    public var fraction: Double?
    /// What it is doing, for a person.
    public var note: String?

    /// Makes the message of its fields.
    public init(attempt: AttemptID, fraction: Double? = nil, note: String? = nil) {
        self.attempt = attempt
        self.fraction = fraction
        self.note = note
    }
}

/// How an attempt ended.
public enum AttemptOutcome: Sendable, Equatable {
    /// The tool's output.
    case success(Payload)
    /// Why there is none.
    case failure(Failure)
}

/// The outcome of an attempt; the last message about it, sent again after a reconnect until the
/// coordinator has acknowledged it.
///
/// An output in chunks has been sent before this message, which completes it.
public struct ResultMessage: Sendable, Equatable {
    /// Which attempt.
    public var attempt: AttemptID
    /// How it ended.
    public var outcome: AttemptOutcome
    /// Whether the output was cut to the limit of the dispatch.
    public var isTruncated: Bool
    /// How long the tool ran, in microseconds.
    public var durationMicroseconds: Int?

    /// Makes the message of its fields.
    public init(
        attempt: AttemptID,
        outcome: AttemptOutcome,
        isTruncated: Bool = false,
        durationMicroseconds: Int? = nil
    ) {
        self.attempt = attempt
        self.outcome = outcome
        self.isTruncated = isTruncated
        self.durationMicroseconds = durationMicroseconds
    }
}

/// Results are taken over; the worker forgets these attempts.
public struct Ack: Sendable, Equatable {
    /// Attempts whose result counts.
    public var attempts: [AttemptID]
    /// Attempts whose result came too late and changed nothing.
    public var stale: [AttemptID]

    /// Makes the message of its fields.
    public init(attempts: [AttemptID], stale: [AttemptID] = []) {
        self.attempts = attempts
        self.stale = stale
    }
}

/// Stop an attempt; its result (or reject, if it had not begun) still comes.
public struct Cancel: Sendable, Equatable {
    /// Which attempt.
    public var attempt: AttemptID
    /// Why: `cancelled`, `timeout`, `recalled` or `fenced`.
    public var reason: String
    /// The time between asking the tool to stop and killing it, in milliseconds.
    public var graceMilliseconds: Int

    /// Makes the message of its fields.
    public init(attempt: AttemptID, reason: String, graceMilliseconds: Int) {
        self.attempt = attempt
        self.reason = reason
        self.graceMilliseconds = graceMilliseconds
    }
}

extension Cancel {
    /// The run was cancelled.
    public static let cancelled = "cancelled"
    /// The attempt took longer than it may.
    public static let timeout = "timeout"
    /// The attempt is wanted elsewhere; it stops only if it has not begun.
    public static let recalled = "recalled"
    /// The attempt's lease has ended; its result will be stale.
    public static let fenced = "fenced"
}
