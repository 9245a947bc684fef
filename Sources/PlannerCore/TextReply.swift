// The joiner's reply as text: `Answer: …` or `Replan: …`, the classic `Action: Finish(…)` and
// `Action: Replan(…)`, or an answer in plain words.

import JSON

/// A text reply, read byte by byte.
struct TextReply: Sendable {
    private enum Place: Sendable {
        /// In a line that may be the action.
        case line
        /// In a line that cannot be the action.
        case prose
        /// In the parentheses of an action.
        case content
        /// After a label: the rest of the reply.
        case labelled
        case end
    }

    /// Bytes of a line in which an action or a label may begin.
    private static let labelBytes = 64

    private var place = Place.line
    private var line: [UInt8] = []
    private var isReplan = false
    /// All text before an action, which is the answer if there is none.
    private var words: [UInt8] = []

    private var outlet = TextOutlet()
    /// Open parentheses within the content.
    private var depth = 0
    /// Blanks at the end of the content so far; they belong to it only if more follows.
    private var blanks: [UInt8] = []
    /// A closing parenthesis and the text after it on its line, while it may be the end.
    private var tail: [UInt8] = []
    /// Whether the tail contains a comment or a mark, after which any text is allowed.
    private var isNote = false

    /// Whether an object begins at the start of a line: it contains the decision.
    private(set) var hasObject = false

    var isComplete: Bool { place == .end }

    /// Whether an answer has begun.
    var isAnswering: Bool {
        (place == .content || place == .labelled || place == .end) && !isReplan
    }

    mutating func step(_ byte: UInt8) {
        switch place {
        case .line: stepLine(byte)
        case .prose: if byte == UInt8(ascii: "\n") { startLine() }
        case .content: stepContent(byte)
        case .labelled: if !outlet.all.isEmpty || byte != UInt8(ascii: "*") { append(byte) }
        case .end: return
        }
        if place == .line || place == .prose { words.append(byte) }
    }

    mutating func nextText() -> String {
        isReplan ? "" : outlet.nextText(isLast: place == .end)
    }

    mutating func finish(
        isCut: Bool,
        mayBePlain: Bool
    ) -> Result<JoinerReply.Decision, JoinerReply.Fault> {
        if place == .content || place == .labelled {
            if isCut, tail.isEmpty { return .failure(fault("the reply was cut off")) }
            // It is still the action without its parenthesis.
            place = .end
        }
        if place != .end, mayBePlain, !isCut { usePlainWords() }
        guard place == .end else {
            return .failure(
                fault(isCut ? "the reply was cut off" : "the reply is no answer")
            )
        }
        let text = String(decoding: outlet.all, as: UTF8.self)
        if isReplan { return .success(.replan(reason: text)) }
        guard !text.isEmpty else { return .failure(fault("the answer is empty")) }
        return .success(.finish(answer: RawJSON(text)))
    }

    private func fault(_ message: String) -> JoinerReply.Fault {
        JoinerReply.Fault(message: message)
    }

    /// The text without its thoughts is the answer, or the wish for another plan.
    private mutating func usePlainWords() {
        var lines = String(decoding: words, as: UTF8.self)
            .split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        lines.removeAll { $0.lowercased().hasPrefix("thought:") }
        guard !lines.contains(where: { $0.lowercased().hasPrefix("action:") }),
            lines.contains(where: { $0.utf8.contains { !isBlank($0) } })
        else { return }
        let text = lines.joined(separator: "\n")
        let first = text.lowercased().drop(while: \.isWhitespace).prefix(while: \.isLetter)
        isReplan = first == "replan"
        for byte in text.utf8 { append(byte) }
        place = .end
    }

    // MARK: - Before the action

    private mutating func startLine() {
        line = []
        place = .line
    }

    private mutating func stepLine(_ byte: UInt8) {
        switch Unicode.Scalar(byte) {
        case "\n":
            startLine()
        case "(" where line.count > TextReply.labelBytes:
            place = .prose
        case "(":
            guard let word = actionWord() else {
                place = .prose
                return
            }
            isReplan = word == "replan"
            place = .content
        case ":" where line.count <= TextReply.labelBytes && labelledWord() != nil:
            isReplan = labelledWord() == "replan"
            place = .labelled
        case "{" where line.allSatisfy(isBlank):
            hasObject = true
        default:
            line.append(byte)
            if line.count > PlannerLimits.headBytes { place = .prose }
        }
    }

    /// `finish` or `replan`, if the line before the parenthesis has only this word, its label and
    /// marks of emphasis.
    private func actionWord() -> String? {
        let words = wordsOfLine
        guard words.count == 1, words[0] == "finish" || words[0] == "replan" else { return nil }
        return words[0]
    }

    /// `answer`, `final answer`, `finish` or `replan`, if the line before a colon has only this.
    private func labelledWord() -> String? {
        let word = wordsOfLine.joined(separator: " ")
        return ["answer", "final answer", "finish", "replan"].contains(word) ? word : nil
    }

    private var wordsOfLine: [String] {
        let marks: Set<UInt8> = Set("*_`#>-: \t\r".utf8)
        var words = line.split(whereSeparator: marks.contains).map {
            String(decoding: $0, as: UTF8.self).lowercased()
        }
        if words.first == "action" { words.removeFirst() }
        return words
    }

    // MARK: - The content of the action

    private mutating func stepContent(_ byte: UInt8) {
        if !tail.isEmpty {
            if byte == UInt8(ascii: "\n") {
                place = .end
                return
            }
            if stepTail(byte) { return }
            // More text follows on the line: the parenthesis was part of the text.
            let held = tail
            tail = []
            for byte in held { append(byte) }
        }
        if byte == UInt8(ascii: "(") { depth += 1 }
        if byte == UInt8(ascii: ")") {
            if depth == 0 {
                tail = [byte]
                isNote = false
                return
            }
            depth -= 1
        }
        append(byte)
    }

    /// Whether the tail can still be that of the last line.
    private mutating func stepTail(_ byte: UInt8) -> Bool {
        guard isNote || " \t\r.;*`#<".utf8.contains(byte) else { return false }
        if byte == UInt8(ascii: "#") || byte == UInt8(ascii: "<") { isNote = true }
        tail.append(byte)
        return true
    }

    private mutating func append(_ byte: UInt8) {
        if isBlank(byte) {
            if !outlet.all.isEmpty { blanks.append(byte) }
            return
        }
        outlet.append(contentsOf: blanks)
        blanks = []
        outlet.append(byte)
    }
}
