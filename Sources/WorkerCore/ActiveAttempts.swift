// The attempts that wait for a slot or run: start, output, progress, time limits, cancelling.
// The outcome of one that has ended is kept in KeptResults.
internal import Core
internal import JSON
internal import Wire

/// The attempts that have not ended.
///
/// An attempt that ends leaves; if its outcome is wanted, it is returned as an `EndedAttempt`.
struct ActiveAttempts: Sendable {
    /// An attempt to look at when the turn ends.
    private struct Touched: Sendable {
        let index: Int
        let sequence: UInt64
        /// When it was started, if that was in this turn.
        let started: Instant?
    }

    /// By position; those of tools that have gone stay.
    private var tools: [ToolDescription]
    private let cancelGrace: Duration
    private var table: AttemptTable
    private var timeouts = TimeoutQueue()
    /// Attempts started or heard of since the last turn's end.
    private var touched: [Touched] = []

    init(_ configuration: WorkerConfiguration) {
        tools = configuration.tools
        cancelGrace = configuration.limits.cancelGrace
        table = AttemptTable(
            slots: configuration.slots,
            limits: configuration.tools.map { $0.concurrency.map { max(1, $0) } }
        )
    }

    /// Tools have changed or come: each with its position, at most one after those that there were.
    mutating func setTools(_ changes: [(index: Int, tool: ToolDescription)]) {
        for (index, tool) in changes {
            if index < tools.count { tools[index] = tool } else { tools.append(tool) }
            table.setLimit(tool.concurrency.map { max(1, $0) }, ofTool: index)
        }
    }

    var count: Int { table.count }
    var queued: Int { table.queued }
    var running: Int { table.running }

    func holds(_ id: AttemptID) -> Bool { table.index(of: id) != nil }

    func isAbandoned(_ id: AttemptID) -> Bool {
        table.index(of: id).map { table[$0].isAbandoned } ?? false
    }

    /// All of them in the order they were taken on.
    var inOrder: [HeldAttempt] {
        table.indexesInOrder.map { index in
            let attempt = table[index]
            let state: HeldAttempt.State =
                attempt.isQueued ? .queued : attempt.isAbandoned ? .abandoned : .running
            return HeldAttempt(
                id: attempt.id,
                node: attempt.node,
                sequence: attempt.sequence,
                state: state
            )
        }
    }

    // MARK: - Starting

    /// Queues an attempt with an id that is not held.
    mutating func add(_ dispatch: Dispatch, _ arguments: RawJSON, tool: Int, window: Int) {
        let milliseconds = dispatch.timeoutMilliseconds ?? tools[tool].timeoutMilliseconds
        let attempt = Attempt(
            dispatch,
            arguments,
            tool: tool,
            timeout: milliseconds.map { .milliseconds($0) },
            window: SendWindow(bytes: window)
        )
        table.add(attempt)
    }

    /// Starts what may run; nothing without a session: it is not known what is still wanted.
    mutating func startQueued(over channel: Channel, in turn: inout WorkerTurn) {
        guard channel.isOpen else { return }
        while let (attempt, index) = table.startNext() {
            touched.append(Touched(index: index, sequence: attempt.sequence, started: turn.now))
            turn.append(
                .startAttempt(
                    WorkerMachine.AttemptStart(
                        attempt: attempt.id,
                        node: attempt.node,
                        tool: tools[attempt.tool].name,
                        arguments: attempt.arguments,
                        number: attempt.id.number,
                        timeout: attempt.timeout,
                        maxOutput: attempt.maxOutput,
                        traceParent: attempt.traceParent
                    )
                )
            )
        }
    }

    /// Tells of the attempts that were started in this turn and still run, begins their time, and
    /// passes on what running ones said of themselves.
    mutating func endTurn(over channel: Channel, in turn: inout WorkerTurn) {
        for entry in touched {
            let index = entry.index
            guard table.has(entry.sequence, at: index), table[index].isRunning else { continue }
            if let started = entry.started {
                table.noteStart(at: index)
                announceStart(at: index, over: channel, in: &turn)
                if let timeout = table[index].timeout {
                    timeouts.add(started + timeout, entry.sequence, at: index)
                }
            }
            if let progress = table[index].progress {
                table[index].progress = nil
                if channel.isOpen { turn.send(.progress(progress)) }
            }
        }
        touched.removeAll(keepingCapacity: true)
        timeouts.prune(table)
    }

    private mutating func announceStart(
        at index: Int,
        over channel: Channel,
        in turn: inout WorkerTurn
    ) {
        guard channel.isOpen, !table[index].isAnnounced, !table[index].isAbandoned else { return }
        table[index].isAnnounced = true
        turn.send(.started(Started(attempt: table[index].id)))
    }

    /// The coordinator learns in another way than by `started` that the attempt runs.
    mutating func noteAnnounced(_ id: AttemptID) {
        guard let index = table.index(of: id), table[index].isRunning else { return }
        table[index].isAnnounced = true
    }

    // MARK: - Running

    /// The index of an attempt whose tool has reported something.
    private func runningIndex(of id: AttemptID) -> Int {
        guard let index = table.index(of: id), table[index].isRunning else {
            preconditionFailure("the tool of \(id), which does not run, reported something")
        }
        return index
    }

    mutating func handleOutput(
        _ id: AttemptID,
        _ stream: ChunkStream,
        _ bytes: [UInt8],
        over channel: Channel,
        in turn: inout WorkerTurn
    ) {
        let index = runningIndex(of: id)
        announceStart(at: index, over: channel, in: &turn)
        let isWanted = channel.isOpen && !table[index].isAbandoned
        table[index].output.send(
            bytes,
            stream,
            of: id,
            isWanted: isWanted,
            largest: channel.chunkBytes,
            in: &turn
        )
    }

    mutating func handleProgress(_ progress: Progress) {
        let index = runningIndex(of: progress.attempt)
        if table[index].progress == nil {
            touched.append(Touched(index: index, sequence: table[index].sequence, started: nil))
        }
        table[index].progress = progress
    }

    mutating func grant(_ bytes: Int, to id: AttemptID) {
        guard let index = table.index(of: id) else { return }
        table[index].output.window.grant(bytes)
    }

    /// Gives every attempt that many bytes for its chunks.
    mutating func setWindows(_ bytes: Int) {
        table.setWindows(SendWindow(bytes: bytes))
    }

    // MARK: - Ending

    /// The tool of the attempt has ended; returns the attempt if its outcome is wanted.
    mutating func handleEnd(
        _ id: AttemptID,
        _ outcome: ToolOutcome,
        in turn: inout WorkerTurn
    ) -> EndedAttempt? {
        guard let attempt = table.removeRunning(id) else {
            preconditionFailure("the tool of \(id), which does not run, ended")
        }
        let dropped = attempt.output.droppedBytes
        if dropped > 0 { turn.report(.outputDropped(attempt.name, bytes: dropped)) }
        // What it gave back may be enough for tools that lacked something.
        table.resumeAll()
        if attempt.hasTimedOut(with: outcome) {
            return attempt.ended(
                attempt.timeoutOutcome(
                    for: outcome,
                    mayBeRepeated: tools[attempt.tool].mayBeRepeated
                )
            )
        }
        return attempt.ended(outcome.withinDepth)
    }

    /// Ends an attempt as the coordinator asks; returns it if it ends at once with an outcome.
    mutating func cancel(_ cancel: Cancel, in turn: inout WorkerTurn) -> EndedAttempt? {
        guard let index = table.index(of: cancel.attempt) else { return nil }
        let isRecall = cancel.reason == Cancel.recalled
        guard case .running(let stop) = table[index].state else {
            guard isRecall else { return table.remove(at: index).ended(.cancelledBeforeStart) }
            reject(at: index, Refusal(.recalled), in: &turn)
            return nil
        }
        // A recalled attempt is to run elsewhere; this one runs already.
        guard !isRecall, stop != .abandoned else { return nil }
        table[index].stop(cancel.reason == Cancel.timeout ? .timedOut : .cancelled)
        let grace: Duration = .milliseconds(max(0, cancel.graceMilliseconds))
        turn.append(.cancelAttempt(cancel.attempt, grace: grace))
        return nil
    }

    /// Cancels everything that runs.
    mutating func cancelRunning(in turn: inout WorkerTurn) {
        for index in table.indexesInOrder where table[index].isRunning {
            table[index].stop(.cancelled)
            turn.append(.cancelAttempt(table[index].id, grace: cancelGrace))
        }
    }

    /// Gives up an attempt whose outcome nobody wants.
    mutating func abandon(_ id: AttemptID, in turn: inout WorkerTurn) {
        guard let index = table.index(of: id), !table[index].isAbandoned else { return }
        turn.report(.abandoned(table[index].name))
        if table[index].isQueued {
            table.remove(at: index)
        } else {
            table[index].stop(.abandoned)
            turn.append(.cancelAttempt(id, grace: cancelGrace))
        }
    }

    private mutating func reject(at index: Int, _ refusal: Refusal, in turn: inout WorkerTurn) {
        turn.reject(table.remove(at: index).name, refusal)
    }

    /// Rejects all that waits, or all that waits for one tool.
    mutating func rejectQueued(
        ofTool tool: Int? = nil,
        _ refusal: Refusal,
        in turn: inout WorkerTurn
    ) {
        guard table.queued > 0 else { return }
        for index in table.indexesInOrder
        where table[index].isQueued && (tool == nil || table[index].tool == tool) {
            reject(at: index, refusal, in: &turn)
        }
    }

    // MARK: - Not starting

    /// The tool of the attempt could not be started; returns the attempt if that is its outcome.
    ///
    /// If only something scarce was lacking, the attempt waits or is rejected: it surely never ran.
    mutating func handleNotStarted(
        _ id: AttemptID,
        _ problem: WorkerMachine.StartProblem,
        drainReason: String?,
        over channel: Channel,
        in turn: inout WorkerTurn
    ) -> EndedAttempt? {
        let index = runningIndex(of: id)
        let tool = table[index].tool
        let reason = problem.failure.message
        switch table[index].state {
        case .running(nil) where problem.isShortage:
            if let drainReason {
                reject(at: index, Refusal(.draining, drainReason), in: &turn)
            } else if channel.isOpen, table.isOutOfPatience(tool: tool, at: turn.now) {
                handBack(at: index, Refusal(.busy, reason, isShortage: true), in: &turn)
            } else if table.requeue(at: index, problem.arguments, at: turn.now) {
                turn.report(.stalled(tool: tools[tool].name, reason: reason))
            }
            return nil
        case .running(nil):
            return table.remove(at: index).ended(.notRun(problem.failure))
        default:
            return table.remove(at: index).ended(.cancelledBeforeStart)
        }
    }

    /// Hands back the attempt and all others that wait for its tool: another worker may be able to
    /// start them, which only the coordinator knows.
    private mutating func handBack(
        at index: Int,
        _ refusal: Refusal,
        in turn: inout WorkerTurn
    ) {
        let tool = table[index].tool
        reject(at: index, refusal, in: &turn)
        if table.noteHandBack(ofTool: tool) {
            rejectQueued(ofTool: tool, refusal, in: &turn)
        }
        table.resume(tool: tool)
    }

    // MARK: - Time

    /// When `handleDeadline` is due.
    var deadline: Instant? { timeouts.earliest.orEarlier(table.resumeDeadline) }

    mutating func handleDeadline(over channel: Channel, in turn: inout WorkerTurn) {
        while let index = timeouts.popReached(at: turn.now, table) {
            guard case .running(nil) = table[index].state else { continue }
            let id = table[index].id
            table[index].stop(.timedOut)
            turn.report(.timedOut(table[index].name))
            turn.append(.cancelAttempt(id, grace: cancelGrace))
        }
        guard let resume = table.resumeDeadline, resume <= turn.now else { return }
        table.resumeAll()
        startQueued(over: channel, in: &turn)
    }

    /// What is wrong with the attempts; nil if nothing is.
    func flaw(isOpen: Bool) -> String? { table.flaw(isOpen: isOpen) }
}
