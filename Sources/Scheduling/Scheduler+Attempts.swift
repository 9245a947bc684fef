// Attempts: what happens to a node when its current attempt starts, ends, is refused or lost.
// Outcomes of earlier attempts change nothing. Failure class and policy decide, never text.

public import Core

extension Scheduler {
    mutating func start(_ attempt: AttemptID, _ worker: WorkerID, _ now: Instant) {
        guard let node = locate(attempt, on: worker) else { return }
        switch record(node).state {
        case .leased: break
        // The recall came too late; the attempt goes on as if nothing had been asked.
        case .cancelling where record(node).cancelReason == .recalled: break
        default: return
        }
        move(node, to: .running(worker))
        update(node) { $0.rejections = 0 }
        noteBeginning(of: node, on: worker)
        if let timeout = timeout(of: node, on: worker) {
            // The worker ends the attempt itself; this is for workers that do not.
            times.add(
                Deadline(
                    at: now + timeout + limits.answerMargin,
                    attempt: attempt,
                    meaning: .overdue
                )
            )
        }
    }

    mutating func succeed(
        _ attempt: AttemptID,
        _ worker: WorkerID,
        _ microseconds: Int?,
        _ actions: inout [Action]
    ) {
        guard let node = locate(attempt, on: worker) else { return }
        if let microseconds {
            let index = placement(of: node)
            if classes[index].observe(microseconds: microseconds, limits: limits) {
                classes.open(index)
            }
        }
        noteBeginning(of: node, on: worker)
        unassign(node, from: worker)
        if let slot = slot(of: worker) { workers[slot].pause.count = 0 }
        settle(node, .succeeded, &actions)
    }

    mutating func fail(
        _ attempt: AttemptID,
        _ worker: WorkerID,
        _ failure: Failure,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        guard let node = locate(attempt, on: worker) else { return }
        if failure.code == .spawnFailed, failure.isRetryable {
            return refuseStart(attempt, node, worker, failure, now, &actions)
        }
        noteBeginning(of: node, on: worker)
        if failure.code == .cancelled, record(node).cancelReason == nil, isDraining(worker) {
            // Its worker ended it because the time of the drain was over.
            return loseAndRetry(node, on: worker, isPlanned: true, &actions)
        }
        let offer = offer(for: node, on: worker)
        let wasTimeout = record(node).cancelReason == .timeout
        unassign(node, from: worker)
        guard !runs[Int(node.run)].isCancelled else {
            return settle(node, .cancelled, &actions)
        }
        if record(node).cancelReason == .recalled, failure.code == .cancelled {
            // It had begun after all, so it counts as a refused attempt only if it may run twice.
            return offer.isIdempotent
                ? requeue(attempt, node, .recalled, &actions)
                : settle(node, .failed(failure), &actions)
        }
        let failure = wasTimeout && failure.code == .cancelled ? timeoutFailure(node) : failure
        update(node) { $0.failures += 1 }
        if mayRetry(node, after: failure, offer) {
            avoid(worker, for: node)
            backOff(node, attempt, failure, .failed, now, &actions)
        } else {
            settle(node, .failed(failure), &actions)
        }
    }

    mutating func reject(
        _ attempt: AttemptID,
        _ worker: WorkerID,
        _ rejection: Rejection,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        guard let node = locate(attempt, on: worker) else { return }
        if rejection == .returned(.undelivered), hasBegun(node) {
            return loseAndRetry(node, on: worker, &actions)
        }
        if rejection == .unknownTool {
            let failure = Failure(
                code: .unknownTool,
                message: "its worker does not have the tool",
                isRetryable: true
            )
            return refuseStart(attempt, node, worker, failure, now, &actions)
        }
        unassign(node, from: worker)
        guard !runs[Int(node.run)].isCancelled else {
            return settle(node, .cancelled, &actions)
        }
        if case .returned(let reason) = rejection {
            if reason == .busy { pause(worker, now) }
            return requeue(attempt, node, reason, &actions)
        }
        update(node) { $0.rejections += 1 }
        let count = Int(record(node).rejections)
        let failure = Failure(
            code: .workerLost,
            message: "workers refused the node \(count) times, the last one because it drains",
            isRetryable: true
        )
        if count >= limits.rejectionsPerNode {
            settle(node, .failed(failure), &actions)
        } else {
            backOff(node, attempt, failure, .refused, now, &actions)
        }
    }

    /// The attempt counts as never made; another one follows at once.
    private mutating func requeue(
        _ attempt: AttemptID,
        _ node: NodeSlot,
        _ reason: ReturnReason,
        _ actions: inout [Action]
    ) {
        actions.append(.publishReturned(attempt, reason))
        makeReady(node)
    }

    /// The attempt counts as never made; its node waits until it may run.
    mutating func withhold(
        _ attempt: AttemptID,
        _ worker: WorkerID,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        guard let node = locate(attempt, on: worker) else { return }
        guard case .leased = record(node).state else {
            return reject(attempt, worker, .returned(.undelivered), now, &actions)
        }
        unassign(node, from: worker)
        guard !runs[Int(node.run)].isCancelled else {
            return settle(node, .cancelled, &actions)
        }
        update(node) {
            $0.neverRan += 1
            $0.lacksArguments = true
        }
        move(node, to: .waiting)
        readyIfFree(node, &actions)
    }

    mutating func forget(
        _ attempt: AttemptID,
        _ worker: WorkerID,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        guard let node = locate(attempt, on: worker) else { return }
        loseAndRetry(node, on: worker, &actions)
    }

    /// One attempt is lost while its worker stays, or leaves as `isPlanned`.
    mutating func loseAndRetry(
        _ node: NodeSlot,
        on worker: WorkerID,
        isPlanned: Bool = false,
        _ actions: inout [Action]
    ) {
        let mayGoOn = loseAttempt(
            of: node,
            on: worker,
            isMainSuspect: true,
            isPlanned: isPlanned,
            &actions
        )
        if mayGoOn { makeReady(node) }
    }

    /// The attempt's worker is gone or does not know it: whether it ran is unknown.
    ///
    /// Says whether the node may run again; the caller makes it ready. A loss that was planned is
    /// not held against the node. One that many were there at is, but the node fails for it only
    /// when it is the main suspect, or when there were very many of them.
    mutating func loseAttempt(
        of node: NodeSlot,
        on worker: WorkerID,
        isMainSuspect: Bool,
        isPlanned: Bool = false,
        _ actions: inout [Action]
    ) -> Bool {
        let attempt = currentAttempt(of: node)
        let offer = offer(for: node, on: worker)
        let name = slot(of: worker).map { workers[$0].profile.name } ?? worker.description
        unassign(node, from: worker)
        guard !runs[Int(node.run)].isCancelled else {
            settle(node, .cancelled, &actions)
            return false
        }
        if !isPlanned { update(node) { $0.workersLost += 1 } }
        let lost = Int(record(node).workersLost)
        guard offer.isIdempotent else {
            let failure = Failure(
                code: .outcomeUnknown,
                message: "worker \(name) \(isPlanned ? "ended" : "was lost during") attempt "
                    + "\(attempt.number), and the tool is not idempotent: whether it took effect "
                    + "is unknown"
            )
            settle(node, .failed(failure), &actions)
            return false
        }
        let failure = Failure(
            code: .workerLost,
            message: "worker \(name) \(isPlanned ? "ended" : "was lost during") attempt "
                + "\(attempt.number)"
                + (lost > 1 ? "; \(lost) workers were lost with this node" : ""),
            isRetryable: true
        )
        let isTooMany =
            lost >= (isMainSuspect ? limits.workersLostPerNode : limits.sharedLossesPerNode)
        guard isPlanned || !isTooMany else {
            settle(node, .failed(failure), &actions)
            return false
        }
        let cause: RetryCause = isPlanned ? .workerEnded : .workerLost
        actions.append(.publishRetry(attempt, failure, after: .zero, cause))
        return true
    }

    // MARK: - Retries

    private func mayRetry(
        _ node: NodeSlot,
        after failure: Failure,
        _ offer: ToolOffer
    ) -> Bool {
        let record = record(node)
        let limit = record.maxAttempts > 0 ? Int(record.maxAttempts) : offer.maxAttempts
        switch failure.code {
        case .timeout, .workerLost:
            return offer.isIdempotent && failure.isRetryable && Int(record.failures) < limit
        default:
            return failure.isRetryable && Int(record.failures) < limit
        }
    }

    private mutating func backOff(
        _ node: NodeSlot,
        _ attempt: AttemptID,
        _ failure: Failure,
        _ cause: RetryCause,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        let record = record(node)
        let doublings = min(max(Int(record.failures), Int(record.rejections)) - 1, 20)
        let full = min(limits.firstBackoff * (1 << max(doublings, 0)), limits.longestBackoff)
        // Between half and all of it, so that what failed together does not return together.
        let delay = full * Double.random(in: 0.5...1, using: &generator)
        let until = now + delay
        move(node, to: .backingOff(until: until))
        times.add(Deadline(at: until, attempt: attempt, meaning: .backoff))
        actions.append(.publishRetry(attempt, failure, after: delay, cause))
    }

    // MARK: - What is known of an attempt

    func offer(for node: NodeSlot, on worker: WorkerID) -> ToolOffer {
        guard let worker = slot(of: worker) else { return ToolOffer() }
        let tool = classes[placement(of: node)].tool
        return workers[worker].tools.offered[tool] ?? workers[worker].tools.withdrawn[tool]
            ?? ToolOffer()
    }

    /// The time that the attempt may take on its worker, or nil for no limit.
    ///
    /// Goes into its dispatch; nil also for an attempt that is not current.
    public func timeout(of attempt: AttemptID, on worker: WorkerID) -> Duration? {
        locate(attempt, on: worker).flatMap { timeout(of: $0, on: worker) }
    }

    func timeout(of node: NodeSlot, on worker: WorkerID) -> Duration? {
        guard let worker = slot(of: worker) else {
            let own = record(node).timeoutMilliseconds
            return own > 0 ? .milliseconds(Int(own)) : nil
        }
        return terms(of: node, on: worker).timeout
    }

    /// How long the node's attempt may take on a worker, and whether it may run twice.
    func terms(
        of node: NodeSlot,
        on worker: Int
    ) -> (timeout: Duration?, isRepeatable: Bool) {
        let own = record(node).timeoutMilliseconds
        let limit: Duration? = own > 0 ? .milliseconds(Int(own)) : nil
        let tool = classes[placement(of: node)].tool
        // By index: little is copied, for each dispatch.
        if let index = workers[worker].tools.offered.index(forKey: tool) {
            let timeout = workers[worker].tools.offered.values[index].timeout
            return (limit ?? timeout, workers[worker].tools.offered.values[index].isIdempotent)
        }
        let offer = workers[worker].tools.withdrawn[tool]
        return (limit ?? offer?.timeout, offer?.isIdempotent ?? false)
    }

    private func isDraining(_ worker: WorkerID) -> Bool {
        slot(of: worker).map { workers[$0].isDraining } ?? false
    }

    /// The worker was able to start the node's tool.
    private mutating func noteBeginning(of node: NodeSlot, on worker: WorkerID) {
        guard let worker = slot(of: worker), !workers[worker].tools.cooling.isEmpty else { return }
        warmUp(classes[placement(of: node)].tool, on: worker)
    }

    /// Whether the worker said that it began the current attempt.
    func hasBegun(_ node: NodeSlot) -> Bool {
        switch record(node).state {
        case .running: true
        case .cancelling: record(node).cancelReason == .timeout
        default: false
        }
    }

    func timeoutFailure(_ node: NodeSlot) -> Failure {
        Failure(code: .timeout, message: "the attempt took longer than it may", isRetryable: true)
    }
}
