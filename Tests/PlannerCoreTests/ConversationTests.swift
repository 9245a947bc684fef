// What is kept of the calls of models: prompts without what is the same, replies, ends, and bounds.

import Core
import PlannerCore
import Testing

@Suite("Conversation with models")
struct ConversationTests {
    private var conversation = Conversation()

    private mutating func ask(_ texts: [String], at time: Int = 0, isRepair: Bool = false) {
        let messages = texts.map { ModelMessage.user($0) }
        let request = ModelRequest(messages: messages, isRepair: isRepair)
        conversation.note(.callModel(request, .planner), at: time)
    }

    private mutating func report(_ event: ModelEvent, at time: Int = 0) {
        conversation.note(.modelReported(event), at: time)
    }

    @Test("A prompt keeps what the one before did not have")
    mutating func sharedMessages() {
        ask(["a", "b"], at: 10)
        report(.delta("one "))
        report(.delta("two"))
        report(.usage(TokenUsage(input: 3, output: 2)))
        report(.ended(.end), at: 25)
        ask(["a", "b", "one two", "c"], at: 30, isRepair: true)
        ask(["x", "b"], at: 40)
        let calls = conversation.calls
        #expect(calls.map(\.sharedMessages) == [0, 2, 0])
        let prompts = calls.map { $0.prompt.map(\.text) }
        #expect(prompts == [["a", "b"], ["one two", "c"], ["x", "b"]])
        #expect(calls.map(\.isRepair) == [false, true, false])
        #expect(calls[0].reply == "one two")
        #expect(calls[0].usage == TokenUsage(input: 3, output: 2))
        #expect(calls[0].end == .stopped(.end))
        #expect(calls[0].startedAt == 10)
        #expect(calls[0].endedAt == 25)
        // A call that nothing ended is over when the next one begins.
        #expect(calls[1].end == .abandoned)
        #expect(calls[2].end == nil)
        conversation.finish()
        #expect(conversation.calls[2].end == .abandoned)
        #expect(conversation.calls[2].endedAt == nil)
    }

    @Test("A lost call ends, and reports after the end change nothing")
    mutating func lateReports() {
        report(.delta("nothing was asked"))
        #expect(conversation.calls.isEmpty)
        ask(["a"])
        conversation.note(.callLost, at: 7)
        report(.delta("late"))
        report(.ended(.end))
        #expect(conversation.calls.map(\.end) == [.abandoned])
        #expect(conversation.calls[0].reply.isEmpty)
    }

    @Test("Texts are cut, between characters, and what is cut says so")
    mutating func cutTexts() {
        let limit = PlannerLimits.keptTextBytes
        ask([String(repeating: "é", count: limit), String(repeating: "a", count: limit)])
        let prompt = conversation.calls[0].prompt
        #expect(prompt.map(\.isCut) == [true, false])
        #expect(prompt[0].text.utf8.count <= limit)
        #expect(prompt[0].text.hasSuffix("é…"))
        report(.delta(String(repeating: "b", count: limit - 4)))
        #expect(!conversation.calls[0].isReplyCut)
        report(.delta("cccccccc"))
        report(.delta("d"))
        let call = conversation.calls[0]
        #expect(call.isReplyCut)
        #expect(call.replyBytes == limit + 5)
        #expect(call.reply.hasSuffix("bbc…"))
        #expect(conversation.heldBytes == conversation.countedBytes)
    }

    @Test("The oldest calls give up their texts for later ones")
    mutating func bounds() {
        let limit = PlannerLimits.keptConversationBytes
        let text = String(repeating: "p", count: PlannerLimits.keptTextBytes)
        for number in 0..<40 {
            ask(["\(number)" + text])
            report(.delta(text))
            report(.ended(.end))
            #expect(conversation.heldBytes == conversation.countedBytes)
            #expect(conversation.heldBytes < limit + 40 * 1_024)
        }
        let kept = conversation.calls.filter { !$0.isLeftOut }
        #expect(conversation.calls.count == 40)
        #expect((2...8).contains(kept.count))
        #expect(conversation.calls.suffix(kept.count) == kept[...])
        #expect(conversation.calls[0].prompt.isEmpty)
        #expect(!conversation.calls[0].isReplyCut || conversation.calls[0].reply.isEmpty)
    }
}
