// All limits on planning.

/// The limits of what a planner or joiner may write, and of what it is shown.
public enum PlannerLimits {
    /// Bytes of a reply that are read; a model that writes more is stopped.
    public static let replyBytes = 4 << 20
    /// Bytes that a model may write after the end of its plan before it is stopped.
    public static let trailingBytes = 256
    /// Tokens of a plan beside those of its calls.
    public static let planTokens = 512
    /// Tokens of one call of a plan.
    public static let callTokens = 128
    /// Tokens of an answer, and of one step of a model that is asked before every call.
    public static let answerTokens = 2048
    /// How long a call may take to end after it has said all that matters.
    public static let endOfCall = Duration.seconds(2)
    /// Bytes at the start of a line in which the head of a call is searched.
    public static let headBytes = 256
    /// Levels to which literals of the text form may nest; deeper ones stay text.
    public static let literalDepth = 32
    /// Bytes of a reference without quotes.
    public static let referenceBytes = 1024
    /// Open brackets of one call that are tracked separately.
    public static let openBrackets = 1024
    /// Levels to which the schema for strict replies may nest.
    public static let schemaDepth = 8
    /// Bytes of its own reply that a model is shown again for a repair.
    public static let quotedReplyBytes = 16 << 10
    /// The prompt gives the number of calls that are left if it is below this.
    public static let toldCalls = 50
    /// Problems that a repair lists.
    public static let quotedProblems = 20
    /// Bytes of one text of a prompt, and of one reply, that are kept for people.
    public static let keptTextBytes = 64 << 10
    /// Bytes of the prompts and replies of one run that are kept for people; one call may have more.
    public static let keptConversationBytes = 512 << 10
}
