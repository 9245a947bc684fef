// Plans in Swift programs: nodes from literals, documents from JSON text.
internal import Core
public import JSON
internal import OrderedCollections
public import Plans

extension NodeDefinition {
    /// A node that calls a tool.
    ///
    /// A reference in the arguments, such as `"$find"` or `"${find.items[0].name}"`, adds its
    /// dependency automatically.
    ///
    /// - Parameters:
    ///   - id: The node's name in the plan: 1–64 of `[A-Za-z0-9_-]`.
    ///   - tool: The name of the tool.
    ///   - arguments: An object; may contain references to other nodes, at any depth.
    ///   - dependencies: Nodes to wait for that the arguments do not refer to.
    ///   - timeout: How long one attempt may take; nil leaves it to the tool.
    ///   - maxAttempts: How many attempts the node gets; nil leaves it to the tool.
    ///   - labels: Labels that a worker must have to run the node.
    /// - Throws: `PlanProblems` if an id breaks the rule.
    public init(
        _ id: String,
        tool: String,
        arguments: JSONValue = [:],
        after dependencies: [String] = [],
        timeout: Duration? = nil,
        maxAttempts: Int? = nil,
        requires labels: [String: String] = [:]
    ) throws(PlanProblems) {
        var ids: [NodeID] = []
        for dependency in dependencies { ids.append(try Self.nodeID(dependency)) }
        self.init(
            id: try Self.nodeID(id),
            tool: tool,
            arguments: RawJSON(arguments),
            dependencies: ids,
            timeout: timeout,
            maxAttempts: maxAttempts,
            requires: OrderedDictionary(
                uniqueKeysWithValues: labels.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
            )
        )
    }

    private static func nodeID(_ text: String) throws(PlanProblems) -> NodeID {
        guard let id = NodeID(text) else {
            throw PlanProblems([
                PlanProblem(
                    code: .badID,
                    node: text,
                    message: "the id of a node must be 1–64 of A–Z, a–z, 0–9, _ and -"
                )
            ])
        }
        return id
    }
}

extension PlanDocument {
    /// Reads a plan in its JSON form, `{"tasks":[…],"join_instruction":…}`.
    ///
    /// - Throws: `PlanProblems` with all its problems.
    public init(json text: String) throws(PlanProblems) {
        let (document, problems) = PlanDocument.read(Array(text.utf8))
        guard problems.isEmpty else { throw PlanProblems(problems) }
        self = document
    }

    /// The document in its JSON form.
    var encoded: [UInt8] {
        var writer = JSONWriter()
        encode(into: &writer)
        return writer.bytes
    }
}
