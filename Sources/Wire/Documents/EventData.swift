// The data of each kind of event. Not here: the structs of kinds that have several fields.
package import Core
package import JSON

/// What an event says beside its run, node, attempt and worker.
package enum EventData: Sendable, Equatable {
    /// Nodes were added to the run.
    case planned(PlannedNodes)
    /// A worker has the node, or runs it.
    case placed(PlacedNode)
    /// An attempt failed, and another one follows.
    case retrying(Retry)
    /// No connected worker can run the node.
    case unplaceable(MissingTool)
    /// The node waits for a person's approval.
    case approvalAsked(ApprovalQuestion)
    /// A person approved the node.
    case approved(ApprovalAnswer)
    /// The node has its output; its tool ran for so many microseconds.
    case nodeSucceeded(NodeSuccess)
    /// The node failed for good.
    case nodeFailed(Failure)
    /// The node will not run.
    case nodeSkipped(SkippedNode)
    /// The plan has problems.
    case planProblems(PlanProblemList)
    /// The joiner asked for another plan.
    case replanned(NextRound)
    /// More of the answer's text.
    case answering(AnswerText)
    /// The answer is made.
    case joined(JoinedAnswer)
    /// How far the run is, with `progress` and `snapshot`.
    case progress(RunProgress)
    /// How far an attempt is.
    case attemptProgress(AttemptProgress)
    /// A tool wrote output.
    case output(ToolOutput)
    /// The run ended.
    case ended(RunEndDocument)

    /// The data of an event; nil if events of its kind have none.
    ///
    /// - Throws: `bad_message` naming the field that is missing, ill-typed or out of range.
    package init?(of event: EventMessage) throws(WireError) {
        let data = event.data ?? .emptyObject
        try self.init(kind: event.kind, isOfNode: event.node != nil, decoding: data)
    }

    /// The same, of an event of a kind that is about a node or not.
    package init?(kind: EventKind, isOfNode: Bool, decoding data: RawJSON) throws(WireError) {
        switch kind {
        case .planned: self = .planned(try PlannedNodes(decoding: data))
        case .retrying: self = .retrying(try Retry(decoding: data))
        case .unplaceable: self = .unplaceable(try MissingTool(decoding: data))
        case .approvalAsked: self = .approvalAsked(try ApprovalQuestion(decoding: data))
        case .approved: self = .approved(try ApprovalAnswer(decoding: data))
        case .nodeSucceeded: self = .nodeSucceeded(try NodeSuccess(decoding: data))
        case .nodeFailed: self = .nodeFailed(try Failure(decoding: data))
        case .nodeSkipped: self = .nodeSkipped(try SkippedNode(decoding: data))
        case .planProblems: self = .planProblems(try PlanProblemList(decoding: data))
        case .replanned: self = .replanned(try NextRound(decoding: data))
        case .answering: self = .answering(try AnswerText(decoding: data))
        case .joined: self = .joined(try JoinedAnswer(decoding: data))
        case .progress where isOfNode:
            self = .attemptProgress(try AttemptProgress(decoding: data))
        case .progress, .snapshot: self = .progress(try RunProgress(decoding: data))
        case .chunk: self = .output(try ToolOutput(decoding: data))
        case .runSucceeded, .runFailed, .runCancelled:
            self = .ended(try RunEndDocument(decoding: data))
        case .dispatched, .started: self = .placed(try PlacedNode(decoding: data))
        case .nodeReady, .nodeCancelled: return nil
        }
    }

    /// The data as an object.
    package var json: RawJSON {
        switch self {
        case .planned(let data): data.json
        case .placed(let data): data.json
        case .retrying(let data): data.json
        case .unplaceable(let data): data.json
        case .approvalAsked(let data): data.json
        case .approved(let data): data.json
        case .nodeSucceeded(let data): data.json
        case .nodeFailed(let data): data.json
        case .nodeSkipped(let data): data.json
        case .planProblems(let data): data.json
        case .replanned(let data): data.json
        case .answering(let data): data.json
        case .joined(let data): data.json
        case .progress(let data): data.json
        case .attemptProgress(let data): data.json
        case .output(let data): data.json
        case .ended(let data): data.json
        }
    }
}
