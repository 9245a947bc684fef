// Words that a shell reads as they are, whatever is in them.
import Testing

@testable import Launch

@Suite("Words of a shell")
struct ShellWordsTests {
    @Test(
        "Words are quoted where a shell would read something else",
        arguments: [
            ("plain-1.0", "plain-1.0"), ("", "''"), ("two words", "'two words'"),
            ("it's", "'it'\\''s'"), ("$HOME", "'$HOME'"), ("a;b", "'a;b'"), ("~", "'~'"),
        ]
    )
    func quoting(_ word: String, _ quoted: String) {
        #expect(ShellWords.quoted(word) == quoted)
    }
}
