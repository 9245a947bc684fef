// How the module scans JSON bytes: whitespace, the ends of strings and values, members of arrays
// and objects. Everything here expects validated text; for other text the results have no meaning,
// but stay inside the slice.

internal import CSimdJSON

/// Whether the bytes are valid UTF-8.
public func isValidUTF8(_ bytes: ArraySlice<UInt8>) -> Bool {
    bytes.withContiguousStorageIfAvailable { weft_is_utf8($0.baseAddress, $0.count) } ?? false
}

/// The bytes with a special meaning in JSON.
enum Byte {
    static let quote = UInt8(ascii: "\"")
    static let backslash = UInt8(ascii: "\\")
    static let comma = UInt8(ascii: ",")
    static let colon = UInt8(ascii: ":")
    static let openBrace = UInt8(ascii: "{")
    static let closeBrace = UInt8(ascii: "}")
    static let openBracket = UInt8(ascii: "[")
    static let closeBracket = UInt8(ascii: "]")
    static let minus = UInt8(ascii: "-")
    static let lineFeed = UInt8(ascii: "\n")

    static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }
}

extension ArraySlice<UInt8> {
    /// Validates the slice as one JSON text, and tells whether it has a raw newline.
    @discardableResult
    func checkJSON() throws(JSONError) -> Bool {
        var hasNewline = false
        let status = withContiguousStorageIfAvailable {
            weft_json_validate($0.baseAddress, $0.count, UInt32(JSONLimits.depth), &hasNewline)
        }
        try JSONError.check(status ?? WEFT_JSON_EMPTY)
        return hasNewline
    }

    /// The position of the first such byte, or nil.
    func position(of byte: UInt8) -> Int? {
        let offset =
            withContiguousStorageIfAvailable {
                weft_find_byte($0.baseAddress, 0, $0.count, byte)
            } ?? count
        return offset < count ? startIndex + offset : nil
    }

    /// One past the end of the value that starts at `position`.
    func valueEnd(from position: Int) -> Int {
        let offset =
            withContiguousStorageIfAvailable {
                weft_json_value_end($0.baseAddress, position - startIndex, $0.count)
            } ?? count
        return startIndex + offset
    }

    /// The first position at or after `position` that is not whitespace, or the end.
    func skippingSpace(from position: Int) -> Int {
        var index = position
        while index < endIndex, Byte.isSpace(self[index]) { index += 1 }
        return index
    }

    /// The slice without whitespace at its two ends.
    var trimmed: ArraySlice<UInt8> {
        let start = skippingSpace(from: startIndex)
        var end = endIndex
        while end > start, Byte.isSpace(self[end - 1]) { end -= 1 }
        return self[start..<end]
    }

    /// The text without whitespace outside strings.
    var compacted: ArraySlice<UInt8> {
        var result: [UInt8] = []
        result.reserveCapacity(count)
        var index = startIndex
        while index < endIndex {
            if self[index] == Byte.quote {
                let end = valueEnd(from: index)
                result.append(contentsOf: self[index..<end])
                index = end
            } else {
                if !Byte.isSpace(self[index]) { result.append(self[index]) }
                index += 1
            }
        }
        return result[...]
    }
}

/// Walks over the members of one array or object.
struct MemberCursor {
    let text: ArraySlice<UInt8>
    private var index: Int

    /// Starts after the opening bracket of `text`.
    init(_ text: ArraySlice<UInt8>) {
        self.text = text
        index = text.isEmpty ? text.endIndex : text.startIndex + 1
    }

    /// The range of the next element of an array.
    mutating func nextElement() -> Range<Int>? {
        skipSeparator(Byte.comma)
        guard index < text.endIndex, text[index] != Byte.closeBracket else { return nil }
        return value()
    }

    /// The ranges of the next field of an object; the key's is without its quotes.
    mutating func nextField() -> (key: Range<Int>, value: Range<Int>)? {
        skipSeparator(Byte.comma)
        guard index < text.endIndex, text[index] == Byte.quote else { return nil }
        let quoted = value()
        skipSeparator(Byte.colon)
        guard quoted.count >= 2, index < text.endIndex else { return nil }
        return (quoted.lowerBound + 1..<quoted.upperBound - 1, value())
    }

    private mutating func skipSeparator(_ separator: UInt8) {
        index = text.skippingSpace(from: index)
        if index < text.endIndex, text[index] == separator {
            index = text.skippingSpace(from: index + 1)
        }
    }

    private mutating func value() -> Range<Int> {
        let start = index
        // Skips a byte that cannot start a value, so that every walk ends.
        index = Swift.max(text.valueEnd(from: start), start + 1)
        return start..<index
    }
}
