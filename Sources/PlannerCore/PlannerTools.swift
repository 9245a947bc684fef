// The data for checking calls: the tools by name, their parameters in order, their schemas.

import Core
import JSON
import OrderedCollections
import Plans
import Schemas

/// The tools a plan may call.
struct PlannerTools: Sendable {
    struct Entry: Sendable {
        var tool: PlannerTool
        /// The schema of the arguments as a tree.
        var parameters: JSONValue
        /// The names of the parameters, in the order of the schema.
        var names: [String]
        /// Nil if the schema cannot be compiled; arguments are then not checked.
        var schema: Schema?
        /// What is known of its outputs.
        var shape: OutputShape?
    }

    private let entries: OrderedDictionary<String, Entry>
    let names: Set<String>

    init(_ tools: [PlannerTool]) {
        entries = OrderedDictionary(
            tools.map { tool in
                let parameters = JSONValue(tool.parameters)
                let entry = Entry(
                    tool: tool,
                    parameters: parameters,
                    names: parameters["properties"]?.objectValue.map { Array($0.keys) } ?? [],
                    schema: try? Schema(compiling: tool.parameters),
                    shape: tool.outputSchema.map { OutputShape($0) }
                )
                return (tool.name, entry)
            },
            uniquingKeysWith: { first, _ in first }
        )
        names = Set(entries.keys)
    }

    subscript(name: String) -> Entry? { entries[name] }

    /// The sentence for an unknown tool.
    func unknownTool(_ name: String) -> String {
        let known = entries.keys.prefix(20).joined(separator: ", ")
        let more = entries.count > 20 ? " and \(entries.count - 20) more" : ""
        return "calls the tool \(quoted(name)), which does not exist; "
            + (entries.isEmpty ? "there are no tools" : "the tools are \(known)\(more)")
    }
}

extension PlannerTools.Entry {
    /// What is wrong with arguments, as far as known before the outputs are there.
    func problems(of arguments: RawJSON) -> [String] {
        schema?.problems(ofWritten: arguments).map(\.description) ?? []
    }

    /// The arguments as they were probably meant: under the names that the tool knows, without
    /// nulls that mean "not given", in the kinds that the schema asks for.
    func repaired(_ arguments: RawJSON) -> RawJSON {
        let value = JSONValue(droppingNulls(arguments))
        let named = value.objectValue.map { JSONValue.object(withKnownNames($0)) } ?? value
        let coerced = named.coerced(to: parameters) { text in
            ArgumentTemplate(compiling: RawJSON(text)).hasReferences
        }
        return coerced == JSONValue(arguments) ? arguments : RawJSON(coerced)
    }

    /// The fields, those with an unknown name under the known one that is close to it, or under
    /// the only one that is missing.
    private func withKnownNames(
        _ fields: OrderedDictionary<String, JSONValue>
    ) -> OrderedDictionary<String, JSONValue> {
        let unknown = fields.keys.filter { !names.contains($0) }
        guard !unknown.isEmpty, unknown.count <= names.count else { return fields }
        let required = (parameters["required"]?.arrayValue ?? []).compactMap(\.stringValue)
        let isClosed = parameters["additionalProperties"] == false
        var missing = names.filter { fields[$0] == nil }
        var renamed: [String: String] = [:]
        for name in unknown {
            // A field that the schema allows stays, unless the call cannot be made without another.
            let meant =
                missing.first { $0.isSpelled(like: name) }
                ?? missing.first { (isClosed || required.contains($0)) && $0.isSlip(of: name) }
            guard let meant else { continue }
            renamed[name] = meant
            missing.removeAll { $0 == meant }
        }
        let stillMissing = missing.filter(required.contains)
        let stillUnknown = unknown.filter { renamed[$0] == nil }
        if stillMissing.count == 1, stillUnknown.count == 1, isClosed {
            renamed[stillUnknown[0]] = stillMissing[0]
        }
        guard !renamed.isEmpty else { return fields }
        var result: OrderedDictionary<String, JSONValue> = [:]
        for (name, value) in fields { result[renamed[name] ?? name] = value }
        return result
    }

    /// The arguments without the nulls that mean "not given".
    ///
    /// Where replies are bound to a strict schema, a model cannot leave a parameter out; it writes
    /// null.
    private func droppingNulls(_ arguments: RawJSON) -> RawJSON {
        guard arguments.bytes.firstRange(of: Array("null".utf8)) != nil else { return arguments }
        let value = JSONValue(arguments)
        let kept = value.droppingNulls(by: parameters, depth: 0)
        return kept == value ? arguments : RawJSON(kept)
    }
}

extension JSONValue {
    /// The part at a JSON pointer.
    func part(at pointer: String) -> JSONValue? {
        var part = self
        for step in pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            let key = unescapedPointerStep(step)
            let next = part.arrayValue == nil ? part[key] : Int(key).flatMap { part[$0] }
            guard let next else { return nil }
            part = next
        }
        return part
    }

    fileprivate func droppingNulls(by schema: JSONValue, depth: Int) -> JSONValue {
        guard depth < PlannerLimits.schemaDepth else { return self }
        switch self {
        case .object(let fields):
            guard let properties = schema["properties"]?.objectValue else { return self }
            let required = schema["required"]?.arrayValue ?? []
            var kept: OrderedDictionary<String, JSONValue> = [:]
            for (name, value) in fields {
                guard let property = properties[name] else {
                    kept[name] = value
                    continue
                }
                if value.isNull, !required.contains(.string(name)), !property.admitsNull {
                    continue
                }
                kept[name] = value.droppingNulls(by: property, depth: depth + 1)
            }
            return .object(kept)
        case .array(let elements):
            guard let items = schema["items"] else { return self }
            return .array(elements.map { $0.droppingNulls(by: items, depth: depth + 1) })
        default:
            return self
        }
    }

    /// Whether a schema allows null, without following references.
    private var admitsNull: Bool {
        if let type = self["type"] {
            return type == "null" || (type.arrayValue?.contains("null") ?? false)
        }
        if let values = self["enum"]?.arrayValue { return values.contains(.null) }
        for keyword in ["anyOf", "oneOf"] {
            if let branches = self[keyword]?.arrayValue {
                return branches.contains { $0.admitsNull }
            }
        }
        return true
    }

    /// The types that a schema names, in order; empty if it names none.
    var schemaTypes: [String] {
        switch self["type"] {
        case .string(let name): [name]
        case .array(let names): names.compactMap(\.stringValue)
        default: []
        }
    }
}

extension String {
    /// Whether another name is this one with letters in another order, or with one letter more,
    /// less or different; short names are too easily something else.
    fileprivate func isSlip(of other: String) -> Bool {
        guard count >= 5, other.count >= 5 else { return false }
        if sorted() == other.sorted() { return true }
        guard abs(count - other.count) <= 1 else { return false }
        let start = zip(self, other).prefix { $0 == $1 }.count
        let end = zip(reversed(), other.reversed()).prefix { $0 == $1 }.count
        return start + end >= max(count, other.count) - 1
    }

    /// Whether two names differ in capitals, dashes and underscores only.
    fileprivate func isSpelled(like other: String) -> Bool {
        func plain(_ text: String) -> String {
            text.lowercased().filter { $0 != "_" && $0 != "-" }
        }
        return plain(self) == plain(other)
    }
}

private func unescapedPointerStep(_ step: Substring) -> String {
    guard step.contains("~") else { return String(step) }
    var text = ""
    var rest = step
    while let character = rest.popFirst() {
        switch (character, rest.first) {
        case ("~", "0"):
            text.append("~")
            rest.removeFirst()
        case ("~", "1"):
            text.append("/")
            rest.removeFirst()
        default:
            text.append(character)
        }
    }
    return text
}

/// Text from a model, quoted for a sentence.
func quoted(_ text: String) -> String {
    "\"" + (text.count <= 80 ? text : text.prefix(79) + "…") + "\""
}
