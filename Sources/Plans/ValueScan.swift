// Where one JSON value ends, found piece by piece by quotes and brackets alone.

import JSON

/// The search for the end of one value that may be spread over several pieces of text.
struct ValueScan: Sendable {
    private enum Form: Sendable {
        case container, string, scalar
    }

    private let form: Form
    private var depth = 0
    private var inString = false
    private var isEscaped = false
    private var hasStarted = false
    /// Whether brackets surely nest deeper than JSON may; the search then ends nowhere.
    private(set) var isTooDeep = false

    /// A search whose first byte, fed like all the others, is `first`.
    init(first: UInt8) {
        switch Unicode.Scalar(first) {
        case "{", "[": form = .container
        case "\"": form = .string
        default: form = .scalar
        }
    }

    /// The index behind the value, or nil if it goes on after this piece.
    ///
    /// A number or a word ends before the first byte that cannot be part of one.
    mutating func end(in bytes: ArraySlice<UInt8>, from start: Int) -> Int? {
        let base = bytes.startIndex
        let end =
            switch form {
            case .container: containerEnd(bytes.span, from: start - base)
            case .string: stringEnd(bytes.span, from: start - base)
            case .scalar: scalarEnd(bytes.span, from: start - base)
            }
        return end.map { base + $0 }
    }

    private mutating func containerEnd(_ text: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while index < text.count {
            if inString {
                guard let end = quoteEnd(text, from: index) else { return nil }
                inString = false
                index = end
                continue
            }
            let byte = text[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                inString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                // An empty array or object at the bottom is no level; the validation is exact.
                if depth > JSONLimits.depth + 1 {
                    isTooDeep = true
                    return nil
                }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 0 { return index }
            default:
                break
            }
        }
        return nil
    }

    private mutating func stringEnd(_ text: Span<UInt8>, from start: Int) -> Int? {
        let first = hasStarted ? start : start + 1
        hasStarted = true
        return quoteEnd(text, from: first)
    }

    /// The index behind the closing quote of a string that is open at `start`.
    private mutating func quoteEnd(_ text: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        if isEscaped, index < text.count {
            isEscaped = false
            index += 1
        }
        while index < text.count {
            let byte = text[index]
            index += 1
            if byte == UInt8(ascii: "\"") { return index }
            if byte == UInt8(ascii: "\\") {
                if index == text.count {
                    isEscaped = true
                    return nil
                }
                index += 1
            }
        }
        return nil
    }

    private func scalarEnd(_ text: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while index < text.count {
            switch text[index] {
            case UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: ":"),
                UInt8(ascii: "\""), UInt8(ascii: "["), UInt8(ascii: "{"), 0x20, 0x09, 0x0A, 0x0D:
                return index
            default:
                index += 1
            }
        }
        return nil
    }
}
