// The joiner's reply as an object; the answer is decoded while its string is still being written.

import JSON

/// A reply in JSON behind its opening brace, read byte by byte.
///
/// More lenient than JSON: raw line breaks in strings pass, and what follows the object is ignored.
struct StructuredReply: Sendable {
    private enum Place: Sendable {
        case key, colon, value, afterValue
        case string, escape
        case unicode([UInt8])
        case inside
        case end
    }

    private enum Field: Sendable {
        case key, action, answer, reason, other
    }

    private var place = Place.key
    private var field = Field.key
    private var text: [UInt8] = []
    private var extent = ValueExtent()
    /// The first half of a character that takes two escapes.
    private var highSurrogate: UInt32?
    private var isBroken = false

    private var action: String?
    private var reason: String?
    private var outlet = TextOutlet()
    private var isAnswerText = false
    private var isAnswerWhole = false
    private var answerValue: RawJSON?

    var isComplete: Bool {
        if case .end = place { true } else { false }
    }

    /// What the answer has got, once it is known that there is one.
    mutating func takeText() -> String {
        guard decidesToFinish else { return "" }
        return outlet.take(isLast: isAnswerWhole)
    }

    /// Whether the action is to finish; at the end also if it is not named, but there is an answer.
    private var decidesToFinish: Bool {
        if let action { return action == "finish" }
        return isComplete && isAnswerText && !hasReason
    }

    /// Whether the action was read and is to finish.
    var namesFinish: Bool { action == "finish" }

    private var hasReason: Bool { !(reason ?? "").isEmpty }

    mutating func finish() -> Result<JoinerReply.Decision, JoinerReply.Fault> {
        guard isComplete, !isBroken else {
            return .failure(fault("the reply is not a complete JSON object"))
        }
        switch action ?? (hasReason ? nil : "finish") {
        case "finish":
            if isAnswerText {
                let answer = String(decoding: outlet.all, as: UTF8.self)
                guard !answer.isEmpty else { return .failure(fault("the answer is empty")) }
                return .success(.finish(answer: RawJSON(answer)))
            }
            guard let answerValue else { return .failure(fault("the reply has no answer")) }
            return .success(.finish(answer: answerValue))
        case "replan":
            return .success(.replan(reason: reason ?? ""))
        default:
            return .failure(fault("the action is neither finish nor replan"))
        }
    }

    private func fault(_ message: String) -> JoinerReply.Fault {
        JoinerReply.Fault(message: message)
    }

    mutating func step(_ byte: UInt8) {
        switch place {
        case .string: stepString(byte)
        case .escape: stepEscape(byte)
        case .unicode(let digits): stepUnicode(digits, byte)
        case .inside: stepInside(byte)
        case .end: break
        case .key, .colon, .value, .afterValue:
            if !isBlank(byte) { stepBetween(byte) }
        }
    }

    private mutating func stepBetween(_ byte: UInt8) {
        switch (place, Unicode.Scalar(byte)) {
        case (.key, "\""):
            beginString(as: .key)
        case (.key, "}"), (.afterValue, "}"):
            place = .end
        case (.key, ","), (.afterValue, ","):
            place = .key
        case (.colon, ":"):
            place = .value
        case (.value, "\""):
            beginString(as: field)
        case (.value, "}"), (.value, ","), (.value, "]"), (.value, ":"):
            isBroken = true
            place = .end
        case (.value, _):
            extent = ValueExtent()
            _ = extent.take(byte)
            text = [byte]
            place = .inside
        default:
            isBroken = true
            place = .end
        }
    }

    private mutating func stepInside(_ byte: UInt8) {
        switch extent.take(byte) {
        case .inside:
            text.append(byte)
        case .last:
            text.append(byte)
            endValue()
        case .behind:
            endValue()
            step(byte)
        }
    }

    private mutating func endValue() {
        place = .afterValue
        guard field == .answer, !isAnswerText else { return }
        guard let value = try? RawJSON(validating: text[...]) else {
            isBroken = true
            return
        }
        if value.kind != .null { answerValue = value }
    }

    // MARK: - Strings

    private mutating func beginString(as kind: Field) {
        field = kind
        // Only the first answer counts: what was handed out cannot be taken back.
        if kind == .answer, isAnswerText || answerValue != nil { field = .other }
        if field == .answer { isAnswerText = true }
        text = []
        highSurrogate = nil
        place = .string
    }

    private mutating func stepString(_ byte: UInt8) {
        switch Unicode.Scalar(byte) {
        case "\"":
            flushSurrogate()
            endString()
        case "\\":
            place = .escape
        default:
            flushSurrogate()
            put(byte)
        }
    }

    private mutating func stepEscape(_ byte: UInt8) {
        place = .string
        if byte == UInt8(ascii: "u") {
            place = .unicode([])
            return
        }
        flushSurrogate()
        switch Unicode.Scalar(byte) {
        case "n": put(0x0A)
        case "t": put(0x09)
        case "r": put(0x0D)
        case "b": put(0x08)
        case "f": put(0x0C)
        default: put(byte)
        }
    }

    private mutating func stepUnicode(_ digits: [UInt8], _ byte: UInt8) {
        guard hexDigit(byte) != nil else {
            // No escape after all; what stands here is read as text.
            flushSurrogate()
            put("\u{FFFD}")
            place = .string
            stepString(byte)
            return
        }
        guard digits.count == 3 else {
            place = .unicode(digits + [byte])
            return
        }
        place = .string
        let code = (digits + [byte]).reduce(UInt32(0)) { $0 << 4 | (hexDigit($1) ?? 0) }
        if let high = highSurrogate, (0xDC00...0xDFFF).contains(code) {
            highSurrogate = nil
            put(Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (code - 0xDC00)) ?? "\u{FFFD}")
            return
        }
        flushSurrogate()
        if (0xD800...0xDBFF).contains(code) {
            highSurrogate = code
        } else {
            put(Unicode.Scalar(code) ?? "\u{FFFD}")
        }
    }

    /// Half a character that its other half does not follow.
    private mutating func flushSurrogate() {
        guard highSurrogate != nil else { return }
        highSurrogate = nil
        put("\u{FFFD}")
    }

    private mutating func put(_ scalar: Unicode.Scalar) {
        for byte in String(Character(scalar)).utf8 { put(byte) }
    }

    private mutating func put(_ byte: UInt8) {
        if field == .answer {
            outlet.append(byte)
        } else {
            text.append(byte)
        }
    }

    private mutating func endString() {
        place = .afterValue
        let string = String(decoding: text, as: UTF8.self)
        switch field {
        case .key:
            place = .colon
            field =
                switch string {
                case "action": .action
                case "answer": .answer
                case "reason": .reason
                default: .other
                }
        case .action: if action == nil { action = string.lowercased() }
        case .reason: if reason == nil { reason = string }
        case .answer: isAnswerWhole = true
        case .other: break
        }
    }
}
