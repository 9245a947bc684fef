// Checks end for every schema and every value.

import JSON
import Schemas
import Testing

@Suite struct SchemaBoundsTests {
    private let tooLong = "the value takes too long to be checked against its schema"

    @Test("Gives up on a schema that branches at every level instead of taking exponential time")
    func exponentialBranches() throws {
        let branch = ##"{"properties":{"a":{"$ref":"#"}},"required":["b"]}"##
        let text = #"{"anyOf":[\#(branch),\#(branch)]}"#
        let found = try problems(text, nestedObjects(40))
        #expect(found == [tooLong])
        #expect(try problems(text, nestedObjects(4)).count == 1)
    }

    @Test("Checks a value to the greatest depth that can be parsed")
    func greatestDepth() throws {
        let text =
            ##"{"allOf":[{"anyOf":[{"$ref":"#/$defs/list"}]}],"$defs":{"list":{"type":["array","string"],"items":{"$ref":"#"}}}}"##
        #expect(try problems(text, nested(64).replacing("1", with: "[]")).isEmpty)
        #expect(try problems(text, nested(64)).count == 1)
    }

    @Test("Gives up on a value that is deeper than text can be")
    func builtDeeper() throws {
        var value: JSONValue = []
        for _ in 0..<1000 { value = [value] }
        let schema = try schema(##"{"items":{"$ref":"#"}}"##)
        #expect(
            schema.problems(of: value).map(\.description)
                == ["the value is nested too deeply to be checked"]
        )
    }

    @Test("Follows a long chain of references to its end or gives up")
    func longChain() throws {
        for (length, isFollowed) in [(100, true), (1000, false)] {
            var definitions = (1..<length).map { ##""d\##($0 - 1)":{"$ref":"#/$defs/d\##($0)"}"## }
            definitions.append(#""d\#(length - 1)":{"type":"integer"}"#)
            let joined = definitions.joined(separator: ",")
            let text = ##"{"$ref":"#/$defs/d0","$defs":{\##(joined)}}"##
            #expect(try problems(text, "1").isEmpty == isFollowed)
            #expect(try !problems(text, "null").isEmpty)
        }
    }

    @Test("Refuses a schema with too many subschemas")
    func tooManySubschemas() throws {
        let all = Array(repeating: "{}", count: Schema.subschemasLimit).joined(separator: ",")
        let error = #expect(throws: SchemaError.self) { try schema(#"{"allOf":[\#(all)]}"#) }
        #expect(error?.message.contains("more than 10000 subschemas") == true)
    }

    @Test("Checks a large array of unique elements")
    func largeArray() throws {
        let elements = (0..<100_000).map(String.init).joined(separator: ",")
        let text = #"{"items":{"type":"integer","minimum":0},"uniqueItems":true}"#
        #expect(try problems(text, "[\(elements)]").isEmpty)
        #expect(
            try problems(text, "[\(elements),7]")
                == ["the value must have no equal elements, but elements 7 and 100000 are equal"]
        )
    }

    @Test("Matches a pattern in linear time that backtracking engines fail at")
    func noBacktracking() throws {
        let text = String(repeating: "a", count: 20_000)
        for pattern in ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "^(.*a){10}$"] {
            let schemaText = #"{"pattern":"\#(pattern)"}"#
            #expect(try problems(schemaText, "\"\(text)\"").isEmpty)
            #expect(try !problems(schemaText, "\"\(text)!\"").isEmpty)
        }
    }

    @Test("Gives up on a pattern that is too expensive for a long text")
    func costlyPattern() throws {
        let text = String(repeating: "a", count: 100_000)
        #expect(try problems(#"{"pattern":"(a{0,900}b){2}"}"#, "\"\(text)\"") == [tooLong])
    }

    @Test(
        "Refuses a pattern whose repetitions multiply",
        arguments: ["((a{1000}){1000}){1000}", "(((){1000}){1000}){1000}", "(a?){5001}"]
    )
    func multiplyingRepetitions(_ pattern: String) throws {
        #expect(throws: SchemaError.self) { try schema(#"{"pattern":"\#(pattern)"}"#) }
    }

    /// The problems, if they are found in much less time than all the work would take.
    private func problemsSoon(_ schema: String, _ value: String) throws -> [String]? {
        let begin = ContinuousClock.now
        let found = try problems(schema, value)
        return ContinuousClock.now - begin < .seconds(30) ? found : nil
    }

    @Test(
        "Counts all work of a pattern, also work that needs no code point",
        arguments: [
            "(" + String(repeating: "|", count: 2_400) + ")x",
            "((a?){30}){30}x", "(a*){1000}x", "(" + String(repeating: "b|", count: 1_600) + "c)x",
            "[" + String(repeating: "\u{4E00}", count: 100_000) + "]x",
            "(" + String(repeating: "^|", count: 1_500) + "a)x",
        ]
    )
    func chargedPatterns(pattern: String) throws {
        let text = String(repeating: "a", count: 200_000)
        #expect(
            try problemsSoon(#"{"pattern":"\#(pattern)"}"#, "\"\(text)\"") == [tooLong]
        )
    }

    @Test("Matches ordinary patterns in long texts")
    func ordinaryPatterns() throws {
        let text = String(repeating: "The quick brown fox 12, ", count: 10_000)
        for pattern in [
            #"^[\\w ,]*$"#, "(GET|POST|PUT|HEAD|DELETE|PATCH)x|fox 12, $", "^(\\\\w+[ ,]*)+$",
            "[a-zA-Z0-9._%+-]+, $",
        ] {
            #expect(
                try problems(#"{"pattern":"\#(pattern)"}"#, "\"\(text)\"").isEmpty,
                "\(pattern)"
            )
        }
    }

    @Test("Reads a pattern in time proportional to its length")
    func patternReading() throws {
        for part in ["{", "a{1"] {
            let pattern = String(repeating: part, count: 200_000)
            let begin = ContinuousClock.now
            #expect(throws: SchemaError.self) { try schema(#"{"pattern":"\#(pattern)"}"#) }
            #expect(ContinuousClock.now - begin < .seconds(30))
        }
    }

    @Test("Limits all patterns of a schema together")
    func manyPatterns() throws {
        let one = #"{"pattern":"(a?){1000}"}"#
        let all = Array(repeating: one, count: 5_000).joined(separator: ",")
        let error = #expect(throws: SchemaError.self) { try schema(#"{"anyOf":[\#(all)]}"#) }
        #expect(error?.message.contains("too long when its repetitions are expanded") == true)
    }

    @Test("Refuses long names above many subschemas")
    func longPointers() throws {
        let name = String(repeating: "n", count: 400_000)
        let fields = (0..<5_000).map { #""\#($0)":{}"# }.joined(separator: ",")
        let error = #expect(throws: SchemaError.self) {
            try schema(#"{"properties":{"\#(name)":{"properties":{\#(fields)}}}}"#)
        }
        #expect(error?.message.contains("too long") == true)
    }

    @Test("Does not compare an enum or long numbers with each alternative")
    func manyValues() throws {
        let values = (0..<40_000).map { #""value \#($0)""# }.joined(separator: ",")
        let elements = (0..<40_000).map { #""value \#($0)""# }.joined(separator: ",")
        #expect(
            try problemsSoon(#"{"items":{"enum":[\#(values)]}}"#, "[\(elements)]")?.isEmpty == true
        )
        let number = String(repeating: "9", count: 500_000)
        let bounds = Array(repeating: #"{"maximum":5}"#, count: 9_000).joined(separator: ",")
        #expect(try problemsSoon(#"{"anyOf":[\#(bounds)]}"#, number) == [tooLong])
    }
}
