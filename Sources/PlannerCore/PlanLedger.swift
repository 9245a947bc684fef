// The nodes of a run that its plans have added so far, over all replies of the model.

public import Core
public import OrderedCollections
public import Plans

/// The nodes that the planner has added to a run, in order.
///
/// It is passed from one ``ModelPlanReader`` to the next, so that a repair or a later plan can
/// refer to running nodes, and can neither repeat nor change them.
public struct PlanLedger: Sendable, Equatable {
    /// The nodes by id.
    public private(set) var nodes: OrderedDictionary<NodeID, NodeDefinition> = [:]
    /// Ids of calls that were planned already, with the nodes that take their places.
    public private(set) var aliases: [NodeID: NodeID] = [:]
    /// The number for the next id.
    public private(set) var nextNumber: Int

    /// A ledger with these nodes; if an id repeats, its first node counts.
    public init(nodes: [NodeDefinition] = [], firstNumber: Int = 1) {
        nextNumber = max(1, firstNumber)
        for node in nodes where self.nodes[node.id] == nil { add(node) }
    }

    /// How many nodes there are.
    public var count: Int { nodes.count }

    mutating func add(_ node: NodeDefinition) {
        nodes[node.id] = node
        aliases[node.id] = nil
        noteID(node.id)
    }

    mutating func add(alias: NodeID, of id: NodeID) {
        aliases[alias] = aliases[id] ?? id
        noteID(alias)
    }

    /// An id stands for another node no longer.
    mutating func remove(alias: NodeID) { aliases[alias] = nil }

    /// Prevents the numbers of `7` and `t7` from being used again.
    private mutating func noteID(_ id: NodeID) {
        let digits = id.text.hasPrefix("t") ? id.text.dropFirst() : id.text[...]
        guard digits.utf8.count <= 9, let number = Int(digits), number >= nextNumber else { return }
        nextNumber = number + 1
    }
}
