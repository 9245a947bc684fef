// The usual case, quickly: an object of a few texts and numbers that is valid. Nothing is reported
// here and no place is noted; what is not surely valid goes through SchemaChecker.

internal import JSON
internal import OrderedCollections

extension Schema {
    /// Whether a value is surely valid: false means that it has to be checked in full.
    ///
    /// It descends one level only, so that its work is a few steps for each field.
    func surelyAccepts(_ value: JSONValue) -> Bool {
        guard case .object(let fields) = value else { return false }
        for assertion in nodes[0].assertions {
            switch assertion {
            case .type(let types): if !types.contains(value) { return false }
            case .fields(let schemas): if !surelyAccepts(fields, schemas) { return false }
            case .required(let names): if !Self.has(fields, names) { return false }
            default: return false
            }
        }
        return true
    }

    private func surelyAccepts(
        _ fields: OrderedDictionary<String, JSONValue>,
        _ schemas: SchemaFields
    ) -> Bool {
        guard schemas.patterns.isEmpty else { return false }
        var position = 0
        for (key, value) in fields.elements {
            let index = schemas.schema(named: key, near: position) ?? schemas.additional
            if let index, !surelyAccepts(value, nodes[index]) { return false }
            position += 1
        }
        return true
    }

    /// Whether a text, a number or the like is surely valid.
    private func surelyAccepts(_ value: JSONValue, _ node: SchemaNode) -> Bool {
        for assertion in node.assertions {
            switch (assertion, value) {
            case (.type(let types), _): if !types.contains(value) { return false }
            case (.length(let bounds), .string(let text)):
                // A text has at most as many characters as bytes, and at least a quarter of them.
                let bytes = text.utf8.count
                guard bounds.minimum ?? 0 <= bytes / 4 || text.utf8.allSatisfy({ $0 < 0x80 }),
                    bounds.minimum ?? 0 <= bytes, bytes <= bounds.maximum ?? .max
                else { return false }
            case (.number(let bound), .integer), (.number(let bound), .double):
                if !bound.allows(value) { return false }
            case (.oneOfValues(let choice), .string), (.oneOfValues(let choice), .integer):
                if !choice.values.contains(value) { return false }
            case (.length, _), (.pattern, .integer), (.pattern, .bool), (.number, .string): continue
            default: return false
            }
        }
        return true
    }

    private static func has(
        _ fields: OrderedDictionary<String, JSONValue>,
        _ names: [String]
    ) -> Bool {
        guard names.count <= fields.count else { return false }
        var position = 0
        for name in names {
            if fields.elements[position].key != name, fields[name] == nil { return false }
            position += 1
        }
        return true
    }
}
