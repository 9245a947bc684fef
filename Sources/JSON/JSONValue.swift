// The JSON tree, for tools, schemas and tests. Messages and payloads that are only passed on stay
// RawJSON.

public import OrderedCollections

/// A JSON value as a tree.
///
/// Integers and doubles are different: `1.0` is not `1`. Whole numbers of any size are kept
/// exactly, and so are numbers beyond the range of doubles. A number with a fraction becomes the
/// nearest double, which has about 16 digits: to keep more, use `RawJSON` or a text.
public enum JSONValue: Sendable, Hashable {
    /// The absence of a value.
    case null
    /// True or false.
    case bool(Bool)
    /// A whole number.
    case integer(Int64)
    /// A number written with a fraction or an exponent, or minus zero.
    case double(Double)
    /// A whole number beyond `Int64`, or a number beyond the range of `Double`, as written.
    case bigNumber(BigNumber)
    /// A text.
    case string(String)
    /// A list of values.
    case array([JSONValue])
    /// Named values, in the order of their keys' first appearance.
    case object(OrderedDictionary<String, JSONValue>)
}

// MARK: - Access

extension JSONValue {
    /// The value of an object's field; nil for anything else.
    public subscript(key: String) -> JSONValue? {
        if case .object(let fields) = self { fields[key] } else { nil }
    }

    /// An array's element; nil for anything else and outside the array.
    public subscript(index: Int) -> JSONValue? {
        guard case .array(let elements) = self, elements.indices.contains(index) else {
            return nil
        }
        return elements[index]
    }

    /// Whether this is `null`.
    public var isNull: Bool { self == .null }

    /// The text of a string; nil for anything else.
    public var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The value of a whole number; nil for anything else, `1.0` included.
    public var intValue: Int? {
        if case .integer(let value) = self { Int(exactly: value) } else { nil }
    }

    /// The nearest double of a number; nil for anything else and beyond the range of doubles.
    public var doubleValue: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .double(let value): value
        case .bigNumber(let number): number.doubleValue
        default: nil
        }
    }

    /// Whether every double in it is finite, so that all of it can be written as JSON.
    public var isFinite: Bool {
        switch self {
        case .double(let value): value.isFinite
        case .array(let elements): elements.allSatisfy(\.isFinite)
        case .object(let fields): fields.values.allSatisfy(\.isFinite)
        default: true
        }
    }

    /// True or false; nil for anything else.
    public var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The elements of an array; nil for anything else.
    public var arrayValue: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The fields of an object; nil for anything else.
    public var objectValue: OrderedDictionary<String, JSONValue>? {
        if case .object(let fields) = self { fields } else { nil }
    }
}

extension JSONValue: CustomStringConvertible {
    /// The value as compact JSON text.
    public var description: String { RawJSON(self).text }
}

// MARK: - Literals

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByStringInterpolation,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// Makes `null`.
    public init(nilLiteral: ()) { self = .null }

    /// Makes true or false.
    public init(booleanLiteral value: Bool) { self = .bool(value) }

    /// Makes an integer.
    public init(integerLiteral value: Int64) { self = .integer(value) }

    /// Makes a double.
    public init(floatLiteral value: Double) { self = .double(value) }

    /// Makes a string.
    public init(stringLiteral value: String) { self = .string(value) }

    /// Makes an array.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }

    /// Makes an object; if a key is repeated, its last field counts.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(OrderedDictionary(elements, uniquingKeysWith: { $1 }))
    }
}
