// The nouns of scheduling: who runs nodes, what a node asks for, what a run allows.
// No state machine here; see NodeState and Scheduler.

public import Core

/// What a worker promises about one of its tools; decides what may be repeated and prefetched.
public struct ToolOffer: Sendable, Hashable {
    /// Whether running the tool twice does no more than running it once.
    public var isIdempotent: Bool
    /// How often a node is tried when the tool reports a retryable failure; at least 1.
    public var maxAttempts: Int
    /// How many invocations this worker runs at once, if fewer than its slots.
    public var concurrency: Int?
    /// How long one attempt may take before the worker ends it.
    public var timeout: Duration?

    /// Describes a tool of one worker.
    public init(
        isIdempotent: Bool = false,
        maxAttempts: Int = 1,
        concurrency: Int? = nil,
        timeout: Duration? = nil
    ) {
        self.isIdempotent = isIdempotent
        self.maxAttempts = maxAttempts
        self.concurrency = concurrency
        self.timeout = timeout
    }
}

/// What a worker brings when it joins.
public struct WorkerProfile: Sendable {
    /// The name that people know the worker by.
    public var name: String
    /// How many attempts it runs at once; at least 1.
    public var slots: Int
    /// Its tools by name, without those that conflict with the catalogue.
    public var tools: [String: ToolOffer]
    /// Its labels, matched against what nodes require.
    public var labels: [String: String]
    /// How many attempts beyond its slots it queues, if it said so.
    public var queueLimit: Int?

    /// Describes a worker that joins.
    public init(
        name: String,
        slots: Int,
        tools: [String: ToolOffer],
        labels: [String: String] = [:],
        queueLimit: Int? = nil
    ) {
        self.name = name
        self.slots = slots
        self.tools = tools
        self.labels = labels
        self.queueLimit = queueLimit
    }
}

/// What the scheduler knows of a node: where it may run and how often it may be tried.
public struct NodeSpec: Sendable {
    /// The tool that a worker must have.
    public var tool: String
    /// The labels that a worker must carry.
    public var requires: [String: String]
    /// The plan's own limit of attempts; nil leaves it to the tool.
    public var maxAttempts: Int?
    /// The plan's own limit of an attempt's time; nil leaves it to the tool.
    public var timeout: Duration?
    /// Whether its arguments are made once its dependencies are done; others are there from the
    /// start.
    public var needsArguments: Bool

    /// Describes a node to schedule.
    public init(
        tool: String,
        requires: [String: String] = [:],
        maxAttempts: Int? = nil,
        timeout: Duration? = nil,
        needsArguments: Bool = false
    ) {
        self.tool = tool
        self.requires = requires
        self.maxAttempts = maxAttempts
        self.timeout = timeout
        self.needsArguments = needsArguments
    }
}

/// Why a worker did not start an attempt.
///
/// None of these is a failure of the node by itself.
public enum Rejection: Sendable, Equatable {
    /// The worker takes nothing new.
    case draining
    /// The worker has no such tool.
    case unknownTool
    /// The attempt counts as never made.
    case returned(ReturnReason)
}

/// The numbers that the scheduler works with.
public struct SchedulerLimits: Sendable {
    /// How long after a retryable failure the second attempt starts; doubles with each further one.
    public var firstBackoff: Duration = .milliseconds(100)
    /// No backoff is longer than this.
    public var longestBackoff: Duration = .seconds(30)
    /// A node fails with `worker_lost` when this many workers were lost with it, if nothing else
    /// that was on the last of them is as suspect.
    public var workersLostPerNode = 3
    /// It fails when this many were lost with it, whatever else was on them.
    public var sharedLossesPerNode = 10
    /// How long a node that was on one lost worker waits for others that were there, too.
    public var separation: Duration = .seconds(60)
    /// Into how many groups nodes that were on a lost worker are dealt at most.
    public var groupsOfSuspects = 64
    /// How many workers on which it failed a node keeps away from while there are others.
    public var avoidedWorkersPerNode = 3
    /// How long other workers come first for a tool that a worker could not start; doubles with
    /// each time in a row.
    public var firstCooling: Duration = .milliseconds(250)
    /// No such pause is longer than this.
    public var longestCooling: Duration = .seconds(30)
    /// No such pause after a shortage is longer than this if no other worker can run the tool.
    public var longestCoolingAlone: Duration = .seconds(2)
    /// A node that workers refused this often fails; it would go round for ever.
    public var rejectionsPerNode = 20
    /// How many attempts beyond its slots a worker may hold for each slot.
    public var prefetchPerSlot = 64
    /// How many attempts beyond its slots a worker may hold in all, however many slots it has.
    public var prefetchPerWorker = 256
    /// The same of a worker that does not say how many it queues.
    public var prefetchUnannounced = 64
    /// How much work, by the tool's mean duration, is prefetched for each slot.
    public var prefetchTime: Duration = .milliseconds(2) {
        didSet { prefetchMicroseconds = prefetchTime / .microseconds(1) }
    }
    private(set) var prefetchMicroseconds = 2_000.0
    /// How long a worker that refused an attempt as one too many gets nothing, unless an attempt
    /// ends on it earlier; doubles while nothing succeeds there, up to `longestBackoff`.
    public var firstPause: Duration = .milliseconds(100)
    /// How many nodes are skipped or cancelled in one turn; the others follow in the next ones.
    public var settlementsPerTurn = 50_000
    /// Placement classes kept for the next run after the last one that named them has ended.
    public var idleClasses = 1_024
    /// How long a worker may sit on prefetched attempts without finishing anything.
    public var prefetchPatience: Duration = .milliseconds(20)
    /// How long beyond its timeout or the grace of a cancel an attempt's end is awaited.
    public var answerMargin: Duration = .seconds(5)
    /// The grace that a cancelled tool gets between TERM and KILL.
    public var cancelGrace: Duration = .seconds(2)

    /// The defaults.
    public init() {}
}
