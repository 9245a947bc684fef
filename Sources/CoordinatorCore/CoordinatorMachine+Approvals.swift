// Nodes that need a person's approval: when they are asked about, and what an answer, or none, does.
// While it waits, a node is for the scheduler one whose arguments are not made yet.

internal import Core
internal import JSON
internal import Plans
internal import Runs
internal import Scheduling
internal import Wire

extension CoordinatorMachine {
    /// Whether a node must not run before a person has approved it: its run or its tool asks for
    /// that.
    func needsApproval(_ node: Int, _ run: Int) -> Bool {
        guard fleet.catalogue.hasToolsToApprove || !runs[run].state.acceptance.approve.isEmpty,
            !runs[run].state.nodes[node].isApproved
        else { return false }
        let tool = runs[run].state.plan[node].tool
        let approve = runs[run].state.acceptance.approve
        if approve.contains(tool) || approve.contains("*") { return true }
        return fleet.catalogue[tool]?.description.needsApproval ?? false
    }

    // MARK: - Asking

    /// Keeps a node whose dependencies are done until a person has answered; false if it may run.
    mutating func awaitsApproval(
        _ reference: NodeReference,
        _ run: Int,
        in turn: inout CoordinatorTurn
    ) -> Bool {
        let node = reference.node
        if runs[run].state.approvals[node] == nil {
            guard needsApproval(node, run) else { return false }
            let milliseconds = approvalMilliseconds(of: node, run)
            let change = RunChange.approvalAsked(node: Int32(node), milliseconds: milliseconds)
            record(change, run, in: &turn)
            let (name, tool) = (runs[run].state.plan[node].id, runs[run].state.plan[node].tool)
            turn.append(.report(.approvalAsked(reference.run, name, tool: tool)))
        }
        if let due = runs[run].state.approvalDeadline(of: node) {
            runs.deadlines.ofApprovals.set(reference, at: due)
        }
        return true
    }

    /// How long an answer may take: as the run says, else as the tool does.
    private func approvalMilliseconds(of node: Int, _ run: Int) -> Int {
        let tool = fleet.catalogue[runs[run].state.plan[node].tool]?.description
        return runs[run].state.acceptance.approvalMilliseconds ?? tool?.approvalMilliseconds
            ?? limits.approvalTimeout.millisecondsRoundedUp
    }

    /// An attempt was about to leave for a worker whose tool needs approval, which was not known
    /// when its node became ready.
    mutating func withhold(
        _ attempt: AttemptID,
        from worker: WorkerID,
        _ run: Int,
        in turn: inout CoordinatorTurn
    ) {
        dropArguments(of: attempt.node, run)
        schedule(.attemptWithheld(attempt, worker), in: &turn)
    }

    /// After a restart: those who watch are asked again.
    mutating func askAgain(_ run: Int) {
        for node in runs[run].state.approvals.nodes {
            guard let question = runs[run].state.approvals[node] else { continue }
            let change = RunChange.approvalAsked(
                node: Int32(node),
                milliseconds: question.milliseconds
            )
            let record = RunRecord(at: question.askedAt, change)
            runs[run].log.append(record, worker: 0, withEvent: true, within: logBound)
        }
    }

    /// Whether a node waits for an answer, and its run goes on.
    func isAwaitingApproval(_ reference: NodeReference, _ run: Int) -> Bool {
        runs[run].state.approvals[reference.node] != nil && scheduler.awaitsArguments(reference)
    }

    // MARK: - Answers

    /// A person answered.
    mutating func answer(_ answer: Approve, _ id: ConnectionID, in turn: inout CoordinatorTurn) {
        guard let run = runs.slot(of: answer.run) else {
            return unknownRun(answer.run, request: nil, id, in: &turn)
        }
        let identity = peers[id]?.access?.identity
        switch chosenNodes(answer, run, identity) {
        case .failure(let fault):
            let error = ErrorMessage(
                code: fault.code,
                message: fault.message,
                isFatal: false,
                about: answer.run.text
            )
            turn.append(.send(id, .error(error)))
        case .success(let nodes):
            for node in nodes { settle(node, answer, by: identity?.name, run, in: &turn) }
            // What is said from here on, the answer to a ping among it, holds after a restart.
            awaitJournal(id, in: &turn)
        }
    }

    /// Why an answer cannot be used.
    private struct Fault: Error {
        var code: ErrorCode
        var message: String
    }

    /// The nodes that an answer is for; those that had the same answer before are left out.
    private func chosenNodes(
        _ answer: Approve,
        _ run: Int,
        _ identity: Identity?
    ) -> Result<[Int], Fault> {
        let id = answer.run
        var chosen: [Int] = []
        for name in answer.nodes ?? [] {
            guard let node = runs[run].state.plan.index(of: name) else {
                let message = "Run \(id) has no node \(name)."
                return .failure(Fault(code: .unknownNode, message: message))
            }
            if isAwaitingApproval(NodeReference(run: id, node: node), run) {
                chosen.append(node)
            } else if !runs[run].state.had(answer, for: node) {
                let status = runs[run].state.nodes[node].status.rawValue
                let message =
                    "Node \(name) of run \(id) does not wait for approval; it is \(status)."
                return .failure(Fault(code: .conflict, message: message))
            }
        }
        if answer.nodes == nil {
            chosen = runs[run].state.approvals.nodes.filter {
                isAwaitingApproval(NodeReference(run: id, node: $0), run)
            }
            guard !chosen.isEmpty else {
                let message = "No node of run \(id) waits for approval."
                return .failure(Fault(code: .conflict, message: message))
            }
        }
        guard answer.isApproved, let identity, let allowed = identity.allowedTools else {
            return .success(chosen)
        }
        for node in chosen where !allowed.contains(runs[run].state.plan[node].tool) {
            let planned = runs[run].state.plan[node]
            let message =
                "\(identity.name) may not use the tool \(planned.tool), and so not approve node "
                + "\(planned.id)."
            return .failure(Fault(code: .forbidden, message: message))
        }
        return .success(chosen)
    }

    private mutating func settle(
        _ node: Int,
        _ answer: Approve,
        by identity: String?,
        _ run: Int,
        in turn: inout CoordinatorTurn
    ) {
        let reference = NodeReference(run: answer.run, node: node)
        // An answer for one node may have ended the run, and with it the others.
        guard isAwaitingApproval(reference, run) else { return }
        runs.deadlines.ofApprovals.remove(reference)
        let notice = Notice.approvalAnswered(
            answer.run,
            runs[run].state.plan[node].id,
            isApproved: answer.isApproved,
            by: identity
        )
        turn.append(.report(notice))
        let reason = answer.reason.flatMap {
            $0.isEmpty ? nil : $0.clipped(to: limits.announced.textBytes)
        }
        if answer.isApproved {
            let change = RunChange.approved(node: Int32(node), by: identity, reason: reason)
            record(change, run, in: &turn)
            return schedule(.argumentsMade(reference), in: &turn)
        }
        let person = identity.map { "\($0) denied it" } ?? "it was denied"
        let failure = Failure(
            code: .denied,
            message: reason.map { "\(person): \($0)" } ?? person
        )
        schedule(.argumentsFailed(reference, failure), in: &turn)
    }

    /// Fails the nodes for which no answer came in time.
    mutating func endApprovals(in turn: inout CoordinatorTurn) {
        while let reference = runs.deadlines.ofApprovals.popDue(until: turn.now) {
            guard let run = runs.slot(of: reference.run), isAwaitingApproval(reference, run),
                let question = runs[run].state.approvals[reference.node]
            else { continue }
            let node = runs[run].state.plan[reference.node]
            let failure = Failure(
                code: .approvalTimeout,
                message: "node \(node.id) needs approval to call \(node.tool), and no answer came "
                    + "within \(Duration.milliseconds(question.milliseconds).inWords)"
            )
            schedule(.argumentsFailed(reference, failure), in: &turn)
        }
    }

    // MARK: - Lists

    /// The nodes that wait, those of the oldest run first.
    func approvalsPage(_ get: Get, _ now: Instant) -> (data: JSONPieces, next: Int?) {
        let wanted = get.id.flatMap(RunID.init)
        let waiting = runs.active.lazy.filter { wanted == nil || $0 == wanted }
            .flatMap { id -> [NodeReference] in
                guard let run = runs.slot(of: id) else { return [] }
                return runs[run].state.approvals.nodes.map { NodeReference(run: id, node: $0) }
            }
        return page(of: waiting, from: max(get.from ?? 0, 0), limit: get.limit ?? .max) {
            reference,
            work in
            work.look(4)
            return document(of: reference, now)
        }
    }

    private func document(of reference: NodeReference, _ now: Instant) -> ApprovalDocument? {
        let node = reference.node
        guard let run = runs.slot(of: reference.run),
            let question = runs[run].state.approvals[node]
        else { return nil }
        let began = runs[run].state.acceptance.unixMilliseconds
        let asked = began + question.askedAt / 1_000
        return ApprovalDocument(
            run: reference.run,
            label: runs[run].state.acceptance.label,
            node: runs[run].state.plan[node].id,
            question: runs[run].state.question(
                of: node,
                milliseconds: question.milliseconds,
                within: limits.detailBytes
            ),
            askedAt: UnixTime(milliseconds: asked),
            failsAt: UnixTime(milliseconds: asked + question.milliseconds),
            waitMilliseconds: max(
                (runs[run].state.microseconds(at: now) - question.askedAt) / 1_000,
                0
            )
        )
    }

    // MARK: - Checks

    /// Every node that waits has a time at which it fails; one of a cancelled run needs none.
    func validateApprovals() throws(InvariantViolation) {
        var timed = 0
        for id in runs.active {
            guard let run = runs.slot(of: id) else { continue }
            for node in runs[run].state.approvals.nodes {
                let reference = NodeReference(run: id, node: node)
                let isTimed = runs.deadlines.ofApprovals.contains(reference)
                timed += isTimed ? 1 : 0
                guard isTimed || !isAwaitingApproval(reference, run) else {
                    throw InvariantViolation("\(reference) waits for approval for ever")
                }
            }
        }
        guard timed == runs.deadlines.ofApprovals.count else {
            throw InvariantViolation("nodes fail for an approval for which they do not wait")
        }
    }
}

extension Run {
    /// Whether a node had that answer before, so that it changes nothing.
    fileprivate func had(_ answer: Approve, for node: Int) -> Bool {
        answer.isApproved
            ? nodes[node].isApproved : results.failures[node]?.code == .denied
    }
}

extension Duration {
    /// A time limit in words: `1 h`, `90 s`, in the largest unit that leaves no remainder.
    fileprivate var inWords: String {
        let milliseconds = millisecondsRoundedUp
        for (unit, name) in [(3_600_000, "h"), (60_000, "min"), (1_000, "s")]
        where milliseconds > 0 && milliseconds.isMultiple(of: unit) {
            return "\(milliseconds / unit) \(name)"
        }
        return "\(milliseconds) ms"
    }
}
