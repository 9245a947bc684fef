// How a plan or a goal runs, as the library's users say it.
package import Client
public import Core
public import Plans
public import Wire

/// The options of a run; the defaults suit most.
public struct RunOptions: Sendable {
    /// How the outcomes become the answer; nil for `concat` with a plan and `llm` with a goal.
    ///
    /// With `llm` a model answers, and for a goal may ask for another plan.
    public var join: JoinKind?
    /// What happens to a node whose tool no connected worker has.
    public var onMissingTool: MissingToolPolicy
    /// The tools that plans may use; nil for all.
    public var tools: [String]?
    /// How a goal is planned; of no effect for a plan.
    ///
    /// Its `isPlanOnly` is not read: call `plan(goal:options:)` instead.
    public var planner: PlannerOptions
    /// How many nodes all plans of a goal together may have; nil for the coordinator's default,
    /// 1000.
    public var maxNodes: Int?
    /// How many tokens the models may use; nil for any number.
    public var maxTokens: Int?
    /// What the models may cost, in the currency of their prices; nil for no bound.
    ///
    /// A bound needs a model with prices.
    public var maxCost: Double?
    /// How many nodes may be with workers at the same time; nil for as many as there are slots.
    public var maxRunning: Int?
    /// How long the run may take before it fails; nil for no limit.
    public var timeLimit: Duration?
    /// Tools whose nodes a person approves, beside those that always need it; `*` stands for all.
    public var approve: [String]
    /// How long each approval may take before its node fails; nil leaves it to the tool, or else to
    /// the coordinator.
    public var approvalTimeout: Duration?
    /// Whether the result includes the nodes; can be turned off for very large plans.
    public var reportsNodes: Bool
    /// A name for people.
    public var label: String?
    /// The span that the run is part of, for tools that trace; nil for a trace of its own.
    public var traceParent: TraceParent?

    /// Makes options.
    public init(
        join: JoinKind? = nil,
        onMissingTool: MissingToolPolicy = .fail,
        tools: [String]? = nil,
        planner: PlannerOptions = PlannerOptions(),
        maxNodes: Int? = nil,
        maxTokens: Int? = nil,
        maxCost: Double? = nil,
        maxRunning: Int? = nil,
        timeLimit: Duration? = nil,
        approve: [String] = [],
        approvalTimeout: Duration? = nil,
        reportsNodes: Bool = true,
        label: String? = nil,
        traceParent: TraceParent? = nil
    ) {
        self.join = join
        self.onMissingTool = onMissingTool
        self.tools = tools
        self.planner = planner
        self.maxNodes = maxNodes
        self.maxTokens = maxTokens
        self.maxCost = maxCost
        self.maxRunning = maxRunning
        self.timeLimit = timeLimit
        self.approve = approve
        self.approvalTimeout = approvalTimeout
        self.reportsNodes = reportsNodes
        self.label = label
        self.traceParent = traceParent
    }

    /// The submission for a plan; without a level no events are sent.
    ///
    /// - Throws: An error for values that the protocol does not allow; the coordinator checks
    ///   everything else.
    package func submission(
        of plan: [UInt8],
        watching level: WatchLevel?
    ) throws(ClientError) -> Submission {
        try check()
        var submission = Submission(
            plan: plan,
            join: join ?? .concat,
            tools: tools,
            budget: budget,
            onMissingTool: onMissingTool,
            watch: level,
            label: label
        )
        submission.approve = approve
        submission.traceParent = traceParent
        return submission
    }

    /// The submission for a goal; without a level no events are sent.
    ///
    /// - Throws: As `submission(of:watching:)` of a plan does.
    package func submission(
        of goal: String,
        onlyPlan isPlanOnly: Bool = false,
        watching level: WatchLevel?
    ) throws(ClientError) -> Submission {
        try checkPlanning(of: goal)
        var submission = try submission(of: [], watching: level)
        submission.goal = goal
        submission.join = join ?? .llm
        submission.budget.nodes = maxNodes
        submission.planner = planner
        submission.planner.isPlanOnly = isPlanOnly
        return submission
    }

    private var budget: Budget {
        Budget(
            wallMilliseconds: timeLimit.map { max($0.millisecondsRoundedUp, 1) },
            tokens: maxTokens,
            cost: maxCost,
            running: maxRunning,
            approvalMilliseconds: approvalTimeout.map { max($0.millisecondsRoundedUp, 1) }
        )
    }

    // MARK: - Checks

    private static let counts = 1...Limits.largestInteger

    private func demand(_ holds: Bool?, _ message: String) throws(ClientError) {
        guard holds == false else { return }
        throw ClientError(kind: .rejected, message: message)
    }

    private func check() throws(ClientError) {
        try demand(
            label.map { $0.utf8.count <= Limits.keyLength },
            "The label has more than \(Limits.keyLength) bytes."
        )
        try demand(maxRunning.map(Self.counts.contains), "maxRunning is at least 1.")
        try demand(maxTokens.map(Self.counts.contains), "maxTokens is at least 1.")
        try demand(maxCost.map { $0 > 0 && $0.isFinite }, "maxCost is above 0.")
        if case .tool(let name) = join {
            try demand(
                JoinKind(rawValue: "tool:\(name)") != nil,
                "The joining tool has no valid name."
            )
        }
        let lengths = 1...Limits.toolNameLength
        try demand(
            ((tools ?? []) + approve).allSatisfy { lengths.contains($0.utf8.count) },
            "The name of a tool has from 1 to \(Limits.toolNameLength) bytes."
        )
    }

    private func checkPlanning(of goal: String) throws(ClientError) {
        try demand(
            (1...Limits.goalLength).contains(goal.utf8.count),
            "A goal has from 1 to \(Limits.goalLength) bytes."
        )
        let (rounds, repairs) = (PlannerOptions.roundRange, PlannerOptions.repairRange)
        try demand(
            planner.rounds.map(rounds.contains),
            "planner.rounds is from \(rounds.lowerBound) to \(rounds.upperBound)."
        )
        try demand(
            planner.repairs.map(repairs.contains),
            "planner.repairs is from \(repairs.lowerBound) to \(repairs.upperBound)."
        )
        try demand(maxNodes.map(Self.counts.contains), "maxNodes is at least 1.")
    }
}
