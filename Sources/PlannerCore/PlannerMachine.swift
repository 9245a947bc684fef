// The planner of one goal: events in, actions out. What happens while a plan is written is in
// PlannerMachine+Planning.swift, the way from outcomes to an answer in PlannerMachine+Joining.swift,
// a model that is asked before every call in PlannerMachine+Reacting.swift.

public import Core
public import JSON
public import Plans

/// Drives one goal from its first plan to its answer.
///
/// | state | means | leaves by |
/// |---|---|---|
/// | idle | nothing was asked | `started` |
/// | planning | a model writes a plan, or repairs one; its nodes run already | the end of the call |
/// | working | the plan is complete, its nodes run | `roundSettled` |
/// | failing | the planner failed, what runs may finish | `roundSettled` |
/// | reacting | a model decides on the next call, or answers | the end of the call |
/// | joining | a model decides on the outcomes | the end of the call |
/// | joiningByTool | a tool makes the answer of the outcomes | `toolJoined` |
/// | ended | there was an answer or a failure | – |
///
/// In each state an event that does not belong there is ignored: reports of a call that was
/// cancelled may come late. `cancelRequested` ends the machine in every state.
///
/// Each run ends in exactly one `answer` or `fail`. There is at most one open call. Nodes are added
/// in an order in which each stands behind those it refers to, and never change.
public struct PlannerMachine: Sendable {
    /// What happened.
    public enum Event: Sendable, Hashable {
        /// The run begins.
        case started
        /// Nothing is to be planned: the run has its nodes, and these are all.
        ///
        /// Instead of `started`; the nodes are looked at for what their calls were.
        case planGiven([NodeDefinition], joinInstruction: String?)
        /// The open call reports.
        case modelReported(ModelEvent)
        /// Every node has its outcome; the parts are those of all plans, or of the last one.
        ///
        /// Comes exactly once behind each `closePlan`, never before it.
        case roundSettled([JoinPart])
        /// The call that `callTool` asked for has ended.
        case toolJoined(Outcome)
        /// The run is to end with this failure: it was cancelled, or its time is up.
        case cancelRequested(Failure)
    }

    /// What a call of a model is for.
    public enum Purpose: String, Sendable {
        /// To write a plan.
        case planner
        /// To decide on the outcomes.
        case joiner
    }

    /// What is to be done.
    public enum Action: Sendable, Hashable {
        /// Call a model; answered by its reports, exactly one of which ends the call.
        case callModel(ModelRequest, Purpose)
        /// Cancel the open call, which still ends with a report.
        case cancelModel
        /// Add nodes to the run; they may start at once.
        case addNodes([NodeDefinition])
        /// The present plan has no more nodes; answered by exactly one `roundSettled`.
        ///
        /// The run may still get nodes from a later plan. No node waits for an id that is not
        /// there, so nothing is to be released.
        case closePlan(joinInstruction: String?)
        /// The plan had these problems; it goes on with what could be used, warnings, or a repair.
        case noteProblems([PlanProblem])
        /// The joiner asked for another plan, which is the one of that number, from 2.
        case replanned(number: Int, reason: String)
        /// More of the answer's text, while it is being written.
        ///
        /// All of them together are the answer if this is text; if the joiner's call fails, there
        /// is none.
        case answerDelta(String)
        /// Call a tool with these arguments; answered by exactly one `toolJoined`.
        ///
        /// The arguments hold no references, whatever their text looks like.
        case callTool(String, arguments: RawJSON)
        /// The run has its answer.
        case answer(RawJSON)
        /// The run has failed; what runs is to be cancelled.
        case fail(Failure)
    }

    enum State: Sendable {
        case idle
        case planning(Draft)
        case working
        case failing(Failure)
        case reacting(Step)
        case joining(Verdict)
        case joiningByTool(String)
        case ended
    }

    /// A plan that is being written.
    struct Draft: Sendable {
        var reader: ModelPlanReader
        var messages: [ModelMessage]
        var reply = ""
        var repairs = 0
        /// Whether the call was cancelled because nothing more can matter.
        var isStopping = false
    }

    /// A decision that is being written.
    struct Verdict: Sendable {
        var reader = JoinerReply()
        var messages: [ModelMessage]
        var reply = ""
        var repairs = 0
        var hasDeltas = false
        /// Bytes behind the decision.
        var trailingBytes = 0
        var isStopping = false
    }

    /// One reply of a model that is asked before every call.
    struct Step: Sendable {
        var calls: ModelPlanReader
        var verdict: Verdict
        /// The call that it asked for.
        var node: NodeDefinition?
    }

    let settings: PlannerSettings
    let prompt: PlannerPrompt
    var state = State.idle
    var ledger = PlanLedger()
    /// The plans before the present one.
    var rounds: [PlannedRound] = []
    /// The nodes of the present plan.
    var nodes: [NodeDefinition] = []
    /// Those of them that do not start before the plan is complete.
    var held: [NodeDefinition] = []
    var joinInstruction: String?
    /// Whether the run had its nodes from the beginning.
    private(set) var isGiven = false
    /// The form that the provider put up with, after it refused the one asked for.
    var loweredFormat: ResponseFormat?
    private var finishedUsage = TokenUsage()
    private var callUsage = TokenUsage()
    /// Whether the open call has reported its usage.
    private var hasUsage = false
    /// Bytes that the open call has written.
    private var replyBytes = 0
    /// Bytes that all calls have written: what they planned takes no more.
    private var writtenBytes = 0

    /// A machine for that goal, to which nothing has happened.
    public init(goal: String, settings: PlannerSettings) {
        self.settings = settings
        prompt = PlannerPrompt(
            goal: goal,
            tools: settings.tools,
            format: settings.format,
            outputBytes: settings.outputBytes,
            outputsBytes: settings.outputsBytes
        )
    }

    /// The tokens that all calls have used so far.
    public var usage: TokenUsage { finishedUsage + callUsage }

    /// The number of the present plan, from 1.
    public var roundNumber: Int { rounds.count + 1 }

    /// Whether there was an answer or a failure.
    public var hasEnded: Bool {
        if case .ended = state { true } else { false }
    }

    /// Whether a call of a model is open.
    public var isCalling: Bool {
        switch state {
        case .planning, .reacting, .joining: true
        case .idle, .working, .failing, .joiningByTool, .ended: false
        }
    }

    /// Whether the open call has said all that matters, so that only its end is missing.
    ///
    /// With the end comes the count of tokens, so that it is worth a short wait.
    public var hasCompleteReply: Bool {
        switch state {
        case .planning(let draft): draft.reader.isAtEnd
        case .joining(let verdict): verdict.reader.isComplete
        case .reacting(let step): step.node != nil || step.verdict.reader.isComplete
        case .idle, .working, .failing, .joiningByTool, .ended: false
        }
    }

    /// Takes an event; appends what is to be done.
    public mutating func handle(_ event: Event, into actions: inout [Action]) {
        switch event {
        case .started:
            guard case .idle = state else { return }
            if settings.strategy == .react, !settings.isPlanOnly {
                beginStep(into: &actions)
            } else {
                beginPlan(into: &actions)
            }
        case .planGiven(let given, let instruction):
            guard case .idle = state else { return }
            isGiven = true
            nodes = given
            joinInstruction = instruction
            state = .working
            actions.append(.closePlan(joinInstruction: instruction))
        case .modelReported(let report):
            take(report, into: &actions)
        case .roundSettled(let parts):
            settle(parts, into: &actions)
        case .toolJoined(let outcome):
            takeJoin(outcome, into: &actions)
        case .cancelRequested(let failure):
            if hasEnded { return }
            if isCalling { actions.append(.cancelModel) }
            end(with: failure, into: &actions)
        }
    }

    private mutating func take(_ report: ModelEvent, into actions: inout [Action]) {
        guard isCalling else { return }
        switch report {
        case .usage(let usage):
            callUsage = usage
            hasUsage = true
            checkTokens(into: &actions)
            return
        case .formatLowered(let format):
            loweredFormat = format
            return
        case .ended, .failed:
            finishedUsage += hasUsage ? callUsage : estimatedUsage
            callUsage = TokenUsage()
            hasUsage = false
            replyBytes = 0
        case .delta(let text):
            replyBytes += text.utf8.count
            writtenBytes += text.utf8.count
        }
        switch state {
        case .planning: takePlan(report, into: &actions)
        case .reacting: takeStep(report, into: &actions)
        case .joining: takeDecision(report, into: &actions)
        case .idle, .working, .failing, .joiningByTool, .ended: break
        }
    }

    // MARK: - Bounds

    private mutating func checkTokens(into actions: inout [Action]) {
        guard let limit = settings.maxTokens, usage.total > limit else { return }
        switch state {
        case .planning(let draft) where !draft.isStopping && !draft.reader.isAtEnd:
            actions.append(.cancelModel)
            giveUp(tokensSpent, into: &actions)
        case .reacting(let step)
        where step.node == nil && !step.verdict.isStopping && !step.verdict.reader.isComplete:
            actions.append(.cancelModel)
            end(with: tokensSpent, into: &actions)
        case .joining(let verdict) where !verdict.isStopping && !verdict.reader.isComplete:
            actions.append(.cancelModel)
            end(with: tokensSpent, into: &actions)
        default:
            // What is complete is used; the bound keeps the next call from being made.
            break
        }
    }

    /// What a call has used whose provider does not count: a token for each four bytes.
    ///
    /// Without it a bound on tokens would be none for programs and servers that report no usage.
    private var estimatedUsage: TokenUsage {
        guard replyBytes > 0 else { return TokenUsage() }
        return TokenUsage(input: (messageBytes + 3) / 4, output: (replyBytes + 3) / 4)
    }

    /// Bytes of what the open call was told.
    private var messageBytes: Int {
        let messages: [ModelMessage] =
            switch state {
            case .planning(let draft): draft.messages
            case .reacting(let step): step.verdict.messages
            case .joining(let verdict): verdict.messages
            case .idle, .working, .failing, .joiningByTool, .ended: []
            }
        return messages.reduce(0) { $0 + $1.text.utf8.count }
    }

    /// What the machine takes in memory, about: the goal, the tools, the messages and the reply of
    /// the open call, and what was planned so far.
    public var heldBytes: Int {
        let nodeCount = max(ledger.count, nodes.count) + rounds.reduce(0) { $0 + $1.parts.count }
        return 2_048 + prompt.goal.utf8.count + 160 * settings.tools.count + messageBytes
            + 2 * writtenBytes + 384 * nodeCount
    }

    /// What is left of the bound on tokens, which is the most that a reply may have.
    private var tokensLeft: Int? {
        settings.maxTokens.map { max(1, $0 - usage.total) }
    }

    var tokensSpent: Failure {
        Failure(
            code: .limit,
            message: "the models have used \(usage.total) tokens; at most "
                + "\(settings.maxTokens ?? 0) are allowed"
        )
    }

    var hasTokensLeft: Bool {
        settings.maxTokens.map { usage.total < $0 } ?? true
    }

    // MARK: - Ends

    mutating func end(with failure: Failure, into actions: inout [Action]) {
        state = .ended
        actions.append(.fail(failure))
    }

    func failure(_ cause: ModelFailure, of purpose: Purpose) -> Failure {
        Failure(
            code: FailureCode(rawValue: "model_\(cause.code)"),
            message: "the \(purpose.rawValue)'s model failed: \(cause.message)",
            isRetryable: cause.isRetryable
        )
    }

    func refusal(of purpose: Purpose) -> Failure {
        Failure(
            code: FailureCode(rawValue: "model_refused"),
            message: "the \(purpose.rawValue)'s model refused to reply"
        )
    }

    func request(_ messages: [ModelMessage], format: ResponseFormat, stop: [String]) -> ModelRequest
    {
        ModelRequest(
            messages: messages,
            format: format == .text ? .text : loweredFormat ?? format,
            stop: stop,
            maxTokens: [settings.replyTokens, tokensLeft].compactMap(\.self).min(),
            temperature: settings.temperature
        )
    }
}
