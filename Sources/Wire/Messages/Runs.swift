// How a client has plans run: submit, nodes, accepted, cancel_run.
public import Core
public import JSON
public import Plans

/// How the outcomes of a run become its answer.
public enum JoinKind: Sendable, Hashable, RawRepresentable {
    /// Text: one part for each node, in the order of the plan.
    case concat
    /// An object: the outputs by node id.
    case json
    /// A language model answers; for a goal it may ask for another plan.
    case llm
    /// One more node, which calls the tool of that name with all outcomes: its output.
    case tool(String)

    /// The kind as written: `concat`, `json`, `llm` or `tool:` and a name; nil if it is none.
    public init?(rawValue: String) {
        switch rawValue {
        case "concat": self = .concat
        case "json": self = .json
        case "llm": self = .llm
        default:
            guard rawValue.hasPrefix("tool:") else { return nil }
            let name = String(rawValue.dropFirst(5))
            guard (1...Limits.toolNameLength).contains(name.utf8.count) else { return nil }
            self = .tool(name)
        }
    }

    /// The kind as written.
    public var rawValue: String {
        switch self {
        case .concat: "concat"
        case .json: "json"
        case .llm: "llm"
        case .tool(let name): "tool:\(name)"
        }
    }
}

/// Which events of a run a watcher gets; each level includes the ones before it.
public enum WatchLevel: String, Sendable, Hashable, CaseIterable, Comparable {
    /// The last event only.
    case end
    /// How the run as a whole gets on, too.
    case progress
    /// What happens to each node, too.
    case nodes
    /// Everything, also chunks of output.
    case all

    /// Whether the left level gets fewer events.
    public static func < (left: WatchLevel, right: WatchLevel) -> Bool {
        left.rank < right.rank
    }

    private var rank: Int {
        switch self {
        case .end: 0
        case .progress: 1
        case .nodes: 2
        case .all: 3
        }
    }
}

/// Bounds of one run.
public struct Budget: Sendable, Equatable {
    /// Nodes it may have.
    public var nodes: Int?
    /// Time it may take, in milliseconds.
    public var wallMilliseconds: Int?
    /// Tokens that language models may use for it.
    public var tokens: Int?
    /// What language models may cost for it, in the currency of the configured prices; more than 0.
    public var cost: Double?
    /// Attempts that workers may hold of it at a time.
    public var running: Int?
    /// Time that a person has to approve a node, in milliseconds.
    public var approvalMilliseconds: Int?

    /// Makes the bounds.
    public init(
        nodes: Int? = nil,
        wallMilliseconds: Int? = nil,
        tokens: Int? = nil,
        cost: Double? = nil,
        running: Int? = nil,
        approvalMilliseconds: Int? = nil
    ) {
        self.nodes = nodes
        self.wallMilliseconds = wallMilliseconds
        self.tokens = tokens
        self.cost = cost
        self.running = running
        self.approvalMilliseconds = approvalMilliseconds
    }
}

/// A run that is to be done again, as far as it did not succeed.
public struct RetriedRun: Sendable, Equatable {
    /// Which run.
    public var run: RunID
    /// Nodes that run again although they succeeded, and with them all that depends on them.
    public var nodes: [NodeID]

    /// Makes the part of a submission.
    public init(run: RunID, nodes: [NodeID] = []) {
        self.run = run
        self.nodes = nodes
    }
}

/// Run a plan.
public struct Submit: Sendable, Equatable {
    /// Makes sending it again harmless: same key and content, same run.
    ///
    /// 1–256 bytes.
    public var key: String
    /// The plan document, or its first part.
    public var plan: RawJSON?
    /// What is wanted, for a language model to plan; instead of a plan.
    ///
    /// 1–65,536 bytes.
    public var goal: String?
    /// The run that is done again, instead of a plan.
    ///
    /// What that was asked for holds again: plan or goal, planner, join, tools, bounds that are not
    /// given here.
    public var retry: RetriedRun?
    /// How the goal is planned.
    public var planner: PlannerOptions
    /// Whether `nodes` messages with the rest of the plan follow.
    public var isStreamed: Bool
    /// How the outcomes are joined.
    public var join: JoinKind
    /// The tools the plan may use; nil for all.
    public var tools: [String]?
    /// Tools whose nodes a person has to approve in this run, beside those that always need it; `*`
    /// stands for all.
    public var approve: [String]
    /// Bounds of the run.
    public var budget: Budget
    /// What happens to a node that no worker can run.
    public var onMissingTool: MissingToolPolicy
    /// Which events to send without a further `watch`; nil for none.
    public var watch: WatchLevel?
    /// What to do with the outcomes, for the joiner; that of the plan document when nil.
    public var joinInstruction: String?
    /// A name for people.
    public var label: String?
    /// The span that the run is part of, in the trace of its client.
    public var traceParent: TraceParent?

    /// What of it was no JSON, a clause each; the submission is then refused.
    ///
    /// Never sent.
    public var unreadable: [String] = []

    /// Makes the message of its fields.
    public init(
        key: String,
        plan: RawJSON?,
        goal: String? = nil,
        retry: RetriedRun? = nil,
        planner: PlannerOptions = PlannerOptions(),
        isStreamed: Bool = false,
        join: JoinKind = .concat,
        tools: [String]? = nil,
        approve: [String] = [],
        budget: Budget = Budget(),
        onMissingTool: MissingToolPolicy = .wait,
        watch: WatchLevel? = nil,
        joinInstruction: String? = nil,
        label: String? = nil,
        traceParent: TraceParent? = nil
    ) {
        self.key = key
        self.plan = plan
        self.goal = goal
        self.retry = retry
        self.planner = planner
        self.isStreamed = isStreamed
        self.join = join
        self.tools = tools
        self.approve = approve
        self.budget = budget
        self.onMissingTool = onMissingTool
        self.watch = watch
        self.joinInstruction = joinInstruction
        self.label = label
        self.traceParent = traceParent
    }
}

/// More nodes of a streamed plan.
public struct Nodes: Sendable, Equatable {
    /// The key of the submission; the id of the run may not be known yet.
    public var key: String
    /// Node objects as they stand in a plan document.
    public var tasks: [RawJSON]
    /// Whether the plan is complete with these.
    public var isLast: Bool
    /// What to do with the outcomes, for the joiner.
    public var joinInstruction: String?
    /// Why the rest of the plan will never come: the run fails as `bad_plan` with this reason.
    public var brokenOff: String?

    /// What of it was no JSON, a clause each; the run then fails.
    ///
    /// Never sent.
    public var unreadable: [String] = []

    /// Makes the message of its fields.
    public init(
        key: String,
        tasks: [RawJSON],
        isLast: Bool = false,
        joinInstruction: String? = nil,
        brokenOff: String? = nil
    ) {
        self.key = key
        self.tasks = tasks
        self.isLast = isLast
        self.joinInstruction = joinInstruction
        self.brokenOff = brokenOff
    }
}

/// The run is taken on and will not be lost.
public struct Accepted: Sendable, Equatable {
    /// The key of the submission.
    public var key: String
    /// The run.
    public var run: RunID
    /// Whether an earlier submission with the same key had made it.
    public var isExisting: Bool

    /// Makes the message of its fields.
    public init(key: String, run: RunID, isExisting: Bool = false) {
        self.key = key
        self.run = run
        self.isExisting = isExisting
    }
}

/// Stop a run.
public struct CancelRun: Sendable, Equatable {
    /// Which run.
    public var run: RunID
    /// Why, for a person.
    public var reason: String?

    /// Makes the message of its fields.
    public init(run: RunID, reason: String? = nil) {
        self.run = run
        self.reason = reason
    }
}
