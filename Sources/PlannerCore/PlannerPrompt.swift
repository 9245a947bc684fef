// The prompts of the planner and the joiner. The rules are in PlannerPrompt+Rules.swift, tools and
// calls in PlannerPrompt+Tools.swift, the text of outputs in QuotedOutputs.swift.

internal import Core
internal import JSON
public import Plans

/// One plan of a run and its results.
public struct PlannedRound: Sendable, Hashable {
    /// The nodes of the plan with their outcomes, in the order in which they were added.
    public var parts: [JoinPart]
    /// The same nodes as they were planned.
    public var nodes: [NodeDefinition]
    /// Why the joiner asked for another plan; nil for the last one.
    public var reason: String?

    /// A round with these parts.
    public init(parts: [JoinPart], nodes: [NodeDefinition], reason: String? = nil) {
        self.parts = parts
        self.nodes = nodes
        self.reason = reason
    }
}

/// Makes the messages for each kind of call.
///
/// Goal, tools and outputs are data. Outputs are quoted as JSON, one node a line, so that none of
/// them can look like one of our messages. What is the same for every goal comes first and the goal
/// last, so that a server can keep what it computed for the beginning.
public struct PlannerPrompt: Sendable {
    /// The goal of the run; empty for a given plan, which only has outputs to join.
    public var goal: String
    /// The tools a plan may call.
    public var tools: [PlannerTool]
    /// The form in which plans are written.
    public var format: PlanFormat
    let shownTools: [PlannerTool]
    private let examples: [ExamplePlans.Sound]

    /// Bytes of the examples, about.
    var exampleBytes: Int {
        examples.reduce(0) { $0 + $1.goal.utf8.count + 384 * $1.nodes.count }
    }

    /// Whether the planner gets outputs while other calls run.
    var grows = false
    /// Bytes of one output that are shown.
    public var outputBytes: Int
    /// Bytes of all outputs together that are shown; beyond this the oldest are left out.
    public var outputsBytes: Int

    /// The prompts of one goal.
    ///
    /// Tools whose descriptions take more than `toolBytes` are searched for the goal.
    public init(
        goal: String,
        tools: [PlannerTool],
        examples: [PlanExample] = [],
        remembered: [PlanExample] = [],
        format: PlanFormat,
        toolBytes: Int = 8 << 10,
        outputBytes: Int = 8 << 10,
        outputsBytes: Int = 96 << 10
    ) {
        self.goal = goal
        self.tools = tools
        shownTools = PlannerPrompt.shown(tools, for: goal, within: toolBytes)
        self.examples =
            goal.isEmpty
            ? []
            : ExamplePlans.chosen(for: goal, tools: shownTools, given: examples)
                .withNearest(of: remembered, to: goal, tools: tools)
        self.format = format
        self.outputBytes = outputBytes
        self.outputsBytes = outputsBytes
    }

    /// The texts at which a planner stops.
    public var stop: [String] { format == .text ? [". join()", "<END_OF_PLAN>"] : [] }
    /// The texts at which a model stops that is asked before every call.
    var stepStop: [String] { format == .text ? ["<END_OF_PLAN>"] : [] }

    /// The form of the planner's reply: bound to the tools' schemas if these can be expressed.
    public var planFormat: ResponseFormat {
        switch format {
        case .text: .text
        case .json:
            StrictSchema.plan(for: shownTools).map { .jsonSchema(name: "plan", schema: $0) }
                ?? .jsonObject
        }
    }

    /// The grammar of a plan in the text form.
    var planGrammar: String? { format == .text ? PlanGrammar.text(for: shownTools) : nil }

    /// The form of the joiner's reply.
    public func decisionFormat(mayReplan: Bool) -> ResponseFormat {
        switch format {
        case .text: .text
        case .json:
            .jsonSchema(name: "decision", schema: StrictSchema.decision(mayReplan: mayReplan))
        }
    }

    /// The messages that ask for a plan.
    ///
    /// `rounds` are the earlier plans; the first plan has none. Ids continue with `nextNumber`. The
    /// number of calls that are left is given if it is small.
    public func plan(
        after rounds: [PlannedRound] = [],
        nextNumber: Int = 1,
        callsLeft: Int? = nil
    ) -> [ModelMessage] {
        var messages = [ModelMessage.system(planRules)]
        for example in examples {
            messages.append(.user("Goal: \(example.goal)\n"))
            messages.append(.assistant(plan(of: example.nodes)))
        }
        var text = "Goal: \(goal)\n"
        if let callsLeft, callsLeft < PlannerLimits.toldCalls {
            text += "\(callsLeft == 1 ? "One call" : "\(callsLeft) calls") at most.\n"
        }
        if !rounds.isEmpty {
            text += "\n" + history(rounds, isNamed: true)
            if let reason = rounds.last?.reason, !reason.isEmpty {
                text += "\nWhy another plan is needed, in the words of the joiner:\n"
                text += quotedText(reason) + "\n"
            }
            text += "\nWrite a plan of what is still to be done. Do not repeat calls that were "
            text += "made; refer to their outputs, as in \(example(nextNumber - 1)). "
            text += "Ids go on with \(id(nextNumber)).\n"
        }
        return messages + [.user(text)]
    }

    /// The messages that ask for the calls that follow from outputs that have just come.
    ///
    /// `conversation` ends with the model's last reply, `told` are the new outcomes, `nodes` those of
    /// the plan so far.
    func grow(
        _ conversation: [ModelMessage],
        told: [JoinPart],
        nodes: [NodeDefinition],
        nextNumber: Int
    ) -> [ModelMessage] {
        var text = history([PlannedRound(parts: told, nodes: nodes)], isNamed: true)
        text += "\nOther calls run still. Write the calls that follow from these outputs, if any; "
        text += "refer to outputs by their ids. Ids go on with \(id(nextNumber)).\n"
        return conversation + [.user(text)]
    }

    /// The messages that ask to repair a plan that cannot be used.
    ///
    /// `messages` are those of the reply, `added` the nodes of that plan that run already.
    public func repair(
        of reply: String,
        to messages: [ModelMessage],
        problems: [PlanProblem],
        added: [NodeDefinition],
        nextNumber: Int
    ) -> [ModelMessage] {
        let errors = problems.filter { !$0.isWarning }
        var text = "The plan cannot be used as it is:\n"
        for problem in errors.prefix(PlannerLimits.quotedProblems) {
            text += "- \(problem.message)\n"
        }
        if errors.count > PlannerLimits.quotedProblems {
            text += "- and \(errors.count - PlannerLimits.quotedProblems) more\n"
        }
        if added.isEmpty {
            text += "\nNone of it was used. Write the whole plan again.\n"
        } else {
            text += "\nThese calls are running already. Do not write them again; refer to their "
            text += "outputs by their ids:\n"
            for node in added { text += line(of: node) + "\n" }
            text += "\nNothing else of it was used. Write what is missing, also the calls that "
            text += "needed a wrong one. Ids go on with \(id(nextNumber)).\n"
        }
        text +=
            format == .text ? "The last line is join().\n" : "Reply with the JSON object alone.\n"
        let shown = shortened(reply, to: PlannerLimits.quotedReplyBytes)
        return messages + (shown.isEmpty ? [] : [.assistant(shown)]) + [.user(text)]
    }

    /// The messages that ask for the answer, or for another plan if `mayReplan`.
    public func join(
        _ rounds: [PlannedRound],
        joinInstruction: String?,
        mayReplan: Bool
    ) -> [ModelMessage] {
        let isNamed = goal.isEmpty || joinInstruction != nil
        let hasCalls = rounds.contains { !$0.parts.isEmpty } || goal.isEmpty
        let history = hasCalls ? history(rounds, isNamed: isNamed) : PlannerPrompt.noCalls
        var text = goal.isEmpty ? history : "Goal: \(goal)\n\n\(history)"
        if let joinInstruction {
            text +=
                goal.isEmpty
                ? "\nWhat is to be answered from them:\n"
                : "\nThe planner's advice on how to put the outputs together:\n"
            text += quotedText(joinInstruction) + "\n"
        } else if goal.isEmpty {
            text += "\nSay in a few sentences what they tell.\n"
        }
        return joinExamples(mayReplan: mayReplan, hasCalls: hasCalls) + [.user(text)]
    }

    /// The messages that ask a joiner to decide in the requested form.
    public func joinAgain(
        after reply: String,
        to messages: [ModelMessage],
        fault: JoinerReply.Fault
    ) -> [ModelMessage] {
        let shown = shortened(reply, to: PlannerLimits.quotedReplyBytes)
        return messages + (shown.isEmpty ? [] : [.assistant(shown)])
            + [.user("That cannot be used: \(fault.message). Reply again in the form asked for.")]
    }

    // MARK: - Pieces

    /// The calls with their outputs, with their ids before them if `isNamed`.
    func history(_ rounds: [PlannedRound], isNamed: Bool) -> String {
        var quotes = QuotedOutputs(each: outputBytes, all: outputsBytes)
        let outputs = Dictionary(
            rounds.flatMap(\.parts).compactMap { part in part.outcome.output.map { (part.id, $0) }
            },
            uniquingKeysWith: { first, _ in first }
        )
        // The newest outputs matter most, so they are placed first.
        let blocks = rounds.enumerated().reversed().map { position, round in
            let arguments = Dictionary(
                round.nodes.map { ($0.id, $0.arguments) },
                uniquingKeysWith: { first, _ in first }
            )
            let lines = round.parts.reversed().compactMap { part in
                let written = arguments[part.id] ?? .emptyObject
                let shown = written.count > outputBytes ? RawJSON.emptyObject : written
                let text = call(part.tool, QuotedOutputs.resolved(shown, outputs))
                return quotes.line(of: part, written: text, isNamed: isNamed)
            }
            let title = rounds.count == 1 ? "Calls made" : "Calls made by plan \(position + 1)"
            let omitted = round.parts.count - lines.count
            let note = omitted > 0 ? "(\(omitted) more, not shown)\n" : ""
            let all = lines.isEmpty ? "none\n" : lines.reversed().map { $0 + "\n" }.joined()
            return "\(title):\n" + note + all
        }
        return blocks.reversed().joined(separator: "\n")
    }

    func id(_ number: Int) -> String { format == .text ? "\(number)" : "t\(number)" }

    private func example(_ number: Int) -> String { "\"$\(id(max(1, number)))\"" }

    private func line(of node: NodeDefinition) -> String {
        switch format {
        case .text:
            return "\(node.id). \(call(node.tool, node.arguments))"
        case .json:
            var writer = JSONWriter()
            node.encode(into: &writer)
            return String(decoding: writer.bytes, as: UTF8.self)
        }
    }

    /// The reply of a model that wrote these nodes, which have their ids already.
    func reply(with nodes: [NodeDefinition], nextNumber: Int) -> String {
        let lines = nodes.map(line)
        return switch format {
        case .text: (lines + ["\(nextNumber). join()"]).joined(separator: "\n")
        case .json: "{\"tasks\":[\(lines.joined(separator: ","))],\"join_instruction\":\"\"}"
        }
    }

    private func quotedText(_ text: String) -> String {
        RawJSON(shortened(text, to: outputBytes)).text
    }
}

/// The start of a text, at most that many bytes, cut between characters.
func shortened(_ text: String, to limit: Int) -> String {
    guard text.utf8.count > limit else { return text }
    var end = text.utf8.index(text.utf8.startIndex, offsetBy: max(0, limit - 3))
    while end > text.startIndex, end.samePosition(in: text.unicodeScalars) == nil {
        end = text.utf8.index(before: end)
    }
    return String(text[..<end]) + "…"
}
