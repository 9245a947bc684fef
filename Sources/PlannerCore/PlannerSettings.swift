// The settings of one goal: tools, forms, limits, and what happens to a run whose planner fails.
public import Core
public import Plans

/// How the outputs of a run become its answer.
public enum GoalJoin: Sendable, Hashable {
    /// A model writes the answer or asks for another plan.
    case model
    /// The classic form: a block for each node.
    case concat
    /// Outputs by node id.
    case json
    /// One more call of that tool, with all outcomes; its output is the answer.
    case tool(String)
}

/// How one goal is planned.
public struct PlannerSettings: Sendable {
    /// The tools a plan may call.
    public var tools: [PlannerTool]
    /// Goals with plans that reach them, shown beside those of the tools.
    public var examples: [PlanExample] = []
    /// Plans that reached their goals, of which the nearest are shown.
    public var remembered: [PlanExample] = []
    /// The form in which plans are written.
    public var format: PlanFormat
    /// What was asked of the planning; its format is not read here.
    public var options = PlannerOptions()
    /// How the outputs become the answer.
    public var join = GoalJoin.model
    /// How many nodes all plans together may have.
    public var maxNodes = 1000
    /// How many tokens all calls together may use; nil for no limit.
    ///
    /// Providers count at the end of a call, so the last call may exceed the limit by its request;
    /// without a count, four bytes are one token.
    public var maxTokens: Int?
    /// What the models may cost together; nil for no limit.
    ///
    /// Holds as exactly as the limit on tokens does. Calls of models without prices cost nothing.
    public var maxCost: Double?
    /// The highest prices of the models that may be called; nil if none has prices.
    public var highestPrices: TokenPrices?
    /// How many tokens one reply may have; nil leaves it to the model's configuration, and to what a
    /// plan of `maxNodes` or an answer needs at most.
    public var replyTokens: Int?
    /// The sampling temperature; nil leaves it to the model's configuration.
    public var temperature: Double?
    /// Bytes of one output that a model is shown.
    public var outputBytes = 8 << 10
    /// Bytes of all outputs together that a model is shown.
    public var outputsBytes = 96 << 10

    /// How many plans a run may have, the first included.
    var maxRounds: Int { options.rounds ?? PlannerOptions.usualRounds }
    /// How many times a plan, and a joiner's reply, may be sent back for repair.
    var maxRepairs: Int { options.repairs ?? PlannerOptions.usualRepairs }

    /// Without the remembered plans, of which a prompt has taken what it shows.
    var withoutRemembered: PlannerSettings {
        var settings = self
        settings.remembered = []
        return settings
    }

    /// The usual settings for these tools.
    public init(tools: [PlannerTool], format: PlanFormat = .json) {
        self.tools = tools
        self.format = format
    }
}
