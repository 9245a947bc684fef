// Attempts whose tool could not be started, and tools that come and go. What surely never ran is
// either kept queued, when only something scarce was lacking, or handed back to the coordinator.
internal import Core
internal import JSON
internal import Wire

extension WorkerMachine {
    /// How often tools are looked at while all can run, and while some cannot.
    private static let toolCheckPause: Duration = .seconds(30)
    private static let missingToolCheckPause: Duration = .seconds(3)
    /// The least pause between two looks.
    private static let leastToolCheckPause: Duration = .milliseconds(500)

    // MARK: - Attempts

    mutating func attemptNotStarted(
        _ id: AttemptID,
        _ problem: StartProblem,
        at now: Instant,
        into actions: inout [Action]
    ) {
        let index = runningIndex(of: id)
        guard case .running(let stop) = attempts[index].state else { return }
        let tool = attempts[index].tool
        running -= 1
        if stop == nil, problem.isShortage, draining == nil {
            // Nobody can take it while there is no session.
            if isReady, stalls.isOutOfPatience(tool: tool, at: now) {
                handBack(at: index, problem, into: &actions)
            } else {
                wait(at: index, problem, at: now, into: &actions)
            }
        } else {
            queue.ended(tool: tool)
            giveBack(at: index, stop, problem, at: now, into: &actions)
            if !problem.isShortage { checkToolsSoon(at: now) }
        }
        startQueued(at: now, into: &actions)
    }

    /// Queues the attempt again: something scarce was lacking that may come back.
    private mutating func wait(
        at index: Int,
        _ problem: StartProblem,
        at now: Instant,
        into actions: inout [Action]
    ) {
        let tool = attempts[index].tool
        attempts[index].state = .queued
        attempts[index].arguments = problem.arguments
        queued += 1
        if stalls.failed(tool: tool, at: now) {
            let name = configuration.tools[tool].name
            actions.append(.report(.stalled(tool: name, reason: problem.failure.message)))
        }
        queue.pause(tool: tool)
        queue.putBack(
            StartQueue.Ticket(sequence: attempts[index].sequence, index: index, tool: tool)
        )
    }

    /// Hands back the attempt and all others that wait for its tool: another worker may be able to
    /// start them, which only the coordinator knows.
    private mutating func handBack(
        at index: Int,
        _ problem: StartProblem,
        into actions: inout [Action]
    ) {
        let tool = attempts[index].tool
        let id = attempts[index].id
        let reason = problem.failure.message
        queue.ended(tool: tool)
        attempts.remove(at: index)
        reject(id, .busy, isShortage: true, reason, into: &actions)
        if stalls.handedBack(tool: tool) {
            for other in attempts.inOrder()
            where attempts[other].isQueued && attempts[other].tool == tool {
                let id = attempts[other].id
                unqueue(at: other)
                attempts.remove(at: other)
                reject(id, .busy, isShortage: true, reason, into: &actions)
            }
        }
        queue.resume(tool: tool)
    }

    /// Ends the attempt without a start.
    private mutating func giveBack(
        at index: Int,
        _ stop: Attempt.Stop?,
        _ problem: StartProblem,
        at now: Instant,
        into actions: inout [Action]
    ) {
        let id = attempts[index].id
        var failure = problem.failure
        switch stop {
        case .abandoned:
            attempts.remove(at: index)
            return
        case .cancelled, .timedOut:
            failure = Failure(code: .cancelled, message: "It was cancelled before it began.")
        case nil:
            if let draining, problem.isShortage {
                attempts.remove(at: index)
                return reject(id, .draining, draining.reason, into: &actions)
            }
        }
        keep(
            Attempt.Finished(outcome: .failure(failure), isTruncated: false, microseconds: 0),
            at: index,
            into: &actions
        )
    }

    /// Something has ended: what it gave back may be enough.
    mutating func resumeStalled() {
        guard !stalls.isEmpty else { return }
        for tool in stalls.pausing { resume(tool: tool) }
    }

    mutating func retryStalled(at now: Instant, into actions: inout [Action]) {
        guard let earliest = stalls.earliest, earliest <= now else { return }
        for tool in stalls.pausing { resume(tool: tool) }
        startQueued(at: now, into: &actions)
    }

    private mutating func resume(tool: Int) {
        stalls.retry(tool: tool)
        queue.resume(tool: tool)
    }

    // MARK: - Tools

    /// The tools that can run now.
    var offered: [ToolDescription] {
        guard !withheld.isEmpty else { return configuration.tools }
        let missing = Set(withheld.map(\.name))
        return configuration.tools.filter { !missing.contains($0.name) }
    }

    mutating func checkTools(at now: Instant, into actions: inout [Action]) {
        guard configuration.hasChangingTools else { return }
        lastToolCheck = now
        nextToolCheck = nil
        actions.append(.checkTools)
    }

    /// A tool could not be started: it may be gone.
    private mutating func checkToolsSoon(at now: Instant) {
        guard configuration.hasChangingTools else { return }
        let due = max(now, (lastToolCheck ?? .zero) + Self.leastToolCheckPause)
        nextToolCheck = min(nextToolCheck ?? due, due)
    }

    mutating func toolsChecked(
        _ found: [WithheldTool],
        at now: Instant,
        into actions: inout [Action]
    ) {
        let due = now + (found.isEmpty ? Self.toolCheckPause : Self.missingToolCheckPause)
        nextToolCheck = min(nextToolCheck ?? due, due)
        guard found != withheld else { return }
        let before = Set(withheld.map(\.name))
        let after = Set(found.map(\.name))
        for tool in found where !before.contains(tool.name) {
            actions.append(.report(.withheld(tool)))
        }
        for tool in withheld where !after.contains(tool.name) {
            actions.append(.report(.offeredAgain(tool: tool.name)))
        }
        withheld = found
        announceOffer(into: &actions)
    }

    /// Tells the coordinator what has changed since it was told last.
    mutating func announceOffer(into actions: inout [Action]) {
        guard isReady, withheld != announcedWithheld else { return }
        announcedWithheld = withheld
        let offer = Offer(slots: configuration.slots, tools: offered, withheld: withheld)
        actions.append(.send(.offer(offer)))
    }
}
