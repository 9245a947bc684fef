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
/// Feed it the reply, split anywhere; the result does not depend on the split. It delivers each
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

    private let format: PlanFormat
    private var tasks = TaskListScanner()
    private var calls: TextPlanScanner
    private let tools: PlannerTools
    private var gate: NodeGate
    private var joinInstruction: String?
    private var hasEnd = false
    private var isOver = false
    private var position = 0
    private var hasCalls = false
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
    /// At most `room` nodes are delivered; one more is a problem, and the reader stops.
    public init(
        format: PlanFormat,
        tools: [PlannerTool],
        ledger: PlanLedger,
        room: Int = PlanLimits.nodes
    ) {
        self.format = format
        self.tools = PlannerTools(tools)
        oldCount = ledger.count
        gate = NodeGate(ledger: ledger, room: room)
        calls = TextPlanScanner(tools: self.tools.names)
    }

    /// The nodes of the run with those delivered so far.
    public var ledger: PlanLedger { gate.ledger }

    /// Whether later text cannot change the result: the plan is complete, or a limit was reached.
    public var isAtEnd: Bool { hasEnd || isOver }

    /// Whether a limit was reached, so that the rest of the plan cannot be read.
    public var hasReachedLimit: Bool { isOver }

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
            let count = scan(step)
            bytesRead += count
            rest = rest.dropFirst(count)
            if bytesRead >= PlannerLimits.replyBytes, !isAtEnd {
                isOver = true
                gate.report(
                    .limit,
                    nil,
                    "the reply is longer than \(PlannerLimits.replyBytes) bytes"
                )
            }
            if gate.isFull { isOver = true }
        }
        bytesRead += rest.count
        trailingBytes += rest.count
        return gate.removePassed()
    }

    /// Ends the reply.
    ///
    /// `isCut` tells that the model was stopped by a limit: the last call may then be incomplete,
    /// and a plan without an end is a problem.
    public mutating func finish(isCut: Bool = false) -> Summary {
        var missing: String?
        switch format {
        case .json:
            if !hasEnd { missing = tasks.missingPart() }
        case .text:
            var findings: [TextPlanScanner.Finding] = []
            calls.finish(isCut: isCut || isOver) { findings.append($0) }
            for finding in findings { handle(finding) }
            if isCut, !hasEnd { missing = "the reply was cut off before the plan was complete" }
        }
        if let missing, !isOver { gate.report(.badPlan, nil, missing) }
        gate.finish(isCut: missing != nil || isOver)
        if gate.ledger.count == oldCount, gate.problems.isEmpty {
            gate.report(
                .emptyPlan,
                nil,
                hasCalls ? "every node of the plan is there already" : "the plan has no nodes"
            )
        }
        return Summary(
            nodes: gate.removePassed(),
            joinInstruction: joinInstruction,
            hasEnd: hasEnd,
            problems: gate.problems
        )
    }

    /// Reads bytes up to the end of the plan; returns how many.
    private mutating func scan(_ bytes: ArraySlice<UInt8>) -> Int {
        let count: Int
        switch format {
        case .json:
            var findings: [TaskListScanner.Finding] = []
            count = tasks.feed(bytes) { findings.append($0) }
            if tasks.isAtEnd { hasEnd = true }
            for finding in findings where !gate.isFull { handle(finding) }
        case .text:
            var findings: [TextPlanScanner.Finding] = []
            count = calls.feed(bytes) { findings.append($0) }
            for finding in findings where !gate.isFull { handle(finding) }
        }
        return count
    }

    // MARK: - Tasks

    private mutating func handle(_ finding: TaskListScanner.Finding) {
        switch finding {
        case .task(let raw): addTask(raw)
        case .broken(let message): gate.report(.badJSON, nil, message)
        case .misplaced(let message): gate.report(.badPlan, nil, message)
        case .joinInstruction(let text): noteInstruction(text)
        }
    }

    private mutating func addTask(_ raw: RawJSON) {
        defer { position += 1 }
        do {
            let definition = try NodeDefinition(decoding: raw.detached(), at: position)
            offer(definition, source: raw.text)
        } catch {
            for problem in error.problems {
                gate.report(problem.code, problem.node.flatMap(NodeID.init), problem.message)
            }
            if let id = writtenID(of: raw) { gate.refuse(id) }
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
            gate.report(.badPlan, nil, "a call of \(name) has no number before it")
        case .broken(let number, let name, let hasOpenQuote):
            if let id = NodeID(String(number)) { gate.refuse(id) }
            let end = hasOpenQuote ? "a string that is not closed" : "an open parenthesis"
            gate.report(
                .badPlan,
                NodeID(String(number)),
                "call \(number) of \(quoted(name)) ends with \(end)"
            )
        }
    }

    private mutating func addCall(_ call: WrittenCall) {
        guard let id = NodeID(String(call.number)) else { return }
        guard let entry = tools[call.name] else {
            gate.report(.unknownTool, id, "node \(id) " + tools.unknownTool(call.name))
            gate.refuse(id)
            return
        }
        let written = WrittenArguments(call.arguments, tools: tools.names)
        switch entry.bind(written, text: call.arguments) {
        case .fault(let fault):
            gate.report(.badArguments, id, "node \(id) \(fault)")
            gate.refuse(id)
        case .bound(let fields):
            offer(
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
            gate.report(.limit, nil, "the join instruction is too long")
            return
        }
        joinInstruction = text
    }

    // MARK: - Checks of one node

    private mutating func offer(_ written: NodeDefinition, source: String) {
        hasCalls = true
        var definition = written
        let id = definition.id
        guard let entry = tools[definition.tool] else {
            gate.report(.unknownTool, id, "node \(id) " + tools.unknownTool(definition.tool))
            gate.refuse(id)
            return
        }
        definition.arguments = entry.droppingNulls(definition.arguments)
        do {
            // The plan's own checks of a node: limits, a reference to itself.
            var plan = Plan()
            try plan.append([definition])
        } catch {
            // A node that declares and refers to itself has one fault, not two.
            var codes: [PlanProblem.Code] = []
            for problem in error.problems where !codes.contains(problem.code) {
                codes.append(problem.code)
                gate.report(problem.code, id, problem.message)
            }
            gate.refuse(id)
            return
        }
        let faults = entry.problems(of: definition.arguments)
        guard faults.isEmpty else {
            let list = faults.prefix(5).joined(separator: "; ")
            gate.report(.badArguments, id, "node \(id): arguments of \(definition.tool): \(list)")
            gate.refuse(id)
            return
        }
        gate.offer(PlannerNode(definition: definition, source: source))
    }
}
