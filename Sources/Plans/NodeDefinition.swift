// A node as its author wrote it: decoded and checked by itself, not yet against the rest of the plan.

public import JSON
public import OrderedCollections

/// A node as written in a plan: data from an untrusted author.
public struct NodeDefinition: Sendable, Hashable {
    /// The node's name in the plan.
    public var id: NodeID
    /// The name of the tool to call.
    public var tool: String
    /// The arguments of the call, an object; may hold references.
    public var arguments: RawJSON
    /// The declared dependencies, each once, in the order written.
    public var dependencies: [NodeID]
    /// How long one attempt may take, if the plan says so.
    public var timeout: Duration?
    /// How many attempts the node may have, if the plan says so.
    public var maxAttempts: Int?
    /// Labels that a worker must have to run the node.
    public var requires: OrderedDictionary<String, String>

    /// A node of these parts.
    ///
    /// Nothing is checked here; ``Plan/append(_:)`` does.
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
    /// `position` counts from 0 and serves only the messages. Throws every problem of the node.
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
        writer.field("timeout_ms", timeout?.wholeMilliseconds)
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

/// One pass over a node object that keeps what could be read even when something is wrong, so that
/// the rest of the plan can still be checked against it.
struct NodeReading {
    private(set) var definition: NodeDefinition?
    private(set) var id: NodeID?
    private(set) var dependencies: [NodeID] = []
    private(set) var problems = ProblemList()

    private let position: Int
    private var writtenID: String?

    init(_ raw: RawJSON, at position: Int) {
        self.position = position
        guard raw.kind == .object else {
            report(.badPlan, "is \(raw.kind.phrase), not an object")
            return
        }
        do {
            let fields = try JSONFields(raw)
            read(fields)
        } catch {
            report(.badPlan, "cannot be read: \(error.message)")
        }
    }

    private mutating func read(_ fields: JSONFields) {
        readID(fields["id"])
        let tool = readTool(fields["tool_name"])
        let arguments = readArguments(fields["args"])
        readDependencies(fields["dependencies"])
        let timeout = readInteger(
            fields["timeout_ms"],
            "timeout_ms",
            PlanLimits.timeoutMilliseconds
        )
        let maxAttempts = readInteger(
            fields["max_attempts"],
            "max_attempts",
            PlanLimits.maxAttempts
        )
        let requires = readLabels(fields["requires"])
        guard problems.isEmpty, let id, let tool, let arguments else { return }
        definition = NodeDefinition(
            id: id,
            tool: tool,
            arguments: arguments,
            dependencies: dependencies,
            timeout: timeout.map { .milliseconds($0) },
            maxAttempts: maxAttempts,
            requires: requires
        )
    }

    private mutating func readID(_ raw: RawJSON?) {
        guard let raw else {
            report(.badPlan, "has no id")
            return
        }
        guard let text = idText(raw) else {
            report(.badID, "has \(raw.kind.phrase) as its id; it must be a string")
            return
        }
        writtenID = shortened(text)
        id = NodeID(text)
        if id == nil {
            report(.badID, "has an id that is not 1–64 of A–Z, a–z, 0–9, _ and -")
        }
    }

    private mutating func readTool(_ raw: RawJSON?) -> String? {
        guard let raw else {
            report(.badPlan, "has no tool_name")
            return nil
        }
        guard let tool = raw.stringValue else {
            report(.badPlan, "has \(raw.kind.phrase) as its tool_name; it must be a string")
            return nil
        }
        if let (code, fault) = NodeDefinition.fault(ofTool: tool) {
            report(code, fault)
            return nil
        }
        return tool
    }

    private mutating func readArguments(_ raw: RawJSON?) -> RawJSON? {
        guard let raw, raw.kind != .null else { return .emptyObject }
        if let (code, fault) = NodeDefinition.fault(ofArguments: raw) {
            report(code, fault)
            return nil
        }
        return raw
    }

    private mutating func readDependencies(_ raw: RawJSON?) {
        guard let raw, raw.kind != .null else { return }
        guard raw.kind == .array else {
            report(.badPlan, "has \(raw.kind.phrase) as its dependencies; it must be a list of ids")
            return
        }
        var seen = DistinctIDs()
        var place = 0
        raw.forEachElement { element in
            place += 1
            guard let text = idText(element) else {
                report(
                    .badPlan,
                    "has \(element.kind.phrase) as its \(ordinal(place)) dependency; it must be an id"
                )
                return
            }
            guard let id = NodeID(text) else {
                report(.badID, "depends on \(quoted(text)), which cannot be an id")
                return
            }
            _ = seen.insert(id)
        }
        dependencies = seen.ids
        if dependencies.count > PlanLimits.dependenciesPerNode {
            report(.limit, tooManyDependencies(dependencies.count))
            dependencies = []
        }
    }

    private mutating func readInteger(
        _ raw: RawJSON?,
        _ name: String,
        _ range: ClosedRange<Int>
    ) -> Int? {
        guard let raw, raw.kind != .null else { return nil }
        guard let value = raw.intValue else {
            report(.badPlan, "has a \(name) that is not a whole number")
            return nil
        }
        guard range.contains(value) else {
            report(
                .limit,
                "has \(name) \(value); it must be from \(range.lowerBound) to \(range.upperBound)"
            )
            return nil
        }
        return value
    }

    private mutating func readLabels(_ raw: RawJSON?) -> OrderedDictionary<String, String> {
        guard let raw, raw.kind != .null else { return [:] }
        guard raw.kind == .object else {
            report(.badPlan, "has \(raw.kind.phrase) as requires; it must be an object of strings")
            return [:]
        }
        var labels: OrderedDictionary<String, String> = [:]
        raw.forEachField { name, value in
            guard let text = value.stringValue else {
                report(
                    .badPlan,
                    "requires \(quoted(name)) to be \(value.kind.phrase); it must be a string"
                )
                return
            }
            if labels.updateValue(text, forKey: name) != nil {
                report(.badPlan, "requires \(quoted(name)) twice")
            }
        }
        if let (code, fault) = NodeDefinition.fault(ofLabels: labels) { report(code, fault) }
        return labels
    }

    /// The id in `raw`: a string, or an integer as its decimal text (models write 1, 2).
    private func idText(_ raw: RawJSON) -> String? {
        switch raw.kind {
        case .string: raw.stringValue
        case .number: raw.intValue.map { String($0) }
        default: nil
        }
    }

    private mutating func report(_ code: PlanProblem.Code, _ fault: String) {
        let written = writtenID
        let place = ordinal(position + 1)
        problems.add(
            PlanProblem(
                code: code,
                node: written,
                message: written.map { "node \($0) (the \(place)) \(fault)" }
                    ?? "the \(place) node \(fault)"
            )
        )
    }
}

// MARK: - Checks shared by decoding and by ``Plan/append(_:)``

extension NodeDefinition {
    /// What is wrong with a node, each fault to follow the words "node t1".
    typealias Fault = (code: PlanProblem.Code, fault: String)

    /// The faults that the node has by itself; empty for every node that came through decoding.
    func faults() -> [Fault] {
        var faults: [Fault] = []
        if let fault = NodeDefinition.fault(ofTool: tool) { faults.append(fault) }
        if let fault = NodeDefinition.fault(ofArguments: arguments) { faults.append(fault) }
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
