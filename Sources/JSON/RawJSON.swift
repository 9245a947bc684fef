// JSON text of one value that has been validated once and is then passed on as it is. What looks
// inside it is in RawJSON+Lookup.swift.

/// What a JSON value is.
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
/// It has no whitespace at its ends and no raw line feed or carriage return anywhere, so it can go
/// into a line of the protocol as it is. Two are equal when their bytes are: `1.0` is not `1`, and
/// key order counts. Numbers of any size and precision pass as they are written. Keys may repeat
/// within objects; the last one counts.
public struct RawJSON: Sendable, Hashable, CustomStringConvertible {
    /// The text.
    public let bytes: ArraySlice<UInt8>

    /// Length of the text in bytes.
    public var count: Int { bytes.count }

    /// Takes over bytes that the caller knows to be one JSON value as this type promises it.
    public init(trusted bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
    }

    /// Validates one JSON text.
    ///
    /// Whitespace around it is dropped; if there are raw newlines, so is all whitespace outside
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

    /// The same value in a buffer of its own, to keep a small value without the large buffer that
    /// it came in.
    public func detached() -> RawJSON {
        var own: [UInt8] = []
        own.reserveCapacity(bytes.count)
        own.append(contentsOf: bytes)
        return RawJSON(trusted: own[...])
    }
}

// MARK: - Scalars

extension RawJSON {
    /// What the value is.
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

    /// The text a string stands for; nil for anything else.
    public var stringValue: String? {
        guard kind == .string, count >= 2 else { return nil }
        return bytes.dropFirst().dropLast().decodedString
    }

    /// The UTF-8 bytes of the text a string stands for; nil for anything else.
    public var stringBytes: [UInt8]? {
        guard kind == .string, count >= 2 else { return nil }
        return bytes.dropFirst().dropLast().decodedBytes
    }

    /// The same bytes, within the value itself when nothing in them is escaped.
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

    /// The nearest double of a number; nil for anything else, numbers beyond every double included.
    public var doubleValue: Double? {
        kind == .number ? bytes.nearestDouble : nil
    }

    /// The value of `true` or `false`; nil for anything else.
    public var boolValue: Bool? {
        kind == .bool ? bytes.first == UInt8(ascii: "t") : nil
    }
}
