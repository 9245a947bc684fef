// How a goal is to be planned, run and joined. Not here: plans that a program brings (RunOptions).
internal import Client
public import Wire

/// How a goal is to be reached; the defaults suit most.
public struct GoalOptions: Sendable {
    /// The form in which a model writes plans.
    public enum PlanFormat: String, Sendable, Hashable, CaseIterable {
        /// A plan document, bound to the tools' schemas where the provider can do that.
        case json
        /// Numbered lines, one for each call.
        case text
    }

    /// What becomes of nodes that run when the model fails in the middle of a plan.
    public enum ModelFailurePolicy: String, Sendable, Hashable, CaseIterable {
        /// They finish; then the run fails.
        case finish
        /// They are cancelled.
        case cancel
    }

    /// When nodes start, and how often the model is asked; to measure against.
    public enum Strategy: String, Sendable, Hashable, CaseIterable {
        /// Each node starts as soon as it is written and what it needs is there.
        case streamed
        /// Nodes start when the plan is complete.
        case planned
        /// As planned, one call at a time.
        case sequential
        /// The model is asked before every call.
        case react
    }

    /// How the outcomes become the answer: by a model, which may ask for another plan, or without.
    public var join: JoinKind
    /// The tools that plans may use; nil for all.
    public var tools: [String]?
    /// How many plans there may be, the first one included, 1–20; nil for the coordinator's three.
    public var maxRounds: Int?
    /// How often the problems of a plan go back to the model, 0–10; nil for the coordinator's two.
    public var maxRepairs: Int?
    /// How many nodes all plans together may have; nil for the coordinator's thousand.
    public var maxNodes: Int?
    /// How many tokens the models may use; nil for any number.
    public var maxTokens: Int?
    /// How many nodes may be with workers at a time; nil for as many as have slots.
    public var maxRunning: Int?
    /// How long the run may take before it fails; nil for as long as it takes.
    public var timeLimit: Duration?
    /// When nodes start, and how often the model is asked.
    public var strategy: Strategy
    /// The form in which plans are written; nil leaves it to the coordinator.
    public var planFormat: PlanFormat?
    /// What becomes of nodes that run when the model fails.
    public var onModelFailure: ModelFailurePolicy
    /// Whether the result tells of each node.
    public var reportsNodes: Bool
    /// A name for people.
    public var label: String?

    /// Makes options of their parts.
    public init(
        join: JoinKind = .llm,
        tools: [String]? = nil,
        maxRounds: Int? = nil,
        maxRepairs: Int? = nil,
        maxNodes: Int? = nil,
        maxTokens: Int? = nil,
        maxRunning: Int? = nil,
        timeLimit: Duration? = nil,
        strategy: Strategy = .streamed,
        planFormat: PlanFormat? = nil,
        onModelFailure: ModelFailurePolicy = .finish,
        reportsNodes: Bool = true,
        label: String? = nil
    ) {
        self.join = join
        self.tools = tools
        self.maxRounds = maxRounds
        self.maxRepairs = maxRepairs
        self.maxNodes = maxNodes
        self.maxTokens = maxTokens
        self.maxRunning = maxRunning
        self.timeLimit = timeLimit
        self.strategy = strategy
        self.planFormat = planFormat
        self.onModelFailure = onModelFailure
        self.reportsNodes = reportsNodes
        self.label = label
    }

    /// What is sent to have the goal reached.
    ///
    /// - Throws: What would break the protocol; everything else is the coordinator's to judge.
    func submission(
        of goal: String,
        onlyPlan isPlanOnly: Bool = false,
        watching level: WatchLevel
    ) throws(ClientError) -> Submission {
        try check(goal)
        // These options are the same as with a plan, and the rules for both are there.
        let run = RunOptions(
            join: join,
            tools: tools,
            maxRunning: maxRunning,
            timeLimit: timeLimit,
            label: label
        )
        try run.check()
        var budget = run.budget
        budget.nodes = maxNodes
        budget.tokens = maxTokens
        var submission = Submission(
            goal: goal,
            planner: PlannerOptions(
                format: planFormat.flatMap { PlannerOptions.Format(rawValue: $0.rawValue) },
                repairs: maxRepairs,
                rounds: maxRounds,
                onModelFailure: onModelFailure == .finish ? .finish : .cancel,
                strategy: PlannerOptions.Strategy(rawValue: strategy.rawValue) ?? .streamed,
                isPlanOnly: isPlanOnly
            ),
            join: join,
            budget: budget,
            onMissingTool: .fail,
            watch: level
        )
        submission.tools = tools
        submission.label = label
        return submission
    }

    private func check(_ goal: String) throws(ClientError) {
        func demand(_ holds: Bool, _ message: String) throws(ClientError) {
            guard !holds else { return }
            throw ClientError(kind: .rejected, message: message)
        }
        try demand(
            (1...Limits.goalLength).contains(goal.utf8.count),
            "A goal has from 1 to \(Limits.goalLength) bytes."
        )
        try demand(maxRounds.map { (1...20).contains($0) } ?? true, "maxRounds is from 1 to 20.")
        try demand(maxRepairs.map { (0...10).contains($0) } ?? true, "maxRepairs is from 0 to 10.")
        let counts = 1...Limits.largestInteger
        try demand(maxNodes.map { counts.contains($0) } ?? true, "maxNodes is at least 1.")
        try demand(maxTokens.map { counts.contains($0) } ?? true, "maxTokens is at least 1.")
    }
}
