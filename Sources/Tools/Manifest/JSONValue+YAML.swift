// YAML as JSON, by the rules of YAML 1.2's core schema: `no` is a text and not false.
internal import JSON
internal import OrderedCollections
internal import YAML

/// A part of YAML that JSON does not have.
struct YAMLConversionError: Error {
    /// The line it is on.
    var line: Int?
    /// What to do about it.
    var message: String
}

extension JSONValue {
    /// Converts a node and its contents.
    init(_ node: YAMLNode) throws(YAMLConversionError) {
        var budget = 100_000
        try self.init(node, depth: 1, &budget)
    }

    /// Aliases can expand small files to large values, so the number of values is limited.
    private init(_ node: YAMLNode, depth: Int, _ budget: inout Int) throws(YAMLConversionError) {
        budget -= 1
        guard budget > 0, depth <= JSONLimits.depth else {
            throw YAMLConversionError(
                line: node.line,
                message: "is too large or nests deeper than \(JSONLimits.depth) levels."
            )
        }
        switch node.content {
        case .scalar(let scalar):
            self = try JSONValue(scalar, line: node.line)
        case .sequence(let sequence):
            var elements: [JSONValue] = []
            for element in sequence {
                elements.append(try JSONValue(element, depth: depth + 1, &budget))
            }
            self = .array(elements)
        case .mapping(let mapping):
            var fields: OrderedDictionary<String, JSONValue> = [:]
            for (key, value) in mapping {
                guard let name = key.scalar?.string else {
                    throw YAMLConversionError(
                        line: key.line,
                        message: "has a key that is not a text."
                    )
                }
                fields[name] = try JSONValue(value, depth: depth + 1, &budget)
            }
            self = .object(fields)
        }
    }

    private init(_ scalar: YAMLNode.Scalar, line: Int) throws(YAMLConversionError) {
        let text = scalar.string
        guard scalar.isPlain else {
            self = .string(text)
            return
        }
        switch text {
        case "", "~", "null", "Null", "NULL":
            self = .null
        case "true", "True", "TRUE":
            self = .bool(true)
        case "false", "False", "FALSE":
            self = .bool(false)
        case ".inf", "-.inf", "+.inf", ".nan", ".Inf", "-.Inf", "+.Inf", ".NaN":
            throw YAMLConversionError(
                line: line,
                message: "holds \(text), which is not a number in JSON."
            )
        default:
            self = JSONValue(yamlNumber: text) ?? .string(text)
        }
    }

    private init?(yamlNumber text: String) {
        let body = text.hasPrefix("+") ? String(text.dropFirst()) : text
        guard let first = body.utf8.first(where: { $0 != UInt8(ascii: "-") }),
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) || first == UInt8(ascii: ".")
        else { return nil }
        if let integer = Int64(body) {
            self = .integer(integer)
        } else if let number = try? JSONValue(parsing: body), case .bigNumber = number {
            self = number
        } else if let double = Double(body), double.isFinite, !body.contains("x") {
            self = .double(double)
        } else {
            return nil
        }
    }
}
