// The data of events: nodes added to the plan of a goal, new plans, text of the answer, tokens used,
// nodes that wait for approval.
public import Core
internal import JSON
public import Plans
internal import Wire

extension RunEvent {
    /// What it says, by kind; nil if it says nothing more.
    private var content: EventData? {
        try? EventData(kind: kind, isOfNode: node != nil, decoding: RawJSON(data))
    }

    private var outcome: RunEndDocument? {
        if case .ended(let outcome) = content { outcome } else { nil }
    }

    /// The nodes that a model has just added to the plan, with `.planned`.
    ///
    /// Without their arguments if these are long, empty if there are very many nodes, and for plans
    /// that no model wrote.
    public var plannedNodes: [NodeDefinition] {
        if case .planned(let planned) = content { planned.nodes } else { [] }
    }

    /// The next piece of text: of the answer with `.answering`, of a tool's output with `.chunk`.
    ///
    /// Nil if the output is not text.
    public var text: String? {
        switch content {
        case .answering(let answer): answer.text
        case .output(let output): String(validating: output.bytes, as: UTF8.self)
        default: nil
        }
    }

    /// The tool that a node wants to call, with `.approvalAsked`.
    public var tool: String? {
        if case .approvalAsked(let question) = content { question.tool } else { nil }
    }

    /// The arguments with which it wants to, with `.approvalAsked`; nil if they are longer than
    /// 16 KiB.
    public var arguments: JSONValue? {
        guard case .approvalAsked(let question) = content else { return nil }
        return question.arguments.map { JSONValue($0) }
    }

    /// The number of the new plan, from 2, with `.replanned`.
    public var round: Int? {
        if case .replanned(let next) = content { next.round } else { nil }
    }

    /// The reason: another plan was asked for, with `.replanned`; the run was cancelled, with
    /// `.runCancelled`.
    public var reason: String? {
        if case .replanned(let next) = content { next.reason } else { outcome?.reason }
    }

    /// The problems of the plan as the model wrote it, with `.planProblems`.
    public var problems: [PlanProblem] {
        if case .planProblems(let list) = content { list.problems } else { [] }
    }

    /// The tokens that language models have used so far, with `.progress`, `.replanned` and the
    /// last event; estimated where the models do not count.
    public var usage: TokenUsage? {
        switch content {
        case .progress(let progress): progress.usage
        case .replanned(let next): next.usage
        default: outcome?.usage
        }
    }

    /// Why a node or the run failed, with `.nodeFailed` and `.runFailed`.
    public var failure: Failure? {
        if case .nodeFailed(let failure) = content { failure } else { outcome?.error }
    }
}
