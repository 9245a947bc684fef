// How a goal is planned, run and joined. Not here: given plans (RunOptions).
package import Client
public import Core
public import Plans
public import Wire

/// The options of a goal; the defaults suit most.
public struct GoalOptions: Sendable {
    /// How the outcomes become the answer: by a model, which may ask for another plan, or without
    /// one.
    public var join: JoinKind
    /// What happens to a node whose tool no connected worker has.
    public var onMissingTool: MissingToolPolicy
    /// The tools that plans may use; nil for all.
    public var tools: [String]?
    /// How many plans there may be, the first one included, 1–20; nil for the coordinator's
    /// default, 3.
    public var maxRounds: Int?
    /// How many times the problems of a plan are sent back to the model, 0–10; nil for the
    /// coordinator's default, 2.
    public var maxRepairs: Int?
    /// How many nodes all plans together may have; nil for the coordinator's default, 1000.
    public var maxNodes: Int?
    /// How many tokens the models may use; nil for any number.
    public var maxTokens: Int?
    /// How many nodes may be with workers at the same time; nil for as many as there are slots.
    public var maxRunning: Int?
    /// How long the run may take before it fails; nil for no limit.
    public var timeLimit: Duration?
    /// When nodes start, and how often the model is asked.
    public var strategy: PlanningStrategy
    /// The form in which plans are written; nil leaves it to the coordinator.
    public var planFormat: PlanFormat?
    /// What happens to running nodes when the model fails.
    public var onModelFailure: ModelFailurePolicy
    /// Whether the result includes the nodes.
    public var reportsNodes: Bool
    /// A name for people.
    public var label: String?

    /// Makes options.
    public init(
        join: JoinKind = .llm,
        onMissingTool: MissingToolPolicy = .fail,
        tools: [String]? = nil,
        maxRounds: Int? = nil,
        maxRepairs: Int? = nil,
        maxNodes: Int? = nil,
        maxTokens: Int? = nil,
        maxRunning: Int? = nil,
        timeLimit: Duration? = nil,
        strategy: PlanningStrategy = .streamed,
        planFormat: PlanFormat? = nil,
        onModelFailure: ModelFailurePolicy = .finish,
        reportsNodes: Bool = true,
        label: String? = nil
    ) {
        self.join = join
        self.onMissingTool = onMissingTool
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

    /// The submission for a goal; without a level no events are sent.
    ///
    /// - Throws: An error for values that the protocol does not allow; the coordinator checks
    ///   everything else.
    package func submission(
        of goal: String,
        onlyPlan isPlanOnly: Bool = false,
        watching level: WatchLevel?
    ) throws(ClientError) -> Submission {
        try check(goal)
        // A plan has the same options, and the rules for both are there.
        let run = RunOptions(
            join: join,
            onMissingTool: onMissingTool,
            tools: tools,
            maxTokens: maxTokens,
            maxRunning: maxRunning,
            timeLimit: timeLimit,
            label: label
        )
        var submission = try run.submission(of: [], watching: level)
        submission.goal = goal
        submission.budget.nodes = maxNodes
        submission.planner = PlannerOptions(
            format: planFormat,
            repairs: maxRepairs,
            rounds: maxRounds,
            onModelFailure: onModelFailure,
            strategy: strategy,
            isPlanOnly: isPlanOnly
        )
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
    }
}
