// The spans of a run that has ended, by the GenAI conventions: the run invokes a workflow, whose plans
// are chats with models and whose attempts execute tools.
public import Core
internal import JSON
internal import Plans
public import Runs
internal import Wire

/// A run that has ended, as it becomes spans, some at a time.
///
/// Ids follow from those of the run and its attempts, so that the spans of tools fit without an
/// agreement.
public struct RunTrace: Sendable {
    private var run: Run
    private let earlier: [EarlierAttempt]
    private let calls: [ModelCallFacts]
    private let hasContent: Bool
    private let trace: String
    private let root: String
    /// What is to be made next: the run itself with its calls, earlier attempts, nodes.
    private var step = Step.run

    private enum Step {
        case run
        case earlier(Int)
        case node(Int)
        case done
    }

    /// Nodes of a run that have spans; those after them are counted by its span.
    public static let mostNodes = 20_000
    /// Bytes of arguments and of an output that are told.
    private static let mostContent = 16 << 10
    /// Bytes of all outputs of a run of which any are told.
    private static let mostOutputs = 16 << 20

    /// A run with what is not kept in it: attempts before the latest of each node, calls of models.
    ///
    /// With `hasContent` arguments, outputs and messages of failures are told.
    public init(
        _ run: Run,
        earlier: [EarlierAttempt] = [],
        calls: [ModelCallFacts] = [],
        hasContent: Bool = false
    ) {
        self.run = run
        self.earlier = earlier
        self.calls = calls
        self.hasContent = hasContent && run.results.outputBytes <= Self.mostOutputs
        // It waits to be sent, and outputs that are not told must not wait in memory.
        if !self.hasContent { self.run.apply(RunRecord(at: run.endedAt ?? 0, .outputsDropped)) }
        trace = TraceContext.traceID(of: run.id, run.acceptance.traceParent)
        root = TraceContext.spanID(of: run.id)
    }

    /// Whether the one who began the trace wants it recorded.
    public static func isSampled(_ run: Run) -> Bool {
        run.acceptance.traceParent?.isSampled ?? true
    }

    /// Whether all spans were made.
    public var isDone: Bool { if case .done = step { true } else { false } }

    /// How many spans are still to be made, at most.
    public var rest: Int {
        let nodes = min(run.nodes.count, Self.mostNodes)
        return switch step {
        case .run: 1 + 2 * calls.count + earlier.count + nodes
        case .earlier(let index): earlier.count - index + nodes
        case .node(let index): nodes - index
        case .done: 0
        }
    }

    /// Makes the next spans, about so many.
    public mutating func makeSpans(_ count: Int, into spans: inout [Span]) {
        let end = spans.count + count
        while spans.count < end {
            switch step {
            case .run:
                spans.append(runSpan)
                for (index, call) in calls.enumerated() { spans += callSpans(call, index) }
                step = .earlier(0)
            case .earlier(let index) where index < earlier.count:
                spans.append(span(of: earlier[index]))
                step = .earlier(index + 1)
            case .earlier: step = .node(0)
            case .node(let index) where index < min(run.nodes.count, Self.mostNodes):
                if let span = latestSpan(of: index) { spans.append(span) }
                step = .node(index + 1)
            case .node: step = .done
            case .done: return
            }
        }
    }

    // MARK: - The run

    private var runSpan: Span {
        let label = run.acceptance.label
        var span = makeSpan(
            root,
            parent: run.acceptance.traceParent?.spanID,
            name: ["invoke_workflow", label].compactMap(\.self).joined(separator: " "),
            from: 0,
            to: run.endedAt ?? 0
        )
        span.add("gen_ai.operation.name", "invoke_workflow")
        span.add("gen_ai.workflow.name", label)
        span.add("weft.run.id", run.id.text)
        span.add("weft.run.status", run.status.rawValue)
        span.add("weft.run.nodes", run.nodes.count)
        if run.nodes.count > Self.mostNodes {
            span.add("weft.run.nodes_without_spans", run.nodes.count - Self.mostNodes)
        }
        if run.planning.calls > 0 {
            span.add("gen_ai.usage.input_tokens", run.planning.usage.input)
            span.add("gen_ai.usage.output_tokens", run.planning.usage.output)
        }
        switch run.status {
        case .failed:
            fail(&span, code: run.failure?.code.rawValue ?? "node_failed", run.failure?.message)
        case .cancelled: fail(&span, code: FailureCode.cancelled.rawValue, run.cancelReason)
        case .running, .succeeded: break
        }
        return span
    }

    /// A call that plans is the chat of a plan; one that joins is a chat of the run.
    private func callSpans(_ call: ModelCallFacts, _ index: Int) -> [Span] {
        var parent = root
        var spans: [Span] = []
        if call.isPlanning {
            let id = TraceContext.spanID(named: "plan \(index)", of: run.id)
            var plan = makeSpan(id, parent: root, name: "plan", from: call.start, to: call.end)
            plan.add("gen_ai.operation.name", "plan")
            if let code = call.failure { fail(&plan, code: code, nil) }
            spans.append(plan)
            parent = id
        }
        var chat = makeSpan(
            TraceContext.spanID(named: "chat \(index)", of: run.id),
            parent: parent,
            name: "chat \(call.model)",
            from: call.start,
            to: call.end
        )
        chat.kind = .client
        chat.add("gen_ai.operation.name", "chat")
        chat.add("gen_ai.provider.name", call.provider)
        chat.add("gen_ai.request.model", call.model)
        chat.add("gen_ai.usage.input_tokens", call.usage.input)
        chat.add("gen_ai.usage.output_tokens", call.usage.output)
        if let cost = call.usage.cost {
            chat.attributes.append(Span.Attribute("weft.cost", .fraction(cost)))
        }
        if let code = call.failure { fail(&chat, code: code, nil) }
        return spans + [chat]
    }

    // MARK: - Attempts

    private func span(of attempt: EarlierAttempt) -> Span {
        var span = attemptSpan(
            attempt.node,
            attempt.number,
            from: attempt.dispatchedAt,
            to: attempt.endedAt,
            worker: attempt.worker
        )
        span.add("weft.attempt.outcome", "retried")
        fail(&span, code: attempt.failure.code.rawValue, attempt.failure.message)
        return span
    }

    /// The span of the latest attempt; nil without one.
    private func latestSpan(of node: Int) -> Span? {
        let course = run.nodes[node]
        // A node that was cancelled before its next attempt has the number of the one before.
        let number = Int(course.attempt)
        let isTold =
            course.status == .cancelled
            && earlier.contains { $0.node == node && $0.number == number }
        guard number > 0, course.status != .skipped, !isTold else { return nil }
        let start = Int(course.dispatchedAt)
        var span = attemptSpan(
            node,
            number,
            from: start,
            to: start + Int(course.turnaround),
            worker: run.workers[course.worker]
        )
        span.add("weft.attempt.outcome", course.status.rawValue)
        span.add("weft.queue_us", Int(course.queued))
        span.add("weft.work_us", Int(course.work))
        switch course.status {
        case .failed:
            let failure = run.results.failures[node]
            fail(&span, code: failure?.code.rawValue ?? "_OTHER", failure?.message)
        case .cancelled: fail(&span, code: FailureCode.cancelled.rawValue, nil)
        default: break
        }
        if hasContent {
            span.add("gen_ai.tool.call.arguments", shown(arguments(of: node)))
            span.add("gen_ai.tool.call.result", run.results.outputs[node].map(shown))
        }
        return span
    }

    private func attemptSpan(
        _ node: Int,
        _ number: Int,
        from start: Int,
        to end: Int,
        worker: String
    ) -> Span {
        let attempt = AttemptID(run: run.id, node: node, number: number)
        let tool = run.plan[node].tool
        var span = makeSpan(
            TraceContext.spanID(of: attempt),
            parent: root,
            name: "execute_tool \(tool)",
            from: start,
            to: end
        )
        span.add("gen_ai.operation.name", "execute_tool")
        span.add("gen_ai.tool.name", tool)
        span.add("gen_ai.tool.type", "function")
        span.add("gen_ai.tool.call.id", run.plan[node].id.text)
        span.add("weft.attempt.id", "\(attempt)")
        span.add("weft.worker.name", worker)
        span.links = run.plan.dependencies(of: node)
            .filter { run.nodes[$0].attempt > 0 }
            .map { dependency in
                let latest = Int(run.nodes[dependency].attempt)
                return TraceContext.spanID(
                    of: AttemptID(run: run.id, node: dependency, number: latest)
                )
            }
        return span
    }

    private func arguments(of node: Int) -> RawJSON {
        var work = 0
        let resolved = try? run.plan.resolveArguments(
            of: node,
            within: ResolutionBounds(totalBytes: Self.mostContent, workBytes: 64 << 10),
            work: &work,
            outputs: { run.results.outputs[$0] }
        )
        return resolved?.joined ?? run.plan[node].template.source
    }

    /// The text of a value, the beginning of a long one.
    private func shown(_ value: RawJSON) -> String {
        value.count <= Self.mostContent
            ? String(decoding: value.bytes, as: UTF8.self)
            : String(decoding: value.bytes.prefix(Self.mostContent), as: UTF8.self) + "…"
    }

    // MARK: - Parts

    private func makeSpan(
        _ id: String,
        parent: String?,
        name: String,
        from start: Int,
        to end: Int
    ) -> Span {
        let accepted = run.acceptance.unixMilliseconds * 1_000_000
        return Span(
            trace: trace,
            id: id,
            parent: parent,
            name: name,
            kind: .internal,
            start: accepted + start * 1_000,
            end: accepted + max(end, start) * 1_000
        )
    }

    /// Messages of failures are what tools wrote, and told with the content only.
    private func fail(_ span: inout Span, code: String, _ message: String?) {
        span.isFailed = true
        span.add("error.type", code)
        if hasContent, let message { span.message = String(message.prefix(500)) }
    }
}

/// An attempt after which its node was tried again; times are microseconds since the acceptance.
public struct EarlierAttempt: Sendable {
    /// The node, by its position in the plan.
    public var node: Int
    /// The number of the attempt.
    public var number: Int
    /// Where it ran.
    public var worker: String
    /// When it left for the worker.
    public var dispatchedAt: Int
    /// When it was known that it failed.
    public var endedAt: Int
    /// Why it failed.
    public var failure: Failure

    /// Describes an attempt.
    public init(
        node: Int,
        number: Int,
        worker: String,
        dispatchedAt: Int,
        endedAt: Int,
        failure: Failure
    ) {
        self.node = node
        self.number = number
        self.worker = worker
        self.dispatchedAt = dispatchedAt
        self.endedAt = endedAt
        self.failure = failure
    }
}

/// A call of a model for a run; times are microseconds since the acceptance.
public struct ModelCallFacts: Sendable {
    /// Whether it planned; otherwise it joined.
    public var isPlanning: Bool
    /// Who provides the model.
    public var provider: String
    /// The model.
    public var model: String
    /// When it began.
    public var start: Int
    /// When it ended.
    public var end: Int
    /// What it used.
    public var usage: TokenUsage
    /// The code of its failure; nil if it succeeded.
    public var failure: String?
    /// Whether it goes on.
    public var isOpen = true

    /// Describes a call.
    public init(
        isPlanning: Bool,
        provider: String,
        model: String,
        start: Int,
        end: Int,
        usage: TokenUsage = TokenUsage(),
        failure: String? = nil
    ) {
        self.isPlanning = isPlanning
        self.provider = provider
        self.model = model
        self.start = start
        self.end = end
        self.usage = usage
        self.failure = failure
    }
}
