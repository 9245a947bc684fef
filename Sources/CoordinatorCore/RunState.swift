// One run as the coordinator keeps it: its plan, the outputs that arrived, the times, and who
// watches. States of nodes are the scheduler's; here is what people and dependents need.

internal import DequeModule
internal import JSON
internal import PlannerCore
internal import Plans
internal import Scheduling
internal import Wire

/// What is kept of each node beside its plan and its state.
struct NodeReport: Sendable {
    /// Monotonic nanoseconds; 0 means not yet.
    var readyAt: Int64 = 0
    /// When the latest attempt was dispatched; 0 while no worker has it.
    var dispatchedAt: Int64 = 0
    /// The longest path of working time that ends with this node, in microseconds.
    var pathMicroseconds: Int64 = 0
    /// From ready to the dispatch of the latest attempt, in microseconds.
    var queuedMicroseconds: Int32 = 0
    /// From the dispatch of the latest attempt to its end as seen here, in microseconds.
    var turnaroundMicroseconds: Int32 = 0
    /// The working time of the latest attempt, in microseconds.
    var runMicroseconds: Int32 = 0
    /// The worker of the latest attempt; 0 before the first.
    var worker: Int32 = 0
}

/// How many nodes of a run are where.
struct NodeCounts: Sendable, Equatable {
    var total = 0
    var running = 0
    var succeeded = 0
    var failed = 0
    var skipped = 0
    var cancelled = 0

    var settled: Int { succeeded + failed + skipped + cancelled }
}

/// Where a run stands.
enum RunStatus: String, Sendable {
    case running
    case succeeded
    case failed
    case cancelled
}

struct RunState: Sendable {
    let id: RunID
    let key: String
    let label: String?
    let join: JoinKind
    let allowedTools: Set<String>?
    let nodeBudget: Int?
    let contentDigest: [UInt8]
    let acceptedAt: Instant
    var plan = Plan()
    /// The connection that still adds nodes, until the plan is complete.
    var author: ConnectionID?
    var status = RunStatus.running
    /// Why the run fails although it was ended by a cancel, such as its time budget.
    var failure: Failure?
    var cancelReason: String?
    /// Whether it was cancelled before its plan was complete.
    var isCutShort = false
    var endedAt: Instant?
    var deadline: Instant?
    private(set) var outputs: [RawJSON?] = []
    /// Bytes of all outputs.
    private(set) var outputBytes = 0
    private(set) var failures: [Int: Failure] = [:]
    /// Bytes of all failures.
    private(set) var failureBytes = 0
    /// Outputs that arrive in chunks.
    var incoming = IncomingOutputs()
    /// Whether it ends because of its bytes: outputs that still come are not kept.
    private(set) var takesNoMore = false
    /// Whether outputs were dropped because all runs together held too much.
    private(set) var isStripped = false
    /// Bytes of what never changes.
    let fixedBytes: Int
    var reports: [NodeReport] = []
    var counts = NodeCounts()
    var criticalPathMicroseconds: Int64 = 0
    var workMicroseconds: Int64 = 0
    var watchers = Watchers()
    /// Kept for those who come later; holds node events only from the moment somebody watches.
    var log = EventLog()
    var recordsNodes = false
    /// Whether the events of nodes were kept from the first one on.
    var hasAllNodeEvents = false
    /// Who turns the run's goal into nodes and outcomes into an answer, if it has a goal.
    var planner: PlannerMachine? {
        didSet { plannerBytes = planner?.heldBytes ?? 0 }
    }
    /// Bytes of the planner.
    private(set) var plannerBytes = 0
    /// The open call of a model.
    var modelCall: ModelCallID?
    var modelCalls = 0
    /// Tokens that all calls of models have used, as far as these say.
    var usage = TokenUsage()
    /// Whether the open call was cancelled; its end is still to come.
    var isModelCancelled = false
    /// The node that makes the answer of the outcomes of the others, once it is there.
    var joinNode: Int?
    /// Whether the planner waits for every node of the present plan to settle.
    var awaitsRound = false
    /// Whether the planner has given the answer: how single nodes ended does not matter any more.
    var isPlanned = false
    /// Set while counts changed that watchers of progress have not seen.
    var owesProgress = false
    /// The answer, once it was made; it shares the outputs.
    private(set) var answer: JSONPieces?
    /// Whether the run had ended when the answer was made.
    private(set) var isAnswerLast = false
    /// The answer while it is made, over several turns.
    var joining: AnswerInMaking?
    /// Bytes of the answer as far as it was made, without the outputs that it shares.
    var answerBytes: Int {
        (answer.map { $0.ownBytes + 32 * $0.pieces.count } ?? 0) + (joining?.join.ownBytes ?? 0)
    }

    init(
        id: RunID,
        submit: Submit,
        digest: [UInt8],
        author: ConnectionID?,
        at now: Instant
    ) {
        self.id = id
        key = submit.key
        label = submit.label
        join = submit.join
        allowedTools = submit.tools.map(Set.init)
        nodeBudget = submit.budget.nodes
        contentDigest = digest
        acceptedAt = now
        self.author = author
        deadline = submit.budget.wallMilliseconds.map { now + .milliseconds($0) }
        fixedBytes =
            HeldCost.run + key.utf8.count + (label?.utf8.count ?? 0)
            + (submit.tools ?? []).reduce(0) { $0 + 64 + $1.utf8.count }
        plan.joinInstruction = submit.joinInstruction
    }

    var isEnded: Bool { endedAt != nil }

    /// Gives back everything large when the run is forgotten; its slot waits for the next one.
    mutating func vacate() {
        planner = nil
        plan = Plan()
        outputs = []
        outputBytes = 0
        failures = [:]
        failureBytes = 0
        incoming.removeAll()
        reports = []
        log = EventLog()
        answer = nil
        joining = nil
    }

    /// Drops what is still arriving, now and from here on.
    mutating func takeNoMore() {
        takesNoMore = true
        incoming.removeAll()
    }

    /// Gives back everything that the nodes of a run that is ending do not need.
    mutating func strip() {
        takeNoMore()
        isStripped = true
        for node in outputs.indices { outputs[node] = nil }
        outputBytes = 0
        answer = nil
        joining = nil
    }

    // MARK: - What nodes leave behind

    /// Keeps the output of a node, which has none yet.
    mutating func keep(_ output: RawJSON, of node: Int) {
        outputBytes += output.count - (outputs[node]?.count ?? 0)
        outputs[node] = output
    }

    /// Keeps why a node failed.
    mutating func keep(_ failure: Failure, of node: Int) {
        if let old = failures.updateValue(failure, forKey: node) { failureBytes -= old.heldBytes }
        failureBytes += failure.heldBytes
    }

    mutating func grow(by count: Int) {
        outputs.append(contentsOf: repeatElement(nil, count: count))
        reports.append(contentsOf: repeatElement(NodeReport(), count: count))
        counts.total += count
    }

    /// How a node ended, or nil while it has not.
    func outcome(of node: Int, state: NodeState) -> Outcome? {
        switch state {
        case .succeeded: outputs[node].map { .succeeded($0) } ?? .failed(lostOutput)
        case .failed:
            .failed(failures[node] ?? Failure(code: .internal, message: "the failure was lost"))
        case .skipped(let cause): .skipped(because: plan[cause].id)
        case .cancelled: .cancelled
        default: nil
        }
    }

    private var lostOutput: Failure {
        isStripped
            ? Failure(
                code: .limit,
                message: "the output was dropped when all runs together held too many bytes"
            )
            : Failure(code: .internal, message: "the output was lost")
    }

    /// The planner's answer is the run's.
    mutating func settleAnswer(_ answer: RawJSON) {
        self.answer = JSONPieces(answer)
        isAnswerLast = true
    }

    /// Forgets an answer of before the end, made or in the making.
    mutating func dropPresentAnswer() {
        guard !isAnswerLast else { return }
        answer = nil
        joining = nil
    }

    /// Makes the next parts of the answer, about as many as the work allows; true when it is there.
    ///
    /// Nothing is made of an answer beyond `mostBytes`: how long it became by then is kept.
    mutating func makeAnswer(
        within mostBytes: Int,
        work: inout PageWork,
        states: (Int) -> NodeState
    ) -> Bool {
        var making = joining ?? AnswerInMaking(join.answerForm, isLast: isEnded)
        // It is taken out while it changes, so that nothing is copied.
        joining = nil
        while making.next < plan.count, !work.isUsedUp, making.join.count <= mostBytes {
            let node = making.next
            making.next += 1
            work.look()
            guard node != joinNode else { continue }
            let before = making.join.copiedBytes
            making.join.append(
                JoinPart(
                    id: plan[node].id,
                    tool: plan[node].tool,
                    outcome: outcome(of: node, state: states(node)) ?? .cancelled
                )
            )
            work.write(bytes: making.join.copiedBytes - before)
        }
        guard making.next >= plan.count || making.join.count > mostBytes else {
            joining = making
            return false
        }
        answer = making.join.finish(joinInstruction: plan.joinInstruction)
        isAnswerLast = making.isLast
        return true
    }

    /// Adds a node's working time to the longest path that ends with it.
    mutating func extendPath(to node: Int, microseconds claimed: Int) {
        // A worker may report any number: twelve days at most, so that the sum cannot overflow.
        let microseconds = min(max(claimed, 0), 1 << 40)
        var longest: Int64 = 0
        for dependency in plan.dependencies(of: node) {
            longest = max(longest, reports[dependency].pathMicroseconds)
        }
        let path = longest + Int64(microseconds)
        reports[node].pathMicroseconds = path
        reports[node].runMicroseconds = Int32(clamping: microseconds)
        criticalPathMicroseconds = max(criticalPathMicroseconds, path)
        workMicroseconds += Int64(microseconds)
    }
}
