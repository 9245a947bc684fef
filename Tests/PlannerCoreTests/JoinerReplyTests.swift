// The joiner's decision, as text and as an object.

import JSON
import PlannerCore
import Plans
import Testing

/// A decision and the text that was delivered before it.
struct Decided: Equatable {
    var decision: Result<JoinerReply.Decision, JoinerReply.Fault>
    var text: String
    var isComplete: Bool
}

func decide(_ bytes: [UInt8], isCut: Bool = false, sizes: [Int] = []) -> Decided {
    var reply = JoinerReply()
    var text = ""
    var rest = bytes[...]
    for size in sizes {
        text += reply.feed(rest.prefix(size))
        rest = rest.dropFirst(size)
    }
    text += reply.feed(rest)
    let isComplete = reply.isComplete
    let end = reply.finish(isCut: isCut)
    return Decided(decision: end.decision, text: text + end.text, isComplete: isComplete)
}

func decide(_ text: String, isCut: Bool = false) -> Decided {
    decide(Array(text.utf8), isCut: isCut)
}

@Suite("Joiner's replies")
struct JoinerReplyTests {
    private func expectAnswer(
        _ answer: String,
        to reply: String,
        at location: SourceLocation = #_sourceLocation
    ) {
        let decided = decide(reply)
        #expect(
            decided.decision == .success(.finish(answer: RawJSON(answer))),
            sourceLocation: location
        )
        #expect(decided.text == answer, sourceLocation: location)
    }

    private func isFault(_ decided: Decided) -> Bool {
        if case .failure = decided.decision { true } else { false }
    }

    @Test(
        "An answer in text form may contain parentheses",
        arguments: [
            ("Thought: done\nAction: Finish(42)", "42"),
            ("Action: Finish(f(x) + 1)", "f(x) + 1"),
            ("Action: Finish(first:\n1) a\n2) b (c))\n", "first:\n1) a\n2) b (c)"),
            ("**Action:** Finish( yes :) or no )", "yes :) or no"),
            ("Finish(42).\nmore (text)", "42"),
            ("Action: Finish(42)  # that is it (I think)", "42"),
            ("Action: Finish(42)<END_OF_RESPONSE>", "42"),
            ("Action: Finish(the answer has no end", "the answer has no end"),
            ("Thought: Action: Replan(no)\nAction: Finish(yes)\nAction: Replan(x)", "yes"),
            ("Thought: I could Finish(now)\nAction: finish(a)", "a"),
            ("Action: Finish({\"a\": 1})", "{\"a\": 1}"),
        ]
    )
    func answersInWords(reply: String, answer: String) {
        expectAnswer(answer, to: reply)
    }

    @Test("The word Replan within an answer is not a decision")
    func replantingSeason() {
        expectAnswer("Replanting season", to: "Action: Finish(Replanting season)")
        expectAnswer("Replan(x)", to: "Action: Finish(Replan(x))")
    }

    @Test("A replan gives its reason, and no text of an answer")
    func replanInWords() {
        let decided = decide(
            "Thought: not enough\nAction: Replan(the height of B (in m) is missing)"
        )
        let reason = "the height of B (in m) is missing"
        #expect(decided.decision == .success(.replan(reason: reason)))
        #expect(decided.text == "")
    }

    @Test(
        "A reply without a decision is a fault",
        arguments: [
            "", "  \n", "Thought: I do not know.", "Action: Wait(x)", "Answer: ",
            "Action: Finish()", "{", "{}",
            #"{"action":"wait"}"#, #"{"action":"finish"}"#, #"{"action":"finish","answer":""}"#,
            #"{"action":"finish","answer":"cut"#, #"{"action" "finish"}"#,
            #"{"action":"finish","answer":[1,}"#,
        ]
    )
    func faults(reply: String) {
        #expect(isFault(decide(reply)))
    }

    @Test(
        "An answer may come after a label, or in plain words",
        arguments: [
            ("Answer: 42 pieces", "42 pieces"), ("**Answer:** 42 pieces", "42 pieces"),
            ("Thought: easy.\nFinal Answer: 42\npieces\n", "42\npieces"),
            ("The answer is 42.", "The answer is 42."), ("\n42", "42"),
            ("Thought: easy.\nIt is (about) 42.", "It is (about) 42."),
        ]
    )
    func plain(reply: String, answer: String) {
        #expect(decide(reply).decision == .success(.finish(answer: RawJSON(answer))))
    }

    @Test(
        "Another plan may be asked for after a label",
        arguments: ["Replan: the area of India", "Action: Replan: the area of India"]
    )
    func plainReplan(reply: String) {
        #expect(decide(reply).decision == .success(.replan(reason: "the area of India")))
    }

    @Test("An answer that was cut is a fault")
    func cut() {
        #expect(isFault(decide("Action: Finish(half an ans", isCut: true)))
        #expect(!isFault(decide("Action: Finish(whole)", isCut: true)))
    }

    @Test(
        "An object decides, with its keys in any order",
        arguments: [
            #"{"thought":"t","action":"finish","reason":null,"answer":"a \"b\"\n\u00e9\ud83d\ude00"}"#,
            #"{"answer":"a \"b\"\n\u00e9\ud83d\ude00","thought":{"x":["}"]},"action":"Finish"}"#,
            "```json\n{\"action\":\"finish\",\"n\":1,\"answer\":\"a \\\"b\\\"\n\\u00e9😀\"}\n```",
            #"Here it is: \#n {"answer":"a \"b\"\n\u00e9\ud83d\ude00","reason":""} done (ok)"#,
        ]
    )
    func objects(reply: String) {
        expectAnswer("a \"b\"\né😀", to: reply.replacing("\\#n", with: "\n"))
    }

    @Test("An answer that is not text stays unchanged")
    func structuredAnswer() throws {
        let decided = decide(#"{"action":"finish","answer":{"n":[1,2.0]}}"#)
        let answer = try RawJSON(validating: #"{"n":[1,2.0]}"#)
        #expect(decided.decision == .success(.finish(answer: answer)))
        #expect(decided.text == "")
    }

    @Test("An object asks for another plan; its null answer does not count")
    func replanObject() {
        let decided = decide(
            #"{"thought":"t","action":"replan","reason":"need \"B\"","answer":"Finish(1)"}"#
        )
        #expect(decided.decision == .success(.replan(reason: "need \"B\"")))
        #expect(decided.text == "")
        #expect(
            decide(#"{"action":"replan","answer":null}"#).decision == .success(.replan(reason: ""))
        )
    }

    @Test("Delivers the answer's text while it is written, once the action is known")
    func streaming() {
        var words = JoinerReply()
        #expect(words.feed("Action: Finish(one ") == "one")
        #expect(words.feed("two") == " two")
        #expect(words.feed(")") == "")
        #expect(words.feed(" three") == ") three")
        #expect(words.feed(")\n") == "")
        #expect(words.isComplete)

        var object = JoinerReply()
        #expect(object.feed(#"{"action":"finish","answer":"one"#) == "one")
        #expect(object.feed(#" \ud83d"#) == " ")
        #expect(object.feed(#"\ude00"#) == "😀")
        #expect(object.feed(#"""#) == "")
        #expect(object.feed("}") == "")
        #expect(object.isComplete)

        var late = JoinerReply()
        #expect(late.feed(#"{"answer":"one","#) == "")
        #expect(late.feed(#""action":"finish""#) == "one")
    }

    @Test("A reply of any length ends")
    func endless() {
        var reply = JoinerReply()
        _ = reply.feed("Action: Finish(")
        let piece = String(repeating: "a", count: 1 << 20)
        for _ in 0..<5 { _ = reply.feed(piece) }
        #expect(throws: JoinerReply.Fault.self) { try reply.finish().decision.get() }
    }
}
