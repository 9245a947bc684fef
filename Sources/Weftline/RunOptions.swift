// How a plan runs.
package import Client
import Core
public import Wire

/// The options of a plan; the defaults suit most.
public struct RunOptions: Sendable {
    /// How the outcomes become the answer.
    public var join: JoinKind
    /// What happens to a node whose tool no connected worker has.
    public var onMissingTool: MissingToolPolicy
    /// The tools the plan may use; nil for all.
    public var tools: [String]?
    /// How many tokens a model that joins may use; nil for no limit.
    public var maxTokens: Int?
    /// How many nodes may be with workers at the same time; nil for as many as there are slots.
    public var maxRunning: Int?
    /// How long the run may take before it fails; nil for no limit.
    public var timeLimit: Duration?
    /// Whether the result includes the nodes; can be turned off for very large plans.
    public var reportsNodes: Bool
    /// A name for people.
    public var label: String?

    /// Makes options.
    public init(
        join: JoinKind = .concat,
        onMissingTool: MissingToolPolicy = .fail,
        tools: [String]? = nil,
        maxTokens: Int? = nil,
        maxRunning: Int? = nil,
        timeLimit: Duration? = nil,
        reportsNodes: Bool = true,
        label: String? = nil
    ) {
        self.join = join
        self.onMissingTool = onMissingTool
        self.tools = tools
        self.maxTokens = maxTokens
        self.maxRunning = maxRunning
        self.timeLimit = timeLimit
        self.reportsNodes = reportsNodes
        self.label = label
    }

    /// The submission for a plan; without a level no events are sent.
    ///
    /// - Throws: An error for values that the protocol does not allow; the coordinator checks
    ///   everything else.
    package func submission(
        of plan: [UInt8],
        watching level: WatchLevel?
    ) throws(ClientError) -> Submission {
        try check()
        return Submission(
            plan: plan,
            join: join,
            tools: tools,
            budget: budget,
            onMissingTool: onMissingTool,
            watch: level,
            label: label
        )
    }

    private var budget: Budget {
        Budget(
            wallMilliseconds: timeLimit.map { max($0.millisecondsRoundedUp, 1) },
            tokens: maxTokens,
            running: maxRunning
        )
    }

    private func check() throws(ClientError) {
        if let label, label.utf8.count > Limits.keyLength {
            throw ClientError(
                kind: .rejected,
                message: "The label has more than \(Limits.keyLength) bytes."
            )
        }
        if let maxRunning, !(1...Limits.largestInteger).contains(maxRunning) {
            throw ClientError(kind: .rejected, message: "maxRunning is at least 1.")
        }
        if let maxTokens, !(1...Limits.largestInteger).contains(maxTokens) {
            throw ClientError(kind: .rejected, message: "maxTokens is at least 1.")
        }
        if case .tool(let name) = join, JoinKind(rawValue: "tool:\(name)") == nil {
            throw ClientError(kind: .rejected, message: "The joining tool has no valid name.")
        }
        let lengths = 1...Limits.toolNameLength
        if let tools, !tools.allSatisfy({ lengths.contains($0.utf8.count) }) {
            throw ClientError(
                kind: .rejected,
                message: "The name of a tool has from 1 to \(Limits.toolNameLength) bytes."
            )
        }
    }
}
