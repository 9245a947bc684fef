// Encoding: JSON appended to bytes, without an intermediate tree.

internal import CSimdJSON
internal import OrderedCollections

/// Appends JSON to bytes it owns; writes a raw newline only in `newline()`.
///
/// It writes the commas itself. The caller must match brackets and write keys only in objects.
public struct JSONWriter: Sendable {
    /// The bytes written so far; between lines they may be taken or replaced.
    public var bytes: [UInt8] = []
    private var needsComma = false

    /// Makes a writer with room for that many bytes.
    public init(reserving capacity: Int = 0) {
        if capacity > 0 { bytes.reserveCapacity(capacity) }
    }

    // MARK: - Structure

    /// Opens an object.
    public mutating func beginObject() { open(Byte.openBrace) }

    /// Closes an object.
    public mutating func endObject() { close(Byte.closeBrace) }

    /// Opens an array.
    public mutating func beginArray() { open(Byte.openBracket) }

    /// Closes an array.
    public mutating func endArray() { close(Byte.closeBracket) }

    /// Writes the key of the next value; the name must need no escapes.
    public mutating func key(_ name: StaticString) {
        separate()
        bytes.append(Byte.quote)
        name.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes.append(Byte.quote)
        bytes.append(Byte.colon)
        needsComma = false
    }

    /// Writes the key of the next value; it may have any characters.
    public mutating func key(escaping name: String) {
        string(name)
        bytes.append(Byte.colon)
        needsComma = false
    }

    /// Ends a line of the protocol with a line feed; the next value needs no comma.
    public mutating func newline() {
        bytes.append(Byte.lineFeed)
        needsComma = false
    }

    // MARK: - Values

    /// Writes a string.
    public mutating func string(_ value: String) {
        beginValue()
        bytes.append(Byte.quote)
        if value.utf8.withContiguousStorageIfAvailable({ appendEscaping($0[...]) }) == nil {
            appendEscaping(Array(value.utf8)[...])
        }
        bytes.append(Byte.quote)
    }

    /// Writes a string given as valid UTF-8.
    public mutating func string(utf8 value: ArraySlice<UInt8>) {
        beginValue()
        bytes.append(Byte.quote)
        appendEscaping(value)
        bytes.append(Byte.quote)
    }

    /// Writes a string given as the parts of valid UTF-8.
    public mutating func string(utf8 parts: [ArraySlice<UInt8>]) {
        beginValue()
        bytes.append(Byte.quote)
        makeRoom(for: parts.reduce(0) { $0 + $1.count })
        for part in parts { appendEscaping(part) }
        bytes.append(Byte.quote)
    }

    /// Writes an integer.
    public mutating func integer(_ value: Int) {
        beginValue()
        if value < 0 { bytes.append(Byte.minus) }
        appendDigits(value.magnitude)
    }

    /// Writes a double in the shortest form that reads back the same; one that is not finite
    /// becomes `null`, because JSON cannot express it.
    public mutating func double(_ value: Double) {
        beginValue()
        if value.isFinite {
            bytes.append(contentsOf: value.description.utf8)
        } else {
            appendWord("null")
        }
    }

    /// Writes `true` or `false`.
    public mutating func bool(_ value: Bool) {
        beginValue()
        appendWord(value ? "true" : "false")
    }

    /// Writes `null`.
    public mutating func null() {
        beginValue()
        appendWord("null")
    }

    /// Writes a value that is already JSON, unchanged.
    public mutating func raw(_ value: RawJSON) {
        beginValue()
        makeRoom(for: value.count)
        bytes.append(contentsOf: value.bytes)
    }

    /// Writes a tree.
    public mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let value): bool(value)
        case .integer(let value): integer(Int(value))
        case .double(let value): double(value)
        case .bigNumber(let number): raw(RawJSON(trusted: Array(number.text.utf8)[...]))
        case .string(let value): string(value)
        case .array(let elements):
            beginArray()
            for element in elements { self.value(element) }
            endArray()
        case .object(let fields):
            beginObject()
            for (name, field) in fields {
                key(escaping: name)
                self.value(field)
            }
            endObject()
        }
    }

    // MARK: - Bytes

    /// Reserves memory for a large value and for what follows it.
    ///
    /// Otherwise the array would grow to exactly the value, and double and move with the next byte.
    private mutating func makeRoom(for count: Int) {
        guard count > 4_096, bytes.capacity - bytes.count < count + 256 else { return }
        bytes.reserveCapacity(max(bytes.count + count + 4_096, 2 * bytes.capacity))
    }

    private mutating func separate() {
        if needsComma { bytes.append(Byte.comma) }
    }

    private mutating func beginValue() {
        separate()
        needsComma = true
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func appendWord(_ word: StaticString) {
        word.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    private mutating func appendDigits(_ value: UInt) {
        if value < 10 {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value))
            return
        }
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var start = 20
        var rest = value
        while rest > 0 {
            start -= 1
            digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        for index in start..<20 { bytes.append(digits[index]) }
    }

    /// Copies runs without escapes at once.
    private mutating func appendEscaping<Text: Collection<UInt8>>(_ text: Text)
    where Text.Index == Int {
        var index = text.startIndex
        let end = text.endIndex
        makeRoom(for: text.count)
        while index < end {
            let run = Self.plainEnd(text, from: index)
            bytes.append(contentsOf: text[index..<run])
            index = run
            while index < end, Self.needsEscape(text[index]) {
                appendEscape(of: text[index])
                index += 1
            }
        }
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == Byte.quote || byte == Byte.backslash
    }

    private static func plainEnd<Text: Collection<UInt8>>(_ text: Text, from index: Int) -> Int
    where Text.Index == Int {
        let start = text.startIndex
        let offset = text.withContiguousStorageIfAvailable {
            weft_json_plain_end($0.baseAddress, index - start, $0.count)
        }
        return offset.map { start + $0 } ?? index
    }

    private mutating func appendEscape(of byte: UInt8) {
        bytes.append(Byte.backslash)
        switch byte {
        case 0x0A: bytes.append(UInt8(ascii: "n"))
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        case 0x08: bytes.append(UInt8(ascii: "b"))
        case 0x0C: bytes.append(UInt8(ascii: "f"))
        case Byte.quote, Byte.backslash: bytes.append(byte)
        default:
            appendWord("u00")
            bytes.append(UInt8(ascii: "0") + byte >> 4)
            bytes.append(Self.hexadecimal(byte & 0x0F))
        }
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
    }
}
