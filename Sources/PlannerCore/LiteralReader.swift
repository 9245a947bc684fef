// Reads the text between the parentheses of a call: Python and JSON literals, references, and
// unquoted words, which models write where they should write strings.

import Core
import JSON
import OrderedCollections
import Plans

/// One argument of a call as written.
struct WrittenArgument: Sendable, Equatable {
    /// The name before `=`, if there is one.
    var name: String?
    var value: JSONValue
    /// Whether the value is text without quotes.
    var isBare = false
    /// The text of the value as written.
    var source: String
}

/// All arguments of a call.
struct WrittenArguments: Sendable, Equatable {
    var items: [WrittenArgument] = []
    /// Ids of references without quotes: these cannot be text.
    var references: [NodeID] = []
    /// A tool that is called within the arguments, which plans cannot do.
    var nestedCall: String?
    /// Whether text begins with a quote that does not close, so that the end of the value is a
    /// guess.
    var hasMisfitQuote = false
    /// Whether unquoted text contains the head of another call, so that its end is a guess.
    var swallowsCall = false

    init(_ bytes: [UInt8], tools: Set<String>) {
        var reader = LiteralReader(bytes, tools: tools)
        items = reader.arguments()
        references = reader.references
        nestedCall = reader.nestedCall
        hasMisfitQuote = reader.hasMisfitQuote
        swallowsCall = reader.swallowsCall
    }
}

/// One pass over the text of arguments; never fails, because text that is not a literal is unquoted
/// text.
struct LiteralReader {
    private let bytes: [UInt8]
    private let tools: Set<String>
    private var index = 0
    private(set) var references: [NodeID] = []
    private(set) var nestedCall: String?
    private(set) var hasMisfitQuote = false
    private(set) var swallowsCall = false

    init(_ bytes: [UInt8], tools: Set<String>) {
        self.bytes = bytes
        self.tools = tools
    }

    private var byte: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skipBlanks() {
        while let byte, isBlank(byte) { index += 1 }
    }

    private mutating func skip(_ scalar: Unicode.Scalar) -> Bool {
        guard let byte, Unicode.Scalar(byte) == scalar else { return false }
        index += 1
        return true
    }

    mutating func arguments() -> [WrittenArgument] {
        var items: [WrittenArgument] = []
        skipBlanks()
        while byte != nil {
            let name = keyword()
            skipBlanks()
            let start = index
            let (value, isBare) = element(depth: 0, endsAt: isComma)
            items.append(
                WrittenArgument(
                    name: name,
                    value: value,
                    isBare: isBare,
                    source: trimmedText(start..<index)
                )
            )
            guard skip(",") else { break }
            skipBlanks()
        }
        return items
    }

    /// Reads `name =`, unless something else follows.
    private mutating func keyword() -> String? {
        let start = index
        while let byte, isNameByte(byte), byte != UInt8(ascii: ":") { index += 1 }
        let end = index
        skipBlanks()
        if end > start, !isDigit(bytes[start]), skip("="), byte != UInt8(ascii: "=") {
            return String(decoding: bytes[start..<end], as: UTF8.self)
        }
        index = start
        return nil
    }

    // MARK: - Values

    /// Reads a literal if there is one with nothing after it, otherwise unquoted text.
    private mutating func element(
        depth: Int,
        endsAt isEnd: (UInt8) -> Bool
    ) -> (value: JSONValue, isBare: Bool) {
        let start = index
        let known = references.count
        let faults = (nestedCall, hasMisfitQuote, swallowsCall)
        if let value = literal(depth: depth) {
            skipBlanks()
            guard let byte, !isEnd(byte) else { return (value, false) }
        }
        // After a failed attempt, its findings are dropped.
        index = start
        references.removeLast(references.count - known)
        (nestedCall, hasMisfitQuote, swallowsCall) = faults
        return (.string(bareText(endsAt: isEnd)), true)
    }

    private mutating func literal(depth: Int) -> JSONValue? {
        guard let byte else { return nil }
        switch Unicode.Scalar(byte) {
        case "\"", "'":
            return string().map { .string($0) }
        case "[":
            return list(closing: "]", depth: depth)
        case "(":
            return list(closing: ")", depth: depth)
        case "{":
            return object(depth: depth)
        case "$":
            return reference().map { .string($0) }
        case "0"..."9", "-", "+", ".":
            return number()
        default:
            return word()
        }
    }

    private mutating func list(closing: Unicode.Scalar, depth: Int) -> JSONValue? {
        guard depth < PlannerLimits.literalDepth else { return nil }
        index += 1
        var elements: [JSONValue] = []
        while true {
            skipBlanks()
            if skip(closing) { return .array(elements) }
            guard let byte, !isComma(byte) else { return nil }
            elements.append(element(depth: depth + 1, endsAt: isCommaOrClosing).value)
            if skip(",") { continue }
            guard skip(closing) else { return nil }
            return .array(elements)
        }
    }

    private mutating func object(depth: Int) -> JSONValue? {
        guard depth < PlannerLimits.literalDepth else { return nil }
        index += 1
        var fields: [(String, JSONValue)] = []
        while true {
            skipBlanks()
            if skip("}") { break }
            guard let key = key() else { return nil }
            skipBlanks()
            guard skip(":") else { return nil }
            skipBlanks()
            guard let byte, !isCommaOrClosing(byte) else { return nil }
            fields.append((key, element(depth: depth + 1, endsAt: isCommaOrClosing).value))
            if skip(",") { continue }
            guard skip("}") else { return nil }
            break
        }
        return .object(.init(fields, uniquingKeysWith: { $1 }))
    }

    private mutating func key() -> String? {
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") { return string() }
        let start = index
        while let byte, isNameByte(byte), byte != UInt8(ascii: ":") { index += 1 }
        return index > start ? String(decoding: bytes[start..<index], as: UTF8.self) : nil
    }

    private mutating func word() -> JSONValue? {
        let start = index
        while let byte, isNameByte(byte) { index += 1 }
        switch String(decoding: bytes[start..<index], as: UTF8.self) {
        case "True", "true": return .bool(true)
        case "False", "false": return .bool(false)
        case "None", "null": return .null
        default: return nil
        }
    }

    /// Reads a number in Python or JSON syntax.
    private mutating func number() -> JSONValue? {
        let start = index
        while let byte, isNameByte(byte) || byte == UInt8(ascii: "+") { index += 1 }
        var text = String(decoding: bytes[start..<index], as: UTF8.self)
        if text.hasPrefix("+") { text.removeFirst() }
        let sign = text.hasPrefix("-") ? "-" : ""
        var digits = text.dropFirst(sign.count)
        if digits.contains("_") {
            // Underscores only between digits, as in 1_000.
            let groups = digits.split(separator: "_", omittingEmptySubsequences: false)
            guard groups.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(isDigit) }) else {
                return nil
            }
            digits = Substring(groups.joined())
        }
        if digits.hasPrefix(".") { digits = "0" + digits }
        if digits.hasSuffix(".") { digits += "0" }
        guard let raw = try? RawJSON(validating: sign + digits), raw.kind == .number else {
            return nil
        }
        return JSONValue(raw)
    }

    // MARK: - References

    /// Reads `$1`, `${1}`, `${1.items[0]}`, and `$1.items[0]`, to which it adds the braces.
    private mutating func reference() -> String? {
        let start = index
        index += 1
        if skip("{") {
            // A reference is limited in length, so that many unclosed ones do not cause long
            // searches.
            let reach = min(bytes.count, start + PlannerLimits.referenceBytes)
            while index < reach, bytes[index] != UInt8(ascii: "}") { index += 1 }
            guard skip("}") else { return nil }
            return reference(spelled: String(decoding: bytes[start..<index], as: UTF8.self))
        }
        while let byte, isNameByte(byte), byte < 0x80, !".:/-".utf8.contains(byte) { index += 1 }
        let id = String(decoding: bytes[(start + 1)..<index], as: UTF8.self)
        let path = pathEnd()
        if path == index { return reference(spelled: "$" + id) }
        let steps = String(decoding: bytes[index..<path], as: UTF8.self)
        index = path
        return reference(spelled: "${" + id + steps + "}")
    }

    private mutating func reference(spelled text: String) -> String? {
        let found = ArgumentTemplate(compiling: RawJSON(text)).references
        guard found.count == 1, found[0].isWhole else { return nil }
        references.append(found[0].id)
        return text
    }

    /// The index after the steps `.key`, `[0]` and `['key']` at this place.
    private func pathEnd() -> Int {
        var end = index
        while end < bytes.count {
            if bytes[end] == UInt8(ascii: ".") {
                var next = end + 1
                while next < bytes.count, isNameByte(bytes[next]),
                    !".:/-".utf8.contains(bytes[next])
                {
                    next += 1
                }
                if next == end + 1 { return end }
                end = next
            } else if bytes[end] == UInt8(ascii: "[") {
                let reach = min(bytes.count, index + PlannerLimits.referenceBytes)
                guard end < reach,
                    let close = bytes[end..<reach].firstIndex(of: UInt8(ascii: "]"))
                else {
                    return end
                }
                end = close + 1
            } else {
                return end
            }
        }
        return end
    }

    // MARK: - Bare text

    /// Reads text up to a byte that ends it outside brackets; a string at its start is skipped.
    private mutating func bareText(endsAt isEnd: (UInt8) -> Bool) -> String {
        let start = index
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
            hasMisfitQuote = true
            if string() == nil { index = start }
        }
        var depth = 0
        while let byte {
            if depth == 0, isEnd(byte) { break }
            switch Unicode.Scalar(byte) {
            case "(", "[", "{": depth += 1
            case ")", "]", "}": depth = max(0, depth - 1)
            default: break
            }
            index += 1
        }
        let text = trimmedText(start..<index)
        noteCalls(in: text)
        return text
    }

    private mutating func noteCalls(in text: String) {
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (position, line) in lines.enumerated() {
            guard let parenthesis = line.firstIndex(of: UInt8(ascii: "(")) else { continue }
            let before = Array(line[..<parenthesis])
            guard before.count <= PlannerLimits.headBytes,
                let head = ActionHead(before, tools: tools)
            else { continue }
            if head.number == nil, position == 0 {
                nestedCall = nestedCall ?? head.name
            } else if head.number != nil, position > 0 {
                swallowsCall = true
            }
        }
    }

    private func trimmedText(_ range: Range<Int>) -> String {
        var slice = bytes[range].drop(while: isBlank)
        while let last = slice.last, isBlank(last) { slice.removeLast() }
        return String(decoding: slice, as: UTF8.self)
    }

    // MARK: - Strings

    /// Reads consecutive strings as one.
    private mutating func string() -> String? {
        var text: [UInt8] = []
        guard appendString(to: &text) else { return nil }
        while true {
            let end = index
            skipBlanks()
            guard let next = byte, next == UInt8(ascii: "\"") || next == UInt8(ascii: "'"),
                appendString(to: &text)
            else {
                index = end
                return String(decoding: text, as: UTF8.self)
            }
        }
    }

    /// Reads one string and appends its decoded text; false, with nothing appended, if it is not
    /// closed.
    private mutating func appendString(to text: inout [UInt8]) -> Bool {
        guard let mark = byte else { return false }
        let marks = isTriple(mark) ? 3 : 1
        index += marks
        let start = index
        while let byte {
            if byte == mark, marks == 1 || isTriple(mark) {
                var decoder = StringDecoder(.python)
                decoder.decode(bytes[start..<index], into: &text)
                decoder.finish(into: &text)
                index += marks
                return true
            }
            index += byte == UInt8(ascii: "\\") ? 2 : 1
        }
        return false
    }

    /// Whether there are three quotation marks here.
    private func isTriple(_ mark: UInt8) -> Bool {
        index + 2 < bytes.count && bytes[index...index + 2].allSatisfy { $0 == mark }
    }
}

private func isComma(_ byte: UInt8) -> Bool { byte == UInt8(ascii: ",") }

private func isCommaOrClosing(_ byte: UInt8) -> Bool {
    switch Unicode.Scalar(byte) {
    case ",", "]", "}", ")": true
    default: false
    }
}
