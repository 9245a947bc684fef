// The syntax of a reference inside a JSON string: `$t1`, `${t1}`, `${t1.items[0]['odd key']}`.
// Works on the escaped text, so that a reference keeps its position in the source bytes.

import Core
import JSON

/// A cursor over the escaped content of JSON strings that decodes their characters.
struct StringContent {
    let bytes: ArraySlice<UInt8>

    /// One character of the content and the index after it.
    ///
    /// An escape counts as its character. A character outside ASCII is returned as some scalar
    /// outside ASCII, one byte at a time: the syntax is ASCII only.
    func unit(at index: Int) -> (scalar: Unicode.Scalar, next: Int) {
        let byte = bytes[index]
        guard byte == UInt8(ascii: "\\"), index + 1 < bytes.endIndex else {
            return (Unicode.Scalar(byte), index + 1)
        }
        let escaped = bytes[index + 1]
        if escaped == UInt8(ascii: "u") {
            let code = Escape.codeUnit(at: index, in: bytes).flatMap(Unicode.Scalar.init)
            return (code ?? "\u{FFFD}", min(index + 6, bytes.endIndex))
        }
        return (Unicode.Scalar(Escape.controlCharacter(escaped) ?? escaped), index + 2)
    }

    /// The decoded text of a range of the content.
    func text(_ range: Range<Int>) -> String {
        let slice = bytes[range]
        guard slice.contains(UInt8(ascii: "\\")) else {
            return String(decoding: slice, as: UTF8.self)
        }
        let quote = [UInt8(ascii: "\"")]
        return RawJSON(trusted: (quote + slice + quote)[...]).stringValue ?? ""
    }
}

/// The parts of one reference as ranges of the text it is written in.
struct ReferenceSpelling {
    enum Step {
        case key(Range<Int>)
        case index(Int)
    }

    var id: Range<Int>
    var steps: [Step] = []
    /// The index after the reference.
    var end: Int
    /// Whether it is written with braces.
    let isBraced: Bool

    /// The reference whose `$` is at `index`, or nil if there is no well-formed one.
    init?(at index: Int, before limit: Int, in content: StringContent) {
        let (_, first) = content.unit(at: index)
        guard first < limit else { return nil }
        let (scalar, inner) = content.unit(at: first)
        isBraced = scalar == "{"
        let start = isBraced ? inner : first
        guard let idEnd = ReferenceSpelling.endOfID(from: start, limit, content, isBraced) else {
            return nil
        }
        id = start..<idEnd
        end = idEnd
        if isBraced {
            guard readSteps(before: limit, in: content) else { return nil }
        }
    }

    private static func endOfID(
        from start: Int,
        _ limit: Int,
        _ content: StringContent,
        _ isBraced: Bool
    ) -> Int? {
        var cursor = start
        var length = 0
        while cursor < limit {
            let (scalar, next) = content.unit(at: cursor)
            guard scalar.isASCII else { break }
            let byte = UInt8(ascii: scalar)
            guard isBraced ? NodeID.allows(byte) : NodeID.allowsUnbraced(byte) else { break }
            length += 1
            cursor = next
            // A run that is too long for an id is not a reference, and is not cut.
            if length > NodeID.maximumLength { return nil }
        }
        return length > 0 ? cursor : nil
    }

    /// The id as a name; the syntax allows only valid ids.
    func id(in content: StringContent) -> NodeID {
        NodeID(checked: content.text(id))
    }

    /// The steps as a path to follow.
    func path(in content: StringContent) -> [JSONPathStep] {
        steps.map { step in
            switch step {
            case .key(let range): .key(content.text(range))
            case .index(let index): .index(index)
            }
        }
    }

    /// Reads `.key`, `[0]`, `['key']` and `["key"]` up to the closing brace.
    private mutating func readSteps(before limit: Int, in content: StringContent) -> Bool {
        while end < limit {
            let (scalar, next) = content.unit(at: end)
            end = next
            switch scalar {
            case "}":
                return true
            case ".":
                guard readKey(before: limit, in: content) else { return false }
            case "[":
                guard readBracket(before: limit, in: content) else { return false }
            default:
                return false
            }
        }
        return false
    }

    private mutating func readKey(before limit: Int, in content: StringContent) -> Bool {
        let start = end
        while end < limit {
            let (scalar, next) = content.unit(at: end)
            switch scalar {
            case ".", "[", "}":
                guard end > start else { return false }
                steps.append(.key(start..<end))
                return true
            case "]", "{", "$", "\"", "\u{0}"..."\u{1F}":
                return false
            default:
                end = next
            }
        }
        return false
    }

    private mutating func readBracket(before limit: Int, in content: StringContent) -> Bool {
        guard end < limit else { return false }
        let (opening, afterOpening) = content.unit(at: end)
        if opening == "'" || opening == "\"" {
            let start = afterOpening
            var cursor = start
            while cursor < limit {
                let (scalar, next) = content.unit(at: cursor)
                if scalar == opening {
                    steps.append(.key(start..<cursor))
                    end = next
                    return readClosingBracket(before: limit, in: content)
                }
                cursor = next
            }
            return false
        }
        var value = 0
        var digits = 0
        while end < limit {
            let (scalar, next) = content.unit(at: end)
            guard scalar >= "0", scalar <= "9" else { break }
            value = value * 10 + Int(scalar.value - 48)
            digits += 1
            end = next
            if digits > 9 { return false }
        }
        guard digits > 0 else { return false }
        steps.append(.index(value))
        return readClosingBracket(before: limit, in: content)
    }

    private mutating func readClosingBracket(
        before limit: Int,
        in content: StringContent
    ) -> Bool {
        guard end < limit else { return false }
        let (scalar, next) = content.unit(at: end)
        end = next
        return scalar == "]"
    }
}
