// A node as the plan stores it. A plan may have a million of them, so it is small: rarely used
// fields are in a separate box, and dependencies are in flat arrays of the plan.

public import Core
public import OrderedCollections

/// A node of a plan, compiled.
public struct PlanNode: Sendable {
    /// The node's name in the plan.
    public let id: NodeID
    /// The name of the tool to call.
    public internal(set) var tool: String
    /// The arguments, with their references.
    public internal(set) var template: ArgumentTemplate
    private let options: Options?

    /// How long one attempt may take, if the plan says so.
    public var timeout: Duration? { options?.timeout }
    /// How many attempts the node may have, if the plan says so.
    public var maxAttempts: Int? { options?.maxAttempts }
    /// Labels that a worker must have to run the node.
    public var requires: OrderedDictionary<String, String> { options?.requires ?? [:] }

    /// Bytes of the node's own data, without the tables of the plan.
    var payloadBytes: Int {
        let length = id.text.utf8.count
        var bytes = template.heldBytes + (length > 15 ? length + 32 : 0)
        if let options { bytes += options.bytes }
        return bytes
    }

    private final class Options: Sendable {
        let timeout: Duration?
        let maxAttempts: Int?
        let requires: OrderedDictionary<String, String>

        init(
            timeout: Duration?,
            maxAttempts: Int?,
            requires: OrderedDictionary<String, String>
        ) {
            self.timeout = timeout
            self.maxAttempts = maxAttempts
            self.requires = requires
        }

        var bytes: Int {
            requires.reduce(128) { $0 + 64 + $1.key.utf8.count + $1.value.utf8.count }
        }
    }

    init(_ definition: NodeDefinition, template: ArgumentTemplate) {
        id = definition.id
        tool = definition.tool
        self.template = template
        let hasOptions =
            definition.timeout != nil || definition.maxAttempts != nil
            || !definition.requires.isEmpty
        options =
            hasOptions
            ? Options(
                timeout: definition.timeout,
                maxAttempts: definition.maxAttempts,
                requires: definition.requires
            )
            : nil
    }
}
