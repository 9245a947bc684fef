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
    /// The nodes before this reply.
    private let old: PlanLedger
    /// Nodes of this reply that got another id, because theirs was taken by an earlier reply.
    private var renamed: [NodeID: NodeID] = [:]
    private var newIDs: Set<NodeID> = []
    /// Ids that this reply has written or referred to.
    private var mentioned: Set<NodeID> = []
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
        old = gate.ledger
        nextNumber = gate.ledger.nextNumber
        repeats = RepeatedCalls(goal: goal, nodes: nodes ?? [])
        mergesRepeats = nodes != nil
    }

    /// Notes a call that cannot be used, as it is written: too many of them end the plan.
    mutating func noteRefusal(of call: String) {
        repeats.noteRefusal(of: call)
        if repeats.hasOnlyRefusals { isEndless = true }
    }

    /// Takes in a node, or reports what is wrong with it.
    mutating func offer(_ written: NodeDefinition, source: String) {
        guard !isEndless else { return }
        hasCalls = true
        mentioned.insert(written.id)
        mentioned.formUnion(ArgumentTemplate(compiling: written.arguments).references.map(\.id))
        var definition = followingRenames(written)
        guard let entry = tools[definition.tool] else {
            renumber(&definition)
            let id = definition.id
            gate.report(.unknownTool, id, "node \(id) " + tools.unknownTool(definition.tool))
            gate.refuse(id)
            noteRefusal(of: written.tool + written.arguments.text)
            return
        }
        definition.arguments = entry.repaired(definition.arguments)
        renumber(&definition)
        let id = definition.id
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
            noteRefusal(of: written.tool + written.arguments.text)
            return
        }
        let faults = entry.problems(of: definition.arguments)
        guard faults.isEmpty else {
            let list = faults.prefix(5).joined(separator: "; ")
            gate.report(.badArguments, id, "node \(id): arguments of \(definition.tool): \(list)")
            gate.refuse(id)
            noteRefusal(of: written.tool + written.arguments.text)
            return
        }
        let missing = OutputShape.faults(in: definition.arguments) { id in
            gate.tool(of: id).flatMap { tools[$0]?.shape }
        }
        if let fault = missing.first {
            // Parts that the schema does not name are slips, too, when a model refers to them.
            gate.report(.referenceNotFound, id, "node \(id) \(fault.sentence)")
            gate.refuse(id)
            noteRefusal(of: written.tool + written.arguments.text)
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
        // A call that was noted may have been refused since.
        guard isHarmless, let twin, twin != id, gate.hasNode(gate.meaning(of: twin)) else {
            return gate.offer(node)
        }
        gate.replace(id, by: twin)
    }

    /// The node with its references to renamed nodes of this reply changed.
    private func followingRenames(_ written: NodeDefinition) -> NodeDefinition {
        guard !renamed.isEmpty else { return written }
        var node = written
        node.dependencies = node.dependencies.map { renamed[$0] ?? $0 }
        node.arguments = rewritingReferences(in: node.arguments) { id in
            renamed[id].map { .rename($0) }
        }
        return node
    }

    /// Gives the node an id of its own if an earlier reply has used it: models begin again with 1.
    ///
    /// What follows in the reply refers to it by the id that was written. A node that is there
    /// already, unchanged, keeps its id.
    private mutating func renumber(_ node: inout NodeDefinition) {
        let id = node.id
        let isTaken =
            old.nodes[id].map { !$0.isSame(as: node) } ?? (old.aliases[id] != nil)
        guard renamed[id] == nil, isTaken || newIDs.contains(id) else { return }
        let prefix = id.text.hasPrefix("t") ? "t" : ""
        var new = id
        repeat {
            new = NodeID(checked: "\(prefix)\(nextNumber)")
            nextNumber += 1
        } while gate.hasNode(new) || mentioned.contains(new)
        renamed[id] = new
        newIDs.insert(new)
        node.id = new
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
