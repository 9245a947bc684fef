// The plan itself: nodes by dense index, edges in flat arrays, and the holds of a growing plan.
// Adding nodes is in Plan+Growth.swift, closing in Plan+Closing.swift.

public import Core
public import JSON

/// The compiled, growable plan.
///
/// Nodes have dense indexes in order of arrival. Adding a node or an edge takes amortized constant
/// time; a node takes less than 250 bytes in addition to its payload.
///
/// A node may name an id that is not in the plan yet: the plan then holds the node, until a node of
/// that id arrives or the plan is closed.
public struct Plan: Sendable {
    /// One dependency of one node, by indexes.
    public struct Edge: Sendable, Hashable {
        /// The node that must be done first.
        public var dependency: Int
        /// The node that waits.
        public var dependent: Int

        /// The edge between two nodes.
        public init(dependency: Int, dependent: Int) {
            self.dependency = dependency
            self.dependent = dependent
        }
    }

    /// What changed when nodes were added.
    public struct Growth: Sendable, Hashable {
        /// The indexes of the added nodes.
        public var added: Range<Int>
        /// Every edge that is now known, also edges of older nodes.
        public var edges: [Edge]
        /// The added nodes that wait for an unknown id, once for each such id.
        public var held: [Int]
        /// Nodes that waited for an id that has now arrived, once for each such id; the edge is in
        /// ``edges``.
        public var released: [Int]

        /// A change with these parts.
        public init(
            added: Range<Int>,
            edges: [Edge] = [],
            held: [Int] = [],
            released: [Int] = []
        ) {
            self.added = added
            self.edges = edges
            self.held = held
            self.released = released
        }
    }

    /// Whether the plan has stopped growing.
    public internal(set) var isClosed = false
    /// What to do with the outputs, in words; passed to the joiner.
    public var joinInstruction: String?

    var nodes: [PlanNode] = []
    var indexes: [NodeID: Int32] = [:]
    /// Tool names too long to be stored inline.
    var longToolNames: Set<String> = []

    /// The dependencies of node i are `targets[starts[i]..<starts[i + 1]]`: the index of a node,
    /// `Plan.dropped`, or a number that `Plan.hold(in:)` converts to a position in `holds`.
    var targets: [Int32] = []
    var starts: [Int32] = [0]
    /// Whether some edge leads to a node that arrived later; without one there can be no cycle.
    var hasForwardEdge = false

    /// One node's wait for one id, linked to the next wait for the same id.
    struct Hold {
        var id: NodeID
        var node: Int32
        var target: Int32
        var isDeclared: Bool
        var next: Int32
    }

    /// The first and the last of the holds that wait for one id, in order of arrival.
    struct Waiting {
        var first: Int32
        var last: Int32
    }

    /// Bytes of the nodes' own data: arguments, their references, long ids, labels.
    var payloadBytes = 0

    var holds: [Hold] = []
    /// The first of the free positions in `holds`, linked by `next`.
    var freeHold: Int32 = -1
    var waiting: [NodeID: Waiting] = [:]

    /// In `targets`: a reference that became text.
    static let dropped = Int32.min

    /// The position in `holds` for a target.
    static func hold(in target: Int32) -> Int? {
        target < 0 && target != dropped ? Int(-(target + 1)) : nil
    }

    /// An empty plan that may grow.
    public init() {}

    /// How many nodes the plan has.
    public var count: Int { nodes.count }

    /// The index of a node, or nil if no node has that id (yet).
    public func index(of id: NodeID) -> Int? {
        indexes[id].map { Int($0) }
    }

    /// The node of an index in `0..<count`.
    public subscript(index: Int) -> PlanNode {
        // A node is large; reading one field must not copy the whole node.
        _read { yield nodes[index] }
    }

    /// The indexes of the nodes that a node depends on, as far as they have arrived.
    ///
    /// Declared ones come first, then references, each once.
    public func dependencies(of index: Int) -> [Int] {
        slots(of: index).compactMap { slot in
            let target = targets[slot]
            return target >= 0 ? Int(target) : nil
        }
    }

    /// How many edges are known.
    public var edgeCount: Int {
        targets.reduce(0) { $1 >= 0 ? $0 + 1 : $0 }
    }

    /// The approximate memory of the plan, with all data of its nodes.
    public var heldBytes: Int { payloadBytes + tableBytes }

    /// The same, with every node counted again; for checks.
    public var countedBytes: Int {
        nodes.reduce(0) { $0 + $1.payloadBytes } + tableBytes
    }

    /// Bytes of the plan's own tables, with approximate sizes of a node, a dependency and a hold.
    private var tableBytes: Int {
        160 * nodes.count + 16 * targets.count + 160 * holds.count
            + (joinInstruction?.utf8.count ?? 0)
    }

    func slots(of index: Int) -> Range<Int> {
        Int(starts[index])..<Int(starts[index + 1])
    }

    /// The arguments of a node with the outputs of others put in.
    ///
    /// `outputs` is called with a node index. References to unknown nodes stay text. Adds to `work`
    /// the bytes that were scanned or copied. Throws `reference_not_found` if a node has no output
    /// or its output no such part, `limit` if the arguments become too large or too deep, or take
    /// too much work.
    public func resolveArguments(
        of index: Int,
        within bounds: ResolutionBounds,
        work: inout Int,
        outputs: (Int) -> RawJSON?
    ) throws(Failure) -> ResolvedArguments {
        let indexes = indexes
        var missing: NodeID?
        let resolved = try nodes[index].template.resolveByID(within: bounds, work: &work) { id in
            guard let target = indexes[id] else { return .literal }
            guard let output = outputs(Int(target)) else {
                if missing == nil { missing = id }
                return .literal
            }
            return .output(output)
        }
        if let missing {
            throw Failure(code: .referenceNotFound, message: "node \(missing) has no output")
        }
        return resolved
    }

    /// The same in one buffer, without further limits.
    public func resolveArguments(
        of index: Int,
        outputs: (Int) -> RawJSON?
    ) throws(Failure) -> RawJSON {
        var work = 0
        return try resolveArguments(
            of: index,
            within: ResolutionBounds(),
            work: &work,
            outputs: outputs
        ).joined
    }

    /// Problems that do not prevent running: text that looks like a reference but names no node, or
    /// is not well formed.
    ///
    /// At most `PlanLimits.problemsReported`; the last one says how many more there are. For a
    /// growing plan, ids that are still unknown are included.
    public func warnings() -> [PlanProblem] {
        var warnings = ProblemList()
        for node in nodes {
            warnOfMalformedReferences(of: node, &warnings)
            guard node.template.hasReferences else { continue }
            var seen = DistinctIDs()
            for reference in node.template.references
            where indexes[reference.id] == nil && seen.insert(reference.id) {
                warnings.add(
                    PlanProblem(
                        code: .unknownReference,
                        node: node.id.text,
                        message: "node \(node.id) has the text $\(reference.id) in its args, but "
                            + "no node is called \(reference.id); it stays text (write $$ for a "
                            + "dollar sign)",
                        isWarning: true
                    )
                )
            }
        }
        return warnings.finished(asWarning: true)
    }

    private func warnOfMalformedReferences(of node: PlanNode, _ warnings: inout ProblemList) {
        guard !node.template.isUnescaped else { return }
        let found = MalformedReference.find(in: node.template.source) { indexes[$0] != nil }
        for malformed in found {
            warnings.add(
                PlanProblem(
                    code: .malformedReference,
                    node: node.id.text,
                    message: "node \(node.id) \(malformed.fault)",
                    isWarning: true
                )
            )
        }
    }
}

extension Plan {
    /// Whether both have the same nodes with the same dependencies, and wait for the same ids.
    public func isSame(as other: Plan) -> Bool {
        guard isClosed == other.isClosed, joinInstruction == other.joinInstruction,
            starts == other.starts, targets == other.targets,
            payloadBytes == other.payloadBytes, nodes.count == other.nodes.count
        else { return false }
        return zip(nodes, other.nodes).allSatisfy { left, right in
            left.id == right.id && left.tool == right.tool
                && left.template.source == right.template.source
        }
    }
}
