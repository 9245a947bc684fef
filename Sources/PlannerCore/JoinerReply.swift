// What the joiner decides: an answer, or another plan. Read while the model writes, so that the
// answer can be shown as it comes.

public import JSON

/// Reads a joiner's reply, in either of its forms, in any split.
///
/// Structured: an object with `thought`, `action` (`finish` or `replan`), `reason` and `answer`.
/// Text: `Thought: …`, then `Action: Finish(…)` or `Action: Replan(…)`; the answer ends at the
/// parenthesis that closes the call and ends its line, so it may hold parentheses of its own. Only
/// the word before the parenthesis decides: an answer may speak of replanting and replanning.
public struct JoinerReply: Sendable {
    /// What the joiner decides.
    public enum Decision: Sendable, Hashable {
        /// This is the answer; text is a JSON string.
        case finish(answer: RawJSON)
        /// What is known does not suffice, for this reason.
        case replan(reason: String)
    }

    /// Why a reply is no decision.
    public struct Fault: Error, Sendable, Hashable, CustomStringConvertible {
        /// What is wrong, as one sentence for a person, and for the model.
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

    /// A reply of which nothing has been read.
    public init() {}

    /// Whether the decision is complete, so that nothing that follows can matter.
    public var isComplete: Bool {
        switch form {
        case .unknown: false
        case .structured(let reply): reply.isComplete
        case .text(let reply): reply.isComplete
        }
    }

    /// Whether it is known by now that the decision is an answer.
    var isAnswering: Bool {
        switch form {
        case .unknown: false
        case .structured(let reply): reply.namesFinish
        case .text(let reply): reply.isAnswering
        }
    }

    /// Reads the next piece; returns what it adds to the text of the answer.
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
        return takeText()
    }

    /// Ends the reply: the decision, and what it adds to the text of the answer.
    ///
    /// The pieces of text returned are together the answer, if this is text. `isCut` tells that the
    /// model did not stop of its own accord; an answer without its end is then a fault.
    public mutating func finish(
        isCut: Bool = false
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
            let text = reply.takeText()
            form = .structured(reply)
            return (decision, text)
        case .text(var reply):
            let decision = reply.finish(isCut: isCut)
            let text = reply.takeText()
            form = .text(reply)
            return (decision, text)
        }
    }

    /// Reads a byte of a reply that is not known to be an object.
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

    private mutating func takeText() -> String {
        switch form {
        case .unknown:
            return ""
        case .structured(var reply):
            let text = reply.takeText()
            form = .structured(reply)
            return text
        case .text(var reply):
            let text = reply.takeText()
            form = .text(reply)
            return text
        }
    }
}

/// Text that is handed out in whole characters of UTF-8, however its bytes come.
struct TextOutlet: Sendable {
    private(set) var all: [UInt8] = []
    private var taken = 0
    private var decoder = UTF8Decoder()

    mutating func append(_ byte: UInt8) { all.append(byte) }

    mutating func append(contentsOf bytes: some Sequence<UInt8>) { all.append(contentsOf: bytes) }

    /// What has come since the last call, without a character that is not whole.
    mutating func take(isLast: Bool) -> String {
        let text = decoder.decode(all[taken...])
        taken = all.count
        return isLast ? text + decoder.finish() : text
    }
}
