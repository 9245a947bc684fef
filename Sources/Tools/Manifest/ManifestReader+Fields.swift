// The single fields of a tool in a manifest: each is checked; absent and invalid fields are
// different.
internal import Configuration
internal import JSON
internal import OrderedCollections
internal import Plans
internal import Schemas
internal import YAML

extension ManifestReader {
    /// The name: 1–128 of letters, digits and `_ . - / :`.
    mutating func readName(_ node: YAMLNode?, _ entry: YAMLNode) -> String {
        guard let node else {
            report(entry, field: "name", "is missing. Plans call the tool by it.")
            return ""
        }
        let name = node.plainText
        let isGood = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "-"), UInt8(ascii: "/"), UInt8(ascii: ":"):
                true
            default:
                false
            }
        }
        if name.isEmpty || !isGood || name.utf8.count > PlanLimits.toolName {
            report(
                node,
                field: "name",
                "must be 1 to \(PlanLimits.toolName) of A-Z, a-z, 0-9, _, ., -, / and :."
            )
        }
        return name
    }

    mutating func parameters(_ fields: YAMLNode.Mapping) -> RawJSON {
        guard let node = fields["parameters"] else { return .emptyObject }
        guard node.mapping != nil else {
            report(node, field: "parameters", "must be a JSON Schema, such as {type: object}.")
            return .emptyObject
        }
        do {
            let schema = RawJSON(withoutDashFields(try JSONValue(node)))
            do {
                _ = try Schema(compiling: schema)
            } catch {
                report(node, field: "parameters", "is not a usable schema. \(error)")
            }
            return schema
        } catch {
            add(error.message, field: "parameters", line: error.line ?? node.line)
            return .emptyObject
        }
    }

    /// The schema of outputs.
    mutating func outputSchema(
        _ fields: YAMLNode.Mapping,
        _ name: String = "output_schema"
    ) -> RawJSON? {
        guard let node = fields[name] else { return nil }
        guard node.mapping != nil else {
            report(node, field: name, "must be a JSON Schema, such as {type: object}.")
            return nil
        }
        do {
            let schema = RawJSON(try JSONValue(node))
            do {
                _ = try Schema(compiling: schema)
            } catch {
                report(node, field: name, "is not a usable schema. \(error)")
            }
            return schema
        } catch {
            add(error.message, field: name, line: error.line ?? node.line)
            return nil
        }
    }

    // MARK: - Dashes

    /// Which values may start with a dash: all with `allow_dash: true` of the tool, or those of a
    /// parameter with `allow_dash: true` in its schema.
    mutating func dashPermissions(
        _ fields: YAMLNode.Mapping,
        _ schema: JSONValue
    ) -> DashPermissions {
        var permissions = DashPermissions(allowsAll: bool(fields, "allow_dash") ?? false)
        let properties = fields["parameters"]?.mapping?["properties"]?.mapping ?? YAMLNode.Mapping()
        for (name, parameter) in properties {
            guard let parameter = parameter.mapping else { continue }
            if bool(parameter, Self.dashField) == true {
                permissions.allowed.insert(name.plainText)
            }
        }
        for (name, parameter) in schema["properties"]?.objectValue ?? [:]
        where isClosed(parameter) {
            permissions.closed.insert(name)
        }
        return permissions
    }

    private static let dashField = "allow_dash"

    /// The schema without the fields that only the manifest uses; workers announce this schema.
    private func withoutDashFields(_ schema: JSONValue) -> JSONValue {
        guard case .object(var keywords) = schema,
            case .object(var properties)? = keywords["properties"]
        else { return schema }
        for (name, parameter) in properties {
            guard case .object(var fields) = parameter else { continue }
            fields[Self.dashField] = nil
            properties[name] = .object(fields)
        }
        keywords["properties"] = .object(properties)
        return .object(keywords)
    }

    /// Whether a parameter accepts only numbers, or values that the manifest lists.
    private func isClosed(_ parameter: JSONValue) -> Bool {
        if parameter["enum"] != nil || parameter["const"] != nil { return true }
        guard let type = parameter["type"] else { return false }
        return (type.arrayValue ?? [type]).allSatisfy {
            ["integer", "number", "boolean"].contains($0.stringValue)
        }
    }

    // MARK: - Environment

    mutating func variables(_ fields: YAMLNode.Mapping) -> OrderedDictionary<String, String> {
        guard let node = fields["env"] else { return [:] }
        guard let mapping = node.mapping else {
            report(node, field: "env", "must be names with their values, such as {LANG: C.UTF-8}.")
            return [:]
        }
        var variables: OrderedDictionary<String, String> = [:]
        for (key, value) in mapping {
            checkVariable(key, field: "env")
            guard let text = value.scalar?.string else {
                report(value, field: "env", "must give \(key.plainText) a text as its value.")
                continue
            }
            if text.utf8.contains(0) {
                report(value, field: "env", "gives \(key.plainText) a value with a NUL character.")
            }
            variables[key.plainText] = text
        }
        return variables
    }

    mutating func passedVariables(_ fields: YAMLNode.Mapping) -> [String] {
        guard let node = fields["pass_env"] else { return [] }
        guard let list = node.sequence else {
            report(node, field: "pass_env", "must be a list of names, such as [API_KEY].")
            return []
        }
        for entry in list { checkVariable(entry, field: "pass_env") }
        return list.map(\.plainText)
    }

    private mutating func checkVariable(_ node: YAMLNode, field: String) {
        let name = node.plainText
        if name.isEmpty || name.utf8.contains(UInt8(ascii: "=")) || name.utf8.contains(0) {
            report(node, field: field, "holds something that cannot be the name of a variable.")
        } else if name.hasPrefix(ProcessEnvironment.reservedPrefix) {
            report(
                node,
                field: field,
                "names \(name). Names that start with WEFT_ are set by the worker."
            )
        }
    }
}
