// A node as its author wrote it: decoded and checked on its own, not yet against the rest of the
// plan.

public import Core
public import JSON
public import OrderedCollections

/// A node as written in a plan: data from an untrusted author.
public struct NodeDefinition: Sendable, Hashable {
    /// The node's name in the plan.
    public var id: NodeID
    /// The name of the tool to call.
    public var tool: String
    /// The arguments of the call, an object; may contain references.
    public var arguments: RawJSON
    /// The declared dependencies, each once, in the order written.
    public var dependencies: [NodeID]
    /// How long one attempt may take, if the plan says so.
    public var timeout: Duration?
    /// How many attempts the node may have, if the plan says so.
    public var maxAttempts: Int?
    /// Labels that a worker must have to run the node.
    public var requires: OrderedDictionary<String, String>

    /// A node with these parts.
    ///
    /// Nothing is checked here; ``Plan/append(_:)`` checks.
    public init(
        id: NodeID,
        tool: String,
        arguments: RawJSON = .emptyObject,
        dependencies: [NodeID] = [],
        timeout: Duration? = nil,
        maxAttempts: Int? = nil,
        requires: OrderedDictionary<String, String> = [:]
    ) {
        self.id = id
        self.tool = tool
        self.arguments = arguments
        self.dependencies = dependencies
        self.timeout = timeout
        self.maxAttempts = maxAttempts
        self.requires = requires
    }

    /// Decodes one element of `tasks`.
    ///
    /// `position` counts from 0 and is only used in the messages. Throws all problems of the node.
    public init(decoding raw: RawJSON, at position: Int) throws(PlanProblems) {
        let reading = NodeReading(raw, at: position)
        guard let definition = reading.definition else {
            throw PlanProblems(reading.problems.finished())
        }
        self = definition
    }

    /// Writes the node as an element of `tasks`.
    public func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("id", id.text)
        writer.field("tool_name", tool)
        writer.field("args", arguments)
        writer.key("dependencies")
        writer.beginArray()
        for dependency in dependencies { writer.string(dependency.text) }
        writer.endArray()
        writer.field("timeout_ms", timeout?.millisecondsRoundedUp)
        writer.field("max_attempts", maxAttempts)
        if !requires.isEmpty {
            writer.key("requires")
            writer.beginObject()
            for (name, value) in requires {
                writer.key(escaping: name)
                writer.string(value)
            }
            writer.endObject()
        }
        writer.endObject()
    }
}

// MARK: - Checks shared by decoding and by ``Plan/append(_:)``

extension NodeDefinition {
    /// The faults of a node, each as text to follow the words "node t1".
    typealias Fault = (code: PlanProblem.Code, fault: String)

    /// The faults that the node has on its own; empty for every node that was decoded.
    func faults() -> [Fault] {
        var faults: [Fault] = []
        if let fault = NodeDefinition.fault(ofTool: tool) { faults.append(fault) }
        if let fault = NodeDefinition.fault(ofArguments: arguments) { faults.append(fault) }
        // A level takes two bytes, so short arguments need no check.
        if arguments.count > 2 * maximumDepth, arguments.depth > maximumDepth {
            faults.append((.limit, "has args nested deeper than \(maximumDepth) levels"))
        }
        if let fault = NodeDefinition.fault(ofLabels: requires) { faults.append(fault) }
        if let timeout {
            let range = PlanLimits.timeoutMilliseconds
            if timeout < .milliseconds(range.lowerBound)
                || timeout > .milliseconds(range.upperBound)
            {
                faults.append((.limit, "has a timeout that is not from 1 ms to 24 hours"))
            }
        }
        if let maxAttempts, !PlanLimits.maxAttempts.contains(maxAttempts) {
            faults.append((.limit, "has max_attempts \(maxAttempts); it must be from 1 to 100"))
        }
        return faults
    }

    static func fault(ofTool tool: String) -> Fault? {
        let length = tool.utf8.count
        if length == 0 { return (.badPlan, "has an empty tool_name") }
        if length > PlanLimits.toolName {
            return (.limit, "has a tool_name of \(length) bytes; at most 128 are allowed")
        }
        return nil
    }

    static func fault(ofArguments arguments: RawJSON) -> Fault? {
        guard arguments.kind == .object else {
            return (.badPlan, "has \(arguments.kind.phrase) as its args; it must be an object")
        }
        guard arguments.count <= PlanLimits.argumentBytes else {
            return (
                .limit,
                "has args of \(arguments.count) bytes; at most \(PlanLimits.argumentBytes) are allowed"
            )
        }
        return nil
    }

    static func fault(ofLabels labels: OrderedDictionary<String, String>) -> Fault? {
        if labels.isEmpty { return nil }
        if labels.count > PlanLimits.labels {
            return (.limit, "requires \(labels.count) labels; at most 64 are allowed")
        }
        for (name, value) in labels {
            let lengths = (name.utf8.count, value.utf8.count)
            if lengths.0 == 0 { return (.badPlan, "requires a label without a name") }
            if max(lengths.0, lengths.1) > PlanLimits.labelBytes {
                return (.limit, "requires a label of more than 256 bytes")
            }
        }
        return nil
    }
}

func tooManyDependencies(_ count: Int) -> String {
    "has \(count) dependencies; at most \(PlanLimits.dependenciesPerNode) are allowed"
}
