// References by name and by scope, what has not been evaluated, and schemas of older drafts.

import JSON
import Schemas
import Testing

private let draft7 = ##""$schema":"http://json-schema.org/draft-07/schema#""##

@Suite struct SchemaReferenceTests {
    static let names = [
        KeywordCase(
            ##"{"$ref":"#n","$defs":{"a":{"$anchor":"n","type":"integer"}}}"##,
            accepts: ["1"],
            refuses: [#""a""#]
        ),
        KeywordCase(
            ##"{"$id":"https://example.com/a/root","$ref":"../b/n#/$defs/x","$defs":{"n":{"$id":"/b/n","$defs":{"x":{"const":1}}}}}"##,
            accepts: ["1"],
            refuses: ["2"]
        ),
        KeywordCase(
            ##"{"items":{"$id":"list","$ref":"#/$defs/x","$defs":{"x":{"const":1}}},"$defs":{"x":{"const":2}}}"##,
            accepts: ["[1]"],
            refuses: ["[2]"]
        ),
        KeywordCase(
            ##"{"$id":"urn:example:a","$ref":"urn:example:b#n","$defs":{"b":{"$id":"urn:example:b","$defs":{"n":{"$anchor":"n","const":1}}}}}"##,
            accepts: ["1"],
            refuses: ["2"]
        ),
        // An $id in data is no name.
        KeywordCase(
            ##"{"$ref":"n","$defs":{"e":{"enum":[{"$id":"n","type":"null"}]},"n":{"$id":"n","const":1}}}"##,
            accepts: ["1"],
            refuses: ["null"]
        ),
        // A list of texts says what its elements are by the outermost anchor.
        KeywordCase(
            ##"{"$id":"texts","$ref":"list","$defs":{"e":{"$dynamicAnchor":"element","type":"string"},"list":{"$id":"list","items":{"$dynamicRef":"#element"},"$defs":{"e":{"$dynamicAnchor":"element"}}}}}"##,
            accepts: [#"["a"]"#],
            refuses: ["[1]"]
        ),
        KeywordCase(
            ##"{"$id":"tree","$dynamicAnchor":"node","properties":{"next":{"$dynamicRef":"#node"},"n":{"type":"integer"}}}"##,
            accepts: [#"{"next":{"next":{"n":1}}}"#],
            refuses: [#"{"next":{"next":{"n":"x"}}}"#]
        ),
    ]

    static let unevaluated = [
        KeywordCase(
            ##"{"$ref":"#/$defs/a","properties":{"b":{}},"unevaluatedProperties":false,"$defs":{"a":{"properties":{"a":{}}}}}"##,
            accepts: ["{}", #"{"a":1,"b":2}"#, "[]"],
            refuses: [#"{"c":1}"#]
        ),
        KeywordCase(
            #"{"anyOf":[{"properties":{"a":{"const":1}},"required":["a"]},{"patternProperties":{"^b":{}}}],"unevaluatedProperties":{"type":"null"}}"#,
            accepts: [#"{"a":1,"b":2}"#, #"{"a":null}"#, #"{"bb":1,"c":null}"#],
            refuses: [#"{"a":2}"#, #"{"c":1}"#]
        ),
        // What a neighbour has checked does not count, nor what "not" has.
        KeywordCase(
            #"{"allOf":[{"properties":{"a":{}}},{"unevaluatedProperties":false}]}"#,
            accepts: ["{}"],
            refuses: [#"{"a":1}"#]
        ),
        KeywordCase(
            #"{"not":{"not":{"properties":{"a":{}}}},"unevaluatedProperties":false}"#,
            accepts: ["{}"],
            refuses: [#"{"a":1}"#]
        ),
        KeywordCase(
            #"{"if":{"properties":{"a":{"const":1}},"required":["a"]},"else":{"properties":{"b":{}}},"unevaluatedProperties":false}"#,
            accepts: [#"{"a":1}"#, #"{"b":1}"#],
            refuses: [#"{"a":2}"#, #"{"a":1,"b":1}"#]
        ),
        KeywordCase(
            #"{"properties":{"a":{"properties":{"x":{}}}},"additionalProperties":true,"unevaluatedProperties":false}"#,
            accepts: [#"{"a":{"y":1},"z":1}"#]
        ),
        KeywordCase(
            #"{"dependentSchemas":{"a":{"properties":{"b":{}}}},"properties":{"a":{}},"unevaluatedProperties":false}"#,
            accepts: [#"{"a":1,"b":1}"#],
            refuses: [#"{"b":1}"#]
        ),
        KeywordCase(
            #"{"prefixItems":[{}],"contains":{"type":"string"},"unevaluatedItems":{"type":"null"}}"#,
            accepts: [#"[1,"a",null]"#, #"["a"]"#],
            refuses: [#"[1,"a",2]"#]
        ),
        KeywordCase(
            #"{"allOf":[{"prefixItems":[{}]}],"unevaluatedItems":false}"#,
            accepts: ["[1]", "{}"],
            refuses: ["[1,2]"]
        ),
    ]

    static let older = [
        KeywordCase(
            #"{"dependentSchemas":{"a":{"required":["b"]}}}"#,
            accepts: ["{}", #"{"b":1}"#, #"{"a":1,"b":1}"#, "1"],
            refuses: [#"{"a":1}"#]
        ),
        KeywordCase(
            #"{"dependencies":{"a":["b"],"c":{"maxProperties":1},"d":false}}"#,
            accepts: ["{}", #"{"a":1,"b":1}"#, #"{"c":1}"#],
            refuses: [#"{"a":1}"#, #"{"c":1,"x":1}"#, #"{"d":1}"#]
        ),
        KeywordCase(
            ##"{\##(draft7),"properties":{"a":{"$ref":"#/definitions/n","minimum":5}},"definitions":{"n":{"type":"integer"}}}"##,
            accepts: [#"{"a":1}"#],
            refuses: [#"{"a":"x"}"#]
        ),
        KeywordCase(
            ##"{\##(draft7),"allOf":[{"$ref":"#n"}],"definitions":{"n":{"$id":"#n","type":"integer"}}}"##,
            accepts: ["1"],
            refuses: [#""x""#]
        ),
    ]

    @Test("Names, scopes and older drafts", arguments: names + unevaluated + older)
    func keyword(_ example: KeywordCase) throws {
        try check(example)
    }

    @Test(
        "Finds the same in an object of one field, which is checked on a shorter way",
        arguments: SchemaKeywordTests.general + SchemaKeywordTests.scalars
    )
    func shortWay(_ example: KeywordCase) throws {
        let wrapped = KeywordCase(
            #"{"type":"object","properties":{"f":\#(example.schema)},"required":["f"]}"#,
            accepts: example.accepts.map { #"{"f":\#($0),"g":1}"# },
            refuses: example.refuses.map { #"{"f":\#($0)}"# } + ["{}", "[]"]
        )
        try check(wrapped)
    }

    private func check(_ example: KeywordCase) throws {
        let schema = try schema(example.schema)
        for value in example.accepts {
            let problems = try schema.problems(of: JSONValue(parsing: value))
            #expect(problems.isEmpty, "\(value) should be valid: \(problems)")
        }
        for value in example.refuses {
            let problems = try schema.problems(of: JSONValue(parsing: value))
            #expect(!problems.isEmpty, "\(value) should be refused")
        }
    }

    @Test("Gives up on a dynamic reference that leads to itself")
    func endlessScope() throws {
        let text =
            ##"{"$id":"a","$dynamicAnchor":"n","$ref":"b","$defs":{"b":{"$id":"b","$defs":{"n":{"$dynamicAnchor":"n"}},"$dynamicRef":"#n"}}}"##
        #expect(try problems(text, "1") == ["the value is nested too deeply to be checked"])
    }

    @Test("Many dynamic references to many anchors take time in proportion to their number")
    func manyScopes() throws {
        let resources = (0..<3_000).map {
            ##""\##($0)":{"$id":"r\##($0)","$dynamicAnchor":"n","$defs":{"a":{"$dynamicRef":"#n"}}}"##
        }
        let references = (0..<3_000).map { ##"{"$ref":"r\##($0)#/$defs/a"}"## }
        let text = """
            {"$id":"root","anyOf":[\(references.joined(separator: ","))],
            "$defs":{\(resources.joined(separator: ","))}}
            """
        let begin = ContinuousClock.now
        #expect(try problems(text, "1").isEmpty)
        #expect(ContinuousClock.now - begin < .seconds(30))
    }

    @Test("A problem with what was not evaluated names its place")
    func places() throws {
        let text = #"{"properties":{"a":{}},"unevaluatedProperties":false}"#
        #expect(try problems(text, #"{"a":1,"b":2}"#) == ["/b: is not a field of the schema"])
        #expect(
            try problems(#"{"prefixItems":[{}],"unevaluatedItems":false}"#, "[1,2]")
                == ["/1: is not allowed"]
        )
    }

    @Test("Gives up on lookaheads that would read a long text again and again")
    func costlyLookahead() throws {
        let text = String(repeating: "a", count: 100_000)
        #expect(
            try problems(#"{"pattern":"(?=a*b)(?=a*c)x"}"#, "\"\(text)\"")
                == ["the value takes too long to be checked against its schema"]
        )
        #expect(try problems(#"{"pattern":"^(?=.*a)(?!.*b)a+$"}"#, "\"\(text)\"").isEmpty)
    }
}
