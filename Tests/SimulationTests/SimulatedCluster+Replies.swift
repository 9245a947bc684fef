// The texts of models: plans and decisions, valid ones and all kinds of others.

import Core
import Plans
import Runs
import TestKit
import Wire

@testable import CoordinatorCore
@testable import PlannerCore

extension SimulatedCluster {
    /// The possible faults of a plan.
    private enum Defect: CaseIterable {
        case unknownTool
        case forbiddenTool
        case badArguments
        case duplicate
        case twin
        case circle
        case selfReference
        case unknownDependency
        case behindRefused
        case junk
        case prose
        case empty
        case tooMany
        case runsOn
    }

    // MARK: - Plans

    func drawPlanCall(_ id: ModelCallID, _ author: SimulatedAuthor) -> SimulatedCall {
        let defect = !isHealed && draw.permille(200) ? draw.element(Defect.allCases) : nil
        let (reply, nodes) = drawPlan(id.run, author, defect)
        let (pieces, isWhole) = drawCourse(of: reply, fault: defect.map { _ in .malformedPlan })
        let promised = defect == nil && isWhole ? nodes : []
        return SimulatedCall(id: id, purpose: .planner, pieces: pieces, promised: promised)
    }

    private func drawPlan(
        _ run: RunID,
        _ author: SimulatedAuthor,
        _ defect: Defect?
    ) -> (SimulatedReply, [String]) {
        var reply = SimulatedReply()
        let isText = author.goal.format == .text
        if defect == .prose {
            reply.add("I would rather talk about it.")
            return (reply, [])
        }
        let state = coordinator.runs.slot(of: run).map { coordinator.runs[$0] }
        let known = state.map { state in state.planIDs }
        let tools = state?.plannerSettings?.tools.map(\.name) ?? []
        let repeatable =
            isText ? [] : author.written.filter { known?.contains($0.id) == true }
        var parts: [(text: String, node: ModelNode?)] = []
        var written: [String] = []
        var count = tools.isEmpty || defect == .empty ? 0 : draw.int(1...5)
        if defect == .tooMany { count += 32 }
        let place = draw.int(0...count)
        for index in 0...count {
            if let defect, index == place {
                parts += flaw(defect, author, written: written).map { ($0, nil) }
            }
            guard index < count else { break }
            if let old = draw.element(repeatable), draw.permille(150) {
                // A model often repeats itself; a repeated node is not another one.
                parts.append((old.text.text, nil))
            }
            var node = ModelNode(
                id: author.nextID(),
                after: (known ?? []) + written,
                tools: tools,
                mayDeclare: !isText,
                drawing: &draw
            )
            node.isMarked = true
            written.append(node.id)
            author.written.append(node)
            parts.append((isText ? node.line : node.text.text, node))
        }
        if !isText, defect == nil, draw.permille(250) { parts.reverse() }
        write(parts, isText ? author.nextID() : nil, into: &reply)
        if defect == .runsOn { reply.add(String(repeating: " and so on", count: 300)) }
        return (reply, written)
    }

    private func write(
        _ parts: [(text: String, node: ModelNode?)],
        _ last: String?,
        into reply: inout SimulatedReply
    ) {
        if let last {
            for part in parts {
                reply.add(part.text, completing: part.node)
                reply.add("\n")
            }
            reply.add("\(last). join()\n")
            if draw.permille(500) { reply.add("<END_OF_PLAN>") }
            return
        }
        reply.add(#"{"tasks":["#)
        for (index, part) in parts.enumerated() {
            reply.add(part.text, completing: part.node)
            if index < parts.count - 1 { reply.add(",") }
        }
        reply.add(draw.permille(300) ? #"],"join_instruction":"all of it"}"# : "]}")
    }

    /// The faulty part of a plan, as written among the nodes of the reply; none of it may run.
    private func flaw(_ defect: Defect, _ author: SimulatedAuthor, written: [String]) -> [String] {
        let isText = author.goal.format == .text
        func node(_ id: String, _ tool: String, call: String = "", args: String = "{}") -> String {
            isText ? "\(id). \(tool)(\(call))" : NodeText(id, tool: tool, args: args).text
        }
        func referring(_ id: String, to other: String) -> String {
            node(id, "quick", call: "k0=$\(other)", args: #"{"k0":"$\#(other)"}"#)
        }
        let id = author.nextID()
        switch defect {
        case .forbiddenTool:
            let forbidden = SimulatedTools.descriptions.map(\.name)
                .first { author.allowed?.contains($0) == false }
            return [node(id, forbidden ?? "forbidden")]
        case .badArguments: return [node(id, "typed", call: "n=[]", args: #"{"n":[]}"#)]
        case .duplicate:
            // Of this reply: an id of an earlier one is given to another node.
            guard let other = draw.element(written) else { return [node(id, "no_such_tool")] }
            return [node(other, "quick", call: "z=1", args: #"{"z":1}"#)]
        case .twin:
            // An equal call, which is no node of its own if the tool may be repeated.
            let last = author.written.last { written.contains($0.id) }
            guard let last, SimulatedTools.isIdempotent(last.tool) else {
                return [node(id, "no_such_tool")]
            }
            return [isText ? last.line(as: id) : last.text(as: id).text]
        case .circle:
            let other = author.nextID()
            return [referring(id, to: other), referring(other, to: id)]
        case .selfReference: return [referring(id, to: id)]
        case .behindRefused:
            return [node(id, "no_such_tool"), referring(author.nextID(), to: id)]
        case .unknownDependency:
            return [referring(id, to: isText ? "9999" : "t9999")]
        case .junk: return [draw.element(["oops", "null", "{", "]]", "7", "\"", ")"]) ?? "oops"]
        case .unknownTool: return [node(id, "no_such_tool")]
        case .prose, .empty, .tooMany, .runsOn: return []
        }
    }

    // MARK: - Steps

    /// One call of a tool, or the answer.
    func drawStepCall(_ id: ModelCallID, _ author: SimulatedAuthor) -> SimulatedCall {
        if isHealed || draw.permille(350) { return drawDecisionCall(id, author) }
        let defect = draw.permille(150) ? draw.element(Defect.allCases) : nil
        var reply = SimulatedReply()
        let isText = author.goal.format == .text
        let state = coordinator.runs.slot(of: id.run).map { coordinator.runs[$0] }
        let known = state.map { state in state.planIDs }
        let tools = state?.plannerSettings?.tools.map(\.name) ?? []
        var parts: [(text: String, node: ModelNode?)] = []
        if let defect {
            parts += flaw(defect, author, written: []).map { ($0, nil) }
        } else if !tools.isEmpty {
            var node = ModelNode(
                id: author.nextID(),
                after: known ?? [],
                tools: tools,
                mayDeclare: !isText,
                drawing: &draw
            )
            node.isMarked = true
            parts.append((isText ? node.line : node.text.text, node))
        }
        reply.add(isText ? "Thought: so\n" : #"{"thought":"","action":"call","tasks":["#)
        for (index, part) in parts.enumerated() {
            if index > 0 { reply.add(isText ? "\n" : ",") }
            reply.add(part.text, completing: part.node)
        }
        reply.add(isText ? "\n" : #"],"answer":null}"#)
        let (pieces, isWhole) = drawCourse(of: reply, fault: defect.map { _ in .malformedPlan })
        let promised = defect == nil && isWhole ? parts.compactMap(\.node?.id) : []
        return SimulatedCall(id: id, purpose: .planner, pieces: pieces, promised: promised)
    }

    // MARK: - Decisions

    func drawDecisionCall(_ id: ModelCallID, _ author: SimulatedAuthor) -> SimulatedCall {
        var reply = SimulatedReply()
        let isText = author.goal.format == .text
        let roll = isHealed ? 999 : draw.int(0...999)
        switch roll {
        case 0...249:
            reply.add(
                isText
                    ? "Thought: not yet\nAction: Replan(a part is missing)"
                    : #"{"thought":"","action":"replan","reason":"a part","answer":null}"#
            )
        case 250...329: reply.add("I cannot decide.")
        default:
            let size = draw.permille(60) ? 600 : draw.int(0...30)
            let rest = author.goal.isReacting ? #"tasks":[]"# : #"reason":null"#
            let more = String(repeating: ", as $t1 and ${1.a} say", count: size)
            let answer = "It is (nearly) 42" + more
            reply.add(
                isText
                    ? "Thought: done\nAction: Finish(\(answer))"
                    : #"{"thought":"","action":"finish","\#(rest),"answer":"\#(answer)"}"#
            )
        }
        let isRunningOn = draw.permille(50)
        if isRunningOn { reply.add("\n" + String(repeating: " and so on", count: 300)) }
        let fault: Fault? = (250...329).contains(roll) || isRunningOn ? .malformedDecision : nil
        let (pieces, _) = drawCourse(of: reply, fault: fault)
        let purpose: PlannerMachine.Purpose = author.goal.isReacting ? .planner : .joiner
        return SimulatedCall(id: id, purpose: purpose, pieces: pieces, promised: [])
    }

    // MARK: - The course of a call

    /// The reply in pieces and its end, and whether it is complete.
    private func drawCourse(
        of reply: SimulatedReply,
        fault: Fault?
    ) -> ([SimulatedCall.Piece], isWhole: Bool) {
        var end = SimulatedCall.Piece(
            event: .ended(draw.permille(800) ? .end : .stopSequence),
            pause: draw.duration(.zero ... .milliseconds(5))
        )
        end.fault = fault
        var said = reply
        var isWhole = true
        if !isHealed, let course = drawFailure() {
            end = course.end
            if course.isCut { said = reply.cut(to: draw.int(0...max(reply.count - 1, 0))) }
            if course.end.fault == .modelFailedEarly {
                if draw.permille(200) { end.pause = .zero }
                return ([end], false)
            }
            isWhole = false
        }
        var pieces = said.pieces(drawing: &draw)
        if draw.permille(100) {
            pieces.insert(
                SimulatedCall.Piece(
                    event: .formatLowered(to: draw.permille(500) ? .jsonObject : .text),
                    pause: .zero
                ),
                at: 0
            )
        }
        if draw.permille(100) { pieces.insert(drawUsage(), at: draw.int(0...pieces.count)) }
        if draw.permille(700) {
            let prices = TokenPrices(
                input: Double(draw.int(0...9)),
                output: Double(draw.int(0...90))
            )
            pieces.insert(SimulatedCall.Piece(event: .charged(prices), pause: .zero), at: 0)
        }
        if draw.permille(800) { pieces.append(drawUsage()) }
        pieces.append(end)
        pieces[0].pause = draw.duration(.milliseconds(1) ... .milliseconds(150))
        return (pieces, isWhole)
    }

    private func drawUsage() -> SimulatedCall.Piece {
        SimulatedCall.Piece(
            event: .usage(TokenUsage(input: draw.int(5...60), output: draw.int(5...60))),
            pause: .zero
        )
    }

    /// How a call fails, if it does.
    private func drawFailure() -> (end: SimulatedCall.Piece, isCut: Bool)? {
        typealias Piece = SimulatedCall.Piece
        func piece(_ event: ModelEvent, _ fault: Fault, _ milliseconds: Int = 1) -> Piece {
            Piece(event: event, fault: fault, pause: .milliseconds(milliseconds))
        }
        func failure(_ code: ModelFailure.Code) -> ModelEvent {
            .failed(ModelFailure(code: code, message: "it broke", isRetryable: true))
        }
        switch draw.int(0...999) {
        case 0...29: return (piece(failure(.unreachable), .modelFailedEarly), true)
        case 30...59: return (piece(failure(.badStream), .modelFailedMidStream), true)
        case 60...79: return (piece(failure(.serverError), .modelFailedLate), false)
        case 80...99: return (piece(.ended(.refusal), .modelRefused), draw.permille(800))
        case 100...129: return (piece(.ended(.length), .modelCutShort), true)
        case 130...139: return (piece(.ended(.other), .modelCutShort), true)
        case 140...179:
            let silence = draw.int(2_000...15_000)
            return (piece(failure(.timeout), .modelHung, silence), draw.permille(700))
        default: return nil
        }
    }
}
