// Schemas of an OpenAPI file as JSON Schema: references become definitions of the schema itself, and
// what 3.0 has of its own becomes what JSON Schema has for it.
internal import JSON
internal import OrderedCollections

/// Converts schemas and collects the definitions that they need.
struct OpenAPISchemas {
    let file: OpenAPIFile
    private var names: OrderedDictionary<String, String> = [:]
    private var waiting: [String] = []

    private static let maps: Set<String> = [
        "properties", "patternProperties", "$defs", "definitions", "dependentSchemas",
    ]
    private static let lists: Set<String> = ["allOf", "anyOf", "oneOf", "prefixItems"]
    private static let single: Set<String> = [
        "items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames",
        "unevaluatedItems", "unevaluatedProperties",
    ]
    /// Words of OpenAPI that say nothing of values, or are converted.
    private static let dropped: Set<String> = [
        "discriminator", "xml", "externalDocs", "example", "nullable", "$schema",
    ]

    init(file: OpenAPIFile) {
        self.file = file
    }

    /// The definitions of all schemas that were converted, and of those that these refer to.
    mutating func definitions() throws(OpenAPIProblem) -> OrderedDictionary<String, JSONValue> {
        var definitions: OrderedDictionary<String, JSONValue> = [:]
        while let reference = waiting.popLast() {
            guard let name = names[reference] else { continue }
            guard let target = file.target(of: reference) else {
                throw OpenAPIProblem(
                    message: "\(reference) is not in the file; nothing is fetched."
                )
            }
            definitions[name] = convert(target)
        }
        return definitions
    }

    /// A schema as JSON Schema.
    mutating func convert(_ schema: JSONValue) -> JSONValue {
        guard case .object(let fields) = schema else { return schema }
        if let reference = fields["$ref"]?.stringValue, file.isOld || fields.count == 1 {
            return ["$ref": .string(definition(of: reference))]
        }
        var result: OrderedDictionary<String, JSONValue> = [:]
        for (name, value) in fields where !Self.dropped.contains(name) {
            switch value {
            case .string(let reference) where name == "$ref":
                result[name] = .string(definition(of: reference))
            case .object(let members) where Self.maps.contains(name):
                var converted: OrderedDictionary<String, JSONValue> = [:]
                for (key, member) in members { converted[key] = convert(member) }
                result[name] = .object(converted)
            case .array(let members) where Self.lists.contains(name):
                result[name] = .array(members.map { convert($0) })
            case _ where Self.single.contains(name): result[name] = convert(value)
            default: result[name] = value
            }
        }
        convertLimit("exclusiveMinimum", "minimum", &result)
        convertLimit("exclusiveMaximum", "maximum", &result)
        return fields["nullable"] == .bool(true) ? Self.nullable(result) : .object(result)
    }

    /// In 3.0 a limit is exclusive by a field beside it.
    private func convertLimit(
        _ exclusive: String,
        _ inclusive: String,
        _ fields: inout OrderedDictionary<String, JSONValue>
    ) {
        guard case .bool(let isExclusive)? = fields[exclusive] else { return }
        fields[exclusive] = isExclusive ? fields[inclusive] : nil
        if isExclusive { fields[inclusive] = nil }
    }

    private static func nullable(_ fields: OrderedDictionary<String, JSONValue>) -> JSONValue {
        var fields = fields
        guard case .string(let type)? = fields["type"] else {
            return ["anyOf": [.object(fields), ["type": "null"]]]
        }
        fields["type"] = [.string(type), "null"]
        if case .array(let values)? = fields["enum"], !values.contains(.null) {
            fields["enum"] = .array(values + [.null])
        }
        return .object(fields)
    }

    private mutating func definition(of reference: String) -> String {
        if let name = names[reference] { return "#/$defs/\(name)" }
        let last = reference.split(separator: "/").last.map(String.init) ?? "schema"
        let plain = OpenAPITools.plainName(last)
        var name = plain
        var number = 2
        while names.values.contains(name) {
            name = "\(plain)_\(number)"
            number += 1
        }
        names[reference] = name
        waiting.append(reference)
        return "#/$defs/\(name)"
    }
}
