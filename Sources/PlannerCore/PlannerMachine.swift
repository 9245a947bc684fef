// The planner of one goal: events in, actions out. Planning is in PlannerMachine+Planning.swift,
// joining in PlannerMachine+Joining.swift, a model that is asked before every call in
// PlannerMachine+Reacting.swift, what limits replies in PlannerMachine+Bounds.swift.

public import Core
public import JSON
public import Plans

/// Drives one goal from its first plan to its answer.
///
/// | state | means | leaves by |
/// |---|---|---|
/// | idle | nothing was asked | `started` |
/// | planning | a model writes a plan, or repairs one; its nodes run already | the end of the call |
/// | growing | the reply was read, its nodes run, and the plan may get more | an outcome |
/// | working | the plan is complete, its nodes run | `roundSettled` |
/// | failing | the planner failed, what runs may finish | `roundSettled` |
/// | reacting | a model decides on the next call, or answers | the end of the call |
/// | joining | a model decides on the outcomes | the end of the call |
/// | joiningByTool | a tool makes the answer of the outcomes | `toolJoined` |
/// | ended | there was an answer or a failure | – |
///
/// In each state, events that do not belong there are ignored: reports of a cancelled call may come
/// late. `cancelRequested` ends the machine in every state.
///
/// Each run ends with exactly one `answer` or `fail`. There is at most one open call. Nodes are
/// added so that each comes after those it refers to, and never change.
public struct PlannerMachine: Sendable {
    /// An input of the machine.
    public enum Event: Sendable, Hashable {
        /// The run begins.
        case started
        /// There is nothing to plan: the run has all its nodes.
        ///
        /// Used instead of `started`; the nodes tell the joiner which calls were made.
        case planGiven([NodeDefinition], joinInstruction: String?)
        /// The open call reports.
        case modelReported(ModelEvent)
        /// The open call is lost with the process that made it, without a report of its end.
        ///
        /// What has arrived of a plan is kept, and the rest asked for; anything else is asked for
        /// again.
        case callLost
        /// A node has its outcome; only plans that grow need to be told.
        case nodeSettled(JoinPart)
        /// Every node has its outcome; the parts are those of all plans, or of the last one.
        ///
        /// Comes exactly once after each `closePlan`, never before it.
        case roundSettled([JoinPart])
        /// The call that `callTool` asked for has ended.
        case toolJoined(Outcome)
        /// The run must end with this failure: it was cancelled, or its time is up.
        case cancelRequested(Failure)
    }

    /// The purpose of a model call.
    public enum Purpose: String, Sendable {
        /// To write a plan.
        case planner
        /// To decide on the outcomes.
        case joiner
    }

    /// An output of the machine.
    public enum Action: Sendable, Hashable {
        /// Call a model; its reports follow, exactly one of which ends the call.
        case callModel(ModelRequest, Purpose)
        /// Cancel the open call, which still ends with a report.
        case cancelModel
        /// Add nodes to the run; they may start at once.
        case addNodes([NodeDefinition])
        /// The current plan has no more nodes; answered by exactly one `roundSettled`.
        ///
        /// The run may still get nodes from a later plan. No node waits for an unknown id, so none
        /// has to be released.
        case closePlan(joinInstruction: String?)
        /// The plan had these problems; a repair follows, unless they are warnings or the rest is
        /// usable.
        case noteProblems([PlanProblem])
        /// The joiner asked for another plan; this is its number, from 2.
        case replanned(number: Int, reason: String)
        /// More of the answer's text, while it is being written.
        ///
        /// All texts together are the answer if it is a text; if the joiner's call fails, there is
        /// no answer.
        case answerDelta(String)
        /// Call a tool with these arguments; answered by exactly one `toolJoined`.
        ///
        /// The arguments contain no references, whatever their text looks like.
        case callTool(String, arguments: RawJSON)
        /// The run has its answer.
        case answer(RawJSON)
        /// The run has failed; running nodes must be cancelled.
        case fail(Failure)
    }

    enum State: Sendable {
        case idle
        case planning(Draft)
        case growing([ModelMessage])
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
        /// How many nodes the plan had before this reply.
        var firstNode = 0
        var repairs = 0
        /// Whether the reply has brought nodes.
        var hasNodes = false
        /// Whether the call was cancelled because later text cannot matter.
        var isStopping = false
    }

    /// A decision that is being written.
    struct Verdict: Sendable {
        var reader = JoinerReply()
        var messages: [ModelMessage]
        var reply = ""
        var repairs = 0
        var hasDeltas = false
        /// Bytes after the decision.
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

    /// What it was told at its start.
    public let settings: PlannerSettings
    let prompt: PlannerPrompt
    var state = State.idle
    var ledger = PlanLedger()
    /// The plans before the current one.
    var rounds: [PlannedRound] = []
    /// The nodes of the current plan.
    var nodes: [NodeDefinition] = []
    /// Those of them that do not start before the plan is complete.
    var held: [NodeDefinition] = []
    var joinInstruction: String?
    var growth = Growth()
    /// Whether the planner had nothing to add to what was done, so that there is no other plan.
    var hasNothingToAdd = false
    /// Whether the run had its nodes from the beginning.
    private(set) var isGiven = false
    /// The form that the provider accepted, after it refused the requested one.
    var loweredFormat: ResponseFormat?
    var finishedUsage = TokenUsage()
    var callUsage = TokenUsage()
    /// The prices of the open call, as far as they are known.
    private var callPrices: TokenPrices?
    /// Whether the open call has reported its usage.
    private var hasUsage = false
    /// Bytes that the open call has written.
    var replyBytes = 0
    private var thoughts = ThoughtFilter()
    private var endless = EndlessText()
    /// Bytes that all calls have written: the planned nodes take no more.
    var writtenBytes = 0

    /// A machine for that goal, before the first event.
    public init(goal: String, settings: PlannerSettings) {
        self.settings = settings.withoutRemembered
        var prompt = PlannerPrompt(
            goal: goal,
            tools: settings.tools,
            examples: settings.examples,
            remembered: settings.remembered,
            format: settings.format,
            outputBytes: settings.outputBytes,
            outputsBytes: settings.outputsBytes
        )
        prompt.grows = settings.options.strategy == .growing && !settings.options.isPlanOnly
        self.prompt = prompt
    }

    /// The tokens that all calls have used so far.
    public var usage: TokenUsage { finishedUsage + callUsage }

    /// The tokens that all calls have used, if the open one is cancelled now: what that has written
    /// is estimated if it did not report it.
    public var usageWhenCancelled: TokenUsage {
        var copy = self
        if copy.isCalling { copy.finishUsage() }
        return copy.usage
    }

    /// The number of the current plan, from 1.
    public var roundNumber: Int { rounds.count + 1 }

    /// Whether there was an answer or a failure.
    public var hasEnded: Bool {
        if case .ended = state { true } else { false }
    }

    /// Whether a call of a model is open.
    public var isCalling: Bool {
        switch state {
        case .planning, .reacting, .joining: true
        case .idle, .growing, .working, .failing, .joiningByTool, .ended: false
        }
    }

    /// Whether the open call asks a model to repair its reply.
    public var isRepairing: Bool {
        switch state {
        case .planning(let draft): draft.repairs > 0
        case .reacting(let step): step.verdict.repairs > 0
        case .joining(let verdict): verdict.repairs > 0
        case .idle, .growing, .working, .failing, .joiningByTool, .ended: false
        }
    }

    /// Whether the open call has said all that matters, so that only its end is missing.
    ///
    /// The end brings the count of tokens, so a short wait is useful.
    public var hasCompleteReply: Bool {
        switch state {
        case .planning(let draft): draft.reader.isAtEnd
        case .joining(let verdict): verdict.reader.isComplete
        case .reacting(let step): step.node != nil || step.verdict.reader.isComplete
        case .idle, .growing, .working, .failing, .joiningByTool, .ended: false
        }
    }

    /// Handles an event; appends the actions.
    public mutating func handle(_ event: Event, into actions: inout [Action]) {
        switch event {
        case .started:
            guard case .idle = state else { return }
            if settings.options.strategy == .react, !settings.options.isPlanOnly {
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
            handleReport(report, into: &actions)
        case .callLost:
            repeatCall(into: &actions)
        case .nodeSettled(let part):
            noteOutcome(part, into: &actions)
        case .roundSettled(let parts):
            settle(parts, into: &actions)
        case .toolJoined(let outcome):
            handleToolJoin(outcome, into: &actions)
        case .cancelRequested(let failure):
            if hasEnded { return }
            if isCalling {
                // What the call has written so far is paid for, though it reports no usage.
                finishUsage()
                actions.append(.cancelModel)
            }
            end(with: failure, into: &actions)
        }
    }

    private mutating func handleReport(_ report: ModelEvent, into actions: inout [Action]) {
        guard isCalling else { return }
        switch report {
        case .charged(let prices):
            callPrices = prices
            callUsage = callUsage.charged(at: prices)
            return
        case .usage(let usage):
            callUsage = usage.charged(at: callPrices)
            hasUsage = true
            checkBudget(into: &actions)
            return
        case .formatLowered(let format):
            loweredFormat = format
            return
        case .ended, .failed:
            finishUsage()
            let rest = thoughts.finish()
            thoughts = ThoughtFilter()
            endless = EndlessText()
            if !rest.isEmpty { pass(.delta(rest), into: &actions) }
            pass(report, into: &actions)
        case .delta(let text):
            replyBytes += text.utf8.count
            writtenBytes += text.utf8.count
            for piece in thoughts.feed(text) {
                switch piece {
                case .text where endless.isFound:
                    break
                case .text(let text):
                    let read = endless.feed(text, within: isPlanning ? .plan : .answer)
                    pass(.delta(read), into: &actions)
                    if endless.isFound { stopEndlessReply(into: &actions) }
                case .wasThought:
                    forgetThought()
                }
            }
        }
    }

    /// Makes the open call once more.
    private mutating func repeatCall(into actions: inout [Action]) {
        guard isCalling else { return }
        finishUsage()
        thoughts = ThoughtFilter()
        endless = EndlessText()
        switch state {
        case .planning(let draft): planAgain(draft, into: &actions)
        case .reacting(let step): stepAgain(step, into: &actions)
        case .joining(let verdict): joinAgain(verdict, into: &actions)
        case .idle, .growing, .working, .failing, .joiningByTool, .ended: break
        }
    }

    /// Adds what the open call has used to the sum, estimated if it did not say it.
    private mutating func finishUsage() {
        finishedUsage += hasUsage ? callUsage : estimatedUsage.charged(at: callPrices)
        callUsage = TokenUsage()
        callPrices = nil
        hasUsage = false
        replyBytes = 0
    }

    private var isPlanning: Bool {
        if case .planning = state { true } else { false }
    }

    /// Hands a report to what reads the open reply.
    private mutating func pass(_ report: ModelEvent, into actions: inout [Action]) {
        switch state {
        case .planning: readPlan(report, into: &actions)
        case .reacting: readStep(report, into: &actions)
        case .joining: readDecision(report, into: &actions)
        case .idle, .growing, .working, .failing, .joiningByTool, .ended: break
        }
    }

    /// What the open call has written so far was a thought; what it has started stays.
    private mutating func forgetThought() {
        switch state {
        case .planning(let draft) where !draft.isStopping && (!draft.hasNodes || !startsAtOnce):
            // What does not start before the plan is complete can still be taken back.
            let kept = draft.firstNode
            held.removeLast(min(held.count, nodes.count - kept))
            nodes.removeLast(nodes.count - kept)
            state = .planning(
                Draft(
                    reader: planReader(),
                    messages: draft.messages,
                    firstNode: kept,
                    repairs: draft.repairs
                )
            )
        case .joining(let verdict) where !verdict.hasDeltas && !verdict.isStopping:
            state = .joining(Verdict(messages: verdict.messages, repairs: verdict.repairs))
        case .reacting(let step) where step.node == nil && !step.verdict.hasDeltas:
            let verdict = Verdict(messages: step.verdict.messages, repairs: step.verdict.repairs)
            state = .reacting(Step(calls: stepReader(), verdict: verdict))
        default:
            break
        }
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

    /// A request whose reply has at most so many tokens.
    func request(
        _ messages: [ModelMessage],
        format: ResponseFormat,
        grammar: String? = nil,
        isRepair: Bool = false,
        stop: [String],
        mostTokens: Int
    ) -> ModelRequest {
        ModelRequest(
            messages: messages,
            subject: ModelSubject(goal: prompt.goal, tools: settings.tools.map(\.name)),
            format: format == .text ? .text : loweredFormat ?? format,
            grammar: grammar,
            isRepair: isRepair,
            stop: stop,
            maxTokens: [settings.replyTokens, tokensLeft, mostTokens].compactMap(\.self).min(),
            temperature: settings.temperature
        )
    }
}
