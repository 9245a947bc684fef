// Everything that the worker holds for the coordinator: attempts from their dispatch until their
// results are acknowledged. Routes between those that have not ended and the results of the others.
internal import Core
internal import Wire

/// The attempts that a worker holds, and the arguments on their way to it.
///
/// An attempt is either active or has a kept result, never both.
struct HeldAttempts: Sendable {
    /// The longest entry of `in_flight`: `{"attempt":"…","state":"running"},`.
    private static let inFlightBytes = 72

    private let slots: Int
    private let queueLimit: Int
    /// Bytes of results beyond which no attempt is taken on.
    private let maximumKept: Int
    private var incoming: IncomingArguments
    private var active: ActiveAttempts
    private var results = KeptResults()

    init(_ configuration: WorkerConfiguration) {
        slots = configuration.slots
        queueLimit = configuration.queueLimit
        maximumKept = configuration.limits.maxValue
        incoming = IncomingArguments(
            maximumBytes: configuration.limits.maxValue,
            maximumCount: configuration.slots + configuration.queueLimit
        )
        active = ActiveAttempts(configuration)
    }

    /// Tools have changed, come or gone: each with its position.
    ///
    /// What waits for a tool that has gone is rejected; what runs goes on.
    mutating func setTools(
        _ changes: [(index: Int, tool: ToolDescription)],
        without gone: [Int],
        over channel: Channel,
        in turn: inout WorkerTurn
    ) {
        active.setTools(changes)
        if channel.isOpen {
            let refusal = Refusal(.unknownTool, "The worker no longer has the tool.")
            for tool in gone { active.rejectQueued(ofTool: tool, refusal, in: &turn) }
        }
        active.startQueued(over: channel, in: &turn)
    }

    var isEmpty: Bool { active.count + results.count == 0 }

    var counts: (queued: Int, running: Int, done: Int) {
        (active.queued, active.running, results.count)
    }

    /// Bytes of arguments whose dispatch has not come yet.
    var incomingBytes: Int { incoming.bytes }

    /// All of them in the order they were taken on.
    private var inOrder: [HeldAttempt] {
        guard results.count > 0 else { return active.inOrder }
        return (active.inOrder + results.all).sorted { $0.sequence < $1.sequence }
    }

    /// The attempts that a run may wait for, in the order they were taken on.
    var wanted: [AttemptID] {
        inOrder.filter { $0.state != .abandoned }.map(\.id)
    }

    // MARK: - Taking on

    /// How many attempts may be held: as many as `register` can list in the other half of its line,
    /// but no fewer than the slots.
    private func heldLimit(_ channel: Channel) -> Int {
        max(slots, channel.limits.maxLine / 2 / Self.inFlightBytes)
    }

    /// How many attempts beyond its slots it takes on: as `register` says.
    func queueLimit(over channel: Channel) -> Int {
        min(queueLimit, heldLimit(channel) - slots)
    }

    mutating func handleDispatch(
        _ dispatch: Dispatch,
        tool: Int?,
        drainReason: String?,
        over channel: Channel,
        in turn: inout WorkerTurn
    ) {
        let id = dispatch.attempt
        // A dispatch that comes twice is no fault.
        let isHeld = active.holds(id) || results.holds(id)
        if isHeld, !active.isAbandoned(id) { return }
        do throws(Refusal) {
            if isHeld {
                // The abandoned one may belong to an earlier coordinator.
                incoming.remove(id)
                throw Refusal(.busy, "An earlier attempt of this id still ends.")
            }
            let arguments = try incoming.finish(dispatch.arguments, of: id)
            if let drainReason { throw Refusal(.draining, drainReason) }
            guard let tool else {
                throw Refusal(.unknownTool, "There is no tool \(dispatch.tool) here.")
            }
            guard hasRoom(over: channel) else {
                throw Refusal(.busy, "As many attempts as possible are held.")
            }
            active.add(dispatch, arguments, tool: tool, window: channel.limits.window)
        } catch {
            return turn.reject(NamedAttempt(id, dispatch.node), error)
        }
        startQueued(over: channel, in: &turn)
    }

    private func hasRoom(over channel: Channel) -> Bool {
        active.count < slots + queueLimit(over: channel)
            && active.count + results.count < heldLimit(channel)
            && results.bytes < maximumKept
    }

    mutating func handleChunk(_ chunk: Chunk) {
        guard case .attempt(let id) = chunk.about, chunk.stream == .arguments,
            !active.holds(id), !results.holds(id)
        else { return }
        incoming.append(chunk, of: id)
    }

    mutating func startQueued(over channel: Channel, in turn: inout WorkerTurn) {
        active.startQueued(over: channel, in: &turn)
    }

    // MARK: - What tools report

    mutating func handleOutput(
        _ id: AttemptID,
        _ stream: ChunkStream,
        _ bytes: [UInt8],
        over channel: Channel,
        in turn: inout WorkerTurn
    ) {
        active.handleOutput(id, stream, bytes, over: channel, in: &turn)
    }

    mutating func handleProgress(_ progress: Progress) {
        active.handleProgress(progress)
    }

    mutating func handleFinished(
        _ id: AttemptID,
        _ outcome: ToolOutcome,
        over channel: Channel,
        in turn: inout WorkerTurn
    ) {
        let ended = active.handleEnd(id, outcome, in: &turn)
        keep(ended, over: channel, in: &turn)
    }

    mutating func handleNotStarted(
        _ id: AttemptID,
        _ problem: WorkerMachine.StartProblem,
        drainReason: String?,
        over channel: Channel,
        in turn: inout WorkerTurn
    ) {
        let ended = active.handleNotStarted(
            id,
            problem,
            drainReason: drainReason,
            over: channel,
            in: &turn
        )
        keep(ended, over: channel, in: &turn)
    }

    /// Keeps the result of an attempt that has ended, if it is wanted, and uses the slot.
    private mutating func keep(
        _ ended: EndedAttempt?,
        over channel: Channel,
        in turn: inout WorkerTurn
    ) {
        if let ended { results.keep(ended, over: channel, in: &turn) }
        startQueued(over: channel, in: &turn)
    }

    // MARK: - What the coordinator says

    mutating func handleCancel(_ cancel: Cancel, over channel: Channel, in turn: inout WorkerTurn) {
        guard active.holds(cancel.attempt) else { return incoming.remove(cancel.attempt) }
        let ended = active.cancel(cancel, in: &turn)
        keep(ended, over: channel, in: &turn)
    }

    mutating func handleAck(_ ack: Ack, in turn: inout WorkerTurn) {
        for id in ack.attempts { results.remove(id) }
        for id in ack.stale where results.remove(id) == nil { active.abandon(id, in: &turn) }
    }

    mutating func handleWindow(_ window: Window, over channel: Channel, in turn: inout WorkerTurn) {
        guard window.bytes > 0 else { return }
        active.grant(window.bytes, to: window.attempt)
        results.grant(window.bytes, to: window.attempt, over: channel, in: &turn)
    }

    mutating func handleWritten(over channel: Channel, in turn: inout WorkerTurn) {
        results.handleWritten(over: channel, in: &turn)
    }

    // MARK: - Sessions

    /// The attempts as `register` lists them.
    mutating func listInFlight(over channel: Channel) -> [InFlight] {
        inOrder.prefix(heldLimit(channel)).compactMap { attempt in
            switch attempt.state {
            case .abandoned:
                return nil
            case .done:
                return InFlight(attempt: attempt.id, state: .done)
            case .queued, .running:
                // Being listed as running is as good as `started`.
                active.noteAnnounced(attempt.id)
                return InFlight(attempt: attempt.id, state: .running)
            }
        }
    }

    /// Goes on where an earlier session ended: drops the attempts that nobody waits for, and sends
    /// the results of the others again.
    ///
    /// Those that a new session does not adopt are among the dropped ones: its coordinator may use
    /// the same ids for something else.
    mutating func resume(
        _ registered: Registered,
        isResumed: Bool,
        over channel: Channel,
        in turn: inout WorkerTurn
    ) {
        for id in registered.abandon { abandon(id, in: &turn) }
        if !isResumed, !isEmpty {
            let adopted = Set(registered.adopt)
            for attempt in inOrder where !adopted.contains(attempt.id) {
                abandon(attempt.id, in: &turn)
            }
        }
        active.setWindows(channel.limits.window)
        results.sendAll(over: channel, in: &turn)
    }

    /// Resets what belongs to one connection.
    mutating func forgetConnection() {
        incoming.removeAll()
        active.setWindows(0)
        results.forgetConnection()
    }

    // MARK: - Giving up

    private mutating func abandon(_ id: AttemptID, in turn: inout WorkerTurn) {
        if let node = results.remove(id) {
            turn.report(.abandoned(NamedAttempt(id, node)))
        } else {
            active.abandon(id, in: &turn)
        }
    }

    /// Gives up all attempts: nobody will ask for their results.
    mutating func abandonAll(in turn: inout WorkerTurn) {
        for attempt in inOrder { abandon(attempt.id, in: &turn) }
    }

    mutating func rejectQueued(_ reason: String, in turn: inout WorkerTurn) {
        active.rejectQueued(Refusal(.draining, reason), in: &turn)
    }

    mutating func cancelRunning(in turn: inout WorkerTurn) {
        active.cancelRunning(in: &turn)
    }

    /// Ends what runs at once, and tells of everything whose outcome the coordinator has not.
    func stop(in turn: inout WorkerTurn) {
        for attempt in inOrder {
            if attempt.state == .running || attempt.state == .abandoned {
                turn.append(.cancelAttempt(attempt.id, grace: .zero))
            }
            if attempt.state != .abandoned {
                turn.report(.lost(NamedAttempt(attempt.id, attempt.node)))
            }
        }
    }

    // MARK: - Time

    /// When `handleDeadline` is due.
    var deadline: Instant? { active.deadline }

    mutating func handleDeadline(over channel: Channel, in turn: inout WorkerTurn) {
        active.handleDeadline(over: channel, in: &turn)
    }

    mutating func endTurn(over channel: Channel, in turn: inout WorkerTurn) {
        active.endTurn(over: channel, in: &turn)
    }

    /// What is wrong with what is held; nil if nothing is.
    func flaw(over channel: Channel) -> String? {
        for result in results.all where active.holds(result.id) {
            return "\(result.id) has a result and has not ended"
        }
        return active.flaw(isOpen: channel.isOpen) ?? results.flaw(isOpen: channel.isOpen)
    }
}
