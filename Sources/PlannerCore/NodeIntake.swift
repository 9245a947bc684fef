// What happens to a node that a model has written: it is repaired where there is one reading, checked,
// and merged with an equal one. In which order nodes pass is decided in NodeGate.

import Core
import JSON
import OrderedCollections
import Plans

/// Takes the nodes of a plan in, in either form.
struct NodeIntake: Sendable {
    let tools: PlannerTools
    var gate: NodeGate
    private let oldNodes: OrderedDictionary<NodeID, NodeDefinition>
    /// Nodes of this reply that got another id, because theirs was taken by an earlier reply.
    private var renamed: [NodeID: NodeID] = [:]
    private var nextNumber: Int
    private var repeats: RepeatedCalls
    private let mergesRepeats: Bool
    /// Whether there was any node, usable or not.
    private(set) var hasCalls = false
    /// Whether the plan only repeats itself, so that nothing more is taken in.
    private(set) var isEndless = false

    /// `nodes` are those that the plan has already; nil if a call may be made twice.
    init(tools: PlannerTools, goal: String, nodes: [NodeDefinition]?, gate: NodeGate) {
        self.tools = tools
        self.gate = gate
        oldNodes = gate.ledger.nodes
        nextNumber = gate.ledger.nextNumber
        repeats = RepeatedCalls(goal: goal, nodes: nodes ?? [])
        mergesRepeats = nodes != nil
    }

    /// Takes in a node, or reports what is wrong with it.
    mutating func offer(_ written: NodeDefinition, source: String) {
        guard !isEndless else { return }
        hasCalls = true
        var definition = renumbered(written)
        let id = definition.id
        guard let entry = tools[definition.tool] else {
            gate.report(.unknownTool, id, "node \(id) " + tools.unknownTool(definition.tool))
            gate.refuse(id)
            return
        }
        definition.arguments = entry.repaired(definition.arguments)
        dropDependencyOnItself(&definition)
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
        offer(PlannerNode(definition: definition, source: source), entry)
    }

    /// Two equal calls are one node, unless the tool must not be called less often than written.
    private mutating func offer(_ written: PlannerNode, _ entry: PlannerTools.Entry) {
        let node = gate.followingAliases(written)
        let id = node.definition.id
        let isHarmless = mergesRepeats && entry.tool.mayBeRepeated
        let twin = repeats.note(node.definition, isHarmless: isHarmless)
        if repeats.isEndless {
            isEndless = true
            gate.report(
                .badPlan,
                id,
                "the plan only repeats itself from node \(id) on; it was used up to there",
                isWarning: true
            )
            return
        }
        guard isHarmless, let twin, twin != id else {
            return gate.offer(node)
        }
        gate.report(
            .duplicateCall,
            id,
            "node \(id) makes the same call as node \(twin), which takes its place",
            isWarning: true
        )
        gate.replace(id, by: twin)
    }

    /// The node under an id of its own: models begin again with 1 although earlier plans had a 1.
    ///
    /// What follows in the reply refers to it by the id that was written. A node that is there
    /// already, unchanged, keeps its id.
    private mutating func renumbered(_ written: NodeDefinition) -> NodeDefinition {
        var node = written
        if !renamed.isEmpty {
            node.dependencies = node.dependencies.map { renamed[$0] ?? $0 }
            node.arguments = rewritingReferences(in: node.arguments) { id in
                renamed[id].map { .rename($0) }
            }
        }
        let isTaken = oldNodes[node.id].map { !$0.isSame(as: node) } ?? false
        guard isTaken || renamed.values.contains(node.id), renamed[node.id] == nil else {
            return node
        }
        let prefix = node.id.text.hasPrefix("t") ? "t" : ""
        let id = NodeID(checked: "\(prefix)\(nextNumber)")
        nextNumber += 1
        renamed[node.id] = id
        node.id = id
        return node
    }

    private mutating func dropDependencyOnItself(_ definition: inout NodeDefinition) {
        let id = definition.id
        guard definition.dependencies.contains(id),
            !ArgumentTemplate(compiling: definition.arguments).references.contains(where: {
                $0.id == id
            })
        else { return }
        definition.dependencies.removeAll { $0 == id }
        gate.report(
            .selfReference,
            id,
            "node \(id) declares that it needs itself; that is left out",
            isWarning: true
        )
    }
}
