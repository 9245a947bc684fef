// The models: calls begin, write pieces, end, and are cancelled. Their texts are drawn in the
// extension Replies.

import CoordinatorCore
import Core
import Plans
import Runs

@testable import CoordinatorCore
@testable import PlannerCore

extension SimulatedCluster {
    func callModel(_ id: ModelCallID, _ purpose: PlannerMachine.Purpose) {
        broken(modelCalls.begin(id, purpose))
        guard let author = authors[id.run] else { return broken("\(id) is for no goal") }
        switch (author.latest, purpose) {
        case (.planner, .planner) where author.goal.isReacting || author.goal.isGrowing:
            faults.note(.furtherStep)
        case (.planner, .planner), (.joiner, .joiner): faults.note(.repair)
        case (.joiner, .planner): faults.note(.replan)
        default: break
        }
        author.latest = purpose
        let call =
            switch purpose {
            case .planner where author.goal.isReacting: drawStepCall(id, author)
            case .planner: drawPlanCall(id, author)
            case .joiner: drawDecisionCall(id, author)
            }
        call.seat = seat
        calls[id] = call
        trace.add(now, "model \(id) is called as \(purpose.rawValue)")
        if call.pieces.count == 1, call.pieces[0].pause == .zero {
            // As when there is no model: the report comes while actions are executed.
            return speak(call, turn: 0)
        }
        plan(.speak(call, turn: 0), after: call.pieces.last?.pause ?? .zero)
    }

    /// The next piece of a call's reply, or its end.
    func speak(_ call: SimulatedCall, turn: Int) {
        guard !call.isOver, call.turn == turn, let piece = call.pieces.popLast() else { return }
        for node in piece.nodes {
            dependencies.write(node, call.id.run)
            authors[call.id.run]?.sources[node.id] = call
        }
        modelCalls.report(piece.event, of: call.id, at: now)
        if let fault = piece.fault { faults.note(fault) }
        if piece.event.isEnd {
            call.isOver = true
            calls[call.id] = nil
        }
        trace.add(now, "model \(call.id) \(piece.event.word)")
        tell(.modelReported(call.id, piece.event))
        if case .ended = piece.event { checkPromise(of: call) }
        if let next = call.pieces.last { plan(.speak(call, turn: turn), after: next.pause) }
    }

    /// A cancelled call ends at once, writes a little more, or ends as if it had not been
    /// cancelled.
    func cancelModel(_ id: ModelCallID) {
        broken(modelCalls.cancel(id, at: now))
        trace.add(now, "model \(id) is cancelled")
        guard let call = calls[id] else { return }
        faults.note(.modelCallCancelled)
        call.isCancelled = true
        call.turn += 1
        let cancelled = SimulatedCall.Piece(
            event: .failed(ModelFailure(code: .cancelled, message: "it was cancelled")),
            pause: draw.duration(.zero ... .milliseconds(20))
        )
        switch draw.int(0...9) {
        case 0...4:
            call.pieces = [cancelled]
            speak(call, turn: call.turn)
        case 5...7:
            let more = call.pieces.last.flatMap { $0.event.isEnd ? nil : $0 }
            call.pieces = [cancelled] + (more.map { [$0] } ?? [])
            plan(.speak(call, turn: call.turn), after: .microseconds(50))
        default:
            call.pieces = [SimulatedCall.Piece(event: .ended(.end), pause: .zero)]
            plan(.speak(call, turn: call.turn), after: .microseconds(50))
        }
    }

    /// Nodes that were written without a fault are in the run's plan.
    private func checkPromise(of call: SimulatedCall) {
        guard !call.promised.isEmpty, !call.isCancelled,
            let slot = coordinator.runs.slot(of: call.id.run), let author = authors[call.id.run]
        else { return }
        let run = coordinator.runs[slot].state
        guard run.phase.isGoingOn,
            run.plan.count < author.goal.maxNodes
        else { return }
        // After a plan that is the answer there is nothing to check.
        guard !author.goal.isPlanOnly else { return }
        let ids = Set((0..<run.plan.count).map { run.plan[$0].id.text })
        if let lost = call.promised.first(where: { !ids.contains($0) }) {
            broken("\(call.id) wrote node \(lost), which is not in the plan")
        }
    }
}

extension ModelEvent {
    var isEnd: Bool {
        switch self {
        case .ended, .failed: true
        case .charged, .delta, .usage, .formatLowered: false
        }
    }

    /// For the trace.
    var word: String {
        switch self {
        case .delta(let text): "says \(text.count > 60 ? "\(text.prefix(60))…" : text)"
        case .charged(let prices): "costs \(prices.input) and \(prices.output) a million"
        case .usage(let usage): "used \(usage.total)"
        case .formatLowered: "lowers the format"
        case .ended(let stop): "ended: \(stop.rawValue)"
        case .failed(let failure): "failed: \(failure.code)"
        }
    }
}
