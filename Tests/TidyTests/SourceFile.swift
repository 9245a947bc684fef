// A source file as the rules see it: its lines, each separated into code, comments and literals.
// Not here: the rules; the list of files (Repository).
import Foundation

/// A file of the repository, or a sample of one.
struct SourceFile: Sendable {
    /// The parts of one line.
    struct Line: Sendable, Equatable {
        /// Code, with empty texts instead of literals.
        var code = ""
        /// Comments, without their slashes.
        var comment = ""
        /// The content of the literals on the line.
        var literal = ""
    }

    /// From the root of the repository.
    let path: String
    let text: String
    /// The lines, counted from 0 here and from 1 in messages.
    let lines: [Line]

    init(path: String, text: String) {
        self.path = path
        self.text = text
        var splitter = LineSplitter()
        lines = splitter.split(text)
    }

    /// The module, for a file under `Sources`.
    var module: String? {
        let parts = path.split(separator: "/")
        return parts.first == "Sources" && parts.count > 2 ? String(parts[1]) : nil
    }

    var isSwift: Bool { path.hasSuffix(".swift") }

    /// Whether it is code of ours that people read.
    var isCode: Bool { [".swift", ".c", ".cpp", ".h"].contains { path.hasSuffix($0) } }
}

/// Splits Swift or C into parts, byte by byte.
private struct LineSplitter {
    private enum Context: Equatable {
        case code
        /// Code within a literal, with the parentheses open in it.
        case interpolation(Int)
        /// A literal, with the number signs before it.
        case literal(signs: Int, isMultiline: Bool)
        case lineComment
        case blockComment(Int)
    }

    private var stack: [Context] = [.code]
    private var code: [UInt8] = []
    private var comment: [UInt8] = []
    private var literal: [UInt8] = []

    private static let quote = UInt8(ascii: "\"")
    private static let backslash = UInt8(ascii: "\\")
    private static let sign = UInt8(ascii: "#")
    private static let space = UInt8(ascii: " ")

    mutating func split(_ text: String) -> [SourceFile.Line] {
        var lines: [SourceFile.Line] = []
        let newline = UInt8(ascii: "\n")
        for row in Array(text.utf8).split(separator: newline, omittingEmptySubsequences: false) {
            (code, comment, literal) = ([], [], [])
            read(row)
            if stack.last == .lineComment { stack.removeLast() }
            // A literal of one line ends with it, even if it is not closed.
            while case .literal(_, isMultiline: false)? = stack.last { stack.removeLast() }
            lines.append(
                SourceFile.Line(
                    code: String(decoding: code, as: UTF8.self),
                    comment: String(decoding: comment, as: UTF8.self),
                    literal: String(decoding: literal, as: UTF8.self)
                )
            )
        }
        return lines
    }

    private mutating func read(_ row: ArraySlice<UInt8>) {
        var rest = row
        while let byte = rest.first {
            switch stack.last {
            case .lineComment?:
                comment += rest
                return
            case .blockComment(let depth)?:
                rest.removeFirst(readBlockComment(rest, byte, depth))
            case .literal(let signs, let isMultiline)?:
                rest.removeFirst(readLiteral(rest, byte, signs, isMultiline))
            default:
                rest.removeFirst(readCode(rest, byte))
            }
        }
    }

    private mutating func readBlockComment(
        _ rest: ArraySlice<UInt8>,
        _ byte: UInt8,
        _ depth: Int
    ) -> Int {
        if rest.starts(with: "/*".utf8) {
            stack[stack.count - 1] = .blockComment(depth + 1)
            return 2
        }
        if rest.starts(with: "*/".utf8) {
            stack.removeLast()
            if depth > 1 { stack.append(.blockComment(depth - 1)) }
            return 2
        }
        comment.append(byte)
        return 1
    }

    private mutating func readLiteral(
        _ rest: ArraySlice<UInt8>,
        _ byte: UInt8,
        _ signs: Int,
        _ isMultiline: Bool
    ) -> Int {
        let marks = String(repeating: "#", count: signs)
        if byte == Self.quote {
            let end = (isMultiline ? "\"\"\"" : "\"") + marks
            if rest.starts(with: end.utf8) {
                stack.removeLast()
                code.append(Self.quote)
                return end.utf8.count
            }
        } else if byte == Self.backslash {
            if rest.starts(with: "\\\(marks)(".utf8) {
                stack.append(.interpolation(1))
                code.append(Self.space)
                return 2 + signs
            }
            if signs == 0, rest.count > 1 {
                literal += rest.prefix(2)
                return 2
            }
        }
        literal.append(byte)
        return 1
    }

    private mutating func readCode(_ rest: ArraySlice<UInt8>, _ byte: UInt8) -> Int {
        if rest.starts(with: "//".utf8) {
            stack.append(.lineComment)
            return 2
        }
        if rest.starts(with: "/*".utf8) {
            stack.append(.blockComment(1))
            return 2
        }
        if byte == Self.sign || byte == Self.quote {
            let signs = rest.prefix { $0 == Self.sign }.count
            let text = rest.dropFirst(signs)
            if text.first == Self.quote {
                let isMultiline = text.starts(with: "\"\"\"".utf8)
                stack.append(.literal(signs: signs, isMultiline: isMultiline))
                code.append(Self.quote)
                return signs + (isMultiline ? 3 : 1)
            }
        }
        if case .interpolation(let open)? = stack.last {
            let change = byte == UInt8(ascii: "(") ? 1 : byte == UInt8(ascii: ")") ? -1 : 0
            if open + change == 0 {
                stack.removeLast()
                code.append(Self.space)
                return 1
            }
            if change != 0 { stack[stack.count - 1] = .interpolation(open + change) }
        }
        code.append(byte)
        return 1
    }
}
