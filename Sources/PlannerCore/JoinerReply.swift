// The decision of the joiner: an answer, or another plan. It is read while the model writes, so
// that the answer can be shown early.

public import JSON

/// Reads a joiner's reply, in either form, split anywhere.
///
/// Structured: an object with `thought`, `action` (`finish` or `replan`), `reason` and `answer`.
/// Text: `Answer: …` or `Replan: …` up to the end of the reply; or, as in the paper, `Thought: …`,
/// then `Action: Finish(…)` or `Action: Replan(…)`, where the answer ends at the parenthesis that
/// closes the call and ends its line, so it may contain parentheses. Only the word before the colon
/// or parenthesis decides: the answer itself may contain words such as replanning. Text without
/// such a word is the answer.
public struct JoinerReply: Sendable {
    /// The decision of the joiner.
    public enum Decision: Sendable, Hashable {
        /// An answer; a text is a JSON string.
        case finish(answer: RawJSON)
        /// The outputs are not enough, for this reason.
        case replan(reason: String)
    }

    /// Why a reply is not a decision.
    public struct Fault: Error, Sendable, Hashable, CustomStringConvertible {
        /// What is wrong, as one sentence for people and for the model.
        public var message: String

        /// The message.
        public var description: String { message }
    }

    private enum Form: Sendable {
        case unknown
        case structured(StructuredReply)
        case text(TextReply)
    }

    private var form = Form.unknown
    private var bytesRead = 0
    private var isTooLong = false

    /// A new reader.
    public init() {}

    /// Whether the decision is complete, so that later text cannot change it.
    public var isComplete: Bool {
        switch form {
        case .unknown: false
        case .structured(let reply): reply.isComplete
        case .text(let reply): reply.isComplete
        }
    }

    /// Whether the decision is already known to be an answer.
    var isAnswering: Bool {
        switch form {
        case .unknown: false
        case .structured(let reply): reply.namesFinish
        case .text(let reply): reply.isAnswering
        }
    }

    /// Reads the next piece; returns the new text of the answer.
    public mutating func feed(_ text: String) -> String {
        feed(Array(text.utf8)[...])
    }

    /// Reads the next bytes; what is not UTF-8 in the answer is replaced.
    public mutating func feed(_ bytes: ArraySlice<UInt8>) -> String {
        guard !isTooLong else { return "" }
        let bytes = bytes.prefix(PlannerLimits.replyBytes - bytesRead + 1)
        bytesRead += bytes.count
        if bytesRead > PlannerLimits.replyBytes {
            isTooLong = true
            return ""
        }
        var rest = bytes
        while let byte = rest.first {
            if case .structured(var reply) = form {
                form = .unknown
                reply.feed(rest)
                form = .structured(reply)
                break
            }
            rest.removeFirst()
            step(byte)
        }
        return nextText()
    }

    /// Ends the reply: returns the decision and the last text of the answer.
    ///
    /// All returned texts together are the answer, if it is a text. `isCut` tells that the model
    /// was stopped by a limit; an answer without its end is then a fault. `mayBePlain` tells that
    /// an answer may come in plain words, without saying that it is one.
    public mutating func finish(
        isCut: Bool = false,
        mayBePlain: Bool = true
    ) -> (decision: Result<Decision, Fault>, text: String) {
        if isTooLong {
            let limit = PlannerLimits.replyBytes
            return (.failure(Fault(message: "the reply is longer than \(limit) bytes")), "")
        }
        switch form {
        case .unknown:
            return (.failure(Fault(message: "the reply is empty")), "")
        case .structured(var reply):
            let decision = reply.finish()
            let text = reply.nextText()
            form = .structured(reply)
            return (decision, text)
        case .text(var reply):
            let decision = reply.finish(isCut: isCut, mayBePlain: mayBePlain)
            let text = reply.nextText()
            form = .text(reply)
            return (decision, text)
        }
    }

    /// Reads a byte while it is not known whether the reply is an object.
    private mutating func step(_ byte: UInt8) {
        switch form {
        case .unknown:
            chooseForm(byte)
        case .text(var reply):
            form = .unknown
            reply.step(byte)
            // An object after prose is the decision.
            form = reply.hasObject ? .structured(StructuredReply()) : .text(reply)
        case .structured:
            break
        }
    }

    private mutating func chooseForm(_ byte: UInt8) {
        if isBlank(byte) { return }
        if byte == UInt8(ascii: "{") {
            form = .structured(StructuredReply())
        } else {
            var reply = TextReply()
            reply.step(byte)
            form = .text(reply)
        }
    }

    private mutating func nextText() -> String {
        switch form {
        case .unknown:
            return ""
        case .structured(var reply):
            let text = reply.nextText()
            form = .structured(reply)
            return text
        case .text(var reply):
            let text = reply.nextText()
            form = .text(reply)
            return text
        }
    }
}

/// Text that is delivered in whole UTF-8 characters, however its bytes arrive.
struct TextOutlet: Sendable {
    private(set) var all: [UInt8] = []
    private var delivered = 0
    private var decoder = UTF8Decoder()

    mutating func append(_ byte: UInt8) { all.append(byte) }

    mutating func append(contentsOf bytes: some Sequence<UInt8>) { all.append(contentsOf: bytes) }

    /// The text since the last call, without an incomplete character.
    mutating func nextText(isLast: Bool) -> String {
        let text = decoder.decode(all[delivered...])
        delivered = all.count
        return isLast ? text + decoder.finish() : text
    }
}
