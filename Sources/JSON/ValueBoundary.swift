// Finds where one JSON value ends, piece by piece, by quotes and brackets only.

/// The search for the end of one value whose text may be spread over several pieces.
struct ValueBoundary: Sendable {
    enum Finding: Equatable {
        /// The index after the value.
        case end(Int)
        /// The value continues after this piece.
        case open
        /// The bracket at this index nests deeper than any JSON may; the value has no end.
        case tooDeep(Int)
    }

    private enum Form: Sendable {
        case container, string, scalar
    }

    private let form: Form
    private let deepest: Int
    private var depth = 0
    private var isInString = false
    private var isEscaped = false

    /// A search for the end of the value that begins with `first`, which is scanned with the other
    /// bytes; brackets may nest `deepest` levels.
    init(first: UInt8, deepest: Int) {
        self.deepest = deepest
        switch first {
        case Byte.openBrace, Byte.openBracket: form = .container
        case Byte.quote: form = .string
        default: form = .scalar
        }
    }

    /// Continues the search from `start` to the end of the piece.
    ///
    /// A number or a word ends before the first byte that cannot be part of one.
    mutating func search(_ piece: ArraySlice<UInt8>, from start: Int) -> Finding {
        let base = piece.startIndex
        let finding =
            switch form {
            case .container: searchContainer(piece.span, from: start - base)
            case .string: searchString(piece.span, from: start - base)
            case .scalar: searchScalar(piece.span, from: start - base)
            }
        return switch finding {
        case .end(let index): .end(base + index)
        case .tooDeep(let index): .tooDeep(base + index)
        case .open: .open
        }
    }

    private mutating func searchContainer(_ text: Span<UInt8>, from start: Int) -> Finding {
        var index = start
        while index < text.count {
            if isInString {
                guard let end = endOfString(text, from: index) else { return .open }
                isInString = false
                index = end
                continue
            }
            switch text[index] {
            case Byte.quote:
                isInString = true
            case Byte.openBrace, Byte.openBracket:
                depth += 1
                if depth > deepest { return .tooDeep(index) }
            case Byte.closeBrace, Byte.closeBracket:
                depth -= 1
                if depth == 0 { return .end(index + 1) }
            default:
                break
            }
            index += 1
        }
        return .open
    }

    private mutating func searchString(_ text: Span<UInt8>, from start: Int) -> Finding {
        var index = start
        if !isInString, index < text.count {
            isInString = true
            index += 1
        }
        return endOfString(text, from: index).map { .end($0) } ?? .open
    }

    /// The index after the closing quote of a string that is open at `start`.
    private mutating func endOfString(_ text: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        if isEscaped, index < text.count {
            isEscaped = false
            index += 1
        }
        while index < text.count {
            let byte = text[index]
            index += 1
            if byte == Byte.quote { return index }
            if byte == Byte.backslash {
                if index == text.count {
                    isEscaped = true
                    return nil
                }
                index += 1
            }
        }
        return nil
    }

    private func searchScalar(_ text: Span<UInt8>, from start: Int) -> Finding {
        var index = start
        while index < text.count {
            switch text[index] {
            case Byte.comma, Byte.colon, Byte.quote, Byte.openBrace, Byte.closeBrace,
                Byte.openBracket, Byte.closeBracket:
                return .end(index)
            case let byte where Byte.isSpace(byte):
                return .end(index)
            default:
                index += 1
            }
        }
        return .open
    }
}
