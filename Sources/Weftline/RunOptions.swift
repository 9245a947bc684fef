// How a plan is to run.
public import Wire

/// How a plan is to run; the defaults suit most.
public struct RunOptions: Sendable {
    /// How the outcomes become the answer.
    public var join: JoinKind
    /// What becomes of a node whose tool no connected worker has.
    public var onMissingTool: MissingToolPolicy
    /// The tools the plan may use; nil for all.
    public var tools: [String]?
    /// How long the run may take before it fails; nil for as long as it takes.
    public var timeLimit: Duration?
    /// Whether the result tells of each node; a very large plan may do without.
    public var reportsNodes: Bool
    /// A name for people.
    public var label: String?

    /// Makes options of their parts.
    public init(
        join: JoinKind = .concat,
        onMissingTool: MissingToolPolicy = .fail,
        tools: [String]? = nil,
        timeLimit: Duration? = nil,
        reportsNodes: Bool = true,
        label: String? = nil
    ) {
        self.join = join
        self.onMissingTool = onMissingTool
        self.tools = tools
        self.timeLimit = timeLimit
        self.reportsNodes = reportsNodes
        self.label = label
    }

    var budget: Budget {
        // Rounded up: a limit below a millisecond is no limit of zero.
        Budget(wallMilliseconds: timeLimit.map { Int(($0 / .milliseconds(1)).rounded(.up)) })
    }
}
