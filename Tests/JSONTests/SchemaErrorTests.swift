// The messages of schemas: for the author of an invalid schema, and for the author of a value.

import JSON
import Schemas
import Testing

@Suite struct SchemaErrorTests {
    @Test(
        "Refuses an invalid schema with the place and the reason",
        arguments: [
            ("1", "", "A schema must be an object or a boolean."),
            (
                #"{"properties":{"a":3}}"#, "/properties/a",
                "A schema must be an object or a boolean."
            ),
            (#"{"type":"text"}"#, "/type", "type must be one of null, boolean, object, array,"),
            (#"{"type":[]}"#, "/type", "type must name at least one type."),
            (#"{"enum":1}"#, "/enum", "enum must be an array."),
            (#"{"required":["a",1]}"#, "/required", "required must be an array of strings."),
            (#"{"properties":[]}"#, "/properties", "properties must be an object."),
            (#"{"minLength":-1}"#, "/minLength", "minLength must be a whole number from 0."),
            (#"{"maxItems":1.5}"#, "/maxItems", "maxItems must be a whole number from 0."),
            (
                #"{"exclusiveMinimum":true}"#, "/exclusiveMinimum",
                "exclusiveMinimum must be a number."
            ),
            (#"{"multipleOf":0}"#, "/multipleOf", "multipleOf must be greater than 0."),
            (#"{"uniqueItems":1}"#, "/uniqueItems", "uniqueItems must be true or false."),
            (#"{"allOf":[]}"#, "/allOf", "allOf must have at least one schema."),
            (#"{"anyOf":{}}"#, "/anyOf", "anyOf must be an array."),
            (
                #"{"dependentRequired":{"a":"b"}}"#, "/dependentRequired",
                "dependentRequired must map names to arrays of names."
            ),
            (
                #"{"$ref":"other.json#/a"}"#, "/$ref",
                "$ref refers to other.json#/a, which is not in this document; nothing is fetched"
            ),
            (##"{"$ref":"#name"}"##, "/$ref", "$ref refers to #name, which does not exist."),
            (
                ##"{"$dynamicRef":"#name"}"##, "/$dynamicRef",
                "$dynamicRef refers to #name, which does not exist."
            ),
            (
                #"{"$defs":{"a":{"$id":"x"},"b":{"$id":"x","type":"null"}}}"#, "/$defs/b/$id",
                "$id is the name of two different schemas."
            ),
            (
                #"{"$defs":{"a":{"$anchor":"x"},"b":{"$anchor":"x"}}}"#, "/$defs/b/$anchor",
                "$anchor is the name of two schemas."
            ),
            (##"{"not":{"$id":"a#b"}}"##, "/not/$id", "$id must have no # and name;"),
            (
                #"{"$schema":"https://example.com/mine"}"#, "/$schema",
                "$schema names a dialect that is not known;"
            ),
            (
                #"{"dependencies":{"a":[1]}}"#, "/dependencies",
                "dependencies must map names to arrays of names or to schemas."
            ),
            (
                ##"{"$ref":"#/$defs/a"}"##, "/$ref",
                "$ref refers to #/$defs/a, which does not exist."
            ),
            (
                ##"{"$ref":"#"}"##, "",
                "The schema applies itself to the same value in an endless loop."
            ),
            (
                ##"{"anyOf":[{"type":"null"},{"$ref":"#/$defs/a"}],"$defs":{"a":{"allOf":[{"$ref":"#"}]}}}"##,
                "", "The schema applies itself to the same value in an endless loop."
            ),
            (#"{"pattern":"a("}"#, "/pattern", "The pattern a( cannot be used: a ( has no )."),
            (
                #"{"properties":{"a":{"pattern":"(a)\\1"}}}"#, "/properties/a/pattern",
                #"The pattern (a)\1 cannot be used: backreferences are not supported."#
            ),
            (
                #"{"patternProperties":{"a/[":{}}}"#, "/patternProperties/a~1[",
                "The pattern a/[ cannot be used: a [ has no ]."
            ),
        ]
    )
    func refusedSchema(_ text: String, pointer: String, message: String) throws {
        let error = #expect(throws: SchemaError.self) { try schema(text) }
        #expect(error?.pointer == pointer)
        #expect(error?.message.hasPrefix(message) == true, "\(error?.message ?? "")")
    }

    @Test(
        "Names an unsupported keyword",
        arguments: ["$recursiveRef", "nullable", "discriminator"]
    )
    func unsupportedKeyword(_ keyword: String) throws {
        let error = #expect(throws: SchemaError.self) {
            try schema(#"{"items":{"\#(keyword)":true}}"#)
        }
        #expect(error?.description == "/items/\(keyword): \(keyword) is not supported.")
    }

    @Test("A property that is named like a keyword is only a property")
    func propertyNamedLikeKeyword() throws {
        _ = try schema(#"{"properties":{"dependencies":{"type":"array"},"$ref":{}}}"#)
    }

    @Test("Does not compile an unused definition")
    func unusedDefinition() throws {
        _ = try schema(#"{"$defs":{"a":{"type":"nonsense"}}}"#)
    }

    @Test(
        "A problem is a sentence that names its place",
        arguments: [
            (#"{"type":"object"}"#, "[1]", ["the value must be an object, not an array"]),
            (
                #"{"type":["string","null"]}"#, "1",
                ["the value must be a string or null, not an integer"]
            ),
            (#"{"required":["path"]}"#, "{}", ["/path: is required"]),
            (
                #"{"properties":{"a/b":{"items":{"type":"string"}}}}"#, #"{"a/b":["x",2.5]}"#,
                ["/a~1b/1: must be a string, not a number"]
            ),
            (
                #"{"additionalProperties":false}"#, #"{"a":1}"#,
                ["/a: is not a field of the schema"]
            ),
            (#"{"properties":{"a":false}}"#, #"{"a":1}"#, ["/a: is not allowed"]),
            (
                #"{"dependentRequired":{"a":["b"]}}"#, #"{"a":1}"#,
                ["/b: is required when a is given"]
            ),
            (
                #"{"propertyNames":{"maxLength":1}}"#, #"{"ab":1}"#,
                ["/ab: has a name that must have at most 1 character, not 2"]
            ),
            (#"{"minProperties":2}"#, "{}", ["the value must have at least 2 fields, not 0"]),
            (#"{"maxItems":1}"#, "[1,2]", ["the value must have at most 1 element, not 2"]),
            (
                #"{"contains":{"const":1}}"#, "[2]",
                ["the value must have at least 1 element of the required form, not 0"]
            ),
            (
                #"{"uniqueItems":true}"#, "[1,2,1]",
                ["the value must have no equal elements, but elements 0 and 2 are equal"]
            ),
            (#"{"enum":["a","b",3]}"#, #""c""#, [#"the value must be "a", "b" or 3, not "c""#]),
            (#"{"const":"x"}"#, "1", [#"the value must be "x", not 1"#]),
            (#"{"minLength":3}"#, #""ab""#, ["the value must have at least 3 characters, not 2"]),
            (
                #"{"pattern":"^a"}"#, #""b""#,
                [#"the value must match the pattern ^a, as "b" does not"#]
            ),
            (#"{"minimum":3}"#, "2", ["the value must be at least 3, not 2"]),
            (#"{"exclusiveMaximum":3}"#, "3", ["the value must be less than 3, not 3"]),
            (#"{"multipleOf":5}"#, "3", ["the value must be a multiple of 5, not 3"]),
            (
                #"{"properties":{"a":{"anyOf":[{"type":"string"},{"required":["b"]}]}}}"#,
                #"{"a":{}}"#,
                [
                    "/a: matches no alternative: it must be a string, not an object; or /b is required"
                ]
            ),
            (
                #"{"oneOf":[{"minimum":1},{"type":"null"},{"maximum":9}]}"#, "5",
                ["the value must match exactly one alternative, but matches number 1 and 3"]
            ),
            (#"{"not":{}}"#, "5", ["the value matches the schema of \"not\""]),
            (
                #"{"type":"string","minimum":3}"#, "2",
                [
                    "the value must be a string, not an integer",
                    "the value must be at least 3, not 2",
                ]
            ),
        ]
    )
    func sentences(_ schemaText: String, value: String, expected: [String]) throws {
        #expect(try problems(schemaText, value) == expected)
    }

    @Test("Reports all problems, up to the limit")
    func manyProblems() throws {
        let names = (0..<50).map { "\"n\($0)\"" }.joined(separator: ",")
        let found = try problems(#"{"required":[\#(names)]}"#, "{}")
        #expect(found.count == Schema.problemsLimit)
        #expect(found.first == "/n0: is required")
        #expect(Set(found).count == found.count)
    }

    @Test("Shows only a part of a long value")
    func longValue() throws {
        let text = String(repeating: "é", count: 10_000)
        let found = try problems(#"{"const":1}"#, "\"\(text)\"")
        #expect(found.count == 1)
        #expect(found[0].unicodeScalars.count < 200)
    }
}
