// JSON text of one value that is validated once and then passed on unchanged. Lookup inside it is
// in RawJSON+Lookup.swift.

/// The kind of a JSON value.
public enum JSONKind: Sendable {
    /// A collection of named values.
    case object
    /// A list of values.
    case array
    /// A text.
    case string
    /// An integer or a double.
    case number
    /// True or false.
    case bool
    /// The absence of a value.
    case null
}

/// Validated JSON text of one value: a slice of a shared buffer; cheap to copy.
///
/// It has no whitespace at its ends and no raw line feed or carriage return, so it can be put into
/// a line of the protocol unchanged. Two values are equal when their bytes are: `1.0` is not `1`,
/// and the order of keys counts. Numbers of any size and precision stay as written. Keys may repeat
/// within objects; the last one counts.
public struct RawJSON: Sendable, Hashable, CustomStringConvertible {
    /// The text.
    public let bytes: ArraySlice<UInt8>

    /// Length of the text in bytes.
    public var count: Int { bytes.count }

    /// Wraps bytes that the caller knows to be one JSON value with the properties of this type.
    public init(trusted bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
    }

    /// Validates one JSON text.
    ///
    /// Whitespace around it is removed; if there are raw newlines, so is all whitespace outside
    /// strings.
    public init(validating bytes: ArraySlice<UInt8>) throws(JSONError) {
        let text = bytes.trimmed
        self.bytes = try text.checkJSON() ? text.compacted : text
    }

    /// Validates one JSON text, as above.
    public init(validating text: String) throws(JSONError) {
        try self.init(validating: Array(text.utf8)[...])
    }

    /// Encodes a string.
    public init(_ string: String) {
        var writer = JSONWriter(reserving: string.utf8.count + 2)
        writer.string(string)
        bytes = writer.bytes[...]
    }

    /// Encodes an integer.
    public init(_ integer: Int) {
        var writer = JSONWriter()
        writer.integer(integer)
        bytes = writer.bytes[...]
    }

    /// Encodes a tree; its doubles that are not finite become `null`.
    public init(_ value: JSONValue) {
        var writer = JSONWriter()
        writer.value(value)
        bytes = writer.bytes[...]
    }

    /// The value `null`.
    public static let null = RawJSON(literal: "null")
    /// The value `true`.
    public static let `true` = RawJSON(literal: "true")
    /// The value `false`.
    public static let `false` = RawJSON(literal: "false")
    /// The object without fields, `{}`.
    public static let emptyObject = RawJSON(literal: "{}")
    /// The array without elements, `[]`.
    public static let emptyArray = RawJSON(literal: "[]")
    /// The string without characters, `""`.
    public static let emptyString = RawJSON(literal: "\"\"")

    private init(literal: StaticString) {
        bytes = literal.withUTF8Buffer { Array($0) }[...]
    }

    /// The JSON text as a string.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The JSON text.
    public var description: String { text }

    /// The same value in a buffer of its own, so that a small value does not keep a large buffer
    /// alive.
    public func detached() -> RawJSON {
        var own: [UInt8] = []
        own.reserveCapacity(bytes.count)
        own.append(contentsOf: bytes)
        return RawJSON(trusted: own[...])
    }
}

// MARK: - Scalars

extension RawJSON {
    /// The kind of the value.
    public var kind: JSONKind {
        switch bytes.first {
        case Byte.openBrace: .object
        case Byte.openBracket: .array
        case Byte.quote: .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): .bool
        case UInt8(ascii: "n"), nil: .null
        default: .number
        }
    }

    /// The decoded text of a string; nil for anything else.
    public var stringValue: String? {
        guard kind == .string, count >= 2 else { return nil }
        return bytes.dropFirst().dropLast().decodedString
    }

    /// The UTF-8 bytes of a decoded string; nil for anything else.
    public var stringBytes: [UInt8]? {
        guard kind == .string, count >= 2 else { return nil }
        return bytes.dropFirst().dropLast().decodedBytes
    }

    /// The same bytes, as a slice of the value itself if the string has no escapes.
    public var stringSlice: ArraySlice<UInt8>? {
        guard kind == .string, count >= 2 else { return nil }
        let inner = bytes.dropFirst().dropLast()
        return inner.position(of: Byte.backslash) == nil ? inner : inner.decodedBytes[...]
    }

    /// The value of a whole number in the range of `Int`; nil for anything else, `1.0` and `-0`
    /// included.
    public var intValue: Int? {
        guard kind == .number, let value = bytes.wholeNumber else { return nil }
        return Int(exactly: value)
    }

    /// The nearest double of a number; nil for anything else and beyond the range of doubles.
    public var doubleValue: Double? {
        kind == .number ? bytes.nearestDouble : nil
    }

    /// The value of `true` or `false`; nil for anything else.
    public var boolValue: Bool? {
        kind == .bool ? bytes.first == UInt8(ascii: "t") : nil
    }
}
