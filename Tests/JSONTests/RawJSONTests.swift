// Raw values: validation, scalars, and lookup.

import JSON
import Testing

@Suite struct RawJSONTests {
    @Test(
        "Keeps a valid text, without whitespace at its ends",
        arguments: [
            ("0", "0"), (" -0 ", "-0"), ("\t\"a\"\n", #""a""#), ("[ 1 , 2 ]", "[ 1 , 2 ]"),
            ("\r\n{ \"a\" : 1 }\r\n", #"{ "a" : 1 }"#), ("true", "true"), ("null", "null"),
            ("1e-400", "1e-400"), ("18446744073709551615", "18446744073709551615"),
            (#"{"a":1,"a":2}"#, #"{"a":1,"a":2}"#),
            (#""\ud83d\ude00\u0000""#, #""\ud83d\ude00\u0000""#),
        ]
    )
    func kept(_ text: String, expected: String) throws {
        #expect(try RawJSON(validating: text).text == expected)
    }

    @Test("If there are newlines between tokens, removes all whitespace between tokens")
    func compaction() throws {
        let raw = try RawJSON(validating: "{\n  \"a b\" : [1,\r\t 2 ],\n \"c\\\" \": \" \\n \" }")
        #expect(raw.text == #"{"a b":[1,2],"c\" ":" \n "}"#)
    }

    @Test("Arrays and objects may nest 64 deep")
    func depth() throws {
        #expect(try RawJSON(validating: nested(64)).depth == 64)
        #expect(try RawJSON(validating: nestedObjects(64)).depth == 64)
        #expect(try RawJSON(validating: #"[{"a":"[[{{"},[[0]]]"#).depth == 3)
        #expect(RawJSON(1).depth == 0)
        #expect(RawJSON.emptyString.depth == 0)
        // Empty ones do not count.
        #expect(RawJSON.emptyArray.depth == 0)
        #expect(try RawJSON(validating: "[{ }, [[ ], []]]").depth == 2)
        for leaf in ["[]", "{}", "[ ]"] {
            let text = nested(64).replacing("1", with: leaf)
            #expect(try RawJSON(validating: text).depth == 64)
            #expect(throws: JSONError.self) {
                try RawJSON(validating: nested(65).replacing("1", with: leaf))
            }
        }
        // A message's own braces count, too.
        #expect(try JSONFields(parsing: Array(nestedObjects(64).utf8)[...]).count == 1)
    }

    @Test("The constants are valid and have the right value")
    func constants() throws {
        let constants: [(RawJSON, String, JSONKind)] = [
            (.null, "null", .null), (.true, "true", .bool), (.false, "false", .bool),
            (.emptyObject, "{}", .object), (.emptyArray, "[]", .array),
            (.emptyString, "\"\"", .string),
        ]
        for (constant, text, kind) in constants {
            #expect(constant.text == text)
            #expect(constant.kind == kind)
            #expect(try RawJSON(validating: constant.bytes) == constant)
        }
    }

    @Test(
        "A whole number is an integer only if it is written as one and fits",
        arguments: [
            ("0", 0), ("-1", -1), ("9223372036854775807", Int.max),
            ("-9223372036854775808", Int.min), ("9223372036854775808", nil), ("1.0", nil),
            ("1e2", nil), ("-0", nil), ("18446744073709551615", nil), (#""1""#, nil),
            ("null", nil), ("[1]", nil),
        ] as [(String, Int?)]
    )
    func integers(_ text: String, expected: Int?) throws {
        #expect(try RawJSON(validating: text).intValue == expected)
    }

    @Test("Doubles are the nearest ones")
    func doubles() throws {
        for (text, value) in [
            ("0.1", 0.1), ("-1.5e3", -1500), ("7", 7), ("1e-400", 0),
            ("5e-324", Double.leastNonzeroMagnitude),
            ("1.7976931348623157e308", 1.7976931348623157e308),
            ("18446744073709551615", 18_446_744_073_709_551_616),
            ("2.2250738585072011e-308", Double.leastNormalMagnitude.nextDown),
        ] {
            #expect(try RawJSON(validating: text).doubleValue == value)
        }
        #expect(try RawJSON(validating: "-0").doubleValue?.sign == .minus)
        #expect(RawJSON("1").doubleValue == nil)
    }

    @Test("Decodes strings")
    func strings() throws {
        let text = #""a\n\r\t\b\f\/\\\"\u0041\u00e9\u20ac\ud83d\ude00\u0000é😀""#
        #expect(
            try RawJSON(validating: text).stringValue == "a\n\r\t\u{8}\u{C}/\\\"Aé€😀\0é😀"
        )
        #expect(RawJSON.emptyString.stringValue == "")
        #expect(RawJSON(1).stringValue == nil)
    }

    @Test("Two values are equal when their bytes are")
    func equality() throws {
        #expect(try RawJSON(validating: " 1") == RawJSON(1))
        #expect(try RawJSON(validating: "1.0") != RawJSON(1))
        #expect(try Set([RawJSON(validating: "[1] "), RawJSON(validating: "[1]")]).count == 1)
    }

    // MARK: - Parts

    static let document =
        #"{"items":[{"name":"a"},{"name":"b","tags":[[],["x","y"]]}],"a.b":{"":0},"q\"":1,"\u0061":2,"d":1,"d":2, "e" : [ 1 , 2 ] }"#

    @Test(
        "Finds a part by its path",
        arguments: [
            ([], document), ([.key("items"), .index(0)], #"{"name":"a"}"#),
            ([.key("items"), .index(1), .key("name")], #""b""#),
            ([.key("items"), .index(1), .key("tags"), .index(1), .index(0)], #""x""#),
            ([.key("items"), .index(1), .key("tags"), .index(0)], "[]"),
            ([.key("a.b"), .key("")], "0"), ([.key("q\"")], "1"), ([.key("a")], "2"),
            ([.key("d")], "2"), ([.key("e")], "[ 1 , 2 ]"), ([.key("e"), .index(1)], "2"),
            ([.key("items"), .index(2)], nil), ([.key("items"), .index(-1)], nil),
            ([.key("items"), .key("0")], nil), ([.index(0)], nil), ([.key("name")], nil),
            ([.key("d"), .key("x")], nil), ([.key("d"), .index(0)], nil),
            ([.key("items"), .index(0), .key("name"), .index(0)], nil),
        ] as [([JSONPathStep], String?)]
    )
    func paths(_ path: [JSONPathStep], expected: String?) throws {
        let raw = try RawJSON(validating: Self.document)
        #expect(raw.value(at: path)?.text == expected)
    }

    @Test("Elements and fields come in order, and only from arrays and objects")
    func members() throws {
        func elements(_ text: String) throws -> [String] {
            var result: [String] = []
            try RawJSON(validating: text).forEachElement { result.append($0.text) }
            return result
        }
        func fields(_ text: String) throws -> [String] {
            var result: [String] = []
            try RawJSON(validating: text).forEachField { result.append("\($0)=\($1)") }
            return result
        }
        #expect(
            try elements(#"[ 1 ,"a,]",[2,[3]] , {"b":[]},null ]"#) == [
                "1", #""a,]""#, "[2,[3]]", #"{"b":[]}"#, "null",
            ]
        )
        #expect(try elements("[ ]").isEmpty)
        #expect(try elements(#"{"a":1}"#).isEmpty)
        #expect(try elements(#""[1]""#).isEmpty)
        #expect(
            try fields(#"{ "b" : 1,"a":{"c":2} ,"\n":[], "b":"}" }"#) == [
                "b=1", #"a={"c":2}"#, "\n=[]", #"b="}""#,
            ]
        )
        #expect(try fields("{ }").isEmpty)
        #expect(try fields("[1]").isEmpty)
    }

    @Test("Lookup in text that is not JSON always ends")
    func untrustworthy() {
        var generator = SeededGenerator(seed: 7)
        let alphabet = Array(#"{}[]",:\ a1tfn-.u"#.utf8)
        for _ in 0..<5000 {
            let length = Int.random(in: 0..<24, using: &generator)
            let bytes = (0..<length).map { _ in alphabet.randomElement(using: &generator) ?? 0 }
            let raw = RawJSON(trusted: bytes[...])
            var members = 0
            raw.forEachElement { _ in members += 1 }
            raw.forEachField { _, _ in members += 1 }
            #expect(members <= length)
            _ = raw.value(at: [.key("a"), .index(0)])
            _ = (raw.stringValue, raw.intValue, raw.doubleValue, raw.boolValue, raw.depth)
            _ = JSONValue(raw)
        }
    }
}

/// A small generator of repeatable random numbers (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
