// What watchers of a run are told: one function turns a record into its event, and one makes the
// event that says where a node is now. Who gets them is in CoordinatorCore.

public import Core
public import JSON
import Plans
public import Wire

extension RunChange {
    /// The kind of event that watchers get for it; nil if it is for nobody.
    public var eventKind: EventKind? {
        switch self {
        case .nodesAdded, .joinerAdded: .planned
        case .approvalAsked: .approvalAsked
        case .approved: .approved
        case .nodeReady, .returned: .nodeReady
        case .dispatched: .dispatched
        case .started: .started
        case .retrying: .retrying
        case .unplaceable: .unplaceable
        case .succeeded, .takenOver: .nodeSucceeded
        case .failed: .nodeFailed
        case .skipped: .nodeSkipped
        case .cancelled: .nodeCancelled
        case .planRefused: .planProblems
        case .replanned: .replanned
        case .joined: .joined
        case .ended(.succeeded): .runSucceeded
        case .ended(.cancelled): .runCancelled
        case .ended: .runFailed
        case .accepted, .joinInstructed, .planClosed, .toolWrote, .calledBack, .worked, .pauseEnded,
            .plannerMade, .plannerTold, .modelCalled, .modelReplied, .tokensUsed, .roundSettled,
            .answered, .cancelAsked,
            .failureDecided,
            .intakeEnded, .outputsDropped:
            nil
        }
    }

    /// The node that it is about.
    public var node: Int? {
        switch self {
        case .nodeReady(let node), .dispatched(let node, _, _, _), .started(let node, _),
            .calledBack(let node, _, _), .returned(let node, _, _), .worked(let node, _),
            .retrying(let node, _, _, _, _), .pauseEnded(let node), .unplaceable(let node, _),
            .succeeded(let node, _, _), .failed(let node, _), .skipped(let node, _),
            .approvalAsked(let node, _), .approved(let node, _, _),
            .cancelled(let node), .takenOver(let node, _), .toolWrote(let node, _, _):
            Int(node)
        default: nil
        }
    }

    /// Whether its event can only be made when it happens.
    public var isToldOnce: Bool {
        switch self {
        case .nodesAdded, .joinerAdded, .replanned, .ended: true
        default: false
        }
    }
}

extension Run {
    /// The event that watchers get for a record that was applied; nil if it is for nobody.
    ///
    /// `worker` is that of the attempt it is about, as a number of `workers`. Planned nodes, or
    /// arguments that a person is asked about, are told up to `detailBytes`. `answer` goes along with
    /// the end.
    public func event(
        for record: RunRecord,
        worker: Int32,
        sequence: Int,
        detailBytes: Int,
        answer: RawJSON? = nil
    ) -> EventMessage? {
        guard let kind = record.change.eventKind else { return nil }
        let node = record.change.node
        let attempt = attempt(of: record.change)
        return EventMessage(
            run: id,
            sequence: sequence,
            kind: kind,
            node: (node ?? (kind == .joined ? joiner : nil)).map { plan[$0].id },
            attempt: attempt.map { Int($0) },
            worker: attempt == nil ? nil : workers[worker],
            data: data(of: record.change, detailBytes: detailBytes, answer: answer)?.json,
            atMicroseconds: record.at
        )
    }

    /// The event that tells a late watcher about a node: how it ended, that a worker has it, or that
    /// it waits for approval; nil while it waits for something else.
    public func latestEvent(
        of node: Int,
        sequence: Int,
        at now: Instant,
        detailBytes: Int
    ) -> EventMessage? {
        let state = nodes[node]
        let index = Int32(node)
        let change: RunChange
        switch state.status {
        case .waiting, .ready, .backingOff: return nil
        case .awaitingApproval:
            let milliseconds = approvals[node]?.milliseconds ?? 0
            change = .approvalAsked(node: index, milliseconds: milliseconds)
        case .sent, .cancelling:
            change = .dispatched(
                node: index,
                attempt: state.attempt,
                worker: "",
                isRepeatable: state.isRepeatable
            )
        case .running: change = .started(node: index, attempt: state.attempt)
        case .succeeded: change = .succeeded(node: index, .null, microseconds: 0)
        case .failed:
            let lost = Failure(code: .internal, message: "the failure was lost")
            change = .failed(node: index, results.failures[node] ?? lost)
        case .skipped: change = .skipped(node: index, because: state.cause)
        case .cancelled: change = .cancelled(index)
        }
        return event(
            for: RunRecord(at: microseconds(at: now), change),
            worker: state.worker,
            sequence: sequence,
            detailBytes: detailBytes
        )
    }

    /// Whether the output of a node was taken over from the run that this one retries.
    public func isTakenOver(_ node: Int) -> Bool {
        nodes[node].status == .succeeded && nodes[node].attempt == 0
    }

    private func attempt(of change: RunChange) -> Int32? {
        switch change {
        case .dispatched(_, let attempt, _, _), .started(_, let attempt),
            .returned(_, let attempt, _),
            .retrying(_, let attempt, _, _, _):
            attempt
        case .succeeded(let node, _, _), .failed(let node, _), .skipped(let node, _),
            .cancelled(let node):
            nodes[Int(node)].attempt > 0 ? nodes[Int(node)].attempt : nil
        default: nil
        }
    }

    private func data(
        of change: RunChange,
        detailBytes: Int,
        answer: RawJSON?
    ) -> EventData? {
        switch change {
        case .nodesAdded(let nodes):
            .planned(planned(nodes.count, acceptance.goal == nil ? nil : nodes, detailBytes))
        case .joinerAdded: .planned(planned(1, nil, detailBytes))
        case .dispatched(let node, _, _, _), .started(let node, _):
            .placed(PlacedNode(tool: plan[Int(node)].tool))
        case .retrying(_, _, let failure, let delay, _):
            .retrying(
                Retry(
                    code: failure.code,
                    message: failure.message,
                    afterMilliseconds: Int(delay / 1_000)
                )
            )
        case .unplaceable(let node, let message):
            .unplaceable(MissingTool(tool: plan[Int(node)].tool, message: message))
        case .approvalAsked(let node, let milliseconds):
            .approvalAsked(question(of: Int(node), milliseconds: milliseconds, within: detailBytes))
        case .approved(_, let identity, let reason):
            .approved(ApprovalAnswer(identity: identity, reason: reason))
        case .succeeded(let node, _, _):
            .nodeSucceeded(
                NodeSuccess(run: Int(nodes[Int(node)].work), isTakenOver: isTakenOver(Int(node)))
            )
        case .takenOver: .nodeSucceeded(NodeSuccess(run: 0, isTakenOver: true))
        case .failed(_, let failure): .nodeFailed(failure)
        case .skipped(_, let cause): .nodeSkipped(SkippedNode(because: plan[Int(cause)].id))
        case .planRefused(let problems):
            .planProblems(PlanProblemList(problems: problems.fitting(in: 4 * detailBytes)))
        case .replanned(let round, let reason):
            .replanned(NextRound(round: round, reason: reason, usage: usage))
        case .joined: .joined(JoinedAnswer(join: acceptance.join))
        case .ended: .ended(outcome(answer: answer))
        default: nil
        }
    }

    /// How many nodes came; of a goal also which, since nobody else knows them.
    private func planned(
        _ count: Int,
        _ written: [NodeDefinition]?,
        _ detailBytes: Int
    ) -> PlannedNodes {
        if let nodes = written.flatMap({ PlannedNodes($0, within: detailBytes) }) { return nodes }
        guard hasPlanner, count <= 1_000 else { return PlannedNodes(count: count) }
        let added = plan.count - count..<plan.count
        let names = added.map { (plan[$0].id, plan[$0].tool) }
        return PlannedNodes(names: names, within: 4 * detailBytes) ?? PlannedNodes(count: count)
    }

    /// Whether a model plans the run, or a model or a tool joins it.
    private var hasPlanner: Bool {
        if acceptance.goal != nil { return true }
        switch acceptance.join {
        case .concat, .json: return false
        case .llm, .tool: return true
        }
    }
}
