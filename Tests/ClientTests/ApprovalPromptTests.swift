// Questions about nodes that need approval: what is shown, and what typed lines mean.
import Core
import JSON
import Testing
import Weftline
import Wire

@testable import Console
@testable import weft

@Suite("Questions about approval")
struct ApprovalPromptTests {
    private func question(
        _ node: String,
        _ arguments: JSONValue?
    ) throws -> ApprovalPrompt.Question {
        ApprovalPrompt.Question(
            node: try #require(NodeID(node)),
            asked: ApprovalQuestion(
                tool: "pay",
                arguments: arguments.map { RawJSON($0) },
                timeoutMilliseconds: 3_600_000
            )
        )
    }

    @Test("Typed lines are answers, with reasons")
    func replies() {
        #expect(ApprovalPrompt.reply("y") == .answer(isApproved: true, reason: nil))
        #expect(
            ApprovalPrompt.reply(" No  too dear") == .answer(isApproved: false, reason: "too dear")
        )
        #expect(ApprovalPrompt.reply("all") == .approveAll)
        #expect(ApprovalPrompt.reply("l") == .later)
        for line in ["", "yo", "yes!", "?"] { #expect(ApprovalPrompt.reply(line) == .unclear) }
    }

    @Test("Arguments are shown on lines of their own, and control no terminal")
    func lines() throws {
        let style = Style(isColored: false)
        let arguments: JSONValue = ["to": ["a\u{1B}[2J": 1], "empty": [], "list": [1, "x"]]
        let lines = ApprovalPrompt.lines(of: try question("t1", arguments), style: style)
        #expect(lines.first == "t1 needs approval to call pay")
        #expect(lines.contains("    \"empty\": [],"))
        #expect(lines.contains("      \"x\""))
        #expect(!lines.joined().contains("\u{1B}"))
        let long = ApprovalPrompt.lines(of: try question("t1", nil), style: style)
        #expect(long.count == 2)
    }

    @Test("Each node is asked about once, in order")
    func order() throws {
        var prompt = ApprovalPrompt()
        #expect(prompt.add(try question("a", [:])))
        #expect(prompt.add(try question("b", [:])))
        #expect(!prompt.add(try question("a", [:])))
        #expect(!prompt.remove(try #require(NodeID("b"))))
        #expect(prompt.remove(try #require(NodeID("a"))))
        #expect(prompt.questions.isEmpty)
    }
}
