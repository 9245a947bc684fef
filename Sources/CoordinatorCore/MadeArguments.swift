// Where the arguments of ready nodes are kept until they are sent, and which nodes wait for theirs.
// Making them is in CoordinatorMachine+Arguments.

internal import Core
internal import DequeModule
internal import JSON
internal import Plans
internal import Scheduling

/// The made arguments of the ready nodes of one run.
struct MadeArguments: Sendable {
    private var byNode: [Int: ResolvedArguments] = [:]
    /// Bytes that they take in memory, about; outputs that they share with the run are not counted.
    private(set) var bytes = 0
    /// Tools that no worker had when arguments for them were made: these were not checked.
    private(set) var uncheckedTools: Set<String> = []
    /// Bytes of their names, about.
    private(set) var toolBytes = 0

    /// Notes that arguments for a tool were made without its schema.
    mutating func noteUnchecked(_ tool: String) {
        if uncheckedTools.insert(tool).inserted { toolBytes += 64 + tool.utf8.count }
    }

    var isEmpty: Bool { byNode.isEmpty }

    subscript(node: Int) -> ResolvedArguments? { byNode[node] }

    mutating func keep(_ arguments: ResolvedArguments, of node: Int) {
        byNode[node] = arguments
        bytes += arguments.keptBytes
    }

    mutating func remove(_ node: Int) -> ResolvedArguments? {
        guard let arguments = byNode.removeValue(forKey: node) else { return nil }
        bytes -= arguments.keptBytes
        return arguments
    }

    /// `bytes`, computed again from all arguments; for checks.
    var countedBytes: Int { byNode.values.reduce(0) { $0 + $1.keptBytes } }
}

extension ResolvedArguments {
    /// What they take in memory while they are kept, about.
    var keptBytes: Int {
        switch self {
        case .whole(let whole): 96 + whole.count
        case .pieces(let pieces): 96 + pieces.ownBytes
        }
    }
}

/// How much time and room there is for making arguments, and the nodes that have to wait for time.
struct ArgumentBudget: Sendable {
    /// Bytes of outputs that are looked through or copied in one turn; what is left comes in the
    /// next one, so that pings are answered in between.
    private static let workPerTurn = 8 << 20

    /// Bytes that were looked through or copied in this turn.
    var work = 0
    /// Bytes of kept arguments, of all runs.
    private(set) var keptBytes = 0
    private var postponed: Deque<NodeReference> = []

    /// Whether this turn has time for more.
    var hasTime: Bool { work < Self.workPerTurn }
    /// Whether nodes wait for a further turn.
    var hasPostponed: Bool { !postponed.isEmpty }

    mutating func postpone(_ node: NodeReference) { postponed.append(node) }

    /// The node that has waited longest, if there is time for it.
    mutating func nextPostponed() -> NodeReference? { hasTime ? postponed.popFirst() : nil }

    mutating func noteKept(_ bytes: Int) { keptBytes += bytes }
    mutating func noteRemoved(_ bytes: Int) { keptBytes -= bytes }

    mutating func beginTurn() { work = 0 }
}
