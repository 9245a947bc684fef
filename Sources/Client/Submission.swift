// The request of a client to run a plan, and the updates about a run.
public import Core
public import Plans
public import Wire

/// A plan to run or a goal to reach, and how.
public struct Submission: Sendable {
    /// The plan document in its JSON form, or its beginning when the rest is read from elsewhere.
    public var plan: [UInt8]
    /// The goal for the coordinator to plan; the plan is ignored then.
    public var goal: String?
    /// The run that is done again; plan, goal, planner, join, tools and the policy for missing tools
    /// are ignored then.
    public var retry: RetriedRun?
    /// How the goal is planned.
    public var planner = PlannerOptions()
    /// Makes sending it again harmless; unique by default.
    ///
    /// 1–256 bytes.
    public var key: String
    /// How the outcomes are joined.
    public var join: JoinKind
    /// The tools the plan may use; nil for all.
    public var tools: [String]?
    /// Tools whose nodes a person has to approve, beside those that always need it; `*` for all.
    public var approve: [String] = []
    /// Limits of the run.
    public var budget: Budget
    /// What happens to a node that no worker can run.
    public var onMissingTool: MissingToolPolicy
    /// Which events to get; nil for none.
    public var watch: WatchLevel?
    /// A name for people.
    public var label: String?
    /// The span that the run is part of, in the trace of its client.
    public var traceParent: TraceParent?

    /// Makes a submission.
    public init(
        plan: [UInt8],
        key: String = Submission.freshKey(),
        join: JoinKind = .concat,
        tools: [String]? = nil,
        budget: Budget = Budget(),
        onMissingTool: MissingToolPolicy = .wait,
        watch: WatchLevel? = .progress,
        label: String? = nil
    ) {
        self.plan = plan
        self.key = key
        self.join = join
        self.tools = tools
        self.budget = budget
        self.onMissingTool = onMissingTool
        self.watch = watch
        self.label = label
    }

    /// Makes a submission of a goal.
    public init(
        goal: String,
        planner: PlannerOptions = PlannerOptions(),
        join: JoinKind = .llm,
        budget: Budget = Budget(),
        onMissingTool: MissingToolPolicy = .wait,
        watch: WatchLevel? = .progress
    ) {
        self.init(
            plan: [],
            join: join,
            budget: budget,
            onMissingTool: onMissingTool,
            watch: watch
        )
        self.goal = goal
        self.planner = planner
    }

    /// Makes a submission that does a run again, as far as it did not succeed.
    public init(
        retrying retry: RetriedRun,
        budget: Budget = Budget(),
        watch: WatchLevel? = .progress,
        label: String? = nil
    ) {
        self.init(plan: [], join: .json, budget: budget, watch: watch, label: label)
        self.retry = retry
    }

    /// Whether it is a plan, not a goal or a run to do again.
    var hasPlan: Bool { goal == nil && retry == nil }

    /// A key that was never used before.
    public static func freshKey() -> String { Hex.encode(SecureRandom.bytes(16)) }
}

/// The text of a large plan after its beginning, read piece by piece.
///
/// Confined to the client's loop.
public protocol PlanText: AnyObject {
    /// Reads the next piece and delivers it in a later turn of the loop; an empty one is the end.
    ///
    /// Called again only after that.
    func read(then: @escaping (Result<[UInt8], ClientError>) -> Void)
}

/// An update about a run that a client submitted or watches.
public enum RunUpdate: Sendable {
    /// The coordinator has accepted the run.
    case accepted(Accepted)
    /// The coordinator has the whole plan; from here on the run does not need the client.
    ///
    /// The last update of a submission that is not watched.
    case planComplete
    /// An event of the run; the terminal event is the last update.
    case event(EventMessage)
    /// The submission or the watch failed; the last update.
    case failed(ClientError)
}
