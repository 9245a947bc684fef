// The joiner's reply as an object; the answer is decoded while its string is still being written.

import JSON

/// A JSON reply after its opening brace, read as it arrives.
///
/// More lenient than JSON: raw line breaks in strings are accepted, and text after the object is
/// ignored.
struct StructuredReply: Sendable {
    private enum Field: Sendable {
        case action, answer, reason, other
    }

    private var reader = JSONReader(lenientlyInside: .object)
    private var field = Field.other
    private var isBroken = false
    /// Whether the text stopped being an object, so that nothing more is read.
    private var hasFault = false

    private var action: String?
    private var reason: String?
    private var outlet = TextOutlet()
    private var isAnswerText = false
    private var isAnswerWhole = false
    private var answerValue: RawJSON?

    var isComplete: Bool { hasFault || reader.isAtEnd }

    /// The text of the answer so far, once there is one.
    mutating func nextText() -> String {
        guard decidesToFinish else { return "" }
        return outlet.nextText(isLast: isAnswerWhole)
    }

    /// Whether the action is to finish; at the end also if there is no action but an answer.
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

    /// Reads the next piece.
    mutating func feed(_ bytes: ArraySlice<UInt8>) {
        guard !isComplete else { return }
        reader.push(bytes)
        do throws(JSONReader.Fault) {
            while let event = try reader.next() { handle(event) }
        } catch {
            hasFault = true
            isBroken = true
        }
    }

    private mutating func handle(_ event: JSONReader.Event) {
        switch event {
        case .key(let text):
            field =
                switch decoded(text) {
                case "action": .action
                case "answer": .answer
                case "reason": .reason
                default: .other
                }
            // Only the first answer counts: delivered text cannot be withdrawn.
            if field == .answer, !isAnswerText, answerValue == nil { reader.delivery = .text }
        case .text(let part, let isLast):
            isAnswerText = true
            isAnswerWhole = isLast
            outlet.append(contentsOf: part)
        case .value(let text):
            read(text)
        case .beginObject, .endObject, .beginArray, .endArray:
            break
        }
    }

    private mutating func read(_ text: ArraySlice<UInt8>) {
        let isString = text.first == UInt8(ascii: "\"")
        switch field {
        case .action where isString: if action == nil { action = decoded(text).lowercased() }
        case .reason where isString: if reason == nil { reason = decoded(text) }
        case .answer where !isString && !isAnswerText: readAnswer(text)
        case .action, .reason, .answer, .other: break
        }
    }

    private mutating func readAnswer(_ text: ArraySlice<UInt8>) {
        guard let value = try? RawJSON(validating: text) else {
            isBroken = true
            return
        }
        if value.kind != .null { answerValue = value }
    }

    /// The decoded text of a string with its quotes, whether it is valid or not.
    private func decoded(_ text: ArraySlice<UInt8>) -> String {
        var bytes: [UInt8] = []
        var decoder = StringDecoder()
        decoder.decode(text.dropFirst().dropLast(), into: &bytes)
        decoder.finish(into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
