// One run as the coordinator holds it: the run itself, and what passes while it lasts, such as who
// sends nodes, who watches, what a model is asked and which outputs are arriving. Only the run
// outlives this process.

internal import Core
internal import JSON
internal import PlannerCore
internal import Plans
internal import Runs
internal import Telemetry
internal import Wire

struct HeldRun: Sendable {
    /// The run, which changes by records alone.
    private(set) var state: Run
    /// The connection that still sends nodes, until the plan is complete.
    var author: ConnectionID?
    var watchers = Watchers()
    /// The latest records.
    var log = RunLog()
    /// Whether counts changed that watchers of progress have not seen.
    var isProgressDirty = false
    /// Whether its bytes changed since they were booked.
    var isUnbooked = false
    /// Arguments of ready nodes.
    var arguments = MadeArguments()
    /// Outputs that arrive in chunks.
    var incoming = IncomingOutputs()
    /// What its tools write.
    var texts = ToolTexts()
    /// Who turns the run's goal into nodes and outcomes into an answer: one, or none.
    ///
    /// In memory of its own, because it is large and most runs have none.
    private var planners: [PlannerMachine]
    /// Bytes of the planner.
    private var plannerBytes = 0
    /// What models were asked and what they wrote.
    private(set) var conversation = Conversation()
    /// The open call of a model.
    var modelCall: OpenModelCall?
    /// The answer, made when a client asks for it.
    var answers = AnswerCache()
    /// What the called tools were when a goal was reached, for those who remember its plan.
    var toolDigests: [String: String] = [:]
    /// Attempts before the latest of each node, for its trace; empty unless it is traced.
    var earlierAttempts: [EarlierAttempt] = []
    /// The position of its last record in the journal, once it has ended.
    var endPosition = 0
    /// Bytes of what never changes.
    private let fixedBytes: Int
    /// The span that the run is part of, beside the run, because each dispatch asks for it.
    private let traceParent: TraceParent?

    init(_ state: Run, author: ConnectionID?, planner: PlannerMachine? = nil) {
        self.state = state
        self.author = author
        planners = planner.map { [$0] } ?? []
        plannerBytes = planner?.heldBytes ?? 0
        fixedBytes = state.acceptance.heldBytes
        traceParent = state.acceptance.traceParent
    }

    var id: RunID { state.id }

    /// Carries out a change.
    mutating func apply(_ record: RunRecord) {
        state.apply(record)
    }

    /// Carries out a change that was read; false if it cannot follow.
    mutating func applyRead(_ record: RunRecord) -> Bool {
        do throws(RunRecordError) {
            try state.applyRead(record)
            return true
        } catch {
            return false
        }
    }

    /// Carries out a change that happens now, and returns its record.
    ///
    /// Mutating methods reach a run where it stands; others would copy it out of the table first.
    mutating func apply(_ change: RunChange, at now: Instant) -> RunRecord {
        let record = RunRecord(at: state.microseconds(at: now), change)
        state.apply(record)
        return record
    }

    /// Keeps a record that was applied among the latest ones, and makes its event if a client watches
    /// or if it could not be made later.
    mutating func keep(
        _ record: RunRecord,
        answer: RawJSON?,
        within bound: RunLog.Bound,
        detailBytes: Int
    ) -> EventMessage? {
        let kind = record.change.eventKind
        let isToldOnce = record.change.isToldOnce
        var worker: Int32 = 0
        if let node = record.change.node { worker = state.nodes[node].worker }
        var event: EventMessage?
        if let kind, isToldOnce || watchers.wants(kind) {
            event = state.event(
                for: record,
                worker: worker,
                sequence: log.nextSequence,
                detailBytes: detailBytes,
                answer: answer
            )
        }
        if let event, isToldOnce {
            log.append(record, told: event, within: bound)
        } else {
            log.append(record, worker: worker, withEvent: kind != nil, within: bound)
        }
        return event
    }

    /// What a dispatch says of a node beside its arguments.
    ///
    /// It mutates nothing; see `apply` for why it says that it may.
    mutating func describe(
        _ node: Int
    ) -> (id: NodeID, tool: String, traceParent: TraceParent?) {
        let planned = state.plan[node]
        return (planned.id, planned.tool, traceParent)
    }

    /// What is counted of a node.
    ///
    /// It mutates nothing; see `apply` for why it says that it may.
    mutating func measure(
        _ node: Int
    ) -> (tool: String, status: NodeStatus, work: Int32, queued: Int32) {
        let course = state.nodes[node]
        return (state.plan[node].tool, course.status, course.work, course.queued)
    }

    /// The bytes to book.
    mutating func takeUnbooked() -> Int {
        isUnbooked = false
        return heldBytes
    }

    /// Carries out the changes with which a whole plan begins, and returns them.
    mutating func apply(_ whole: WholePlan) -> (records: [RunRecord], growth: Plan.Growth) {
        state.apply(whole, at: 0)
    }

    /// Carries out a change of the plan, unless something is wrong with it.
    mutating func applyChecked(_ record: RunRecord) throws(PlanProblems) -> Plan.Growth {
        try state.applyChecked(record)
    }

    // MARK: - The planner

    /// Whether something is still to be planned or joined by a planner.
    var hasPlanner: Bool { !planners.isEmpty }
    /// What the planner was told at its start, for checks; nil without a planner.
    var plannerSettings: PlannerSettings? { planners.first?.settings }
    /// Whether the planner wants to be told each outcome.
    var isGrowingByOutputs: Bool { !planners.isEmpty && planners[0].grows }
    /// Whether the planner needs nothing more of the open call.
    var hasCompleteReply: Bool { !planners.isEmpty && planners[0].hasCompleteReply }
    /// Whether the planner's open call asks a model to repair its reply.
    var isRepairing: Bool { !planners.isEmpty && planners[0].isRepairing }
    /// What the models used for this run; nil without a planner.
    var plannerUsage: TokenUsage? { planners.isEmpty ? nil : planners[0].usage }

    /// As `plannerUsage`, if the planner's open call is cancelled.
    var plannerUsageWhenCancelled: TokenUsage? { planners.first?.usageWhenCancelled }

    /// Whether a call of a model for the planner is open.
    var isCallingModel: Bool { !planners.isEmpty && planners[0].isCalling }

    /// Gives the run a planner.
    mutating func keep(_ planner: PlannerMachine) {
        planners = [planner]
        plannerBytes = planner.heldBytes
    }

    /// Hands an event to the planner at a time, in microseconds after the run was accepted, and
    /// returns what it asks for.
    mutating func advancePlanner(
        _ event: PlannerMachine.Event,
        at time: Int
    ) -> [PlannerMachine.Action] {
        guard !planners.isEmpty else { return [] }
        conversation.note(event, at: time)
        var wanted: [PlannerMachine.Action] = []
        planners[0].handle(event, into: &wanted)
        for action in wanted { conversation.note(action, at: time) }
        plannerBytes = planners[0].heldBytes
        return wanted
    }

    /// Nothing more is planned or joined.
    mutating func dropPlanner() {
        planners = []
        plannerBytes = 0
        conversation.finish()
    }

    // MARK: - Bytes

    /// All bytes that the run holds.
    var heldBytes: Int {
        fixedBytes + state.heldBytes + arguments.bytes + arguments.toolBytes + incoming.bytes
            + texts.bytes
            + log.bytes + plannerBytes + conversation.heldBytes
            + answers.bytes + digestBytes
    }

    private var digestBytes: Int {
        toolDigests.isEmpty ? 0 : toolDigests.reduce(0) { $0 + $1.key.utf8.count + 128 }
    }

    /// `heldBytes`, computed again from all parts; for checks.
    var countedBytes: Int {
        fixedBytes + state.countedBytes + arguments.countedBytes + arguments.toolBytes
            + incoming.countedBytes + texts.countedBytes
            + log.countedBytes + (planners.first?.heldBytes ?? 0) + conversation.countedBytes
            + answers.bytes
            + digestBytes
    }

    /// Where most of the bytes are, for a person who has to make a run smaller.
    var heldBytesInWords: String {
        let parts = [
            ("outputs", state.results.outputBytes + incoming.bytes),
            ("failures", state.results.failureBytes),
            ("arguments", arguments.bytes),
            ("the plan", state.plan.heldBytes + state.plan.count * HeldCost.node),
            ("events", log.bytes),
            ("what tools wrote", texts.bytes),
            ("the planner", plannerBytes + conversation.heldBytes),
            ("the answer", answers.bytes + (state.answer?.count ?? 0)),
        ]
        let largest = parts.sorted { $0.1 > $1.1 }.prefix(2).filter { $0.1 > 0 }
        return largest.map { "\($0.0) \($0.1) bytes" }.joined(separator: ", ")
    }

    // MARK: - The answer

    /// Makes the next parts of the answer, about as many as the work allows; true when it is there.
    ///
    /// Nothing is made of an answer beyond `mostBytes`: how long it became by then is kept.
    mutating func makeAnswer(within mostBytes: Int, work: inout PageWork) -> Bool {
        answers.make(of: state, within: mostBytes, work: &work)
    }

    /// The answer, if it is there.
    var answer: JSONPieces? { state.answer.map { JSONPieces($0) } ?? answers.made }
}

/// A call of a model that has not ended.
struct OpenModelCall: Sendable {
    let id: ModelCallID
    /// Whether it was cancelled; its end is still to come.
    var isCancelled = false
}
