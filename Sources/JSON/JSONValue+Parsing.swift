// From JSON text to the tree. The text is validated by the shim first; the reader here only builds.

internal import OrderedCollections

extension JSONValue {
    /// Reads one JSON text.
    ///
    /// Strict: UTF-8, no byte order mark, depth of at most `JSONLimits.depth`. If an object repeats
    /// a key, its last field counts.
    public init(parsing text: ArraySlice<UInt8>) throws(JSONError) {
        let text = text.trimmed
        try text.checkJSON()
        var reader = TreeReader(text)
        self = reader.value()
    }

    /// Reads one JSON text, as above.
    public init(parsing text: [UInt8]) throws(JSONError) {
        try self.init(parsing: text[...])
    }

    /// Reads one JSON text, as above.
    public init(parsing text: String) throws(JSONError) {
        try self.init(parsing: Array(text.utf8)[...])
    }

    /// Decodes text that is validated already.
    public init(_ raw: RawJSON) {
        var reader = TreeReader(raw.bytes)
        self = reader.value()
    }
}

/// Builds the tree of validated text in one pass.
private struct TreeReader {
    let text: ArraySlice<UInt8>
    private var index: Int

    init(_ text: ArraySlice<UInt8>) {
        self.text = text
        index = text.startIndex
    }

    mutating func value() -> JSONValue {
        skipSpace()
        guard index < text.endIndex else { return .null }
        switch text[index] {
        case Byte.openBrace: return object()
        case Byte.openBracket: return array()
        case Byte.quote: return .string(string())
        case UInt8(ascii: "t"):
            skipWord()
            return .bool(true)
        case UInt8(ascii: "f"):
            skipWord()
            return .bool(false)
        case UInt8(ascii: "n"):
            skipWord()
            return .null
        default: return number()
        }
    }

    private mutating func object() -> JSONValue {
        var fields: OrderedDictionary<String, JSONValue> = [:]
        index += 1
        while enterMember(before: Byte.closeBrace) {
            let key = string()
            skipSpace()
            index += 1
            fields[key] = value()
        }
        return .object(fields)
    }

    private mutating func array() -> JSONValue {
        var elements: [JSONValue] = []
        index += 1
        while enterMember(before: Byte.closeBracket) {
            elements.append(value())
        }
        return .array(elements)
    }

    /// Moves to the next member, or after the closing bracket.
    private mutating func enterMember(before close: UInt8) -> Bool {
        skipSpace()
        if index < text.endIndex, text[index] == Byte.comma {
            index += 1
            skipSpace()
        }
        guard index < text.endIndex else { return false }
        if text[index] == close {
            index += 1
            return false
        }
        return true
    }

    private mutating func string() -> String {
        let start = index
        skipWord()
        return text[start..<index].dropFirst().dropLast().decodedString
    }

    private mutating func number() -> JSONValue {
        let start = index
        skipWord()
        let digits = text[start..<index]
        if let whole = digits.wholeNumber { return .integer(whole) }
        if digits.isWrittenAsDouble, let double = digits.nearestDouble { return .double(double) }
        return .bigNumber(BigNumber(checked: digits))
    }

    private mutating func skipSpace() {
        index = text.skippingSpace(from: index)
    }

    private mutating func skipWord() {
        // At least one byte is consumed, so that the reader always ends.
        index = min(max(text.valueEnd(from: index), index + 1), text.endIndex)
    }
}
