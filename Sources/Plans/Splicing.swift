// Outputs as text, the byte work of putting them into arguments, and the sentence for a part of an
// output that is missing.

public import JSON

/// The levels that arguments may have: one less than a message, which holds them.
let maximumDepth = JSONLimits.payloadDepth

extension RawJSON {
    /// The value as text: a string without its quotes, anything else as compact JSON.
    ///
    /// It has the fewest escapes, so that it does not depend on how the value was written. Numbers
    /// and the order of keys stay.
    public var plainText: String {
        stringValue ?? String(decoding: compactBytes, as: UTF8.self)
    }

    /// The text of the value inside a JSON string, if the bytes hold it as it is.
    var textWithoutRewriting: ArraySlice<UInt8>? {
        switch kind {
        // Its escapes are those of the string around it.
        case .string: bytes.dropFirst().dropLast()
        case .number, .bool, .null: bytes
        case .object, .array: nil
        }
    }

    /// The bytes without whitespace between tokens, and without escapes that need not be.
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
