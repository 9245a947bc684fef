// Lookup in raw JSON by scanning its bytes: parts by path, members in order. Only keys that are
// passed to the caller are decoded.

/// One step from a JSON value to a part of it.
public enum JSONPathStep: Sendable, Hashable {
    /// The field of an object with this key.
    case key(String)
    /// The element of an array at this position, from zero.
    case index(Int)
}

extension RawJSON {
    /// The part at a path, or nil if there is none; the empty path means the whole value.
    ///
    /// If a key is repeated, its last field counts.
    public func value(at path: [JSONPathStep]) -> RawJSON? {
        var text = bytes
        for step in path {
            let range: Range<Int>?
            switch step {
            case .key(let key): range = Self.field(key, in: text)
            case .index(let index): range = Self.element(index, in: text)
            }
            guard let range else { return nil }
            text = text[range]
        }
        return RawJSON(trusted: text)
    }

    /// Calls the body for each element of an array, in order; does nothing for other values.
    public func forEachElement(_ body: (RawJSON) throws -> Void) rethrows {
        guard kind == .array else { return }
        var cursor = MemberCursor(bytes)
        while let element = cursor.nextElement() {
            try body(RawJSON(trusted: bytes[element]))
        }
    }

    /// Calls the body for each field of an object, in order; does nothing for other values.
    ///
    /// Keys are decoded; a repeated key is passed each time.
    public func forEachField(_ body: (String, RawJSON) throws -> Void) rethrows {
        guard kind == .object else { return }
        var cursor = MemberCursor(bytes)
        while let field = cursor.nextField() {
            try body(bytes[field.key].decodedString, RawJSON(trusted: bytes[field.value]))
        }
    }

    /// How deep arrays and objects nest, as `JSONLimits.depth` counts: 0 for a scalar and for `[]`, 1
    /// for `[1]`.
    ///
    /// A composed value may exceed `JSONLimits.depth`, and a value inside a message is some levels
    /// deeper there; code that composes values must check this.
    public var depth: Int {
        var open = 0
        var deepest = 0
        var index = bytes.startIndex
        while index < bytes.endIndex {
            switch bytes[index] {
            case Byte.quote:
                index = bytes.valueEnd(from: index)
                continue
            case Byte.openBrace, Byte.openBracket:
                open += 1
                let next = bytes.skippingSpace(from: index + 1)
                let isEmpty = next < bytes.endIndex && Self.isClosing(bytes[next])
                deepest = max(deepest, isEmpty ? open - 1 : open)
            case Byte.closeBrace, Byte.closeBracket:
                open -= 1
            default:
                break
            }
            index += 1
        }
        return deepest
    }

    private static func isClosing(_ byte: UInt8) -> Bool {
        byte == Byte.closeBrace || byte == Byte.closeBracket
    }

    private static func field(_ key: String, in text: ArraySlice<UInt8>) -> Range<Int>? {
        guard text.first == Byte.openBrace else { return nil }
        var cursor = MemberCursor(text)
        var found: Range<Int>?
        while let field = cursor.nextField() {
            if text[field.key].isString(key) { found = field.value }
        }
        return found
    }

    private static func element(_ index: Int, in text: ArraySlice<UInt8>) -> Range<Int>? {
        guard text.first == Byte.openBracket, index >= 0 else { return nil }
        var cursor = MemberCursor(text)
        var remaining = index
        while let element = cursor.nextElement() {
            if remaining == 0 { return element }
            remaining -= 1
        }
        return nil
    }
}
