// The byte work of putting an output into arguments, and the sentence for a part that is missing.

import JSON

/// The levels that arguments may have: one less than a message, which holds them.
let maximumDepth = JSONLimits.depth - 1

/// Appends a value as text inside a JSON string: a string without its quotes, anything else as
/// compact JSON, escaped once more.
func appendText(of value: RawJSON, to output: inout [UInt8]) {
    let bytes = value.bytes
    switch value.kind {
    case .string:
        // Its escapes are those of the string around it.
        output.append(contentsOf: bytes.dropFirst().dropLast())
    case .number, .bool, .null:
        output.append(contentsOf: bytes)
    case .object, .array:
        output.reserveCapacity(output.count + bytes.count + bytes.count / 8)
        var inString = false
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            index += 1
            switch Unicode.Scalar(byte) {
            case "\"":
                inString.toggle()
                output.append(UInt8(ascii: "\\"))
                output.append(byte)
            case "\\":
                output.append(byte)
                output.append(byte)
                guard index < bytes.endIndex else { break }
                // An escaped quote must not end the string here.
                if bytes[index] == UInt8(ascii: "\"") || bytes[index] == UInt8(ascii: "\\") {
                    output.append(UInt8(ascii: "\\"))
                }
                output.append(bytes[index])
                index += 1
            case " ", "\t", "\r", "\n":
                if inString { output.append(byte) }
            default:
                output.append(byte)
            }
        }
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
