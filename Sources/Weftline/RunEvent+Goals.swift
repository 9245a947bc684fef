// The data of events about a goal: nodes added to its plan, new plans, text of the answer, tokens
// used.
public import Core
internal import JSON
public import Plans

extension RunEvent {
    /// The nodes that a model has just added to the plan, with `.planned`.
    ///
    /// Without their arguments if these are long, empty if there are very many nodes, and for plans
    /// that no model wrote.
    public var plannedNodes: [NodeDefinition] {
        (data["tasks"]?.arrayValue ?? []).compactMap { node in
            try? NodeDefinition(decoding: RawJSON(node), at: 0)
        }
    }

    /// The next piece of text: of the answer with `.answering`, of a tool's output with `.chunk`.
    public var text: String? { data["text"]?.stringValue }

    /// The number of the new plan, from 2, with `.replanned`.
    public var round: Int? { data["round"]?.intValue }

    /// The reason: another plan was asked for, with `.replanned`; the run was cancelled, with
    /// `.runCancelled`.
    public var reason: String? { data["reason"]?.stringValue }

    /// The problems of the plan as the model wrote it, with `.planProblems`.
    public var problems: [PlanProblem] {
        (data["problems"]?.arrayValue ?? []).compactMap { PlanProblem(decoding: RawJSON($0)) }
    }

    /// The tokens that language models have used so far, with `.progress`, `.replanned` and the
    /// last event; estimated where the models do not count.
    public var usage: TokenUsage? {
        data["usage"].flatMap { TokenUsage(reading: RawJSON($0)) }
    }

    /// Why a node or the run failed, with `.nodeFailed` and `.runFailed`.
    public var failure: Failure? {
        switch kind {
        case .nodeFailed: Failure(reading: RawJSON(data))
        case .runFailed: data["error"].flatMap { Failure(reading: RawJSON($0)) }
        default: nil
        }
    }
}
