// The answer of a run that no planner gave: put together over several turns when a client asks, and
// kept. In which form is in Joining.

internal import JSON
internal import PlannerCore
internal import Plans
internal import Runs
internal import Wire

/// The answer of one run, made or in the making; it shares the outputs.
struct AnswerCache: Sendable {
    /// The answer, once it was made.
    private(set) var made: JSONPieces?
    /// Whether the run had ended when it was made.
    private var isLast = false
    private var making: AnswerInMaking?

    /// An answer that is put together over several turns.
    private struct AnswerInMaking: Sendable {
        var join: AnswerJoin
        /// The node whose outcome comes next.
        var next = 0
        /// Whether nothing changes any more while it is made.
        let isLast: Bool
    }

    /// Bytes of the answer as far as it was made, without the outputs that it shares.
    var bytes: Int {
        (made.map { $0.ownBytes + 32 * $0.pieces.count } ?? 0) + (making?.join.ownBytes ?? 0)
    }

    /// Forgets an answer of before the end, made or in the making.
    mutating func dropPresent() {
        guard !isLast else { return }
        made = nil
        making = nil
    }

    /// Forgets everything.
    mutating func drop() {
        self = AnswerCache()
    }

    mutating func make(
        of run: Run,
        within mostBytes: Int,
        work: inout PageWork
    ) -> Bool {
        var making =
            self.making
            ?? AnswerInMaking(join: AnswerJoin(run.acceptance.join.form), isLast: run.isEnded)
        // It is taken out while it changes, so that nothing is copied.
        self.making = nil
        while making.next < run.plan.count, !work.isUsedUp, making.join.count <= mostBytes {
            let node = making.next
            making.next += 1
            work.look()
            guard node != run.joiner else { continue }
            let before = making.join.copiedBytes
            making.join.append(run.joinPart(of: node))
            work.write(bytes: making.join.copiedBytes - before)
        }
        guard making.next >= run.plan.count || making.join.count > mostBytes else {
            self.making = making
            return false
        }
        made = making.join.finish(joinInstruction: run.plan.joinInstruction)
        isLast = making.isLast
        return true
    }
}

extension Run {
    /// What a node contributes to the answer; one that has not ended counts as cancelled.
    func joinPart(of node: Int) -> JoinPart {
        JoinPart(
            id: plan[node].id,
            tool: plan[node].tool,
            outcome: outcome(of: node) ?? .cancelled
        )
    }
}

extension Run {
    /// What all its nodes contribute.
    var joinParts: [JoinPart] { nodes.indices.map { joinPart(of: $0) } }

    /// How the node that joins ended.
    var joinOutcome: Outcome { joiner.flatMap { outcome(of: $0) } ?? .cancelled }

    /// The event that gives a planner that only joins a whole plan.
    var givenPlan: PlannerMachine.Event {
        var nodes: [NodeDefinition] = []
        if acceptance.join == .llm {
            nodes = (0..<plan.count).map {
                let node = plan[$0]
                return NodeDefinition(
                    id: node.id,
                    tool: node.tool,
                    arguments: node.template.source,
                    dependencies: []
                )
            }
        }
        return .planGiven(nodes, joinInstruction: plan.joinInstruction)
    }
}

extension JoinKind {
    /// The form of the answer, unless a model or a tool makes it.
    fileprivate var form: AnswerJoin.Form {
        switch self {
        case .concat: .concat
        case .json, .llm, .tool: .json
        }
    }
}
