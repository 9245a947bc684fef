// A run: its plan, the course and the outcome of each node, counts and times, rounds of planning,
// life cycle. Everything that a coordinator knows of it for good is here and changes by records
// alone (Run+Applying.swift). Connections, watchers and open calls of models are not: see
// CoordinatorCore.

public import Core
public import JSON
public import Plans
public import Wire

/// A run as the fold of its records.
public struct Run: Sendable {
    /// What was submitted.
    public let acceptance: Acceptance
    /// When it was accepted, on the monotonic clock of this process.
    public let acceptedAt: Instant
    /// Where it stands.
    public internal(set) var phase: RunPhase
    /// The nodes and their dependencies.
    public internal(set) var plan = Plan()
    /// The course of each node, by its position in the plan.
    public internal(set) var nodes: [RunNode] = []
    /// What the nodes left behind.
    public internal(set) var results = NodeResults()
    /// How many nodes are where.
    public internal(set) var counts = NodeCounts()
    /// The nodes that wait for approval, and until when.
    public internal(set) var approvals = OpenApprovals()
    /// The workers that had attempts of it.
    public internal(set) var workers = WorkerNames()
    /// The working time of all nodes.
    public internal(set) var times = WorkTimes()
    /// What models did for it.
    public internal(set) var planning = PlanningCourse()
    /// Whether no more nodes come, or none in this round of planning.
    public internal(set) var isPlanComplete = false
    /// The node that joins the outcomes with a tool, once it is there.
    public internal(set) var joiner: Int?

    /// A run that was just accepted.
    public init(_ acceptance: Acceptance, at now: Instant) {
        self.acceptance = acceptance
        acceptedAt = now
        phase =
            acceptance.goal != nil ? .planning : acceptance.isStreamed ? .growing : .running
    }

    /// The run's name.
    public var id: RunID { acceptance.id }

    /// Whether nothing follows.
    public var isEnded: Bool {
        if case .ended = phase { true } else { false }
    }

    /// How it ended, or that it goes on.
    public var status: RunStatus {
        if case .ended(let end) = phase { end.status } else { .running }
    }

    /// Why it fails or failed as a whole, if it does.
    public var failure: Failure? {
        if case .failing(let failure) = ending { failure } else { nil }
    }

    /// The reason of a client that asked for its end, if one did.
    public var cancelReason: String? {
        if case .cancelling(let reason, _, _) = ending { reason } else { nil }
    }

    /// The identity that asked for its end, if one did.
    public var canceller: String? {
        if case .cancelling(_, let identity, _) = ending { identity } else { nil }
    }

    /// When it ended, in microseconds since it was accepted.
    public var endedAt: Int? {
        if case .ended(let end) = phase { end.at } else { nil }
    }

    private var ending: RunEnding? {
        switch phase {
        case .ending(let ending): ending
        case .ended(let end): end.cause
        default: nil
        }
    }

    /// The planner's answer, if it gave one.
    public var answer: RawJSON? { planning.answer }

    /// Microseconds from the acceptance to an instant.
    public func microseconds(at now: Instant) -> Int {
        now.microseconds(since: acceptedAt)
    }

    /// How the run ends, now that every node has settled: a failure of the run itself comes first,
    /// then a cancel that kept anything from being done, then its nodes.
    public var finalStatus: RunStatus {
        switch phase {
        case .ended(let end): end.status
        case .ending(.failing): .failed
        case .ending(.cancelling(_, _, let isCutShort)) where isCutShort || counts.cancelled > 0:
            .cancelled
        case .answered: .succeeded
        default: counts.failed + counts.skipped > 0 ? .failed : .succeeded
        }
    }

    /// How a node ended, or nil while it has not.
    public func outcome(of node: Int) -> Outcome? {
        switch nodes[node].status {
        case .succeeded: results.outputs[node].map { .succeeded($0) } ?? .failed(lostOutput)
        case .failed:
            .failed(
                results.failures[node]
                    ?? Failure(code: .internal, message: "the failure was lost")
            )
        case .skipped: .skipped(because: plan[Int(nodes[node].cause)].id)
        case .cancelled: .cancelled
        default: nil
        }
    }

    private var lostOutput: Failure {
        results.intake == .dropped
            ? Failure(
                code: .limit,
                message: "the output was dropped when all runs together held too many bytes"
            )
            : Failure(code: .internal, message: "the output was lost")
    }
}

/// What the nodes of a run left behind, by position.
public struct NodeResults: Sendable, Hashable {
    /// Whether outputs are kept.
    public enum Intake: Sendable, Hashable {
        /// They are.
        case open
        /// Those that still come are not.
        case ended
        /// None is.
        case dropped
    }

    /// Outputs of the nodes that succeeded.
    public internal(set) var outputs: [RawJSON?] = []
    /// Bytes of all outputs.
    public internal(set) var outputBytes = 0
    /// Failures of the nodes that failed.
    public internal(set) var failures: [Int: Failure] = [:]
    /// Bytes of all failures.
    public internal(set) var failureBytes = 0
    /// Whether outputs are kept.
    public internal(set) var intake = Intake.open

    mutating func keep(_ output: RawJSON, of node: Int) {
        guard intake == .open else { return }
        outputBytes += output.count
        outputs[node] = output
    }

    mutating func keep(_ failure: Failure, of node: Int) {
        failureBytes += failure.heldBytes
        failures[node] = failure
    }

    mutating func dropOutputs() {
        intake = .dropped
        for node in outputs.indices { outputs[node] = nil }
        outputBytes = 0
    }
}

/// The working time of a run's nodes, in microseconds.
public struct WorkTimes: Sendable, Hashable {
    /// The longest path through the plan.
    public internal(set) var criticalPath: Int64 = 0
    /// All nodes together.
    public internal(set) var total: Int64 = 0
}

/// What models did for a run.
public struct PlanningCourse: Sendable, Hashable {
    /// The settings of the planner, as PlannerCore writes them; nil without a planner.
    public internal(set) var settings: RawJSON?
    /// Calls of models so far.
    public internal(set) var calls = 0
    /// Those of them that asked a model to repair its reply.
    public internal(set) var repairs = 0
    /// How long the calls that have ended took together, in microseconds.
    var closedModelTime = 0
    /// When the open call began, in microseconds since the run was accepted; nil without one.
    public internal(set) var callStartedAt: Int?
    /// When the first node left for a worker, on the same clock.
    public internal(set) var firstNodeAt: Int?
    /// Tokens that they used, as far as they say.
    public internal(set) var usage = TokenUsage()
    /// Rounds of planning after the first.
    public internal(set) var replans = 0
    /// The planner's answer.
    public internal(set) var answer: RawJSON?

    /// How long all calls took together, in microseconds, when the run has this age in microseconds;
    /// a call that is open counts up to there.
    public func modelTime(at age: Int) -> Int {
        closedModelTime + max(age - (callStartedAt ?? age), 0)
    }
}
