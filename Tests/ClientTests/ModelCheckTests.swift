// The findings of `weft models check` for a model's reply.
import Core
import PlannerCore
import Testing

@testable import weft

@Suite("Findings of one call of a model")
struct ModelCheckTests {
    @Test("A stream that fits the schema")
    func works() {
        var check = ModelCheck()
        check.handle(.delta("{\"words\":"), milliseconds: 20)
        check.handle(.delta("\"one\"}"), milliseconds: 40)
        check.handle(.usage(TokenUsage(input: 3, output: 4)), milliseconds: 41)
        #expect(!check.hasEnded)
        check.handle(.ended(.end), milliseconds: 41)
        #expect(check.hasEnded && check.works && check.isStreaming && check.fitsSchema)
        #expect(check.usage?.total == 7)
    }

    @Test("A reply at once in prose works, but neither streams nor fits the schema")
    func prose() {
        var check = ModelCheck()
        check.handle(.formatLowered(to: .text), milliseconds: 1)
        check.handle(.delta("one"), milliseconds: 20)
        check.handle(.ended(.end), milliseconds: 20)
        #expect(check.works && !check.isStreaming && !check.fitsSchema)
        #expect(check.lines.contains { $0.value?.contains("lowered to text") ?? false })
    }

    @Test(
        "A program that repeats its input, or says something else, does not work",
        arguments: [
            String(decoding: ModelCheck.request.messages.map(\.text).joined().utf8, as: UTF8.self),
            "{\"messages\":[{\"role\":\"system\",\"content\":\"Reply with one JSON object",
            "PUT THE NUMBERS FROM ONE TO TWENTY INTO WORDS", "hello", "Fri Nov 27 2026", "{}",
        ]
    )
    func echo(reply: String) {
        var check = ModelCheck()
        check.handle(.delta(reply), milliseconds: 1)
        check.handle(.ended(.end), milliseconds: 2)
        #expect(!check.works)
        #expect(check.lines.contains { $0.name == "answer" && $0.value?.hasPrefix("no") == true })
    }

    @Test("Only the very text that a grammar allows keeps to it")
    func grammar() {
        for (text, isKept) in [("7-7", true), ("Hello! 7-7", false), ("", false)] {
            var check = ModelCheck()
            check.handle(.delta("one"), milliseconds: 1)
            check.handle(.ended(.end), milliseconds: 2)
            #expect(check.keepsToGrammar == nil)
            let ends = [.delta(text), .ended(.end)].map { check.handleBound($0) }
            #expect(ends == [false, true])
            #expect(check.keepsToGrammar == isKept)
            #expect(check.works)
        }
        var check = ModelCheck()
        let failed = ModelEvent.failed(ModelFailure(code: .rateLimited, message: "wait"))
        let ends = check.handleBound(failed)
        #expect(ends && check.keepsToGrammar == nil && !check.isInterrupted)
    }

    @Test("A failure, a cut reply and an empty reply do not work")
    func fails() {
        var failed = ModelCheck()
        failed.handle(.failed(ModelFailure(code: .timeout, message: "late")), milliseconds: 9)
        #expect(failed.hasEnded && !failed.works)
        var cut = ModelCheck()
        cut.handle(.delta("one"), milliseconds: 1)
        cut.handle(.ended(.length), milliseconds: 2)
        #expect(!cut.works)
        var silent = ModelCheck()
        silent.handle(.ended(.end), milliseconds: 2)
        #expect(silent.hasEnded && !silent.works)
    }
}
