// Texts for people that are cut to fit into a line.
import Core
import Testing

@Suite("Clipped texts")
struct TextClippingTests {
    @Test(
        "A text is cut between characters",
        arguments: [("abc", 3, "abc"), ("abcd", 3, "abc"), ("aäb", 2, "a"), ("日本", 5, "日")]
    )
    func clipped(text: String, bytes: Int, expected: String) {
        #expect(text.clipped(to: bytes) == expected)
    }

    @Test("Of standard error the end is kept")
    func failure() {
        let failure = Failure(code: .toolError, message: "long", stderrTail: "aäbc")
        #expect(failure.clipped(to: 3).message == "lon")
        #expect(failure.clipped(to: 3).stderrTail == "bc")
        #expect(failure.clipped(to: 5) == failure)
    }

    @Test("Pieces are short, whole characters, and the text together", arguments: 1...9)
    func pieces(bytes: Int) {
        let text = "aä日𝄞e\u{301}x"
        let pieces = text.pieces(of: bytes)
        #expect(pieces.joined() == text)
        #expect(pieces.allSatisfy { !$0.isEmpty && $0.utf8.count <= max(bytes, 4) })
        #expect("".pieces(of: bytes) == [])
    }
}
