// How clients fill and clear a coordinator's memory of plans: remember, forget.
public import Core
public import JSON

/// Keep a plan that reached its goal, to show it to planners of similar goals.
public struct Remember: Sendable, Equatable {
    /// A plan to keep.
    public enum Source: Sendable, Equatable {
        /// That of a run with a goal, which has succeeded.
        case run(RunID)
        /// A goal, 1–4,096 bytes, and a plan document that reaches it.
        case plan(RawJSON, goal: String)
    }

    /// Which plan.
    public var source: Source

    /// Makes the message of its field.
    public init(_ source: Source) {
        self.source = source
    }
}

/// Do not keep a plan any more.
public struct Forget: Sendable, Equatable {
    /// Which plan; nil for all, unless a run is meant.
    public var plan: String?
    /// The run that is meant, which has ended.
    public var run: RunID?

    /// Forgets a plan, or all.
    public init(plan: String?) {
        self.plan = plan
    }

    /// Forgets a run that has ended.
    public init(run: RunID) {
        self.run = run
    }
}
