// Outputs as text, the copying of bytes into arguments, and the sentence for a missing part of an
// output.

public import JSON

/// The levels that arguments may have: one less than a message, which contains them.
let maximumDepth = JSONLimits.payloadDepth

extension RawJSON {
    /// The value as text: a string without its quotes, anything else as compact JSON.
    ///
    /// It has the fewest possible escapes, so that it does not depend on how the value was written.
    /// Numbers and the order of keys stay.
    public var plainText: String {
        stringValue ?? String(decoding: compactBytes, as: UTF8.self)
    }

    /// The text of the value as written inside a JSON string, between the quotes, and whether its
    /// bytes are those of the value itself.
    public var textWithinString: (text: ArraySlice<UInt8>, isShared: Bool) {
        if let text = textWithoutRewriting { return (text, true) }
        var text: [UInt8] = []
        text.reserveCapacity(count + count / 8)
        appendText(of: self, to: &text)
        return (text[...], false)
    }

    /// The beginning of ``plainText``: at least that many bytes of it, or all if it has fewer;
    /// reads only the beginning of the value.
    public func plainText(atLeast bytes: Int) -> String {
        // An escaped character takes at most six bytes.
        let most = 6 * bytes + 16
        guard count > most else { return plainText }
        let start = self.bytes.prefix(most)
        guard kind == .string else {
            return String(decoding: RawJSON(trusted: start).compactBytes, as: UTF8.self)
        }
        var end = start.startIndex + 1
        while end < start.endIndex {
            let next = end + RawJSON.lengthOfCharacter(at: end, in: start)
            guard next <= start.endIndex else { break }
            end = next
        }
        let text = Array(start[..<end]) + [UInt8(ascii: "\"")]
        return RawJSON(trusted: text[...]).stringValue ?? ""
    }

    /// How many bytes the next character of a string takes as written; a surrogate pair is one
    /// character.
    private static func lengthOfCharacter(at index: Int, in bytes: ArraySlice<UInt8>) -> Int {
        let first = bytes[index]
        guard first == UInt8(ascii: "\\") else {
            return first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
        }
        guard index + 1 < bytes.endIndex, bytes[index + 1] == UInt8(ascii: "u") else { return 2 }
        guard index + 3 < bytes.endIndex else { return 6 }
        let isHighSurrogate =
            bytes[index + 2] | 0x20 == UInt8(ascii: "d")
            && [UInt8(ascii: "8"), UInt8(ascii: "9"), UInt8(ascii: "a"), UInt8(ascii: "b")]
                .contains(bytes[index + 3] | 0x20)
        return isHighSurrogate ? 12 : 6
    }

    /// The text of the value inside a JSON string, if the value already contains these bytes.
    var textWithoutRewriting: ArraySlice<UInt8>? {
        switch kind {
        // Its escapes are also valid in the string around it.
        case .string: bytes.dropFirst().dropLast()
        case .number, .bool, .null: bytes
        case .object, .array: nil
        }
    }

    /// The bytes without whitespace between tokens, and without needless escapes.
    fileprivate var compactBytes: ArraySlice<UInt8> {
        guard kind == .object || kind == .array else { return bytes }
        var compact: [UInt8] = []
        compact.reserveCapacity(count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            guard bytes[index] == UInt8(ascii: "\"") else {
                if bytes[index] > UInt8(ascii: " ") { compact.append(bytes[index]) }
                index += 1
                continue
            }
            let start = index
            var hasEscape = false
            index += 1
            while index < bytes.endIndex, bytes[index] != UInt8(ascii: "\"") {
                let isEscape = bytes[index] == UInt8(ascii: "\\")
                hasEscape = hasEscape || isEscape
                index += isEscape ? 2 : 1
            }
            index = min(index + 1, bytes.endIndex)
            let string = RawJSON(trusted: bytes[start..<index])
            if hasEscape, let text = string.stringBytes {
                var writer = JSONWriter(reserving: text.count + 2)
                writer.string(utf8: text[...])
                compact.append(contentsOf: writer.bytes)
            } else {
                compact.append(contentsOf: string.bytes)
            }
        }
        return compact[...]
    }
}

/// Appends a value as text inside a JSON string: a string without its quotes, anything else as
/// compact JSON, escaped once more.
func appendText(of value: RawJSON, to output: inout [UInt8]) {
    if let text = value.textWithoutRewriting {
        output.append(contentsOf: text)
        return
    }
    for byte in value.compactBytes {
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
            output.append(UInt8(ascii: "\\"))
        }
        output.append(byte)
    }
}

/// The sentence that names the first step of `path` that `output` does not have.
func missingStep(of path: [JSONPathStep], in output: RawJSON, node: String) -> String {
    var value = output
    var place = "the output of \(node)"
    var walked = node
    for step in path {
        if let inner = value.value(at: [step]) {
            value = inner
            walked += spelled(step)
            place = walked
            continue
        }
        let all = "${\(node)\(path.map(spelled).joined())}"
        let fault =
            switch (step, value.kind) {
            case (.key(let key), .object):
                "\(place) has no field \(quoted(key))"
            case (.key(let key), let kind):
                "\(place) is \(kind.phrase) and has no field \(quoted(key))"
            case (.index(let index), .array):
                "\(place) has \(elementCount(of: value)) elements and none at [\(index)]"
            case (.index(let index), let kind):
                "\(place) is \(kind.phrase) and has no element [\(index)]"
            }
        return "\(all) cannot be followed: \(fault)"
    }
    return "${\(node)} cannot be followed"
}

private func spelled(_ step: JSONPathStep) -> String {
    switch step {
    case .index(let index): "[\(index)]"
    case .key(let key): key.contains { ".[]{}$\"".contains($0) } ? "['\(key)']" : ".\(key)"
    }
}

private func elementCount(of list: RawJSON) -> Int {
    var count = 0
    list.forEachElement { _ in count += 1 }
    return count
}
