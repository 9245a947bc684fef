// Finds the byte because of which a text is not JSON. It reads a refused text a second time,
// because validation only tells that something is wrong.

extension JSONReader {
    /// The offset of the first byte that makes the text invalid, or its length if the text ends too
    /// early; nil if it is JSON.
    ///
    /// For a string that is not closed, and for a word or number that is invalid, this is its
    /// start.
    public static func faultOffset(in text: ArraySlice<UInt8>) -> Int? {
        var reader = JSONReader(.anyValue, delivery: .members)
        do throws(Fault) {
            // A space ends a number at the end of the text.
            for piece in [text, [0x20]] {
                reader.push(piece)
                while let event = try reader.next() {
                    if let fault = event.offsetOfFault {
                        return reader.valuePosition.offset + fault
                    }
                }
            }
            try reader.finish()
        } catch {
            let isUnclosed = error.reason == .unexpected(nil) && reader.isInsideValue
            let position = isUnclosed ? reader.valuePosition : error.position
            return min(position.offset, text.count)
        }
        return text.offsetOfInvalidUTF8
    }
}

extension JSONReader.Event {
    /// The offset of the fault within a key, string, number or word.
    fileprivate var offsetOfFault: Int? {
        switch self {
        case .key(let text): return text.offsetOfStringFault
        case .value(let text) where text.first == Byte.quote: return text.offsetOfStringFault
        case .value(let text): return (try? RawJSON(validating: text)) == nil ? 0 : nil
        case .beginObject, .endObject, .beginArray, .endArray, .text: return nil
        }
    }
}

extension ArraySlice<UInt8> {
    /// The offset of the first control character or unknown escape in a string with its quotes.
    fileprivate var offsetOfStringFault: Int? {
        var index = startIndex + 1
        while index < endIndex - 1 {
            if self[index] < 0x20 { return index - startIndex }
            guard self[index] == Byte.backslash else {
                index += 1
                continue
            }
            if self[index + 1] == UInt8(ascii: "u") {
                guard let end = endOfCharacter(at: index) else { return index - startIndex }
                index = end
            } else {
                guard "\"\\/bfnrt".utf8.contains(self[index + 1]) else { return index - startIndex }
                index += 2
            }
        }
        return nil
    }

    /// The index after the one or two `\uXXXX` that encode a character at `index`.
    private func endOfCharacter(at index: Int) -> Int? {
        guard let unit = Escape.codeUnit(at: index, in: self) else { return nil }
        guard 0xD800..<0xE000 ~= unit else { return index + 6 }
        guard unit < 0xDC00, let low = Escape.codeUnit(at: index + 6, in: self),
            0xDC00..<0xE000 ~= low
        else { return nil }
        return index + 12
    }

    fileprivate var offsetOfInvalidUTF8: Int? {
        var parser = Unicode.UTF8.ForwardParser()
        var source = makeIterator()
        var offset = 0
        while true {
            switch parser.parseScalar(from: &source) {
            case .valid(let scalar): offset += scalar.count
            case .error: return offset
            case .emptyInput: return nil
            }
        }
    }
}
