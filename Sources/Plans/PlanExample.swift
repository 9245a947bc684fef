// A goal with the calls that reach it: what people give a planner to imitate. Not here: reading the
// calls (PlannerCore).

/// A goal with the calls that reach it.
public struct PlanExample: Sendable, Hashable {
    /// The goal in words; not empty.
    public var goal: String
    /// The calls as lines of the text form without their numbers, `temperature("$1")`.
    ///
    /// The first one has the number 1. Empty for a goal that needs no call.
    public var calls: [String]

    /// How many examples one tool, or one configuration, may have.
    public static let mostExamples = 200
    /// Bytes of a goal or a call.
    public static let mostBytes = 4096
    /// How many calls an example may have.
    public static let mostCalls = 64

    /// An example with these calls.
    public init(goal: String, calls: [String]) {
        self.goal = goal
        self.calls = calls
    }
}
