// A manifest or configuration file: what is read stays within the limits, its places are in the
// text, and the same tree comes from the tree written out.

import YAML

func tryYAML(_ bytes: [UInt8]) throws {
    let text = String(decoding: bytes, as: UTF8.self)
    let root: YAMLNode
    do throws(YAMLError) {
        guard let node = try YAMLNode.parse(text) else { return }
        root = node
    } catch {
        try demand(error.message.hasPrefix("The file "), "an error without a sentence: \(error)")
        try demand(error.line ?? 1 >= 1, "an error before the first line: \(error)")
        return
    }
    // libyaml counts more kinds of line ends than a line feed; there is no more than one a byte.
    var examiner = Examiner(lines: text.utf8.count + 1)
    try examiner.examine(root, depth: 0)
    guard examiner.values <= 10_000 else { return }
    let written = flow(root)
    let again = try YAMLNode.parse(written)
    try demand(again.map(flow) == written, "another tree when written again: \(written)")
}

/// Checks the limits and places of a tree.
private struct Examiner {
    let lines: Int
    var values = 0

    mutating func examine(_ node: YAMLNode, depth: Int) throws {
        values += 1
        try demand(values <= YAMLLimits.values, "more values than the limit")
        try demand((1...lines).contains(node.line), "a value on line \(node.line)")
        try demand(node.column >= 1, "a value at column \(node.column)")
        switch node.content {
        case .scalar:
            break
        case .sequence(let values):
            try demand(depth < YAMLLimits.depth, "nests deeper than the limit")
            for value in values { try examine(value, depth: depth + 1) }
        case .mapping(let mapping):
            try demand(depth < YAMLLimits.depth, "nests deeper than the limit")
            var names: Set<String> = []
            for (key, value) in mapping {
                if let name = key.scalar?.string {
                    try demand(names.insert(name).inserted, "the key \(name) twice")
                }
                try examine(key, depth: depth + 1)
                try examine(value, depth: depth + 1)
            }
        }
    }
}

/// The tree on one line, every scalar in quotes.
private func flow(_ node: YAMLNode) -> String {
    switch node.content {
    case .scalar(let scalar):
        quoted(scalar.string)
    case .sequence(let values):
        "[" + values.map(flow).joined(separator: ", ") + "]"
    case .mapping(let mapping):
        "{" + mapping.map { "? \(flow($0.key)) : \(flow($0.value))" }.joined(separator: ", ") + "}"
    }
}

private func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
        let isPlain =
            (0x20..<0x7F).contains(scalar.value) && scalar != "\"" && scalar != "\\"
        if isPlain {
            quoted.unicodeScalars.append(scalar)
        } else {
            let digits = String(scalar.value, radix: 16)
            quoted += "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
        }
    }
    return quoted + "\""
}
