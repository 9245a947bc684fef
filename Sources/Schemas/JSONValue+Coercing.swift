// Values in the kind that a schema asks for, where what was meant has only one reading: models write
// "0.1" for a number and one value for a list. Not here: checking (Schema).

public import JSON
internal import OrderedCollections

extension JSONValue {
    /// The value with its parts in the kinds that the schema names, where each has one reading.
    ///
    /// What is no text becomes its JSON text where only text is allowed; text that is a number, `true`, an
    /// object or a list becomes that; one value becomes a list of it; a text that differs from one
    /// of the allowed ones in its capitals only becomes that one. Everything else stays as it is.
    /// References in the schema, which is a tree, are not followed. `isKept` tells whether a text
    /// must stay as it is, because it stands for something else.
    public func coerced(to schema: JSONValue, keeping isKept: (String) -> Bool) -> JSONValue {
        coerced(to: schema, depth: 0, isKept)
    }

    private static let coercionDepth = 16

    private func coerced(
        to schema: JSONValue,
        depth: Int,
        _ isKept: (String) -> Bool
    ) -> JSONValue {
        guard depth < Self.coercionDepth else { return self }
        if case .string(let text) = self, isKept(text) { return self }
        let value = converted(toOneOf: schema.namedTypes).inAllowedSpelling(schema)
        switch value {
        case .object(let fields):
            guard let properties = schema["properties"]?.objectValue else { return value }
            var coerced = fields
            for (name, field) in fields {
                guard let property = properties[name] else { continue }
                coerced[name] = field.coerced(to: property, depth: depth + 1, isKept)
            }
            return .object(coerced)
        case .array(let elements):
            guard let items = schema["items"], items.objectValue != nil else { return value }
            return .array(elements.map { $0.coerced(to: items, depth: depth + 1, isKept) })
        default:
            return value
        }
    }

    /// Null is a second reading of nothing, so it is not counted.
    private func converted(toOneOf types: [String]) -> JSONValue {
        let types = types.filter { $0 != "null" }
        guard types.count == 1 || Set(types) == ["integer", "number"] else { return self }
        switch (types[0], self) {
        case ("string", .string), ("string", .null):
            return self
        case ("string", _):
            return .string(RawJSON(self).text)
        case ("number", .string(let text)), ("integer", .string(let text)):
            return Self.number(text, isInteger: types == ["integer"]) ?? self
        case ("integer", .double(let double)):
            return double == double.rounded() && abs(double) < 1e15 ? .integer(Int64(double)) : self
        case ("boolean", .string(let text)):
            return ["true": .bool(true), "false": .bool(false)][text.trimmed.lowercased()] ?? self
        case ("object", .string(let text)) where text.trimmed.hasPrefix("{"):
            return Self.container(text) ?? self
        case ("array", .string(let text)) where text.trimmed.hasPrefix("["):
            return Self.container(text) ?? .array([self])
        case ("array", .array), ("array", .null):
            return self
        case ("array", _):
            return .array([self])
        default:
            return self
        }
    }

    private func inAllowedSpelling(_ schema: JSONValue) -> JSONValue {
        guard case .string(let text) = self, let allowed = schema["enum"]?.arrayValue,
            !allowed.contains(self)
        else { return self }
        let similar = allowed.filter { $0.stringValue?.lowercased() == text.trimmed.lowercased() }
        return similar.count == 1 ? similar[0] : self
    }

    private static func number(_ text: String, isInteger: Bool) -> JSONValue? {
        guard let value = try? JSONValue(parsing: text.trimmed) else { return nil }
        switch value {
        case .integer: return value
        case .double, .bigNumber: return isInteger ? Optional.none : value
        default: return nil
        }
    }

    private static func container(_ text: String) -> JSONValue? {
        guard let value = try? JSONValue(parsing: text.trimmed) else { return nil }
        return value.objectValue != nil || value.arrayValue != nil ? value : nil
    }

    private var namedTypes: [String] {
        switch self["type"] {
        case .string(let name): [name]
        case .array(let names): names.compactMap(\.stringValue)
        default: []
        }
    }
}

extension String {
    fileprivate var trimmed: String {
        var rest = Substring(self)
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest)
    }
}
