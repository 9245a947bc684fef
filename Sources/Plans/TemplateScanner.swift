// Finds the references in arguments: which strings are values, and where text in them is inserted
// or left out.

import Core

/// A place in the source that is not copied unchanged.
///
/// Offsets count from the start of the source. Twelve bytes: a plan may have a million of them.
struct TemplateMark: Sendable {
    enum Kind: UInt8 {
        /// A whole string, quotes included, that is one reference.
        case whole
        /// A reference inside a string.
        case embedded
        /// A character to leave out, the second of two dollar signs.
        case dropped
    }
    var start: UInt32
    var end: UInt32
    var kind: Kind
}

/// One pass over the text of arguments that records every place.
struct TemplateScanner {
    let content: StringContent
    private(set) var marks: [TemplateMark] = []
    /// Text that looks like a reference but is none, if requested.
    private(set) var suspects: [TemplateSuspect] = []
    var gathersSuspects = false

    init(content: StringContent) {
        self.content = content
    }

    mutating func scan() {
        let bytes = content.bytes
        var index = bytes.startIndex
        while index < bytes.endIndex {
            guard bytes[index] == UInt8(ascii: "\"") else {
                index += 1
                continue
            }
            let start = index + 1
            var close = start
            while close < bytes.endIndex, bytes[close] != UInt8(ascii: "\"") {
                close += bytes[close] == UInt8(ascii: "\\") ? 2 : 1
            }
            guard close < bytes.endIndex else { return }
            index = close + 1
            if !isKey(endingAt: index) { scan(start..<close) }
        }
    }

    /// In valid JSON, exactly the strings before a colon are keys.
    private func isKey(endingAt index: Int) -> Bool {
        var index = index
        while index < content.bytes.endIndex {
            switch Unicode.Scalar(content.bytes[index]) {
            case " ", "\t", "\r", "\n": index += 1
            case ":": return true
            default: return false
            }
        }
        return false
    }

    private mutating func scan(_ range: Range<Int>) {
        var index = range.lowerBound
        while index < range.upperBound {
            let (scalar, next) = content.unit(at: index)
            guard scalar == "$", next < range.upperBound else {
                index = next
                continue
            }
            let (second, afterSecond) = content.unit(at: next)
            if second == "$" {
                mark(.dropped, next..<afterSecond)
                index = afterSecond
            } else if let spelling = ReferenceSpelling(
                at: index,
                before: range.upperBound,
                in: content
            ) {
                if index..<spelling.end == range {
                    mark(.whole, (index - 1)..<(spelling.end + 1))
                } else {
                    mark(.embedded, index..<spelling.end)
                }
                index = spelling.end
                if gathersSuspects, !spelling.isBraced {
                    noteBarePath(behind: spelling, before: range.upperBound)
                }
            } else {
                if gathersSuspects, second == "{" {
                    suspects.append(TemplateSuspect(range: index..<range.upperBound, id: nil))
                }
                index = next
            }
        }
    }

    private mutating func mark(_ kind: TemplateMark.Kind, _ range: Range<Int>) {
        let start = content.bytes.startIndex
        marks.append(
            TemplateMark(
                start: UInt32(range.lowerBound - start),
                end: UInt32(range.upperBound - start),
                kind: kind
            )
        )
    }

    /// Records `$a.x` and `$a[0]`, which mean the text of `a` followed by literal text.
    private mutating func noteBarePath(behind spelling: ReferenceSpelling, before limit: Int) {
        guard spelling.end < limit else { return }
        let (step, afterStep) = content.unit(at: spelling.end)
        guard step == "." || step == "[", afterStep < limit else { return }
        let (first, _) = content.unit(at: afterStep)
        let isKey = step == "." && first.isASCII && first.properties.isAlphabetic
        let isPosition = step == "[" && "0123456789'\"-*".unicodeScalars.contains(first)
        guard isKey || isPosition else { return }
        let start = spelling.id.lowerBound - 1
        suspects.append(TemplateSuspect(range: start..<limit, id: spelling.id(in: content)))
    }
}

/// A place that looks like a reference but is none.
struct TemplateSuspect {
    /// From the dollar sign to the end of the string.
    var range: Range<Int>
    /// For `$a.x`, the node whose whole output is inserted.
    var id: NodeID?
}
