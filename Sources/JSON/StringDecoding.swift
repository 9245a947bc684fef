// Decodes JSON strings as a whole: from the bytes between the quotes to Swift strings, and
// comparison with a key. Escapes are decoded by StringDecoder.

extension ArraySlice<UInt8> {
    /// The Swift string for the inside of a JSON string (without its quotes).
    var decodedString: String {
        guard position(of: Byte.backslash) != nil else {
            return String(decoding: self, as: UTF8.self)
        }
        return String(decoding: decodedBytes, as: UTF8.self)
    }

    /// The same as UTF-8 bytes.
    var decodedBytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count)
        var decoder = StringDecoder()
        decoder.decode(self, into: &result)
        decoder.finish(into: &result)
        return result
    }

    /// Whether the inside of a JSON string decodes to exactly this text.
    func isString(_ text: String) -> Bool {
        if position(of: Byte.backslash) != nil {
            return decodedString.utf8.elementsEqual(text.utf8)
        }
        return count == text.utf8.count && elementsEqual(text.utf8)
    }
}
