// Runs of a client: submits a plan whole or in batches, and follows the events.
public import Core
internal import JSON
internal import Plans
internal import Transport
internal import UVLoop
public import Wire

/// A submission until the coordinator has the whole plan.
struct PendingSubmission {
    var number: Int
    var level: WatchLevel?
    var run: RunID?
    /// The part of a streamed plan that is not sent yet.
    var batches: PlanBatches?
    /// The source of the rest of its text.
    var rest: (any PlanText)?
    var isReading = false
    var handler: (RunUpdate) -> Void
}

/// A run whose events arrive.
struct FollowedRun {
    var number: Int
    var handler: (RunUpdate) -> Void
}

extension CoordinatorClient {
    /// Submits a plan.
    ///
    /// A plan that fits is sent in one message; a larger one in batches, as fast as the coordinator
    /// accepts them.
    ///
    /// - Parameters:
    ///   - submission: The plan and how to run it.
    ///   - rest: The text after the submission's plan, which then is only a beginning. It is read
    ///     while the nodes before it already run; a problem found late fails the run.
    ///   - handler: Called with `accepted`, `planComplete` and the requested events; the terminal
    ///     event, `failed`, or without a watch `planComplete` is the last.
    public func submit(
        _ submission: Submission,
        rest: (any PlanText)? = nil,
        handler: @escaping (RunUpdate) -> Void
    ) {
        guard !isClosed else { return refuseClosed { handler(.failed($0)) } }
        precondition(submissions[submission.key] == nil, "a key is under way only once")
        var message = Submit(
            key: submission.key,
            plan: submission.hasPlan && rest == nil ? wholePlan(submission.plan) : nil,
            goal: submission.goal,
            retry: submission.retry,
            planner: submission.planner,
            join: submission.join,
            tools: submission.tools,
            approve: submission.approve,
            budget: submission.budget,
            onMissingTool: submission.onMissingTool,
            watch: submission.watch,
            label: submission.label,
            traceParent: submission.traceParent
        )
        var pending = PendingSubmission(
            number: nextNumber(),
            level: submission.watch,
            handler: handler
        )
        if message.plan == nil, submission.hasPlan {
            message.isStreamed = true
            let room = welcome.limits.largestInline
            pending.rest = rest
            pending.batches = PlanBatches(
                text: submission.plan,
                isWhole: rest == nil,
                bytesPerBatch: min(Self.bytesPerBatch, room),
                largestNode: max(room, welcome.limits.maxLine - Self.roomForFields)
            )
        }
        submissions[submission.key] = pending
        connection.send(.submit(message))
    }

    /// Submits what a message says, with its whole plan in it; the updates are those of
    /// ``submit(_:rest:handler:)``.
    package func submit(_ message: Submit, handler: @escaping (RunUpdate) -> Void) {
        guard !isClosed else { return refuseClosed { handler(.failed($0)) } }
        precondition(submissions[message.key] == nil, "a key is under way only once")
        precondition(!message.isStreamed, "the plan is in the message")
        submissions[message.key] = PendingSubmission(
            number: nextNumber(),
            level: message.watch,
            handler: handler
        )
        connection.send(.submit(message))
    }

    /// Follows a run: first the events that are still kept, then new ones.
    ///
    /// A run is followed once on a connection; following it again replaces the handler.
    ///
    /// - Parameters:
    ///   - run: The run.
    ///   - from: The event to begin with; nil for the oldest kept.
    ///   - level: Which events.
    ///   - handler: Called with the events; the terminal one, or `failed`, is the last update.
    public func watch(
        _ run: RunID,
        from: Int? = nil,
        level: WatchLevel = .nodes,
        handler: @escaping (RunUpdate) -> Void
    ) {
        guard !isClosed else { return refuseClosed { handler(.failed($0)) } }
        let number = nextNumber()
        watches[number] = run
        followed[run] = FollowedRun(number: number, handler: handler)
        connection.send(.watch(Watch(run: run, from: from, level: level, request: number)))
    }

    /// Bytes of nodes in one line.
    private static var bytesPerBatch: Int { 256 << 10 }
    /// Characters of the reason for aborting a plan.
    private static var longestReason: Int { 4_000 }
    /// Bytes reserved in a line for everything except the nodes.
    private static var roomForFields: Int { 32 << 10 }
    /// Batches sent before other events of the loop get their turn.
    private static var batchesPerTurn: Int { 8 }
    /// Unsent bytes at which batches wait.
    private static var highWater: Int { 1 << 20 }

    /// The plan in the form for one message, or nil if it does not fit.
    private func wholePlan(_ document: [UInt8]) -> RawJSON? {
        guard document.count <= welcome.limits.maxLine,
            let plan = try? RawJSON(validating: document[...]),
            plan.count <= welcome.limits.largestInline, plan.depth < JSONLimits.depth
        else { return nil }
        return plan
    }

    // MARK: - Sending plans

    /// Sends further batches while there is room.
    func sendPlans() {
        guard !isClosed else { return }
        let growing = submissions.filter { $0.value.run != nil && $0.value.batches != nil }
        for (key, _) in growing.sorted(by: { $0.value.number < $1.value.number }) {
            sendNodes(key)
        }
    }

    private func sendNodes(_ key: String) {
        // The outbox reports when it is empty, at the latest at the end of the turn.
        for _ in 0..<Self.batchesPerTurn where connection.unsentBytes < Self.highWater {
            do throws(PlanProblems) {
                guard let batch = try submissions[key]?.batches?.nextBatch() else {
                    return readOn(key)
                }
                connection.send(
                    .nodes(
                        Nodes(
                            key: key,
                            tasks: batch.tasks,
                            isLast: batch.isLast,
                            joinInstruction: batch.joinInstruction
                        )
                    )
                )
                guard batch.isLast else { continue }
                submissions[key]?.batches = nil
                addBarrier(about: key) { [weak self] result in
                    if case .success = result { self?.completePlan(key) }
                }
                return
            } catch {
                return breakOff(key, ClientError(error))
            }
        }
    }

    /// Reads more of a plan's text if its batches wait for it, and continues when it arrives.
    private func readOn(_ key: String) {
        guard let submission = submissions[key], submission.batches?.needsText == true,
            let rest = submission.rest, !submission.isReading
        else { return }
        submissions[key]?.isReading = true
        rest.read { [weak self] result in
            // The run or the connection may have ended meanwhile.
            guard let self, submissions[key] != nil else { return }
            submissions[key]?.isReading = false
            switch result {
            case .success(let piece):
                submissions[key]?.batches?.addText(piece)
                sendNodes(key)
            case .failure(let error):
                breakOff(key, error)
            }
        }
    }

    /// Aborts a submission whose plan cannot be sent completely.
    private func breakOff(_ key: String, _ error: ClientError) {
        // By its key, which is known even if the run's id is not.
        let reason = String(error.message.prefix(Self.longestReason))
        connection.send(.nodes(Nodes(key: key, tasks: [], brokenOff: reason)))
        failSubmission(key, error)
    }

    private func completePlan(_ key: String) {
        submissions.removeValue(forKey: key)?.handler(.planComplete)
    }

    func failSubmission(_ key: String, _ error: ClientError) {
        guard let submission = submissions.removeValue(forKey: key) else { return }
        if let run = submission.run { followed[run] = nil }
        submission.handler(.failed(error))
    }

    // MARK: - Events of runs

    func receive(_ accepted: Accepted) {
        guard let submission = submissions[accepted.key], submission.run == nil else { return }
        submissions[accepted.key]?.run = accepted.run
        if submission.level != nil {
            followed[accepted.run] = FollowedRun(
                number: submission.number,
                handler: submission.handler
            )
        }
        submission.handler(.accepted(accepted))
        guard !isClosed else { return }
        if submission.batches == nil || accepted.isExisting {
            completePlan(accepted.key)
        } else {
            sendNodes(accepted.key)
        }
    }

    func receive(_ event: EventMessage) {
        guard let run = followed[event.run] else { return }
        watches[run.number] = nil
        if event.isTerminal {
            followed[event.run] = nil
            // A run may end before its plan is complete.
            for (key, submission) in submissions where submission.run == event.run {
                submissions[key] = nil
            }
        }
        run.handler(.event(event))
    }
}
