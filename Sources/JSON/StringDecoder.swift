// Decodes escapes in strings, from the text between two quotes to bytes, however the text is split.
// Not here: finding the end of a string.

/// What the letters and digits of an escape mean.
public enum Escape {
    /// The control character for a backslash before this letter; nil for other letters.
    public static func controlCharacter(_ letter: UInt8) -> UInt8? {
        switch letter {
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        default: nil
        }
    }

    /// The value of a hexadecimal digit; nil for any other byte.
    public static func hexDigit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a")) + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A")) + 10
        default: nil
        }
    }

    /// The UTF-16 unit of the escape `\uXXXX` whose backslash is at `index`; nil if there is none.
    public static func codeUnit(at index: Int, in text: ArraySlice<UInt8>) -> UInt32? {
        guard index + 6 <= text.endIndex, text[index] == Byte.backslash,
            text[index + 1] == UInt8(ascii: "u")
        else { return nil }
        var unit: UInt32 = 0
        for byte in text[index + 2..<index + 6] {
            guard let digit = hexDigit(byte) else { return nil }
            unit = unit << 4 | digit
        }
        return unit
    }
}

/// Decodes the text between the quotes of a string, split anywhere.
///
/// It never fails: half of a surrogate pair becomes U+FFFD. Unknown escapes are read as the dialect
/// defines.
public struct StringDecoder: Sendable {
    /// The dialect of escapes.
    public enum Dialect: Sendable {
        /// As in JSON. The backslash before an unknown letter is dropped; `\u` without four digits
        /// is U+FFFD.
        case json
        /// As in Python literals, which have more escapes. An unknown escape stays as written.
        case python
    }

    private enum State: Sendable {
        case text
        case backslash
        /// After the letter of an escape with digits.
        case digits(letter: UInt8, read: [UInt8])
    }

    private let dialect: Dialect
    private var state = State.text
    /// The first half of a surrogate pair.
    private var highSurrogate: UInt32?

    /// A decoder at the start of a string.
    public init(_ dialect: Dialect = .json) {
        self.dialect = dialect
    }

    /// Decodes the next piece and appends the result to `text`.
    public mutating func decode(_ piece: ArraySlice<UInt8>, into text: inout [UInt8]) {
        var index = piece.startIndex
        while index < piece.endIndex {
            switch state {
            case .text:
                let escape = piece[index...].position(of: Byte.backslash) ?? piece.endIndex
                if escape > index {
                    endSurrogate(&text)
                    text.append(contentsOf: piece[index..<escape])
                }
                if let unit = Escape.codeUnit(at: escape, in: piece) {
                    appendCharacter(unit, &text)
                    index = escape + 6
                } else {
                    if escape < piece.endIndex { state = .backslash }
                    index = escape + 1
                }
            case .backslash:
                readLetter(piece[index], &text)
                index += 1
            case .digits(let letter, let read):
                // A byte that is not a digit is read again as text.
                if readDigit(piece[index], letter, read, &text) { index += 1 }
            }
        }
    }

    /// Ends the string: appends the result of an incomplete escape.
    public mutating func finish(into text: inout [UInt8]) {
        switch state {
        case .text: break
        case .backslash:
            endSurrogate(&text)
            if dialect == .python { text.append(Byte.backslash) }
        case .digits(let letter, let read): appendMalformed(letter, read, &text)
        }
        endSurrogate(&text)
        state = .text
    }

    private mutating func readLetter(_ letter: UInt8, _ text: inout [UInt8]) {
        state = .text
        if digitCount(letter) > 0 {
            if letter != UInt8(ascii: "u") { endSurrogate(&text) }
            state = .digits(letter: letter, read: [])
            return
        }
        endSurrogate(&text)
        if let character = Escape.controlCharacter(letter) {
            text.append(character)
        } else if dialect == .json {
            text.append(letter)
        } else {
            appendPython(letter, &text)
        }
    }

    private func appendPython(_ letter: UInt8, _ text: inout [UInt8]) {
        switch Unicode.Scalar(letter) {
        case "a": text.append(0x07)
        case "v": text.append(0x0B)
        case "0": text.append(0x00)
        case "\\", "'", "\"", "/": text.append(letter)
        case "\n": break
        default: text.append(contentsOf: [Byte.backslash, letter])
        }
    }

    /// How many digits an escape with this letter has.
    private func digitCount(_ letter: UInt8) -> Int {
        switch Unicode.Scalar(letter) {
        case "u": 4
        case "x" where dialect == .python: 2
        case "U" where dialect == .python: 8
        default: 0
        }
    }

    private mutating func readDigit(
        _ byte: UInt8,
        _ letter: UInt8,
        _ read: [UInt8],
        _ text: inout [UInt8]
    ) -> Bool {
        guard Escape.hexDigit(byte) != nil else {
            state = .text
            appendMalformed(letter, read, &text)
            return false
        }
        let digits = read + [byte]
        guard digits.count == digitCount(letter) else {
            state = .digits(letter: letter, read: digits)
            return true
        }
        state = .text
        appendCharacter(digits.reduce(0) { $0 << 4 | (Escape.hexDigit($1) ?? 0) }, &text)
        return true
    }

    private mutating func appendCharacter(_ code: UInt32, _ text: inout [UInt8]) {
        if let high = highSurrogate, 0xDC00..<0xE000 ~= code {
            highSurrogate = nil
            append(0x10000 + (high - 0xD800) << 10 + (code - 0xDC00), &text)
            return
        }
        endSurrogate(&text)
        if 0xD800..<0xDC00 ~= code {
            highSurrogate = code
        } else {
            append(code, &text)
        }
    }

    private mutating func appendMalformed(
        _ letter: UInt8,
        _ digits: [UInt8],
        _ text: inout [UInt8]
    ) {
        endSurrogate(&text)
        switch dialect {
        case .json: append(0xFFFD, &text)
        case .python: text.append(contentsOf: [Byte.backslash, letter] + digits)
        }
    }

    /// Appends the replacement character for a first half without its second half.
    private mutating func endSurrogate(_ text: inout [UInt8]) {
        guard highSurrogate != nil else { return }
        highSurrogate = nil
        append(0xFFFD, &text)
    }

    private func append(_ code: UInt32, _ text: inout [UInt8]) {
        let scalar = Unicode.Scalar(code) ?? "\u{FFFD}"
        text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }
}
