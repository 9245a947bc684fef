// What an output schema says about the parts of an output, for references that are checked before
// anything runs. Shared by the planner, the coordinator and the command. Not here: checking outputs
// against the schema (module Schemas).

public import Core
public import JSON
internal import OrderedCollections
internal import Plans

/// The output of a tool as far as its schema tells.
public struct OutputShape: Sendable {
    private let schema: JSONValue
    /// References within schemas may lead round in a circle.
    private static let depth = 24

    /// The shape that a JSON Schema describes; it need not be a usable one.
    public init(_ schema: RawJSON) {
        self.schema = JSONValue(schema)
    }

    /// What is wrong with a reference to a part.
    public struct Fault: Sendable, Hashable {
        /// Why the output does not have the part, continuing "the output of t1".
        public var words: String
        /// Whether the schema forbids the part; otherwise it only does not name it.
        public var isCertain: Bool
    }

    /// Why an output does not have a part, or nil if it may.
    public func fault(at path: [JSONPathStep]) -> Fault? {
        Self.fault(at: path[...], in: schema, of: self, 0)
    }

    /// The faults of the references in arguments.
    ///
    /// - Parameters:
    ///   - arguments: As a plan has them.
    ///   - shape: The shape of the output of a node; nil if there is no such node, or nothing is
    ///     known of its output.
    /// - Returns: Sentences without their beginning "node t2: ", each with whether the part is
    ///   surely missing.
    public static func faults(
        in arguments: RawJSON,
        shape: (NodeID) -> OutputShape?
    ) -> [(sentence: String, isCertain: Bool)] {
        ArgumentTemplate(compiling: arguments).references.compactMap { reference in
            guard !reference.path.isEmpty,
                let fault = shape(reference.id)?.fault(at: reference.path)
            else { return nil }
            let written = "${\(reference.id)\(text(of: reference.path))}"
            return (
                "refers to \(written), but the output of \(reference.id) \(fault.words)",
                fault.isCertain
            )
        }
    }

    private static func text(of path: [JSONPathStep]) -> String {
        path.reduce(into: "") { text, step in
            switch step {
            case .key(let key): text += ".\(key)"
            case .index(let index): text += "[\(index)]"
            }
        }
    }

    private static func fault(
        at path: ArraySlice<JSONPathStep>,
        in written: JSONValue,
        of shape: OutputShape,
        _ depth: Int
    ) -> Fault? {
        guard let step = path.first, depth < Self.depth else { return nil }
        let schema = shape.resolved(written)
        // Whichever branch holds may describe the part.
        guard schema.objectValue != nil, !schema.hasBranches else { return nil }
        let types = schema.schemaTypes
        let rest = path.dropFirst()
        switch step {
        case .key(let key):
            if !types.isEmpty, !types.contains("object") {
                return Fault(words: "is \(words(types)), without fields", isCertain: true)
            }
            let properties = schema["properties"]?.objectValue ?? [:]
            if let inner = properties[key] {
                return fault(at: rest, in: inner, of: shape, depth + 1)
            }
            guard schema["patternProperties"] == nil else { return nil }
            let more = schema["additionalProperties"]
            if let more, more.objectValue != nil {
                return fault(at: rest, in: more, of: shape, depth + 1)
            }
            guard more != .bool(true), !properties.isEmpty || more == .bool(false) else {
                return nil
            }
            let names = properties.keys.prefix(12).joined(separator: ", ")
            return Fault(
                words: "has no field \(key)" + (names.isEmpty ? "" : "; it has \(names)"),
                isCertain: more == .bool(false)
            )
        case .index(let index):
            if !types.isEmpty, !types.contains("array") {
                return Fault(words: "is \(words(types)), not a list", isCertain: true)
            }
            if let most = schema["maxItems"]?.intValue, index >= most {
                return Fault(words: "has at most \(most) elements", isCertain: true)
            }
            if let first = schema["prefixItems"]?.arrayValue, index < first.count {
                return fault(at: rest, in: first[index], of: shape, depth + 1)
            }
            guard let items = schema["items"] else { return nil }
            return fault(at: rest, in: items, of: shape, depth + 1)
        }
    }

    private static func words(_ types: [String]) -> String {
        types.map { ["a", "e", "i", "o"].contains($0.prefix(1)) ? "an \($0)" : "a \($0)" }
            .joined(separator: " or ")
    }

    /// The schema that a reference within the document leads to.
    private func resolved(_ written: JSONValue) -> JSONValue {
        var schema = written
        for _ in 0..<Self.depth {
            guard let reference = schema["$ref"]?.stringValue else { return schema }
            guard reference.hasPrefix("#"),
                let next = self.schema.part(at: String(reference.dropFirst()))
            else { return .null }
            schema = next
        }
        return .null
    }

    // MARK: - For prompts

    /// The shape in a few characters, such as `{name, size: integer, tags: [text]}`; nil if it says
    /// nothing.
    public var summary: String? {
        let text = summary(of: schema, 0)
        return ["", "object", "{}", "any"].contains(text) ? nil : text
    }

    private static let summaryDepth = 4
    private static let summaryFields = 16

    private func summary(of written: JSONValue, _ depth: Int) -> String {
        let schema = resolved(written)
        let types = schema.schemaTypes
        guard depth < Self.summaryDepth, !schema.hasBranches else {
            return types.isEmpty ? "any" : types.joined(separator: "|")
        }
        if let properties = schema["properties"]?.objectValue, !properties.isEmpty {
            let fields = properties.prefix(Self.summaryFields).map { name, inner in
                let kind = summary(of: inner, depth + 1)
                return kind == "string" ? name : "\(name): \(kind)"
            }
            let more = properties.count > Self.summaryFields ? ", …" : ""
            return "{\(fields.joined(separator: ", "))\(more)}"
        }
        if let items = schema["items"], items.objectValue != nil {
            return "[\(summary(of: items, depth + 1))]"
        }
        return types.isEmpty ? "any" : types.joined(separator: "|")
    }
}

extension JSONValue {
    /// Whether other schemas, beside this one or instead of it, may describe the value.
    fileprivate var hasBranches: Bool {
        ["anyOf", "oneOf", "allOf", "if", "$dynamicRef", "dependentSchemas"].contains {
            self[$0] != nil
        }
    }
}
