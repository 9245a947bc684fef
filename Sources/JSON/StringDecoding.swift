// The content of JSON strings: from escaped bytes to Swift strings, and comparison with a key.

extension ArraySlice<UInt8> {
    /// The Swift string that the inside of a JSON string (without its quotes) stands for.
    var decodedString: String {
        guard position(of: Byte.backslash) != nil else {
            return String(decoding: self, as: UTF8.self)
        }
        return String(decoding: decodedBytes, as: UTF8.self)
    }

    /// The same as UTF-8 bytes.
    ///
    /// What is not escaped is copied run by run.
    var decodedBytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count)
        var index = startIndex
        while let escape = self[index...].position(of: Byte.backslash) {
            result.append(contentsOf: self[index..<escape])
            index = appendEscape(at: escape, to: &result)
        }
        result.append(contentsOf: self[index...])
        return result
    }

    /// Whether the inside of a JSON string stands for exactly this text.
    func isString(_ text: String) -> Bool {
        if position(of: Byte.backslash) != nil {
            return decodedString.utf8.elementsEqual(text.utf8)
        }
        return count == text.utf8.count && elementsEqual(text.utf8)
    }

    /// Decodes the escape whose backslash is at `index`; returns the position behind it.
    private func appendEscape(at index: Int, to result: inout [UInt8]) -> Int {
        guard index + 1 < endIndex else { return endIndex }
        switch self[index + 1] {
        case UInt8(ascii: "n"): result.append(0x0A)
        case UInt8(ascii: "r"): result.append(0x0D)
        case UInt8(ascii: "t"): result.append(0x09)
        case UInt8(ascii: "b"): result.append(0x08)
        case UInt8(ascii: "f"): result.append(0x0C)
        case UInt8(ascii: "u"): return appendCodePoint(at: index, to: &result)
        case let plain: result.append(plain)
        }
        return index + 2
    }

    private func appendCodePoint(at index: Int, to result: inout [UInt8]) -> Int {
        var end = Swift.min(index + 6, endIndex)
        var code = hexadecimal(in: index + 2..<end)
        if 0xD800..<0xDC00 ~= code, end + 6 <= endIndex, self[end] == Byte.backslash {
            let low = hexadecimal(in: end + 2..<end + 6)
            if 0xDC00..<0xE000 ~= low {
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
                end += 6
            }
        }
        let scalar = Unicode.Scalar(code) ?? "\u{FFFD}"
        result.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        return end
    }

    private func hexadecimal(in range: Range<Int>) -> UInt32 {
        var value: UInt32 = 0
        for byte in self[range] {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: return 0xFFFD
            }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}
