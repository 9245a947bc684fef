// Texts that are refused as JSON, and why.

import JSON
import Testing

struct Refusal: Sendable, CustomTestStringConvertible {
    var name: String
    var bytes: [UInt8]
    var code: JSONError.Code

    init(_ name: String, _ text: String, _ code: JSONError.Code) {
        self.init(name, bytes: Array(text.utf8), code)
    }

    init(_ name: String, bytes: [UInt8], _ code: JSONError.Code) {
        self.name = name
        self.bytes = bytes
        self.code = code
    }

    var testDescription: String { name }
}

func nested(_ depth: Int) -> String {
    String(repeating: "[", count: depth) + "1" + String(repeating: "]", count: depth)
}

func nestedObjects(_ depth: Int) -> String {
    String(repeating: #"{"a":"#, count: depth) + "1" + String(repeating: "}", count: depth)
}

@Suite struct StrictnessTests {
    static let refusals: [Refusal] = [
        Refusal("nothing", "", .empty),
        Refusal("whitespace", " \t\r\n ", .empty),
        Refusal("byte order mark", bytes: [0xEF, 0xBB, 0xBF, 0x7B, 0x7D], .syntax),
        Refusal("UTF-16 with mark", bytes: [0xFF, 0xFE, 0x7B, 0, 0x7D, 0], .notUTF8),
        Refusal("UTF-16 without mark", bytes: [0x7B, 0, 0x7D, 0], .syntax),
        Refusal("trailing comma in an object", #"{"a":1,}"#, .syntax),
        Refusal("trailing comma in an array", "[1,2,]", .syntax),
        Refusal("leading comma", "[,1]", .syntax),
        Refusal("two values", "1 2", .syntax),
        Refusal("two objects", "{}{}", .syntax),
        Refusal("two strings without a comma", #"["a""b"]"#, .syntax),
        Refusal("a word behind a string", #"["a"true]"#, .syntax),
        Refusal("a string behind a word", #"[true"a"]"#, .syntax),
        Refusal("a string behind a number", #"[1"a"]"#, .syntax),
        Refusal("a bracket behind a brace", #"{"a":1]"#, .syntax),
        Refusal("a brace behind a bracket", "[1}", .syntax),
        Refusal("a fault behind a long number", "[123456789012345678901234567890,]", .syntax),
        Refusal("the second half of a pair alone", #""\udc00""#, .syntax),
        Refusal("two first halves of a pair", #""\ud800\ud800""#, .syntax),
        Refusal("a pair that is cut off", #""\ud800\udc0""#, .syntax),
        Refusal("an escape of three digits", #"{"\u123":1}"#, .syntax),
        Refusal("missing value", #"{"a":}"#, .syntax),
        Refusal("missing colon", #"{"a" 1}"#, .syntax),
        Refusal("unquoted key", "{a:1}", .syntax),
        Refusal("single quotes", "{'a':1}", .syntax),
        Refusal("comment", "{} // no", .syntax),
        Refusal("unclosed object", #"{"a":1"#, .syntax),
        Refusal("unclosed string", #"{"a":"b}"#, .syntax),
        Refusal("mismatched brackets", "[1}", .syntax),
        Refusal("bare closing bracket", "]", .syntax),
        Refusal("bare word", "hello", .syntax),
        Refusal("almost true", "tru", .syntax),
        Refusal("more than true", "truer", .syntax),
        Refusal("capital null", "Null", .syntax),
        Refusal("NaN", "NaN", .syntax),
        Refusal("Infinity", "-Infinity", .syntax),
        Refusal("raw newline in a string", "\"a\nb\"", .syntax),
        Refusal("raw tab in a string", "\"a\tb\"", .syntax),
        Refusal("NUL in a string", "\"a\0b\"", .syntax),
        Refusal("NUL between tokens", "[1,\0 2]", .syntax),
        Refusal("NUL after the value", "{}\0", .syntax),
        Refusal("unknown escape", #""\x""#, .syntax),
        Refusal("short escape", #""\u12""#, .syntax),
        Refusal("escape that is not hexadecimal", #""\u12G4""#, .syntax),
        Refusal("lone high surrogate", #""\ud800""#, .syntax),
        Refusal("high surrogate before a letter", #""\ud800a""#, .syntax),
        Refusal("high surrogate before a high one", #""\ud800\ud800""#, .syntax),
        Refusal("lone low surrogate", #""\udc00""#, .syntax),
        Refusal("low surrogate before a high one", #""\udc00\ud800""#, .syntax),
        Refusal("lone continuation byte", bytes: [0x22, 0x80, 0x22], .notUTF8),
        Refusal("overlong encoding", bytes: [0x22, 0xC0, 0xAF, 0x22], .notUTF8),
        Refusal("encoded surrogate", bytes: [0x22, 0xED, 0xA0, 0x80, 0x22], .notUTF8),
        Refusal("beyond Unicode", bytes: [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], .notUTF8),
        Refusal("cut character", bytes: [0x22, 0xE2, 0x82, 0x22], .notUTF8),
        Refusal("leading zero", "01", .syntax),
        Refusal("leading zero of a negative number", "[-01]", .syntax),
        Refusal("leading plus", "+1", .syntax),
        Refusal("leading point", ".5", .syntax),
        Refusal("trailing point", "[5.]", .syntax),
        Refusal("empty exponent", "[1e]", .syntax),
        Refusal("lone minus", "[-]", .syntax),
        Refusal("hexadecimal", "[0x10]", .syntax),
        Refusal("large number before a bad one", "[1e400, 1.]", .syntax),
        Refusal("arrays 65 deep", nested(65), .tooDeep),
        Refusal("objects 65 deep", nestedObjects(65), .tooDeep),
        Refusal("arrays 100000 deep", nested(100_000), .tooDeep),
    ]

    @Test("Every reader refuses an invalid text, with the same code", arguments: refusals)
    func refuses(_ refusal: Refusal) throws {
        let bytes = refusal.bytes[...]
        let raw = #expect(throws: JSONError.self) { try RawJSON(validating: bytes) }
        #expect(raw?.code == refusal.code)
        #expect(raw?.message.hasSuffix(".") == true)
        let value = #expect(throws: JSONError.self) { try JSONValue(parsing: bytes) }
        #expect(value?.code == refusal.code)
        // Within a message the same text is refused as well, possibly for another reason.
        let line = Array(#"{"type":"x","value":"#.utf8) + refusal.bytes + Array("}".utf8)
        #expect(throws: JSONError.self) { try JSONFields(parsing: line[...]) }
    }
}
