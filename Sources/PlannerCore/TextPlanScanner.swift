// Finds the calls in LLMCompiler's numbered text, byte by byte: where a call begins and ends, and
// the text around it. The arguments are read elsewhere.

/// A call as written in the text of a plan.
struct WrittenCall: Sendable, Equatable {
    var number: Int
    var name: String
    /// The text between the parentheses.
    var arguments: [UInt8]
    /// The whole call as written.
    var source: String
}

/// One pass over the text of a plan; the result does not depend on how it was split.
struct TextPlanScanner: Sendable {
    enum Finding: Sendable, Equatable {
        case call(WrittenCall)
        /// `join()`, which ends the plan, with the text between its parentheses.
        case join([UInt8])
        /// A call of a tool at the start of a line, but without a number.
        case unnumbered(String)
        /// The text ended within a call; a quote is still open, or the reply was cut.
        case broken(number: Int, name: String, hasOpenQuote: Bool)
        /// `<END_OF_PLAN>`, which ends the plan.
        case endOfPlan
    }

    private enum Place: Sendable {
        /// At the start of a line, or after a call: a call may begin.
        case head
        /// In text that is not a call, up to the next line.
        case prose
        case call
        case end
    }

    private enum Quote: Sendable, Equatable {
        case none
        /// Behind one or two opening quotes: it may be an empty string or a triple quote.
        case opening(UInt8, count: Int)
        case inside(UInt8, isTriple: Bool, closing: Int, isEscaped: Bool)
    }

    /// The content of the current argument so far.
    ///
    /// A quote opens a string only where a value may begin, so that the apostrophe in an unquoted
    /// word does not.
    private enum Content: Sendable {
        case nothing, strings, bare
    }

    private let tools: Set<String>
    private var place = Place.head
    /// The start of the current line, also within a call: a call without its parenthesis ends where
    /// the next one begins.
    private var line: [UInt8] = []
    private var isLineWatched = true
    private var head: ActionHead?
    private var headText: [UInt8] = []
    private var body: [UInt8] = []
    private var lineStartInBody = 0
    private var brackets: [UInt8] = []
    private var quote = Quote.none
    private var content = Content.nothing
    private var markerProgress = 0

    private static let marker = Array("<END_OF_PLAN>".utf8)

    init(tools: Set<String>) {
        self.tools = tools
    }

    /// Whether the end of the plan was read; later text is not read.
    var isAtEnd: Bool { place == .end }

    /// Reads bytes up to the end of the plan; returns how many.
    mutating func feed(_ bytes: ArraySlice<UInt8>, _ report: (Finding) -> Void) -> Int {
        for (count, byte) in bytes.enumerated() {
            switch place {
            case .head, .prose: stepOutside(byte, report)
            case .call: stepInCall(byte, report)
            case .end: return count
            }
        }
        return bytes.count
    }

    /// Ends the text; a call that only lacks its parenthesis is used, unless the reply was cut.
    mutating func finish(isCut: Bool, _ report: (Finding) -> Void) {
        defer { place = .end }
        guard place == .call, let head else { return }
        var isOpen = true
        switch quote {
        case .none, .opening(_, count: 2): isOpen = false
        case .opening, .inside: break
        }
        if !isOpen, !isCut {
            endCall(body, report)
        } else {
            report(.broken(number: head.number ?? 0, name: head.name, hasOpenQuote: isOpen))
        }
    }

    // MARK: - Outside a call

    private mutating func stepOutside(_ byte: UInt8, _ report: (Finding) -> Void) {
        if watchMarker(byte) {
            place = .end
            report(.endOfPlan)
            return
        }
        if byte == UInt8(ascii: "\n") {
            startLine()
            place = .head
        } else if place == .head {
            if byte == UInt8(ascii: "(") {
                beginCall(report)
            } else {
                line.append(byte)
                if line.count > PlannerLimits.headBytes { place = .prose }
            }
        }
    }

    private mutating func beginCall(_ report: (Finding) -> Void) {
        guard let found = ActionHead(line, tools: tools) else {
            place = .prose
            return
        }
        if found.number == nil, !found.isJoin {
            report(.unnumbered(found.name))
            place = .prose
            return
        }
        open(found)
    }

    private mutating func open(_ found: ActionHead) {
        head = found
        headText = line
        body = []
        brackets = [UInt8(ascii: "(")]
        quote = .none
        content = .nothing
        isLineWatched = false
        markerProgress = 0
        place = .call
    }

    private mutating func startLine() {
        line = []
        isLineWatched = true
    }

    // MARK: - In a call

    private mutating func stepInCall(_ byte: UInt8, _ report: (Finding) -> Void) {
        switch quote {
        case .none:
            stepUnquoted(byte, report)
        case .opening(let mark, let count):
            if byte == mark {
                body.append(byte)
                quote =
                    count == 1
                    ? .opening(mark, count: 2)
                    : .inside(mark, isTriple: true, closing: 0, isEscaped: false)
            } else if count == 1 {
                quote = .inside(mark, isTriple: false, closing: 0, isEscaped: false)
                stepQuoted(byte)
            } else {
                closeQuote()
                stepUnquoted(byte, report)
            }
        case .inside:
            stepQuoted(byte)
        }
    }

    private mutating func stepQuoted(_ byte: UInt8) {
        guard case .inside(let mark, let isTriple, let closing, let isEscaped) = quote else {
            return
        }
        body.append(byte)
        if isEscaped {
            quote = .inside(mark, isTriple: isTriple, closing: 0, isEscaped: false)
        } else if byte == UInt8(ascii: "\\") {
            quote = .inside(mark, isTriple: isTriple, closing: 0, isEscaped: true)
        } else if byte == mark {
            if !isTriple || closing == 2 {
                closeQuote()
            } else {
                quote = .inside(mark, isTriple: true, closing: closing + 1, isEscaped: false)
            }
        } else if closing > 0 {
            quote = .inside(mark, isTriple: isTriple, closing: 0, isEscaped: false)
        }
    }

    private mutating func closeQuote() {
        quote = .none
        content = .strings
        isLineWatched = false
    }

    private mutating func stepUnquoted(_ byte: UInt8, _ report: (Finding) -> Void) {
        if watchMarker(byte) {
            endCall(Array(body.dropLast(TextPlanScanner.marker.count - 1)), report)
            if place != .end {
                place = .end
                report(.endOfPlan)
            }
            return
        }
        if byte == UInt8(ascii: "("), isLineWatched, beginNextCall(report) { return }
        if byte == UInt8(ascii: ")"), closesCall() {
            endCall(body, report)
            return
        }
        body.append(byte)
        if byte == UInt8(ascii: "\n") {
            startLine()
            lineStartInBody = body.count
            return
        }
        if isLineWatched {
            line.append(byte)
            if line.count > PlannerLimits.headBytes { isLineWatched = false }
        }
        readUnquoted(byte)
    }

    private mutating func readUnquoted(_ byte: UInt8) {
        switch Unicode.Scalar(byte) {
        case " ", "\t", "\r":
            break
        case "\"", "'":
            if content == .bare { break }
            quote = .opening(byte, count: 1)
            isLineWatched = false
        case "(", "[", "{":
            if brackets.count < PlannerLimits.openBrackets { brackets.append(byte) }
            content = .nothing
        case ")":
            content = .bare
        case "]", "}":
            let opening = byte == UInt8(ascii: "]") ? UInt8(ascii: "[") : UInt8(ascii: "{")
            if brackets.last == opening { brackets.removeLast() }
            content = .bare
        case ",", ":", "=":
            content = .nothing
        default:
            content = .bare
        }
    }

    /// Handles a closing parenthesis: it closes the innermost open one, whatever other brackets
    /// were left open inside; true if it is the call's own.
    private mutating func closesCall() -> Bool {
        while let last = brackets.popLast() {
            if last == UInt8(ascii: "(") { break }
        }
        return brackets.isEmpty
    }

    /// If a line of the open call is the head of a call with a larger number, the open call lacks
    /// its parenthesis and ends with the line before.
    private mutating func beginNextCall(_ report: (Finding) -> Void) -> Bool {
        guard let next = ActionHead(line, tools: tools), let number = next.number,
            number > (head?.number ?? 0)
        else { return false }
        let nextLine = line
        endCall(Array(body[..<lineStartInBody]), report)
        guard place != .end else { return true }
        line = nextLine
        open(next)
        return true
    }

    private mutating func endCall(_ arguments: [UInt8], _ report: (Finding) -> Void) {
        guard let head else { return }
        self.head = nil
        body = []
        startLine()
        markerProgress = 0
        if head.isJoin {
            place = .end
            report(.join(arguments))
            return
        }
        place = .head
        let text = headText + [UInt8(ascii: "(")] + arguments + [UInt8(ascii: ")")]
        report(
            .call(
                WrittenCall(
                    number: head.number ?? 0,
                    name: head.name,
                    arguments: arguments,
                    source: String(decoding: text.drop(while: isBlank), as: UTF8.self)
                )
            )
        )
    }

    /// Searches for the marker; true when it is complete.
    private mutating func watchMarker(_ byte: UInt8) -> Bool {
        if byte == TextPlanScanner.marker[markerProgress] {
            markerProgress += 1
        } else {
            // Its first byte occurs nowhere else in it.
            markerProgress = byte == TextPlanScanner.marker[0] ? 1 : 0
        }
        guard markerProgress == TextPlanScanner.marker.count else { return false }
        markerProgress = 0
        return true
    }
}

/// The text before the parenthesis of a call: `1. search`.
struct ActionHead: Sendable, Equatable {
    /// Nil only for a tool or `join` without a number.
    var number: Int?
    var name: String

    var isJoin: Bool { name == "join" }

    /// The head in the start of a line, or nil if it is other text.
    ///
    /// Marks of lists, quotes and emphasis around its parts are ignored, and so is a label such as
    /// `Call:` before a number. An unknown name makes a
    /// head only after a number and directly before the parenthesis: `1. First (see below)` is
    /// prose.
    init?(_ line: [UInt8], tools: Set<String>) {
        var rest = line[...].drop(while: ActionHead.isDecoration)
        if let end = rest.firstIndex(of: UInt8(ascii: ":")) {
            let label = String(decoding: rest[..<end], as: UTF8.self).lowercased()
            let behind = rest[(end + 1)...].drop(while: ActionHead.isDecoration)
            if label == "call" || label == "action", behind.first.map(isDigit) == true {
                rest = behind
            }
        }
        let digits = rest.prefix(while: isDigit)
        if !digits.isEmpty {
            guard digits.count <= 9 else { return nil }
            number = digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
            rest = rest.dropFirst(digits.count)
            guard let mark = rest.first, ".):".utf8.contains(mark) else { return nil }
            rest = rest.dropFirst().drop(while: ActionHead.isDecoration)
        }
        let hasGap = rest.last.map(isBlank) ?? false
        while let last = rest.last, ActionHead.isDecoration(last) { rest.removeLast() }
        guard !rest.isEmpty, rest.allSatisfy(isNameByte) else { return nil }
        name = String(decoding: rest, as: UTF8.self)
        let isKnown = tools.contains(name) || isJoin
        guard isKnown || (number != nil && !hasGap) else { return nil }
    }

    private static func isDecoration(_ byte: UInt8) -> Bool {
        switch Unicode.Scalar(byte) {
        case " ", "\t", "\r", "-", "*", "`", ">", ".", ",", ";", "#": true
        default: false
        }
    }
}

// MARK: - Bytes

func isBlank(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
}

func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
}

/// Whether a byte may be part of the name of a tool or a parameter.
func isNameByte(_ byte: UInt8) -> Bool {
    switch Unicode.Scalar(byte) {
    case "a"..."z", "A"..."Z", "0"..."9", "_", "-", ".", ":", "/": true
    default: false
    }
}
