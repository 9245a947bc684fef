// Every limit on planning, in one place.

/// What a planner or joiner may write, and what it is shown, at most.
public enum PlannerLimits {
    /// Bytes of a reply that are read; a model that writes more is stopped.
    public static let replyBytes = 4 << 20
    /// Bytes that a model may write behind the end of its plan before it is stopped.
    public static let trailingBytes = 1024
    /// How long a call that has said all that matters may take to end.
    public static let endOfCall = Duration.seconds(2)
    /// Bytes of the start of a line in which the head of a call is looked for.
    public static let headBytes = 256
    /// Levels to which literals of the text form nest; what is deeper stays text.
    public static let literalDepth = 32
    /// Bytes of a reference that stands without quotes.
    public static let referenceBytes = 1024
    /// Open brackets of one call that are kept apart.
    public static let openBrackets = 1024
    /// Levels to which the schema for strict replies nests.
    public static let schemaDepth = 8
    /// Bytes of a model's own reply that it is shown again when a repair is asked for.
    public static let quotedReplyBytes = 16 << 10
    /// Problems that a repair lists.
    public static let quotedProblems = 20
}
