// The schemas for a model's reply: the plan with one branch for each tool, and the joiner's
// decision. Providers enforce only a strict subset of JSON Schema, so these use only that subset.

public import JSON
import OrderedCollections

/// Schemas in the strict subset: every object closed, every property required.
public enum StrictSchema {
    /// The schema of a plan that calls these tools, or nil if the arguments of one of them cannot be
    /// expressed.
    ///
    /// Each tool is one branch of the task's `anyOf`, so that its arguments are bound to its own
    /// schema. Every argument also allows a string, because a reference such as `"$t1"` may replace
    /// any value; whether a string is one, and everything that the subset cannot express (limits,
    /// patterns), is checked when the plan is read. Optional parameters allow null, which means
    /// "not given". Free-form objects, `allOf`, `not`, `if` and `$ref` cannot be expressed.
    public static func plan(for tools: [PlannerTool]) -> RawJSON? {
        guard let task = task(for: tools) else { return nil }
        return RawJSON(
            object([
                ("tasks", ["type": "array", "items": task]),
                ("join_instruction", ["type": "string"]),
            ])
        )
    }

    /// The schema of one step: a call of one of these tools, or the answer.
    ///
    /// Nil as for a plan; without tools only the answer is allowed.
    public static func step(for tools: [PlannerTool]) -> RawJSON? {
        let optional: JSONValue = ["type": ["string", "null"]]
        var fields: [(String, JSONValue)] = [("thought", ["type": "string"])]
        if tools.isEmpty {
            fields.append(("action", ["type": "string", "enum": ["finish"]]))
        } else {
            guard let task = task(for: tools) else { return nil }
            fields.append(("action", ["type": "string", "enum": ["call", "finish"]]))
            fields.append(("tasks", ["type": "array", "items": task]))
        }
        fields.append(("answer", optional))
        return RawJSON(object(fields))
    }

    /// One call, with a branch for each tool.
    private static func task(for tools: [PlannerTool]) -> JSONValue? {
        var branches: [JSONValue] = []
        for tool in tools {
            guard let arguments = strictArguments(JSONValue(tool.parameters)) else { return nil }
            branches.append(
                object([
                    ("id", ["type": "string"]),
                    ("tool_name", ["type": "string", "enum": [.string(tool.name)]]),
                    ("args", arguments),
                    ("dependencies", ["type": "array", "items": ["type": "string"]]),
                ])
            )
        }
        return branches.isEmpty ? nil : ["anyOf": .array(branches)]
    }

    /// The schema of the joiner's decision; with `replan` among the actions only if it is allowed.
    public static func decision(mayReplan: Bool) -> RawJSON {
        let actions: JSONValue = mayReplan ? ["finish", "replan"] : ["finish"]
        let optional: JSONValue = ["type": ["string", "null"]]
        return RawJSON(
            object([
                ("thought", ["type": "string"]),
                ("action", ["type": "string", "enum": actions]),
                ("reason", optional),
                ("answer", optional),
            ])
        )
    }

    private static func object(_ properties: [(String, JSONValue)]) -> JSONValue {
        [
            "type": "object",
            "properties": .object(.init(properties, uniquingKeysWith: { $1 })),
            "required": .array(properties.map { .string($0.0) }),
            "additionalProperties": false,
        ]
    }

    private static func strictArguments(_ schema: JSONValue) -> JSONValue? {
        guard schema.schemaTypes == ["object"] || schema["properties"] != nil else { return nil }
        return strictObject(schema, depth: 0)
    }

    private static func strictObject(_ schema: JSONValue, depth: Int) -> JSONValue? {
        let properties = schema["properties"]?.objectValue ?? [:]
        if properties.isEmpty, schema["additionalProperties"] != false { return nil }
        if let others = schema["additionalProperties"], others.objectValue != nil { return nil }
        let required = schema["required"]?.arrayValue ?? []
        var fields: [(String, JSONValue)] = []
        for (name, property) in properties {
            let isOptional = !required.contains(.string(name))
            guard let field = value(property, isOptional: isOptional, depth: depth + 1) else {
                return nil
            }
            fields.append((name, field))
        }
        return object(fields)
    }

    /// The schema of one value, or a string for a reference.
    private static func value(_ schema: JSONValue, isOptional: Bool, depth: Int) -> JSONValue? {
        guard var branches = branches(schema, depth: depth) else { return nil }
        if !branches.contains(["type": "string"]) { branches.append(["type": "string"]) }
        if isOptional, !branches.contains(["type": "null"]) { branches.append(["type": "null"]) }
        var result: OrderedDictionary<String, JSONValue> = [:]
        if branches.count == 1, let only = branches[0].objectValue {
            result = only
        } else {
            result["anyOf"] = .array(branches)
        }
        if let text = schema["description"]?.stringValue { result["description"] = .string(text) }
        return .object(result)
    }

    private static func branches(_ schema: JSONValue, depth: Int) -> [JSONValue]? {
        guard depth < PlannerLimits.schemaDepth, let keywords = schema.objectValue else {
            return nil
        }
        for keyword in ["$ref", "allOf", "not", "if", "dependentRequired"] {
            if keywords[keyword] != nil { return nil }
        }
        if let choices = (keywords["anyOf"] ?? keywords["oneOf"])?.arrayValue {
            var all: [JSONValue] = []
            for choice in choices {
                guard let some = branches(choice, depth: depth + 1) else { return nil }
                all += some.filter { !all.contains($0) }
            }
            return all
        }
        if let values = keywords["const"].map({ [$0] }) ?? keywords["enum"]?.arrayValue {
            let isScalar = values.allSatisfy { $0.arrayValue == nil && $0.objectValue == nil }
            guard isScalar, !values.isEmpty else { return nil }
            let areTexts = values.allSatisfy { $0.stringValue != nil }
            return areTexts
                ? [["type": "string", "enum": .array(values)]] : [["enum": .array(values)]]
        }
        var result: [JSONValue] = []
        for type in schema.schemaTypes {
            switch type {
            case "string", "number", "integer", "boolean", "null":
                result.append(["type": .string(type)])
            case "array":
                guard let items = schema["items"],
                    let item = value(items, isOptional: false, depth: depth + 1)
                else { return nil }
                result.append(["type": "array", "items": item])
            case "object":
                guard let object = strictObject(schema, depth: depth) else { return nil }
                result.append(object)
            default:
                return nil
            }
        }
        return result.isEmpty ? nil : result
    }
}
