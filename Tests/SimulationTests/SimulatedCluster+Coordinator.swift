// The coordinator's shell: events in, actions executed, and the checkers that watch.

import Core
import JSON
import Plans
import Runs
import Scheduling
import TestKit
import Wire

@testable import CoordinatorCore

extension SimulatedCluster {
    func tell(_ event: CoordinatorMachine.Event) {
        coordinator.handle(event, at: now, into: &coordinatorActions)
        foldRecords()
        isCoordinatorTouched = true
        carryOutCoordinatorActions()
        coordinatorDue = coordinator.nextDeadline()
    }

    /// What the restored coordinator wants is done, and its turn ends.
    func takeUpRestored() {
        foldRecords()
        isCoordinatorTouched = true
        carryOutCoordinatorActions()
        coordinatorDue = coordinator.nextDeadline()
    }

    func endCoordinatorTurn() {
        guard isCoordinatorTouched, problem == nil else { return }
        isCoordinatorTouched = false
        coordinator.endTurn(at: now, into: &coordinatorActions)
        foldRecords()
        carryOutCoordinatorActions()
        coordinatorDue = coordinator.nextDeadline()
        compareRecords()
        checkTurn(of: coordinator)
    }

    private func foldRecords() {
        for record in coordinator.takeRecords() {
            journal.append(record)
            look(at: record)
            broken(fold.apply(record, at: now))
            broken(texts.record(record))
        }
    }

    /// What happens to nodes that need approval, and to attempts; the run has not changed yet.
    private func look(at record: NewRecord) {
        guard case .run(let id, let record) = record else { return }
        if record.change.endsAttempt, let node = record.change.node {
            resumes.release { attempt, _ in attempt.run == id && attempt.node == node }
        }
        if case .accepted(let acceptance) = record.change {
            let client = clients.first { $0.key == acceptance.key }
            approvals.accept(id, client?.approve ?? [])
        }
        guard let run = fold.run(id) else { return }
        broken(approvals.problem(with: record, of: run))
        switch record.change {
        case .approvalAsked(let node, _):
            let isLate = run.nodes[Int(node)].status == .ready
            faults.note(isLate ? .approvalAskedLate : .approvalAsked)
        case .approved: faults.note(.nodeApproved)
        case .failed(_, let failure) where failure.code == .denied: faults.note(.nodeDenied)
        case .failed(_, let failure) where failure.code == .approvalTimeout:
            faults.note(.approvalTimedOut)
        default: break
        }
    }

    /// The records of a run say all that happened to it.
    private func compareRecords() {
        for id in fold.takeChanged() {
            let run = coordinator.runs.slot(of: id).map { coordinator.runs[$0].state }
            broken(fold.compare(id, with: run))
        }
    }

    /// Executes all actions in order; new ones are appended meanwhile.
    private func carryOutCoordinatorActions() {
        guard !isCarryingOut else { return }
        isCarryingOut = true
        var next = 0
        while next < coordinatorActions.count, problem == nil {
            let action = coordinatorActions[next]
            next += 1
            carryOut(action)
        }
        coordinatorActions.removeAll(keepingCapacity: true)
        isCarryingOut = false
    }

    private func carryOut(_ action: CoordinatorMachine.Action) {
        switch action {
        case .send(let id, let message):
            guard let link = links[id] else { return broken("\(id) is unknown") }
            if case .event(let event) = message { broken(fold.justify(event)) }
            if !link.isOpenForCoordinator {
                return broken("\(message.kind) to \(link.peer), which is closed")
            }
            look(at: message, to: link)
            send(message, over: link, .toPeer)
        case .forgetRun: break
        case .listRuns(let question): tell(.runsListed(question, []))
        case .readNode(let question):
            let wait = draw.duration(.zero ... .milliseconds(3))
            let position = coordinator.recordPosition
            plan(.readNode(question, position: position, seat: seat), after: wait)
        case .loadRun(let wanted):
            plan(.loadRun(wanted, seat: seat), after: draw.duration(.zero ... .milliseconds(3)))
        case .awaitJournal(let id):
            links[id]?.barrier = coordinator.recordPosition
        case .measureBacklog(let id):
            guard let link = links[id] else { return broken("\(id) is unknown") }
            reportBacklog(link)
            plan(.reportBacklog(link), after: .zero)
        case .discardBacklog(let id):
            links[id]?.wire.discard()
            links[id]?.unwritten = []
        case .pauseReading(let id):
            guard let link = links[id], link.isOpenForCoordinator, !link.isHeld else {
                return broken("\(id) cannot be paused")
            }
            faults.note(.questionWaits)
            link.isHeld = true
        case .resumeReading(let id):
            guard let link = links[id], link.isHeld else {
                return broken("\(id) is resumed, but was not paused")
            }
            resume(link)
        case .close(let id), .closeAtOnce(let id):
            guard let link = links[id], link.isOpenForCoordinator else {
                return broken("\(id) was closed twice")
            }
            close(link, from: .toPeer)
        case .raiseLineLimit, .letOthersGoFirst: break
        case .callModel(let call, _, let purpose):
            if coordinator.isDraining { broken("\(call) begins before the end") }
            callModel(call, purpose)
        case .cancelModel(let call): cancelModel(call)
        case .storePlans(let plans): look(at: plans)
        case .dropEndedKeys, .exportRun: break
        case .report(let notice): look(at: notice)
        }
    }

    // MARK: - Looking on

    /// Only plans of goals that were reached are remembered, one for each goal, with their tools.
    private func look(at plans: [RememberedPlan]) {
        if Set(plans.map(\.example.goal)).count < plans.count { broken("a goal has two plans") }
        for plan in plans {
            trace.add(now, "\(plan.name) is remembered: \(plan.example.calls)")
            let called = Set(plan.example.calls.map { String($0.prefix { $0 != "(" }) })
            if called != Set(plan.tools.keys) { broken("\(plan.name) has not all its tools") }
            guard let slot = plan.run.flatMap({ coordinator.runs.slot(of: $0) }) else { continue }
            let run = coordinator.runs[slot].state
            if run.status != .succeeded { broken("\(plan.name) is of a run that \(run.status)") }
        }
    }

    private func look(at notice: CoordinatorMachine.Notice) {
        trace.add(now, "notice \(notice)")
        switch notice {
        case .runEnded(let run, let status, _, _):
            resumes.release { attempt, _ in attempt.run == run }
            broken(runEnds.end(run, status))
            broken(modelCalls.end(run))
            noteEnd(of: run, status)
        case .workerLeft(let name, let reason, let attempts):
            resumes.release { _, process in process.hasPrefix("\(name).") }
            losses.leave(name, with: attempts)
            if attempts > 0 { faults.note(.attemptsLost) }
            if attempts > 0, isOnlyCoordinatorAway {
                broken("\(name) was lost (\(reason)), though only the coordinator was away")
            }
        case .workerJoined(_, _, _, let isResumed) where isResumed: faults.note(.resumed)
        case .peerDismissed(let id, let error):
            if error.code == .limit {
                let isStalled = links[id]?.wire.isBehind == true
                if isStalled { faults.note(.slowReaderDismissed) }
                if !isStalled, workersByLink[id] != nil { faults.note(.leaseExpired) }
                if isOnlyCoordinatorAway, !isStalled {
                    broken("\(id) was dismissed (\(error)), though only the coordinator was away")
                }
            }
        default: break
        }
    }

    private func noteEnd(of run: RunID, _ status: String) {
        let failure = coordinator.runs.slot(of: run).flatMap { coordinator.runs[$0].state.failure }
        if failure?.code == .timeout { faults.note(.outOfTime) }
        if let failure, failure.code == .limit {
            let isRun = failure.message.contains("run_bytes")
            let isAll = failure.message.contains("held_bytes")
            faults.note(isRun ? .runTooLarge : isAll ? .allTooLarge : .outOfBudget)
        }
        // The reason is known as long as the run exists: it may have been forgotten at once.
        let isKnown = coordinator.runs.slot(of: run) != nil
        if runEnds.isBrokenOff(run),
            status != "failed" || isKnown && failure?.code != .badPlan
        {
            broken("\(run) broke off, but ended as \(status) with \(failure as Any)")
        }
        if failure?.code == .internal { broken("\(run) failed: \(failure?.message ?? "")") }
        if let course = course(of: run) { broken(runEnds.justify(run, status, course)) }
        let goal = authors[run].flatMap { $0.isPlanner ? $0.goal : nil }
        let kind = goal.map { $0.isPlanOnly ? "plan only" : $0.strategy.rawValue } ?? "plan"
        let code = failure.map { "/\($0.code.rawValue)" } ?? ""
        endings["\(kind)/\(status)\(code)", default: 0] += 1
    }

    /// The state of a run, from the states of its nodes.
    private func course(of run: RunID) -> RunCourse? {
        guard let slot = coordinator.runs.slot(of: run) else { return nil }
        let state = coordinator.runs[slot].state
        var course = RunCourse(failure: state.failure?.code, hasAnswer: state.answer != nil)
        for node in 0..<state.plan.count {
            switch coordinator.scheduler.state(of: NodeReference(run: run, node: node)) {
            case .failed: course.failed += 1
            case .skipped: course.skipped += 1
            case .cancelled: course.cancelled += 1
            default: break
            }
        }
        return course
    }

    /// Whether there are no faults but pauses of the coordinator; a tool may have killed its
    /// worker.
    private var isOnlyCoordinatorAway: Bool { scenario.isCalm && faults[.workerCrash] == 0 }

    private func look(at message: Message, to link: SimulatedLink) {
        broken(connections.send(message, on: link.id))
        if standing != .leading || now < journal.cutUntil { noteStray(message, to: link) }
        switch message {
        case .dispatch(let dispatch):
            let attempt = dispatch.attempt
            if coordinator.isDraining { broken("\(attempt) is dispatched before the end") }
            durability.dispatch(attempt, epoch: epoch)
            broken(runEnds.dispatch(attempt))
            broken(numbers.dispatch(attempt))
            broken(dependencies.dispatch(attempt, node: dispatch.node, tool: dispatch.tool))
            checkStart(attempt, dispatch.node)
            sessions.dispatch(attempt, to: link)
            if let name = workersByLink[link.id]?.name {
                broken(losses.dispatch(attempt, to: name))
                broken(refusals.dispatch(attempt, to: sessionName(of: name)))
            }
        case .registered(let registered):
            if registered.adopt.contains(where: { durability.isEarlier($0, than: epoch) }) {
                faults.note(.adoptedAfterRestart)
            }
            broken(resumes.answer(registered, to: link.peer, on: link.id, at: now))
            if standing == .leading, now >= journal.cutUntil { seats.strayed.remove(link.peer) }
            guard let name = workersByLink[link.id]?.name else { return }
            broken(sessions.register(session(named: name), adopting: registered.adopt, on: link))
        case .ack(let ack):
            if !ack.stale.isEmpty { faults.note(.lateResult) }
            broken(acknowledgements.acknowledge(ack, on: link.id))
        case .window(let window): broken(connections.grant(window, on: link.id))
        case .error(let error) where error.code == .busy: faults.note(.busy)
        case .error(let error) where error.code == .limit && error.about != nil:
            faults.note(.submissionTooLarge)
        case .accepted(let accepted): look(at: accepted)
        default: break
        }
    }

    /// What a coordinator says that does not lead any more, or is about to lose the lead.
    private func noteStray(_ message: Message, to link: SimulatedLink) {
        switch message {
        case .welcome: seats.strayed.insert(link.peer)
        case .dispatch(let dispatch) where standing == .former:
            faults.note(.staleDispatch)
            seats.strays.insert(dispatch.attempt)
        case .error(let error) where error.code == .notLeader: faults.note(.standbyRefused)
        default: break
        }
    }

    /// Each coordinator has sessions of its own.
    func session(named name: String) -> String { "\(name) at \(seat)" }

    /// The session that the coordinator has of a worker.
    func sessionName(of name: String) -> String {
        let session = coordinator.fleet[name: name].flatMap { coordinator.fleet[$0]?.link.session }
        return "\(name)/\(session ?? "-")"
    }

    /// Nodes wait as their strategy requires; a node that joins comes last.
    private func checkStart(_ attempt: AttemptID, _ node: NodeID) {
        if node.text == DependencyChecker.joinName {
            faults.note(.joinedByTool)
            guard let slot = coordinator.runs.slot(of: attempt.run) else { return }
            let counts = coordinator.runs[slot].state.counts
            if counts.settled != counts.total - 1 { broken("\(attempt) joins too early") }
        }
        guard let author = authors[attempt.run] else { return }
        if author.goal.isPlanOnly { broken("\(attempt) runs, though only a plan is wanted") }
        if author.goal.waitsForPlan, author.sources[node.text]?.isOver == false {
            broken("\(attempt) was dispatched before its plan was complete")
        }
    }

    private func look(at accepted: Accepted) {
        guard let client = clients.first(where: { $0.key == accepted.key }) else { return }
        let run = accepted.run
        broken(
            runEnds.accept(accepted.key, run, isExisting: accepted.isExisting) {
                coordinator.runs.slot(of: $0) == nil && scenario.mayForget
            }
        )
        if client.bound < .max { bounds[run] = client.bound }
        var joinTool: String?
        if case .tool(let name) = client.join { joinTool = name }
        var goal = ModelGoal()
        var isPlanner = false
        switch client.work {
        case .plan(let plan):
            dependencies.accept(run, plan, allowed: client.allowed, joinTool: joinTool)
            if let retry = client.retry {
                let old = retry.run
                let taken = dependencies.takeOver(from: old, to: run, without: retry.nodes)
                if taken > 0 { faults.note(.outputsTakenOver) }
            }
        case .goal(let wanted):
            goal = wanted
            isPlanner = true
            dependencies.acceptGoal(
                run,
                allowed: client.allowed,
                maxNodes: goal.maxNodes,
                joinTool: joinTool
            )
        }
        modelCalls.accept(
            run,
            ModelCallChecker.Bounds(
                rounds: goal.rounds,
                repairs: goal.repairs,
                tokens: goal.tokens,
                cost: goal.cost,
                steps: goal.isReacting || goal.isGrowing ? goal.maxNodes + goal.rounds : nil
            )
        )
        guard authors[run] == nil, isPlanner || client.join == .llm else { return }
        authors[run] = SimulatedAuthor(goal: goal, isPlanner: isPlanner, allowed: client.allowed)
    }

    /// Passes a message to the machine, and checks its handling of results.
    func deliverToCoordinator(_ message: Message, _ link: SimulatedLink) {
        connections.receive(message, on: link.id)
        switch message {
        case .result(let result): deliver(result, link)
        case .submit:
            tell(.received(link.id, message))
            // Nothing is drawn for it, so that seeds stay what they are.
            tell(.received(link.id, .launch(launch(by: link))))
        case .nodes(let nodes) where nodes.brokenOff != nil:
            let run = runEnds.run(of: nodes.key)
            let slot = run.flatMap { coordinator.runs.slot(of: $0) }
            if let run, let slot, coordinator.runs[slot].author == link.id,
                coordinator.runs[slot].state.failure == nil
            {
                faults.note(.planBreaksOff)
                runEnds.breakOff(run)
            }
            tell(.received(link.id, message))
        case .register(let register):
            let attempts = register.inFlight.map(\.attempt)
            // One that a former leader has taken on may have no session of this one.
            let isAstray = seats.strayed.contains(link.peer)
            resumes.register(isAstray ? [] : attempts, by: link.peer, on: link.id)
            tell(.received(link.id, message))
        case .cancelRun(let cancel):
            resumes.release { attempt, _ in attempt.run == cancel.run }
            if let run = coordinator.runs.slot(of: cancel.run).map({ coordinator.runs[$0] }),
                run.state.failure == nil
            {
                let isGrowing = run.author != nil || run.hasPlanner
                runEnds.callOff(cancel.run, isGrowing: isGrowing)
            }
            tell(.received(link.id, message))
            runEnds.cancel(cancel.run)
        case .approve(let answer):
            approvals.hear(answer)
            let before = coordinator.recordPosition
            tell(.received(link.id, message))
            let position = coordinator.recordPosition
            if position > before { durability.answer(on: link.id, upTo: position) }
        case .ping(let ping):
            durability.ping(ping.n, on: link.id)
            tell(.received(link.id, message))
        case .chunk(let chunk):
            keep(chunk, link)
            tell(.received(link.id, message))
        default:
            tell(.received(link.id, message))
        }
    }

    private func keep(_ chunk: Chunk, _ link: SimulatedLink) {
        guard case .attempt(let attempt) = chunk.about, chunk.stream == .value else { return }
        if chunk.sequence == 0 { assemblers[link.id]?[attempt] = nil }
        var assembler =
            assemblers[link.id]?[attempt] ?? ChunkAssembler(maximumBytes: scenario.limits.maxValue)
        do {
            try assembler.append(chunk)
        } catch {
            broken("a worker's chunks do not fit: \(error)")
        }
        assemblers[link.id, default: [:]][attempt] = assembler
    }

    private func deliver(_ result: ResultMessage, _ link: SimulatedLink) {
        let attempt = result.attempt
        let node = NodeReference(run: attempt.run, node: attempt.node)
        let worker = session(of: link)
        let isCurrent = worker.map { coordinator.scheduler.isCurrent(attempt, on: $0) } ?? false
        let before = coordinator.scheduler.state(of: node)
        acknowledgements.result(attempt, on: link.id, isCurrent: isCurrent)
        if let name = workersByLink[link.id]?.name { losses.answer(attempt, from: name) }
        if let worker, before?.worker == worker, !numbers.isLatest(attempt) {
            faults.note(.lateResultOfHolder)
        }
        if isCurrent, !numbers.isLatest(attempt) {
            broken("\(attempt) counts, but is not the latest")
        }
        var output: RawJSON?
        let isDropped =
            coordinator.runs.slot(of: attempt.run).map {
                coordinator.runs[$0].state.results.intake != .open
            } ?? false
        var isUnreadable = false
        if case .failure(let failure) = result.outcome { isUnreadable = failure.code == .badOutput }
        if case .success(let payload) = result.outcome, !isDropped {
            do {
                output = try payload.inlineValue ?? assemblers[link.id]?[attempt]?.finish(payload)
            } catch {
                isUnreadable = (error as? WireError)?.code == .badJSON
            }
            if output == nil, !isUnreadable { broken("the output of \(attempt) did not arrive") }
        }
        if case .failure(let failure) = result.outcome, isCurrent {
            executions.reported(attempt, failure)
            if failure.code == .cancelled, !runEnds.isCancelled(attempt.run) {
                faults.note(.drainEndedAttempt)
            }
            if failure.code == .spawnFailed, failure.isRetryable,
                let name = workersByLink[link.id]?.name
            {
                refusals.refuse(attempt, by: sessionName(of: name))
            }
        }
        if isCurrent, let output { broken(dependencies.record(attempt, output)) }
        tell(.received(link.id, .result(result)))
        durability.handle(attempt, upTo: coordinator.recordPosition)
        let after = coordinator.scheduler.state(of: node)
        if !isCurrent, before != after {
            broken("the stale result of \(attempt) moved \(node) from \(before as Any)")
        }
        if isCurrent, output != nil, after != nil, after != .succeeded {
            broken("\(attempt) succeeded, but its node is \(after as Any)")
        }
        if isUnreadable { checkUnreadable(attempt, link, isCurrent, after) }
    }

    /// An output that cannot be read ends its attempt, but not the session.
    private func checkUnreadable(
        _ attempt: AttemptID,
        _ link: SimulatedLink,
        _ isCurrent: Bool,
        _ state: NodeState?
    ) {
        if !link.isOpenForCoordinator {
            broken("the output of \(attempt), which is no JSON, ended the session")
        }
        if isCurrent, let state, state != .failed, state != .cancelled {
            broken("the output of \(attempt) is no JSON, but its node is \(state)")
        }
    }

    private func session(of link: SimulatedLink) -> WorkerID? {
        coordinator.fleet.ids.first { coordinator.fleet[$0]?.connection == link.id }
    }
}
