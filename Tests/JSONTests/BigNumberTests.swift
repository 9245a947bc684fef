// Numbers beyond 64 bits: every reader keeps them as written, and schemas compare them by value.
import JSON
import Schemas
import Testing

@Suite("Numbers beyond 64 bits") struct BigNumberTests {
    static let texts = [
        "18446744073709551615", "18446744073709551616", "-9223372036854775809",
        "1000000000000000000000", "1e400", "-1E+400", "1.5e309", "1e99999999999999999999",
        String(repeating: "9", count: 5_000), "12345678901234567890.5e300",
    ]

    @Test("Every reader and writer keeps them as written", arguments: texts)
    func pass(text: String) throws {
        #expect(try RawJSON(validating: text).text == text)
        #expect(try RawJSON(validating: " [ \(text) ,1]").text == "[ \(text) ,1]")
        let value = try JSONValue(parsing: text)
        #expect(RawJSON(value).text == text)
        guard case .bigNumber(let number) = value else {
            Issue.record("\(value) is no big number")
            return
        }
        #expect(number.text == text)
        #expect(value.intValue == nil)
    }

    @Test("They keep their text anywhere in a message", arguments: texts)
    func fields(text: String) throws {
        let line = Array(#"{"a":\#(text),"b":[\#(text)],"c" : \#(text) ,"\u0064":0.1}"#.utf8)
        let fields = try JSONFields(parsing: line[...])
        #expect(fields["a"]?.text == text)
        #expect(fields["b"]?.text == "[\(text)]")
        #expect(fields["c"]?.text == text)
        #expect(fields["d"]?.text == "0.1")
    }

    @Test("Reads large texts with them at every position", arguments: [0, 1, 17])
    func largeTexts(offset: Int) throws {
        let element = "1e400,18446744073709551616,"
        let inner = String(repeating: element, count: 100_000) + "0.5"
        let bytes = [UInt8](repeating: 0x20, count: offset) + Array("[\(inner)]".utf8)
        let raw = try RawJSON(validating: bytes[offset...])
        #expect(raw.count == inner.utf8.count + 2)
        #expect(raw.text.hasSuffix(",1e400,18446744073709551616,0.5]"))
    }

    @Test("Keeps extra digits of a double in raw JSON, and rounds it in the tree")
    func longDecimals() throws {
        let text = "0.1000000000000000055511151231257827021181"
        #expect(try RawJSON(validating: text).text == text)
        #expect(try JSONValue(parsing: text) == .double(0.1))
        #expect(try JSONValue(parsing: "1e-400") == .double(0))
    }

    @Test(
        "Refuses malformed numbers next to them, with the right reason",
        arguments: [
            ("[1e400,1.]", JSONError.Code.syntax), ("[18446744073709551616,01]", .syntax),
            ("[1e400,nul]", .syntax), ("[1e400", .syntax), ("[1e400 1]", .syntax),
            ("[1e400,\"\\ud800\"]", .syntax), ("18446744073709551616x", .syntax),
            ("[1e400,\"\u{1}\"]", .syntax), ("1e400\u{0}", .syntax), ("{1e400:1}", .syntax),
        ]
    )
    func refused(text: String, code: JSONError.Code) throws {
        let error = #expect(throws: JSONError.self) { try RawJSON(validating: text) }
        #expect(error?.code == code)
        #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
    }

    @Test("Gives the nearest double, unless it is beyond every double")
    func doubles() throws {
        #expect(try JSONValue(parsing: "18446744073709551616").doubleValue == 0x1p64)
        #expect(try RawJSON(validating: "18446744073709551616").doubleValue == 0x1p64)
        #expect(try JSONValue(parsing: "1e400").doubleValue == nil)
        #expect(try RawJSON(validating: "-1e400").doubleValue == nil)
    }

    // MARK: - Schemas

    @Test(
        "Schemas compare them by value",
        arguments: [
            (#"{"type":"integer"}"#, "1000000000000000000000", true),
            (#"{"type":"integer"}"#, "1e400", true), (#"{"type":"number"}"#, "1e400", true),
            (#"{"type":"integer"}"#, "12345678901234567890.5e309", true),
            (#"{"type":"string"}"#, "1e400", false), (#"{"maximum":100}"#, "1e400", false),
            (#"{"minimum":100}"#, "1e400", true), (#"{"minimum":0}"#, "-1e400", false),
            (#"{"maximum":18446744073709551615}"#, "18446744073709551615", true),
            (#"{"maximum":18446744073709551615}"#, "18446744073709551616", false),
            (#"{"exclusiveMinimum":1e400}"#, "1e400", false),
            (#"{"exclusiveMinimum":1e400}"#, "1.1e400", true),
            (#"{"minimum":9223372036854775808}"#, "9223372036854775807", false),
            (#"{"maximum":1e300}"#, "18446744073709551616", true),
            (#"{"const":1e19}"#, "10000000000000000000", true),
            (#"{"enum":[18446744073709551616]}"#, "18446744073709551617", false),
            (#"{"enum":[1e19]}"#, "1.0e19", true),
            (#"{"enum":[1e400]}"#, "10e399", true),
            (#"{"uniqueItems":true}"#, "[1e400,10e399]", false),
            (#"{"uniqueItems":true}"#, "[1e400,-1e400]", true),
            (#"{"multipleOf":2}"#, "18446744073709551616", true),
            (#"{"multipleOf":7}"#, "18446744073709551616", false),
            (#"{"multipleOf":10}"#, "1e400", true), (#"{"multipleOf":3}"#, "1e400", false),
            (
                #"{"multipleOf":9223372036854775807}"#, "85070591730234615847396907784232501249",
                true
            ),
        ]
    )
    func schemas(schema: String, value: String, isValid: Bool) throws {
        let compiled = try Schema(compiling: RawJSON(validating: schema))
        let problems = compiled.problems(of: try JSONValue(parsing: value))
        #expect(problems.isEmpty == isValid, "\(problems)")
    }
}
