// Every keyword of the schema subset: accepted and refused values.

import JSON
import Schemas
import Testing

/// One schema with values it accepts and values it refuses, all as JSON text.
struct KeywordCase: Sendable, CustomTestStringConvertible {
    var schema: String
    var accepts: [String]
    var refuses: [String]

    init(_ schema: String, accepts: [String] = [], refuses: [String] = []) {
        self.schema = schema
        self.accepts = accepts
        self.refuses = refuses
    }

    var testDescription: String { schema }
}

func schema(_ text: String) throws -> Schema {
    try Schema(compiling: RawJSON(validating: text))
}

func problems(_ schemaText: String, _ value: String) throws -> [String] {
    try schema(schemaText).problems(of: JSONValue(parsing: value)).map(\.description)
}

@Suite struct SchemaKeywordTests {
    static let general = [
        KeywordCase("{}", accepts: ["1", "{}", "null", #""x""#]),
        KeywordCase("true", accepts: ["1", "{}", "null"]),
        KeywordCase("false", refuses: ["1", "{}", "null"]),
        KeywordCase(
            #"{"type":"integer"}"#,
            accepts: ["1", "1.0", "-0", "1e300"],
            refuses: ["1.5", #""1""#, "null", "true", "[]"]
        ),
        KeywordCase(#"{"type":"number"}"#, accepts: ["1", "1.5"], refuses: [#""1""#, "true"]),
        KeywordCase(#"{"type":"string"}"#, accepts: [#""""#], refuses: ["1", "{}", "null"]),
        KeywordCase(
            #"{"type":"boolean"}"#,
            accepts: ["true", "false"],
            refuses: ["0", #""true""#]
        ),
        KeywordCase(#"{"type":"null"}"#, accepts: ["null"], refuses: ["0", "false", #""""#, "[]"]),
        KeywordCase(#"{"type":"array"}"#, accepts: ["[]"], refuses: ["{}", "null"]),
        KeywordCase(#"{"type":"object"}"#, accepts: ["{}"], refuses: ["[]", "null"]),
        KeywordCase(
            #"{"type":["string","null"]}"#,
            accepts: [#""a""#, "null"],
            refuses: ["1", "[]"]
        ),
        KeywordCase(
            #"{"enum":[1,"a",{"x":1,"y":2},[true]]}"#,
            accepts: ["1", "1.0", #""a""#, #"{"y":2.0,"x":1}"#, "[true]"],
            refuses: ["2", #""b""#, #"{"x":1}"#, "[1]", "true", "null"]
        ),
        KeywordCase(#"{"enum":[]}"#, refuses: ["1", "null"]),
        KeywordCase(
            #"{"const":0}"#,
            accepts: ["0", "0.0", "-0"],
            refuses: ["false", "null", "1"]
        ),
        KeywordCase(#"{"const":null}"#, accepts: ["null"], refuses: ["0", "{}"]),
        KeywordCase(
            #"{"const":9007199254740993}"#,
            accepts: ["9007199254740993"],
            refuses: ["9007199254740992"]
        ),
        KeywordCase(
            #"{"title":1,"description":"x","default":3,"format":"email","$comment":"c","x-y":1}"#,
            accepts: [#""no address""#]
        ),
    ]

    static let objects = [
        KeywordCase(
            #"{"properties":{"a":{"type":"string"},"b":false}}"#,
            accepts: ["{}", #"{"a":"x"}"#, #"{"c":1}"#, "[]", "1"],
            refuses: [#"{"a":1}"#, #"{"b":1}"#]
        ),
        KeywordCase(
            #"{"required":["a","b"]}"#,
            accepts: [#"{"a":1,"b":null}"#, "[]"],
            refuses: ["{}", #"{"a":1}"#]
        ),
        KeywordCase(
            #"{"properties":{"a":{}},"additionalProperties":false}"#,
            accepts: ["{}", #"{"a":1}"#],
            refuses: [#"{"b":1}"#]
        ),
        KeywordCase(
            #"{"properties":{"a":{}},"additionalProperties":{"type":"integer"}}"#,
            accepts: [#"{"a":"x","b":1}"#],
            refuses: [#"{"b":"x"}"#]
        ),
        KeywordCase(
            #"{"patternProperties":{"^n":{"type":"integer"},"s$":{"minimum":2}}}"#,
            accepts: [#"{"n":1,"x":"y","ns":2}"#],
            refuses: [#"{"n":"x"}"#, #"{"ns":1}"#]
        ),
        KeywordCase(
            #"{"patternProperties":{"^x-":{}},"additionalProperties":false}"#,
            accepts: [#"{"x-a":1}"#],
            refuses: [#"{"a":1}"#]
        ),
        KeywordCase(
            #"{"propertyNames":{"maxLength":2}}"#,
            accepts: ["{}", #"{"ab":1}"#],
            refuses: [#"{"abc":1}"#]
        ),
        KeywordCase(
            #"{"minProperties":1,"maxProperties":2}"#,
            accepts: [#"{"a":1}"#, #"{"a":1,"b":2}"#, "[]"],
            refuses: ["{}", #"{"a":1,"b":2,"c":3}"#]
        ),
        KeywordCase(
            #"{"dependentRequired":{"a":["b"]}}"#,
            accepts: ["{}", #"{"b":1}"#, #"{"a":1,"b":1}"#],
            refuses: [#"{"a":1}"#]
        ),
    ]

    static let arrays = [
        KeywordCase(
            #"{"items":{"type":"integer"}}"#,
            accepts: ["[]", "[1,2]", "{}"],
            refuses: [#"[1,"x"]"#]
        ),
        KeywordCase(
            #"{"prefixItems":[{"type":"integer"},{"type":"string"}],"items":false}"#,
            accepts: ["[]", "[1]", #"[1,"a"]"#],
            refuses: [#"["a"]"#, #"[1,"a",2]"#]
        ),
        KeywordCase(
            #"{"items":[{"type":"integer"}],"additionalItems":{"type":"string"}}"#,
            accepts: ["[1]", #"[1,"a"]"#],
            refuses: [#"["a"]"#, "[1,2]"]
        ),
        KeywordCase(
            #"{"additionalItems":false}"#,
            accepts: ["[1,2]"]
        ),
        KeywordCase(#"{"contains":{"const":1}}"#, accepts: ["[2,1]"], refuses: ["[]", "[2]"]),
        KeywordCase(
            #"{"contains":{"const":1},"minContains":2,"maxContains":3}"#,
            accepts: ["[1,1]", "[1,2,1,1]"],
            refuses: ["[1]", "[1,1,1,1]"]
        ),
        KeywordCase(#"{"contains":{"const":1},"minContains":0}"#, accepts: ["[]", "[2]"]),
        KeywordCase(#"{"minContains":2}"#, accepts: ["[]"]),
        KeywordCase(
            #"{"minItems":1,"maxItems":2}"#,
            accepts: ["[1]", "[1,2]"],
            refuses: ["[]", "[1,2,3]"]
        ),
        KeywordCase(
            #"{"uniqueItems":true}"#,
            accepts: ["[]", "[1,2]", #"[1,true,"1",null,false,0]"#, #"[{"a":1},{"a":2}]"#],
            refuses: ["[1,1]", "[1,1.0]", #"[{"a":1,"b":2},{"b":2,"a":1}]"#, "[[1],[1]]"]
        ),
        KeywordCase(#"{"uniqueItems":false}"#, accepts: ["[1,1]"]),
    ]

    static let scalars = [
        KeywordCase(
            #"{"minLength":2,"maxLength":3}"#,
            accepts: [#""ab""#, #""äöü""#, #""😀😀""#, "1"],
            refuses: [#""a""#, #""abcd""#, #""😀""#]
        ),
        KeywordCase(#"{"minLength":2.0}"#, accepts: [#""ab""#], refuses: [#""a""#]),
        KeywordCase(
            #"{"minimum":2,"maximum":4.5}"#,
            accepts: ["2", "4.5", "3.3", #""x""#],
            refuses: ["1", "1.99", "4.6", "5"]
        ),
        KeywordCase(
            #"{"exclusiveMinimum":2,"exclusiveMaximum":4}"#,
            accepts: ["3", "2.01"],
            refuses: ["2", "4", "2.0"]
        ),
        KeywordCase(
            #"{"maximum":9007199254740992}"#,
            accepts: ["9007199254740992"],
            refuses: ["9007199254740993"]
        ),
        KeywordCase(
            #"{"multipleOf":2}"#,
            accepts: ["4", "0", "-2", "4.0"],
            refuses: ["3", "1.5"]
        ),
        KeywordCase(
            #"{"multipleOf":0.01}"#,
            accepts: ["4.35", "19.99", "1"],
            refuses: ["4.355"]
        ),
        KeywordCase(#"{"multipleOf":0.0001}"#, accepts: ["0.0075"], refuses: ["0.00751"]),
        KeywordCase(#"{"multipleOf":0.123456789}"#, refuses: ["1e308"]),
        KeywordCase(
            #"{"pattern":"^a+$"}"#,
            accepts: [#""aa""#, "1"],
            refuses: [#""b""#, #""ab""#]
        ),
    ]

    static let combinations = [
        KeywordCase(
            #"{"allOf":[{"minimum":1},{"maximum":3}]}"#,
            accepts: ["2"],
            refuses: ["0", "4"]
        ),
        KeywordCase(
            #"{"anyOf":[{"type":"string"},{"minimum":3}]}"#,
            accepts: [#""a""#, "3"],
            refuses: ["2"]
        ),
        KeywordCase(
            #"{"oneOf":[{"multipleOf":2},{"multipleOf":3}]}"#,
            accepts: ["2", "3"],
            refuses: ["6", "1"]
        ),
        KeywordCase(#"{"not":{"type":"string"}}"#, accepts: ["1"], refuses: [#""a""#]),
        KeywordCase(#"{"not":{"not":{"type":"string"}}}"#, accepts: [#""a""#], refuses: ["1"]),
        KeywordCase(
            #"{"if":{"minimum":10},"then":{"multipleOf":2},"else":{"multipleOf":3}}"#,
            accepts: ["12", "3"],
            refuses: ["11", "4"]
        ),
        KeywordCase(#"{"if":false,"else":{"const":1}}"#, accepts: ["1"], refuses: ["2"]),
        KeywordCase(#"{"then":{"const":1}}"#, accepts: ["2"]),
        KeywordCase(
            ##"{"$ref":"#/$defs/n","$defs":{"n":{"type":"integer"}}}"##,
            accepts: ["1"],
            refuses: [#""a""#]
        ),
        KeywordCase(
            ##"{"properties":{"a":{"$ref":"#/definitions/n"}},"definitions":{"n":{"maximum":3}}}"##,
            accepts: [#"{"a":3}"#],
            refuses: [#"{"a":4}"#]
        ),
        KeywordCase(
            ##"{"$ref":"#/$defs/n","minimum":2,"$defs":{"n":{"type":"integer"}}}"##,
            accepts: ["2"],
            refuses: ["1", "2.5"]
        ),
        KeywordCase(
            ##"{"properties":{"a":{"$ref":"#/$defs/x~1y%20~0/1"}},"$defs":{"x/y ~":[1,{"const":1}]}}"##,
            accepts: [#"{"a":1}"#],
            refuses: [#"{"a":2}"#]
        ),
        KeywordCase(
            ##"{"properties":{"next":{"$ref":"#"},"n":{"type":"integer"}},"required":["n"]}"##,
            accepts: [#"{"n":1}"#, #"{"n":1,"next":{"n":2,"next":{"n":3}}}"#],
            refuses: [#"{"n":1,"next":{}}"#, #"{"n":1,"next":{"n":2,"next":{"n":"x"}}}"#]
        ),
        KeywordCase(
            ##"{"properties":{"a":{"$ref":"#/$defs/even"}},"$defs":{"even":{"items":{"$ref":"#/$defs/odd"}},"odd":{"type":"array","items":{"$ref":"#/$defs/even"}}}}"##,
            accepts: [#"{"a":[[1,[[2]]]]}"#],
            refuses: [#"{"a":[1]}"#]
        ),
    ]

    @Test(
        "A keyword accepts and refuses the right values",
        arguments: general + objects + arrays + scalars + combinations
    )
    func keyword(_ example: KeywordCase) throws {
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

    @Test(
        "Knows whether a schema accepts every object without a check",
        arguments: [
            ("{}", true), ("true", true), (#"{"type":"object"}"#, true),
            (#"{"type":["object","null"],"title":"x"}"#, true),
            (#"{"type":"object","properties":{"a":{"description":"x"}}}"#, true),
            (#"{"type":"object","additionalProperties":true}"#, true),
            (#"{"type":"object","additionalProperties":{}}"#, true), (#"{"minItems":2}"#, true),
            ("false", false), (#"{"type":"array"}"#, false), (#"{"required":["a"]}"#, false),
            (#"{"properties":{"a":{"type":"string"}}}"#, false),
            (#"{"additionalProperties":false}"#, false), (#"{"not":{}}"#, false),
            (#"{"maxProperties":3}"#, false), (#"{"const":{}}"#, false),
        ]
    )
    func acceptsEverything(_ text: String, expected: Bool) throws {
        #expect(try schema(text).acceptsEverything == expected)
    }
}
