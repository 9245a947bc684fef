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
    /// Nodes start when the plan is complete.
    case planned
    /// As planned, one call at a time.
    case sequential
    /// There is no plan: the model is asked before every call, with all outputs so far.
    case react
}

/// What happens to running nodes when the model fails in the middle of a plan.
public enum ModelFailurePolicy: String, Sendable, Hashable, CaseIterable {
    /// They finish, then the run fails.
    case finish
    /// The run fails at once, and they are cancelled.
    case cancel
}
