// The options for planning a goal: the same values on the command line, in the library, on the wire
// and in the planner. Not here: what each option does (PlannerCore).

/// The form in which a model writes its plan.
public enum PlanFormat: String, Sendable, Hashable, CaseIterable {
    /// `{"tasks":[{"id","tool_name","args","dependencies"}],"join_instruction"}`, bound to the
    /// tools' schemas where the provider can do that.
    case json
    /// Numbered lines, `1. search("x")`, up to `join()`.
    case text
}

/// When the nodes of a goal start, and how often the model is asked.
public enum PlanningStrategy: String, Sendable, Hashable, CaseIterable {
    /// Each node starts as soon as the model has written it and its dependencies are done.
    case streamed
    /// As streamed, and the model gets outputs while other calls run, so that it can add calls that
    /// follow from them.
    case growing
    /// Nodes start when the plan is complete.
    case planned
    /// As planned, one call at a time.
    case sequential
    /// There is no plan: the model is asked before every call, with all outputs so far.
    case react

    /// Whether a plan is written before the outputs of its calls are known.
    public var plansAhead: Bool {
        switch self {
        case .streamed, .planned, .sequential: true
        case .growing, .react: false
        }
    }
}

/// What happens to running nodes when the model fails in the middle of a plan.
public enum ModelFailurePolicy: String, Sendable, Hashable, CaseIterable {
    /// They finish, then the run fails.
    case finish
    /// The run fails at once, and they are cancelled.
    case cancel
}

/// How a goal is planned.
public struct PlannerOptions: Sendable, Equatable {
    /// The form of the plan; nil leaves it to the coordinator.
    public var format: PlanFormat?
    /// How often the problems of a plan go back to the model, in `repairRange`; nil for
    /// `usualRepairs`.
    public var repairs: Int?
    /// How many plans there may be, the first one included, in `roundRange`; nil for
    /// `usualRounds`.
    public var rounds: Int?
    /// What happens to running nodes when the model fails.
    public var onModelFailure: ModelFailurePolicy
    /// When nodes start, and how often the model is asked.
    public var strategy: PlanningStrategy
    /// Whether the plan itself is the answer, so that nothing runs.
    public var isPlanOnly: Bool

    /// How often problems may go back at most.
    public static let repairRange = 0...10
    /// How often problems go back when `repairs` is nil.
    public static let usualRepairs = 2
    /// How many plans there may be at most.
    public static let roundRange = 1...20
    /// How many plans there may be when `rounds` is nil.
    public static let usualRounds = 3

    /// Makes the options of their parts.
    public init(
        format: PlanFormat? = nil,
        repairs: Int? = nil,
        rounds: Int? = nil,
        onModelFailure: ModelFailurePolicy = .finish,
        strategy: PlanningStrategy = .streamed,
        isPlanOnly: Bool = false
    ) {
        self.format = format
        self.repairs = repairs
        self.rounds = rounds
        self.onModelFailure = onModelFailure
        self.strategy = strategy
        self.isPlanOnly = isPlanOnly
    }
}
