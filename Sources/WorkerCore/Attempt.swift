// One attempt that a worker holds: what is known of it while it waits or runs, and how it ended.
internal import Core
internal import JSON
internal import Plans
internal import Wire

/// An attempt that waits for a slot or runs.
struct Attempt: Sendable {
    let id: AttemptID
    /// Counts the attempts in the table: tells this one from an earlier one at the same index.
    var sequence: UInt64 = 0
    let node: NodeID
    /// The position of the tool in the configuration.
    let tool: Int
    /// Empty from the start on: they may hold on to a large buffer.
    private(set) var arguments: RawJSON
    let timeout: Duration?
    let maxOutput: Int
    let traceParent: TraceParent?
    private(set) var state = State.queued
    /// Whether the coordinator knows that it runs.
    var isAnnounced = false
    /// What the tool writes.
    var output: LiveOutput
    /// What the tool last said of itself, until the turn's end.
    var progress: Progress?

    /// An attempt that is queued.
    init(
        _ dispatch: Dispatch,
        _ arguments: RawJSON,
        tool: Int,
        timeout: Duration?,
        window: SendWindow
    ) {
        id = dispatch.attempt
        node = dispatch.node
        maxOutput = dispatch.maxOutput
        traceParent = dispatch.traceParent
        self.arguments = arguments
        self.tool = tool
        self.timeout = timeout
        output = LiveOutput(window: window)
    }

    enum State: Sendable {
        /// No attempt is at this index.
        case vacant
        /// It waits for a slot.
        case queued
        /// The tool runs.
        case running(Stop?)
    }

    /// Why a running attempt was told to end.
    enum Stop: Sendable, Equatable {
        case cancelled
        case timedOut
        /// Nobody wants its outcome.
        case abandoned
    }

    var isRunning: Bool {
        if case .running = state { true } else { false }
    }

    var isQueued: Bool {
        if case .queued = state { true } else { false }
    }

    var isVacant: Bool {
        if case .vacant = state { true } else { false }
    }

    var isAbandoned: Bool {
        if case .running(.abandoned) = state { true } else { false }
    }

    /// Makes a queued attempt a running one.
    mutating func start() {
        state = .running(nil)
        arguments = .null
    }

    /// Queues an attempt again that could not be started.
    mutating func requeue(_ arguments: RawJSON) {
        state = .queued
        self.arguments = arguments
    }

    /// Notes why a running attempt is told to end; the first reason counts, unless nobody wants the
    /// outcome any more.
    mutating func stop(_ reason: Stop) {
        guard case .running(let stop) = state, stop == nil || reason == .abandoned else { return }
        state = .running(reason)
    }

    /// Frees the index and what the attempt holds on to.
    mutating func vacate() {
        state = .vacant
        arguments = .null
        progress = nil
    }

    /// The attempt as it ends; nil if nobody wants its outcome.
    func ended(_ outcome: ToolOutcome) -> EndedAttempt? {
        guard !isAbandoned else { return nil }
        return EndedAttempt(
            id: id,
            node: node,
            sequence: sequence,
            window: output.window,
            outcome: outcome
        )
    }

    /// The attempt as a person sees it.
    var name: NamedAttempt { NamedAttempt(id, node) }

    /// Whether the outcome is that of a tool that was stopped for taking too long.
    ///
    /// A tool that had another outcome by then reports that.
    func hasTimedOut(with outcome: ToolOutcome) -> Bool {
        guard case .running(.timedOut) = state, case .failure(let failure) = outcome.result else {
            return false
        }
        return failure.code == .cancelled
    }

    /// The outcome of a tool that was stopped for taking too long, as the coordinator gets it.
    func timeoutOutcome(for outcome: ToolOutcome, mayBeRepeated: Bool) -> ToolOutcome {
        guard case .failure(var failure) = outcome.result else { return outcome }
        failure.code = .timeout
        failure.message =
            timeout.map { "took longer than \($0.inWords)" } ?? "took longer than it may"
        // A tool with side effects must not run twice.
        failure.isRetryable = mayBeRepeated
        return ToolOutcome(
            result: .failure(failure),
            isTruncated: outcome.isTruncated,
            microseconds: outcome.microseconds
        )
    }
}

extension Duration {
    /// The duration for people: `10s`, or `1500ms` if it is not whole seconds.
    fileprivate var inWords: String {
        let milliseconds = millisecondsRoundedUp
        return milliseconds % 1000 == 0 ? "\(milliseconds / 1000)s" : "\(milliseconds)ms"
    }
}

/// How a tool ended.
struct ToolOutcome: Sendable {
    let result: Result<RawJSON, Failure>
    let isTruncated: Bool
    let microseconds: Int

    /// The outcome of an attempt whose tool did not run.
    static func notRun(_ failure: Failure) -> ToolOutcome {
        ToolOutcome(result: .failure(failure), isTruncated: false, microseconds: 0)
    }

    /// The outcome of an attempt that was cancelled while it waited.
    static let cancelledBeforeStart = notRun(
        Failure(code: .cancelled, message: "It was cancelled before it began.")
    )

    /// The same, or a failure if the output nests too deep to be sent.
    var withinDepth: ToolOutcome {
        guard case .success(let output) = result, let failure = output.depthFailure else {
            return self
        }
        return ToolOutcome(
            result: .failure(failure),
            isTruncated: false,
            microseconds: microseconds
        )
    }

    /// The bytes that keeping it takes.
    var keptBytes: Int {
        switch result {
        case .success(let value): value.count
        case .failure(let failure):
            failure.message.utf8.count + (failure.stderrTail?.utf8.count ?? 0)
        }
    }
}

/// An attempt that has ended and whose outcome the coordinator waits for.
struct EndedAttempt: Sendable {
    let id: AttemptID
    let node: NodeID
    let sequence: UInt64
    /// What is left of its window: chunks of its output may take as much.
    let window: SendWindow
    let outcome: ToolOutcome
}

/// One line in the list of all that is held.
struct HeldAttempt: Sendable {
    let id: AttemptID
    let node: NodeID
    let sequence: UInt64
    let state: State

    enum State: Sendable {
        case queued
        case running
        /// It runs, but nobody wants its outcome.
        case abandoned
        /// It has ended; its result is not acknowledged.
        case done
    }
}
