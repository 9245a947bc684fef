// The regular expressions of schemas: their grammar and what they find.

import JSON
import Schemas
import Testing

struct PatternCase: Sendable, CustomTestStringConvertible {
    var pattern: String
    var finds: [String]
    var misses: [String]

    init(_ pattern: String, finds: [String] = [], misses: [String] = []) {
        self.pattern = pattern
        self.finds = finds
        self.misses = misses
    }

    var testDescription: String { pattern }
}

private func compile(_ pattern: String) throws -> Schema {
    let document: JSONValue = ["pattern": .string(pattern)]
    return try Schema(compiling: RawJSON(document))
}

@Suite struct PatternTests {
    static let cases = [
        PatternCase("", finds: ["", "a"]),
        PatternCase("b", finds: ["b", "abc"], misses: ["", "a", "B"]),
        PatternCase("^b", finds: ["b", "bc"], misses: ["ab", "a\nb"]),
        PatternCase("b$", finds: ["b", "ab"], misses: ["ba", "b\n"]),
        PatternCase("^$", finds: [""], misses: ["a", "\n"]),
        PatternCase("a|^b$|", finds: ["", "x"]),
        PatternCase("^(?:ab|c)d$", finds: ["abd", "cd"], misses: ["abcd", "d"]),
        PatternCase("^(a|b|cd)*$", finds: ["", "abcdab"], misses: ["c"]),
        PatternCase("^ab?c$", finds: ["ac", "abc"], misses: ["abbc"]),
        PatternCase("^a+?b*?$", finds: ["a", "aab"], misses: ["b"]),
        PatternCase("^a{2}$", finds: ["aa"], misses: ["a", "aaa"]),
        PatternCase("^a{2,}$", finds: ["aa", "aaaa"], misses: ["a"]),
        PatternCase("^a{1,3}?$", finds: ["a", "aaa"], misses: ["", "aaaa"]),
        PatternCase("^a{0}$", finds: [""], misses: ["a"]),
        PatternCase("^{a}$", finds: ["{a}"], misses: ["a"]),
        PatternCase("^a{,2}$", finds: ["a{,2}"], misses: ["aa"]),
        PatternCase("^(a*)*b$", finds: ["b", "aaab"], misses: ["aaa"]),
        PatternCase("^(|a)+$", finds: ["", "aa"], misses: ["b"]),
        PatternCase(
            "^.$",
            finds: ["a", "é", "😀", "\u{85}"],
            misses: ["", "ab", "\n", "\u{2028}"]
        ),
        PatternCase("^..$", finds: ["e\u{301}"], misses: ["\u{E9}"]),
        PatternCase("^[a-c_]$", finds: ["a", "b", "c", "_"], misses: ["d", "-", ""]),
        PatternCase("^[^a-c]$", finds: ["d", "\n", "😀"], misses: ["a"]),
        PatternCase("^[-a]$", finds: ["-", "a"], misses: ["b"]),
        PatternCase("^[a-]$", finds: ["-", "a"], misses: ["b"]),
        PatternCase(#"^[\]\\^]$"#, finds: ["]", "\\", "^"], misses: ["a"]),
        PatternCase("^[.*]$", finds: [".", "*"], misses: ["a"]),
        PatternCase("[]", misses: ["", "a"]),
        PatternCase("^[^]$", finds: ["a", "\n"], misses: [""]),
        PatternCase(#"^[\w-.]+@[\w-]+$"#, finds: ["a-b.c@d-e"], misses: ["a b@c", "a@b.c"]),
        PatternCase(#"^\d\D$"#, finds: ["1a"], misses: ["11", "aa", "\u{0661}a"]),
        PatternCase(#"^\w\W$"#, finds: ["_-", "aé"], misses: ["é-"]),
        PatternCase(#"^\s\S$"#, finds: [" a", "\u{FEFF}a", "\u{A0}a"], misses: ["aa"]),
        PatternCase(#"^[\D\d]$"#, finds: ["1", "a"], misses: [""]),
        PatternCase(#"^[^\D]$"#, finds: ["1"], misses: ["a"]),
        PatternCase(#"^\t\n\r\f\v\0$"#, finds: ["\t\n\r\u{C}\u{B}\0"]),
        PatternCase(#"^\x41\u0042\u{1F600}\uD83D\uDE00\cJ$"#, finds: ["AB😀😀\n"]),
        PatternCase(#"^\/\-\.\$\{$"#, finds: ["/-.${"], misses: ["/-a${"]),
        PatternCase(#"^\p{Lu}\p{L}+\P{N}$"#, finds: ["Äöü!"], misses: ["äöü!", "Äöü1"]),
        PatternCase(#"\bfoo\b"#, finds: ["foo", "a foo b", "-foo-"], misses: ["food", "afoo"]),
        PatternCase(#"o\Bo"#, finds: ["foo"], misses: ["o o"]),
        PatternCase(#"^[\b]$"#, finds: ["\u{8}"], misses: ["b"]),
        PatternCase(
            "(?<year>[0-9]{4})-(?<month>[0-9]{2})",
            finds: ["on 2026-11-22"],
            misses: ["26-11"]
        ),
        PatternCase(#"^(?!\s*$).+"#, finds: ["a", " a"], misses: ["", "  "]),
        PatternCase(
            "^(?=.*[0-9])(?=.*[a-z]).{4,}$",
            finds: ["a1bc", "1xxx"],
            misses: ["abcd", "a1"]
        ),
        PatternCase("a(?=b)", finds: ["cab"], misses: ["a", "acb"]),
        PatternCase("(?<=a[0-9])b", finds: ["a1b"], misses: ["ab", "b", "1ab"]),
        PatternCase("(?<!a)b", finds: ["b", "cb"], misses: ["ab", ""]),
        PatternCase("(?<=^|, )x", finds: ["x", "a, x"], misses: ["ax"]),
        PatternCase("(?<=(?!ab)..)c", finds: ["bac"], misses: ["abc", "c"]),
        PatternCase("^(?:(?!end).)*$", finds: ["en d"], misses: ["the end"]),
        PatternCase(#"^\p{digit}+$"#, finds: ["42", "৪২"], misses: ["-%"]),
        PatternCase("^[A-Za-z0-9_-]{1,64}$", finds: ["t1", "a-b_c"], misses: ["", "a b", "ä"]),
    ]

    @Test("A pattern finds exactly what it should", arguments: cases)
    func finds(_ example: PatternCase) throws {
        let schema = try compile(example.pattern)
        for text in example.finds {
            #expect(schema.problems(of: .string(text)).isEmpty, "\(text.debugDescription) is found")
        }
        for text in example.misses {
            #expect(!schema.problems(of: .string(text)).isEmpty, "\(text.debugDescription) is not")
        }
    }

    @Test(
        "Refuses a malformed pattern with the reason",
        arguments: [
            ("(", "a ( has no )"), (")", "a ) closes nothing"), ("[a", "a [ has no ]"),
            ("*", "a * has nothing before it to repeat"), ("a|+", "a + has nothing before it"),
            ("a**", "a repetition is repeated"), ("^*", "an assertion is repeated"),
            ("a{3,2}", "the counts of a repetition are in the wrong order"),
            ("a{1001}", "a count is larger than 1000"),
            ("[b-a]", "a range is in the wrong order"), ("\\", "it ends with a backslash"),
            ("(a)\\1", "backreferences are not supported"), ("(?=a)*", "an assertion is repeated"),
            ("(?<!a", "a ( has no )"), ("(?i)a", "a kind of group is not known"),
            ("\\A", "the escape \\A is not known"),
            ("\\u12", "a hexadecimal escape is not complete"),
            ("\\ud800", "a surrogate is not part of a pair"),
            ("\\p{Nope}", "the property Nope is not supported"),
            (String(repeating: "(", count: 51), "its groups nest deeper than 50"),
        ]
    )
    func malformed(_ pattern: String, reason: String) throws {
        let error = #expect(throws: SchemaError.self) { try compile(pattern) }
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
    }
}
