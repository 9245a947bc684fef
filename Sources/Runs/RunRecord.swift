// What can happen to a run, as plain values. The fold of a run's records is the run: applying them
// in order to a new `Run` gives an equal one. How each changes the run is in Run+Applying.swift, the
// written form in RunRecord+JSON.swift.

public import Core
public import JSON
public import Plans
public import Wire

/// One change of one run.
///
/// What decides returns changes; `Run.apply` alone carries them out. Outputs and arguments are in
/// one record each, once.
public struct RunRecord: Sendable, Hashable {
    /// When, in microseconds since the run was accepted.
    public var at: Int
    /// What changed.
    public var change: RunChange

    /// A change at a time.
    public init(at: Int, _ change: RunChange) {
        self.at = at
        self.change = change
    }
}

/// What a submission asked for: the first record of every run.
public struct Acceptance: Sendable, Hashable {
    /// The run's name.
    public var id: RunID
    /// The idempotency key of its submission.
    public var key: String
    /// What people call it.
    public var label: String?
    /// Who puts the outcomes together.
    public var join: JoinKind
    /// The tools that it may use; nil allows all.
    public var allowedTools: [String]?
    /// How many nodes it may have.
    public var nodeBudget: Int?
    /// How long it may take, in milliseconds.
    public var wallMilliseconds: Int?
    /// Tools whose nodes need approval in this run, beside those that always need it; `*` stands for
    /// all.
    public var approve: [String]
    /// How long an approval may take, in milliseconds; nil leaves it to the tool.
    public var approvalMilliseconds: Int?
    /// A digest of the whole submission: the same key with another digest is a conflict.
    public var digest: [UInt8]
    /// The goal that a model plans, if it has one.
    public var goal: String?
    /// Whether its client sends nodes after the submission.
    public var isStreamed: Bool
    /// What happens to a node that no worker can run.
    public var onMissingTool: MissingToolPolicy
    /// How many attempts of it workers may hold at a time; nil for no bound.
    public var maxRunning: Int?
    /// The identity that submitted it; nil if none is known.
    public var submitter: String?
    /// The run whose outputs it takes over; nil if it begins with nothing.
    public var retriedRun: RunID?
    /// The span that it is part of, in the trace of its client; nil if none was named.
    public var traceParent: TraceParent?
    /// When it was accepted, in milliseconds of Unix time.
    public var unixMilliseconds: Int

    /// Describes an accepted submission.
    public init(
        id: RunID,
        key: String,
        label: String? = nil,
        join: JoinKind = .json,
        allowedTools: [String]? = nil,
        nodeBudget: Int? = nil,
        wallMilliseconds: Int? = nil,
        approve: [String] = [],
        approvalMilliseconds: Int? = nil,
        digest: [UInt8] = [],
        goal: String? = nil,
        isStreamed: Bool = false,
        onMissingTool: MissingToolPolicy = .wait,
        maxRunning: Int? = nil,
        submitter: String? = nil,
        retriedRun: RunID? = nil,
        traceParent: TraceParent? = nil,
        unixMilliseconds: Int = 0
    ) {
        self.id = id
        self.key = key
        self.label = label
        self.join = join
        self.allowedTools = allowedTools
        self.nodeBudget = nodeBudget
        self.wallMilliseconds = wallMilliseconds
        self.approve = approve
        self.approvalMilliseconds = approvalMilliseconds
        self.digest = digest
        self.goal = goal
        self.isStreamed = isStreamed
        self.onMissingTool = onMissingTool
        self.maxRunning = maxRunning
        self.submitter = submitter
        self.retriedRun = retriedRun
        self.traceParent = traceParent
        self.unixMilliseconds = unixMilliseconds
    }
}

/// What happened.
///
/// Nodes are named by their position in the plan, from 0; attempts by their number, from 1. The
/// records of one node come in the order of its life.
public enum RunChange: Sendable, Hashable {
    /// The run begins. The first record, and only that.
    indirect case accepted(Acceptance)
    /// Nodes were appended to the plan.
    case nodesAdded([NodeDefinition])
    /// The node that joins the outcomes with a tool was appended; its arguments are taken as they
    /// are.
    indirect case joinerAdded(tool: String, arguments: RawJSON)
    /// What to do with the outcomes, in words.
    indirect case joinInstructed(String)
    /// The output of a node was taken over from the run that this one retries: it has succeeded.
    case takenOver(node: Int32, RawJSON)
    /// No more nodes come for now: a streamed or whole plan is complete (`isFinal`), or a round of
    /// planning is.
    case planClosed(isFinal: Bool)

    /// A node waits for a person's approval, for so many milliseconds at most.
    case approvalAsked(node: Int32, milliseconds: Int)
    /// A person, whose identity is named if it is known, approved the node, for all its attempts. One
    /// that is not approved has `failed`.
    indirect case approved(node: Int32, by: String?, reason: String?)
    /// All dependencies of a node have succeeded.
    case nodeReady(Int32)
    /// An attempt was given to a worker; `isRepeatable` if its tool may run twice for a node.
    case dispatched(node: Int32, attempt: Int32, worker: String, isRepeatable: Bool)
    /// The worker began the attempt.
    case started(node: Int32, attempt: Int32)
    /// The worker was asked to end the attempt.
    case calledBack(node: Int32, attempt: Int32, CancelReason)
    /// The attempt never ran; its node is ready again.
    case returned(node: Int32, attempt: Int32, ReturnReason)
    /// A tool wrote something; it changes nothing, and is kept for those who ask for it.
    indirect case toolWrote(node: Int32, attempt: Int32, ToolText)
    /// The worker worked on an attempt that failed for so many microseconds.
    case worked(node: Int32, microseconds: Int64)
    /// The attempt did not succeed; another one follows after a pause of so many microseconds.
    indirect case retrying(
        node: Int32,
        attempt: Int32,
        Failure,
        afterMicroseconds: Int64,
        cause: RetryCause
    )
    /// The pause before the next attempt is over.
    case pauseEnded(Int32)
    /// No connected worker can run the node; it waits.
    indirect case unplaceable(node: Int32, message: String)
    /// The current attempt delivered, after so many microseconds of work.
    case succeeded(node: Int32, RawJSON, microseconds: Int64)
    /// No further attempt will be made.
    indirect case failed(node: Int32, Failure)
    /// The node never ran, because another one failed or was cancelled.
    case skipped(node: Int32, because: Int32)
    /// The node was cancelled with its run.
    case cancelled(Int32)

    /// A planner was made for the run: its settings, as PlannerCore writes them.
    indirect case plannerMade(RawJSON)
    /// The planner was told something. All that it was told, in order, makes it again.
    indirect case plannerTold(PlannerInput)
    /// A model was called to plan or to join, or to repair what it wrote.
    case modelCalled(isRepair: Bool)
    /// The call has ended; there is one at a time.
    case modelReplied
    /// All calls of models together have used so many tokens.
    case tokensUsed(TokenUsage)
    /// A model's plan had problems; it is asked to repair it.
    case planRefused([PlanProblem])
    /// All nodes of the plan have settled: a model, a tool or the planner joins.
    case roundSettled
    /// The joiner asked for another plan.
    indirect case replanned(round: Int, reason: String)
    /// The planner gave the answer.
    indirect case answered(RawJSON)

    /// An identity asked to end the run. `isCutShort`: its plan was not complete, or it had no
    /// answer.
    indirect case cancelAsked(reason: String, by: String?, isCutShort: Bool)
    /// The run fails as a whole: what still runs is called back.
    indirect case failureDecided(Failure)
    /// Outputs that still come are not kept: the run holds too much.
    case intakeEnded
    /// The outputs were dropped: all runs together held too much.
    case outputsDropped
    /// The outcomes were put together.
    case joined
    /// Every node has settled and the run is over. The last record.
    case ended(RunStatus)
}

/// Text that a tool wrote while it ran.
public struct ToolText: Sendable, Hashable {
    /// Where it wrote: standard output or standard error.
    public var stream: ChunkStream
    /// How many bytes the attempt had written before, to both together, as far as they arrived.
    public var offset: Int
    /// Whether something before it is not kept, or did not arrive.
    public var isCut: Bool
    /// The bytes; a character may be split between two texts.
    public var bytes: ArraySlice<UInt8>

    /// Makes a text of its parts.
    public init(
        stream: ChunkStream,
        offset: Int,
        isCut: Bool = false,
        bytes: ArraySlice<UInt8>
    ) {
        self.stream = stream
        self.offset = offset
        self.isCut = isCut
        self.bytes = bytes
    }
}

/// What the planner of a run is told; what is to be known beside it is in the run.
public enum PlannerInput: Sendable, Hashable {
    /// The run begins with its goal.
    case started
    /// The run has all its nodes; they are only to be joined.
    case planGiven
    /// The open call of a model reported, as PlannerCore writes it.
    case reported(RawJSON)
    /// The open call was lost with the process that made it.
    case callLost
    /// A node has settled.
    case nodeSettled(Int32)
    /// All nodes have settled.
    case roundSettled
    /// The node that joins has settled.
    case toolJoined
    /// The arguments of the node that joins cannot be made.
    case toolRefused(Failure)
    /// The run must end.
    case cancelled(Failure)
}
