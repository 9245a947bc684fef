// Reads both forms of a plan: the model's text goes in, nodes that can be added to the run come
// out, and at the end the problems.

import Core
import JSON
import OrderedCollections
public import Plans

/// A node that a model has planned.
public struct PlannerNode: Sendable, Hashable {
    /// The node.
    public var definition: NodeDefinition
    /// The text it was written as.
    public var source: String

    /// A node written as that text.
    public init(definition: NodeDefinition, source: String) {
        self.definition = definition
        self.source = source
    }
}

/// Reads the plan in a model's reply while the model still writes.
///
/// Feed it the reply, split anywhere; the result does not depend on the split. A model that was asked
/// for one form and writes the other one is read, too. It delivers each
/// node as soon as its call is complete and all the nodes it refers to have been delivered, so a
/// plan can grow in this order without waiting for an id. A delivered node has been checked: its
/// tool exists, its arguments match as far as can be known before the outputs are there, its id is
/// new. Text that cannot be used becomes a problem, never a different node.
///
/// In the text form, ids are the numbers of the lines, `1`. Rules for arguments: they have names or
/// come in the order of the schema's `properties`; literals are those of Python and JSON; unquoted
/// words are text; `$1`, `${1}` and `$1.items[0]` without quotes are always references, within
/// quotes they are text if there is no such node.
public struct ModelPlanReader: Sendable {
    /// The result at the end of a reply.
    public struct Summary: Sendable, Hashable {
        /// Nodes that could be added only now, because their references turned out to be text.
        public var nodes: [PlannerNode]
        /// What to do with the outputs, in words, if the plan has them.
        public var joinInstruction: String?
        /// Whether the plan is complete: `join()`, the end mark, or the closing brace.
        public var hasEnd: Bool
        /// The problems, in the order found; warnings need no repair.
        public var problems: [PlanProblem]

        /// Whether there is nothing to repair.
        public var isSound: Bool { problems.allSatisfy(\.isWarning) }
    }

    /// The form that was asked for, then the one that the reply has.
    private var format: PlanFormat
    /// The beginning of the reply while its form is not known; nil after that.
    private var beginning: [UInt8]? = []
    private var tasks = TaskListScanner()
    private var calls: TextPlanScanner
    private var intake: NodeIntake
    private var joinInstruction: String?
    private var hasEnd = false
    private var isOver = false
    private var position = 0
    /// The last line, while it may be the number of a call that did not come.
    private var lastLine: [UInt8] = []
    private let oldCount: Int

    /// Where a call or an element of `tasks` may end: at its own end, at the head of the next call,
    /// or at the end mark of the plan.
    private static let endsOfCalls: [UInt8] = Array(")}(>".utf8)

    /// How many bytes of the reply have been read.
    public private(set) var bytesRead = 0
    /// How many of these bytes come after the end of the plan.
    public private(set) var trailingBytes = 0

    /// A reader of a first plan, whose ids begin with that number.
    public init(format: PlanFormat, tools: [PlannerTool], firstNumber: Int = 1) {
        self.init(format: format, tools: tools, ledger: PlanLedger(firstNumber: firstNumber))
    }

    /// A reader of another reply for a run that already has these nodes.
    ///
    /// At most `room` nodes are delivered; one more is a problem, and the reader stops. Numbers in
    /// the `goal` are no sign of a plan that counts up without end. `nodes` are those that this plan
    /// has already; nil if a call may be made twice.
    public init(
        format: PlanFormat,
        tools: [PlannerTool],
        ledger: PlanLedger,
        goal: String = "",
        nodes: [NodeDefinition]? = [],
        room: Int = PlanLimits.nodes
    ) {
        self.format = format
        let tools = PlannerTools(tools)
        intake = NodeIntake(
            tools: tools,
            goal: goal,
            nodes: nodes,
            gate: NodeGate(ledger: ledger, room: room)
        )
        oldCount = ledger.count
        calls = TextPlanScanner(tools: tools.names)
    }

    /// The nodes of the run with those delivered so far.
    public var ledger: PlanLedger { intake.gate.ledger }

    /// Whether later text cannot change the result: the plan is complete, or a limit was reached.
    public var isAtEnd: Bool { hasEnd || isOver || intake.isEndless }

    /// Whether the rest of the reply is not read: a limit was reached, or the plan only repeats
    /// itself.
    public var hasReachedLimit: Bool { isOver || intake.isEndless }

    /// Reads the next piece of the reply; returns the nodes that can be added now.
    public mutating func feed(_ text: String) -> [PlannerNode] {
        feed(Array(text.utf8)[...])
    }

    /// Reads the next bytes of the reply; what is not UTF-8 in them is replaced.
    public mutating func feed(_ bytes: ArraySlice<UInt8>) -> [PlannerNode] {
        var rest = bytes
        // In steps that contain one call at most: where a limit stops reading must not depend on
        // how the reply was split.
        while !rest.isEmpty, !isAtEnd {
            let before = rest.prefix { !ModelPlanReader.endsOfCalls.contains($0) }
            let step = rest.prefix(min(before.count + 1, PlannerLimits.replyBytes - bytesRead))
            noteLastLine(step)
            let count = scan(step)
            bytesRead += count
            rest = rest.dropFirst(count)
            if bytesRead >= PlannerLimits.replyBytes, !isAtEnd {
                isOver = true
                intake.gate.report(
                    .limit,
                    nil,
                    "the reply is longer than \(PlannerLimits.replyBytes) bytes"
                )
            }
            if intake.gate.isFull { isOver = true }
        }
        bytesRead += rest.count
        trailingBytes += rest.count
        return intake.gate.removePassed()
    }

    /// Ends the reply.
    ///
    /// `isCut` tells that the model was stopped by a limit: the last call may then be incomplete,
    /// and a plan without an end is a problem. `isEndless` tells that it was stopped because it only
    /// repeated itself: what came before is then the plan.
    public mutating func finish(isCut: Bool = false, isEndless: Bool = false) -> Summary {
        if let held = beginning {
            beginning = nil
            _ = scan(held[...])
        }
        if intake.isEndless { hasEnd = true }
        var missing: String?
        switch format {
        case .json:
            if !hasEnd { missing = tasks.missingPart() }
        case .text:
            var findings: [TextPlanScanner.Finding] = []
            calls.finish(isCut: isCut || isOver) { findings.append($0) }
            for finding in findings { handle(finding) }
            // A server that stops before `join()` leaves the number of its line.
            let number = lastLine.drop(while: isBlank).prefix(while: isDigit)
            if !isCut, !number.isEmpty, number.count == lastLine.filter({ !isBlank($0) }).count {
                hasEnd = true
            }
            if isCut, !hasEnd { missing = "the reply was cut off before the plan was complete" }
        }
        if let missing, !isOver {
            let isEnough = isEndless && intake.gate.ledger.count > oldCount
            intake.gate.report(.badPlan, nil, missing, isWarning: isEnough)
        }
        intake.gate.finish(isCut: missing != nil || isOver)
        if intake.gate.ledger.count == oldCount, intake.gate.problems.isEmpty {
            let needsNone = !intake.hasCalls && hasEnd
            let message =
                needsNone
                ? "the plan calls no tool"
                : intake.hasCalls
                    ? "every node of the plan is there already" : "the plan has no nodes"
            intake.gate.report(.emptyPlan, nil, message, isWarning: needsNone)
        }
        return Summary(
            nodes: intake.gate.removePassed(),
            joinInstruction: joinInstruction,
            hasEnd: hasEnd,
            problems: intake.gate.problems
        )
    }

    private mutating func noteLastLine(_ bytes: ArraySlice<UInt8>) {
        if let end = bytes.lastIndex(of: UInt8(ascii: "\n")) {
            lastLine = Array(bytes[(end + 1)...].prefix(PlannerLimits.headBytes))
        } else if lastLine.count < PlannerLimits.headBytes {
            lastLine += bytes.prefix(PlannerLimits.headBytes)
        }
    }

    /// Reads bytes up to the end of the plan; returns how many.
    private mutating func scan(_ bytes: ArraySlice<UInt8>) -> Int {
        if let held = beginning {
            let text = held + bytes
            guard let form = PlanFormat(ofReply: text, asked: format) else {
                beginning = text
                return bytes.count
            }
            format = form
            beginning = nil
            let count = scan(text[...])
            return max(0, count - held.count)
        }
        let count: Int
        switch format {
        case .json:
            var findings: [TaskListScanner.Finding] = []
            count = tasks.feed(bytes) { findings.append($0) }
            if tasks.isAtEnd { hasEnd = true }
            for finding in findings where !intake.gate.isFull { handle(finding) }
        case .text:
            var findings: [TextPlanScanner.Finding] = []
            count = calls.feed(bytes) { findings.append($0) }
            for finding in findings where !intake.gate.isFull { handle(finding) }
        }
        return count
    }

    // MARK: - Tasks

    private mutating func handle(_ finding: TaskListScanner.Finding) {
        switch finding {
        case .task(let raw): addTask(raw)
        case .broken(let message): intake.gate.report(.badJSON, nil, message)
        case .misplaced(let message): intake.gate.report(.badPlan, nil, message)
        case .joinInstruction(let text): noteInstruction(text)
        }
    }

    private mutating func addTask(_ raw: RawJSON) {
        defer { position += 1 }
        do {
            let definition = try NodeDefinition(decoding: raw.detached(), at: position)
            intake.offer(definition, source: raw.text)
        } catch {
            for problem in error.problems {
                intake.gate.report(problem.code, problem.node.flatMap(NodeID.init), problem.message)
            }
            if let id = writtenID(of: raw) { intake.gate.refuse(id) }
        }
    }

    private func writtenID(of raw: RawJSON) -> NodeID? {
        guard let value = raw.value(at: [.key("id")]) else { return nil }
        return (value.stringValue ?? value.intValue.map { String($0) }).flatMap(NodeID.init)
    }

    // MARK: - Calls

    private mutating func handle(_ finding: TextPlanScanner.Finding) {
        switch finding {
        case .call(let call):
            addCall(call)
        case .join(let arguments):
            hasEnd = true
            let written = WrittenArguments(arguments, tools: [])
            if let text = written.items.first?.value.stringValue { noteInstruction(text) }
        case .endOfPlan:
            hasEnd = true
        case .unnumbered(let name):
            intake.gate.report(.badPlan, nil, "a call of \(name) has no number before it")
        case .broken(let number, let name, let hasOpenQuote):
            if let id = NodeID(String(number)) { intake.gate.refuse(id) }
            let end = hasOpenQuote ? "a string that is not closed" : "an open parenthesis"
            intake.gate.report(
                .badPlan,
                NodeID(String(number)),
                "call \(number) of \(quoted(name)) ends with \(end)"
            )
        }
    }

    private mutating func addCall(_ call: WrittenCall) {
        guard let id = NodeID(String(call.number)) else { return }
        guard let entry = intake.tools[call.name] else {
            intake.gate.report(
                .unknownTool,
                id,
                "node \(id) " + intake.tools.unknownTool(call.name)
            )
            intake.gate.refuse(id)
            intake.noteRefusal(of: call.name + String(decoding: call.arguments, as: UTF8.self))
            return
        }
        let written = WrittenArguments(call.arguments, tools: intake.tools.names)
        switch entry.bind(written, text: call.arguments) {
        case .fault(let fault):
            intake.gate.report(.badArguments, id, "node \(id) \(fault)")
            intake.gate.refuse(id)
            intake.noteRefusal(of: call.name + String(decoding: call.arguments, as: UTF8.self))
        case .bound(let fields):
            intake.offer(
                NodeDefinition(
                    id: id,
                    tool: call.name,
                    arguments: RawJSON(.object(fields)),
                    dependencies: Array(OrderedSet(written.references))
                ),
                source: call.source
            )
        }
    }

    private mutating func noteInstruction(_ text: String) {
        guard joinInstruction == nil, !text.isEmpty else { return }
        guard text.utf8.count <= PlanLimits.joinInstruction else {
            intake.gate.report(.limit, nil, "the join instruction is too long")
            return
        }
        joinInstruction = text
    }
}

extension PlanFormat {
    /// The form of a reply that begins like this; nil while that cannot be told.
    ///
    /// An object, also in a fence, is the JSON form, and a numbered line the text form; anything
    /// else is taken to be what was asked for.
    fileprivate init?(ofReply text: [UInt8], asked: PlanFormat) {
        // Only the beginning counts, so that it does not matter how the reply was split.
        var rest = text.prefix(PlannerLimits.headBytes).drop(while: isBlank)
        let isLong = text.count >= PlannerLimits.headBytes
        if rest.first == UInt8(ascii: "`"), let line = rest.firstIndex(of: UInt8(ascii: "\n")) {
            rest = rest[line...].drop(while: isBlank)
        }
        let number = rest.prefix(while: isDigit)
        switch rest.first {
        case nil, UInt8(ascii: "`"):
            guard isLong else { return nil }
            self = asked
        case UInt8(ascii: "{"):
            self = .json
        case _ where !number.isEmpty:
            guard let mark = rest.dropFirst(number.count).first else {
                guard isLong else { return nil }
                self = asked
                return
            }
            self = ".):".utf8.contains(mark) ? .text : asked
        default:
            self = asked
        }
    }
}
