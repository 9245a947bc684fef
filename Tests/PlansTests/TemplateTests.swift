// The table of references, row by row, and the text around them.

import Core
import JSON
import Plans
import Testing

@Suite("Argument templates")
struct TemplateTests {
    /// Outputs that the cases below refer to.
    private static let outputs: [String: String] = [
        "t1":
            #"{"items":[{"name":"Ann","age":3},{"name":"Bob"}],"odd.key":1,"say":"a \"b\" \\ c"}"#,
        "t2": "42",
        "t3": #""plain""#,
        "t4": #""quote \" slash \\ line \n tab \u0041 é""#,
        "t5": "[1, 2,  { \"a\" : \" x \\\" \" } ]",
        "t6": "true",
        "t7": "null",
        "t8": #""$t2 and ${t3} and $$""#,
        "1": "1.50",
        "t-9": "-0.0",
        "15": "99",
        "a_b": #""""#,
    ]

    private func resolve(_ arguments: String) throws -> String {
        let template = ArgumentTemplate(compiling: try RawJSON(validating: arguments))
        let references = template.references
        return try template.resolve { position in
            let name = references[position].id.text
            guard let output = Self.outputs[name], let raw = try? RawJSON(validating: output) else {
                return .literal
            }
            return .output(raw)
        }.text
    }

    @Test(
        "Text does not depend on how the output was written",
        arguments: [
            [#"{"n":"é"}"#, #"{"n":"\u00e9"}"#, #" { "n" : "\u00E9" } "#],
            [#"["/\u001f\t\"\\😀"]"#, #"["\/\u001F\u0009\u0022\u005c\ud83d\ude00"]"#],
            [#"{"é":1.50,"a":[1e2]}"#, #"{"\u00e9" : 1.50, "\u0061":[ 1e2 ]}"#],
            [#""é\"""#, #""\u00e9\u0022""#],
        ]
    )
    func canonicalText(spellings: [String]) throws {
        let template = ArgumentTemplate(compiling: RawJSON(["q": "about ${t1}"]))
        let texts = try spellings.map { spelling in
            let output = try RawJSON(validating: spelling)
            return JSONValue(try template.resolve { _ in .output(output) })["q"]?.stringValue
        }
        #expect(Set(texts).count == 1, "\(texts)")
        let plain = try RawJSON(validating: spellings[0]).plainText
        #expect(texts.first == "about \(plain)")
        if spellings[0].hasPrefix("{") || spellings[0].hasPrefix("[") {
            #expect(plain == spellings[0])
        }
    }

    @Test(
        "A whole string keeps the type of the output",
        arguments: [
            (#"{"x":"$t2"}"#, #"{"x":42}"#),
            (#"{"x":"${t2}"}"#, #"{"x":42}"#),
            (#"{"x":"$t3"}"#, #"{"x":"plain"}"#),
            (#"{"x":"$t6"}"#, #"{"x":true}"#),
            (#"{"x":"$t7"}"#, #"{"x":null}"#),
            (#"{"x":"$1"}"#, #"{"x":1.50}"#),
            (#"{"x":"$15"}"#, #"{"x":99}"#),
            (#"{"x":"${t-9}"}"#, #"{"x":-0.0}"#),
            (#"{"x":"$a_b"}"#, #"{"x":""}"#),
            (#"{"x":"${t1.items[0].name}"}"#, #"{"x":"Ann"}"#),
            (#"{"x":"${t1.items[1]}"}"#, #"{"x":{"name":"Bob"}}"#),
            (#"{"x":"${t1['odd.key']}"}"#, #"{"x":1}"#),
            (#"{"x":"${t1[\"odd.key\"]}"}"#, #"{"x":1}"#),
            (#"{"x":"${t5[2].a}"}"#, #"{"x":" x \" "}"#),
            (#"["$t2","$t2"]"#, "[42,42]"),
            (#"{"a":{"b":[{"c":"$t2"}]}}"#, #"{"a":{"b":[{"c":42}]}}"#),
            (#""$t2""#, "42"),
        ]
    )
    func wholeStrings(_ arguments: String, _ expected: String) throws {
        #expect(try resolve(arguments) == expected)
    }

    @Test(
        "Inside text an output is text, escaped for the string around it",
        arguments: [
            (#"{"x":"is $t2."}"#, #"{"x":"is 42."}"#),
            (#"{"x":" $t2"}"#, #"{"x":" 42"}"#),
            (#"{"x":"about ${t3} and $t2."}"#, #"{"x":"about plain and 42."}"#),
            (#"{"x":"$t2$t2"}"#, #"{"x":"4242"}"#),
            (#"{"x":"$t2${t3}$t6$t7"}"#, #"{"x":"42plaintruenull"}"#),
            (#"{"x":"${t2}0"}"#, #"{"x":"420"}"#),
            (#"{"x":"<$a_b>"}"#, #"{"x":"<>"}"#),
            (#"{"x":"v: $t4"}"#, #"{"x":"v: quote \" slash \\ line \n tab \u0041 é"}"#),
            (#"{"x":"v: $t5"}"#, #"{"x":"v: [1,2,{\"a\":\" x \\\" \"}]"}"#),
            (#"{"x":"v: ${t1.say}"}"#, #"{"x":"v: a \"b\" \\ c"}"#),
            (#"{"x":"v: ${t1.items[1]}"}"#, #"{"x":"v: {\"name\":\"Bob\"}"}"#),
            (#"{"x":"\"$t2\" \\$t2"}"#, #"{"x":"\"42\" \\42"}"#),
            (#"{"x":"价格$t2元, é$t2é"}"#, #"{"x":"价格42元, é42é"}"#),
            (#"{"x":"$t2-$t2"}"#, #"{"x":"42-42"}"#),
            (#"{"x":"$t2.name"}"#, #"{"x":"42.name"}"#),
            (#"{"x":"a/$t2/b"}"#, #"{"x":"a/42/b"}"#),
        ]
    )
    func embedded(_ arguments: String, _ expected: String) throws {
        let resolved = try resolve(arguments)
        #expect(resolved == expected)
        #expect(throws: Never.self) { try RawJSON(validating: resolved) }
    }

    @Test(
        "Uses the longest run of letters, digits and underscores",
        arguments: [
            (#"{"x":"$1 costs $15"}"#, #"{"x":"1.50 costs 99"}"#),
            (#"{"x":"$151"}"#, #"{"x":"$151"}"#),
            (#"{"x":"$t2x"}"#, #"{"x":"$t2x"}"#),
            (#"{"x":"$t2_"}"#, #"{"x":"$t2_"}"#),
            (#"{"x":"$t22"}"#, #"{"x":"$t22"}"#),
            (#"{"x":"$t-9"}"#, #"{"x":"$t-9"}"#),
        ]
    )
    func longestRun(_ arguments: String, _ expected: String) throws {
        #expect(try resolve(arguments) == expected)
    }

    @Test(
        "Two dollar signs are one, and the text after them is literal",
        arguments: [
            (#"{"x":"$$"}"#, #"{"x":"$"}"#),
            (#"{"x":"$$t2"}"#, #"{"x":"$t2"}"#),
            (#"{"x":"$$${t2}"}"#, #"{"x":"$42"}"#),
            (#"{"x":"$$$$"}"#, #"{"x":"$$"}"#),
            (#"{"x":"$t2$$"}"#, #"{"x":"42$"}"#),
            (#"{"x":"$${t2}"}"#, #"{"x":"${t2}"}"#),
            (#"{"x":"\u0024$t2"}"#, #"{"x":"\u0024t2"}"#),
            (#"{"x":"$\u0024t2"}"#, #"{"x":"$t2"}"#),
            (#"{"x":"$$","y":"$t2"}"#, #"{"x":"$","y":42}"#),
        ]
    )
    func dollars(_ arguments: String, _ expected: String) throws {
        #expect(try resolve(arguments) == expected)
    }

    @Test(
        "Escapes count as their characters",
        arguments: [
            (#"{"x":"\u0024t2"}"#, #"{"x":42}"#),
            (#"{"x":"\u0024{t2}"}"#, #"{"x":42}"#),
            (#"{"x":"$\u0074\u0032"}"#, #"{"x":42}"#),
            (#"{"x":"a \u0024t2 b"}"#, #"{"x":"a 42 b"}"#),
            (#"{"x":"\\u0024t2"}"#, #"{"x":"\\u0024t2"}"#),
            (#"{"x":"\n$t2\n"}"#, #"{"x":"\n42\n"}"#),
            (#"{"x":"$t2\n"}"#, #"{"x":"42\n"}"#),
            (#"{"x":"$t2\u0061"}"#, #"{"x":"$t2\u0061"}"#),
            (#"{"x":"${t1.\u0069tems[0].age}"}"#, #"{"x":3}"#),
            (#"{"x":"\ud83d\ude00$t2"}"#, #"{"x":"\ud83d\ude0042"}"#),
        ]
    )
    func escapes(_ arguments: String, _ expected: String) throws {
        #expect(try resolve(arguments) == expected)
    }

    @Test(
        "Malformed references and unknown nodes stay as written",
        arguments: [
            #"{"x":"$"}"#, #"{"x":"a $ b"}"#, #"{"x":"$ t2"}"#, #"{"x":"$x"}"#, #"{"x":"$é"}"#,
            #"{"x":"${"}"#, #"{"x":"${}"}"#, #"{"x":"${t2"}"#, #"{"x":"${t2."}"#,
            #"{"x":"${t2.}"}"#, #"{"x":"${t2..a}"}"#, #"{"x":"${t2[}"}"#, #"{"x":"${t2[]}"}"#,
            #"{"x":"${t2[x]}"}"#, #"{"x":"${t2[-1]}"}"#, #"{"x":"${t2[0}"}"#,
            #"{"x":"${t2['a}"}"#, #"{"x":"${t2['a'}"}"#, #"{"x":"${ t2}"}"#, #"{"x":"${t2 }"}"#,
            #"{"x":"${t2]}"}"#, #"{"x":"${t2[99999999999999999999]}"}"#, #"{"x":"${é}"}"#,
            #"{"$t2":1}"#, #"{"${t2}" : {"$t3":[1]}}"#, #"{"x":"say \"$\""}"#,
            #"{"x":"\\$"}"#,
        ]
    )
    func literals(_ arguments: String) throws {
        #expect(try resolve(arguments) == arguments)
    }

    @Test("A reference inside malformed braces is still a reference")
    func insideMalformedBraces() throws {
        #expect(try resolve(#"{"x":"${ $t2 }"}"#) == #"{"x":"${ 42 }"}"#)
        #expect(try resolve(#"{"x":"${t2.${t2}"}"#) == #"{"x":"${t2.42"}"#)
    }

    @Test("Does not cut a run that is too long for an id")
    func overlongRun() {
        let run = String(repeating: "a", count: 65)
        for text in ["$\(run)", "${\(run)}"] {
            #expect(ArgumentTemplate(compiling: RawJSON(text)).references.isEmpty)
        }
        let longest = String(repeating: "a", count: 64)
        #expect(ArgumentTemplate(compiling: RawJSON("$\(longest)")).references.count == 1)
    }

    @Test("Never scans inserted text again")
    func inertSubstitution() throws {
        #expect(try resolve(#"{"x":"$t8"}"#) == #"{"x":"$t2 and ${t3} and $$"}"#)
        #expect(try resolve(#"{"x":"<$t8>$t2"}"#) == #"{"x":"<$t2 and ${t3} and $$>42"}"#)
        #expect(try resolve(#"{"x":"$$$t8"}"#) == #"{"x":"$$t2 and ${t3} and $$"}"#)
    }

    @Test("Finds references in order of appearance, with path and form")
    func listsReferences() throws {
        let text = #"{"b":"$t2","$t3":["x ${a-b.c[2]['d']} $t2"]}"#
        let template = ArgumentTemplate(compiling: try RawJSON(validating: text))
        #expect(template.hasReferences)
        #expect(template.references.map(\.id.text) == ["t2", "a-b", "t2"])
        #expect(template.references.map(\.isWhole) == [true, false, false])
        #expect(template.references[1].path == [.key("c"), .index(2), .key("d")])
        #expect(template.references[0].path.isEmpty)
    }

    @Test("Passes arguments without references through in the same buffer")
    func passesThrough() throws {
        let raw = try RawJSON(validating: #"{"x":"no reference","n":[1,2,3]}"#)
        let template = ArgumentTemplate(compiling: raw)
        let resolved = try template.resolve { _ in .literal }
        let same = raw.bytes.withContiguousStorageIfAvailable { expected in
            resolved.bytes.withContiguousStorageIfAvailable {
                $0.baseAddress == expected.baseAddress
            }
        }
        #expect(same == true)
    }

    @Test(
        "Names the missing part",
        arguments: [
            (
                #""${t1.nope}""#,
                #"${t1.nope} cannot be followed: the output of t1 has no field "nope""#
            ),
            (
                #""${t1.items[7].name}""#,
                "${t1.items[7].name} cannot be followed: t1.items has 2 elements and none at [7]"
            ),
            (
                #""x ${t1.items.name}""#,
                #"${t1.items.name} cannot be followed: t1.items is a list and has no field "name""#
            ),
            (
                #""${t2[0]}""#,
                "${t2[0]} cannot be followed: the output of t2 is a number and has no element [0]"
            ),
            (
                #""${t1['odd.key'].a}""#,
                #"${t1['odd.key'].a} cannot be followed: t1['odd.key'] is a number and has no field "a""#
            ),
        ]
    )
    func missingParts(_ arguments: String, _ message: String) throws {
        let failure = #expect(throws: Failure.self) { try resolve(arguments) }
        #expect(failure?.code == .referenceNotFound)
        #expect(failure?.message == message)
        #expect(failure?.isRetryable == false)
    }

    @Test("Refuses arguments that become too deep for a message")
    func tooDeep() throws {
        func nested(_ depth: Int) throws -> RawJSON {
            try RawJSON(
                validating: String(repeating: "[", count: depth) + "1"
                    + String(repeating: "]", count: depth)
            )
        }
        let template = ArgumentTemplate(compiling: try RawJSON(validating: #"{"x":["$t1"]}"#))
        let fits = try nested(JSONLimits.payloadDepth - 2)
        #expect(throws: Never.self) { try template.resolve { _ in .output(fits) } }
        let deep = try nested(JSONLimits.payloadDepth - 1)
        let failure = #expect(throws: Failure.self) { try template.resolve { _ in .output(deep) } }
        #expect(failure?.code == .limit)
    }

    @Test("Refuses arguments that become too large before they are built")
    func tooLarge() throws {
        let output = RawJSON(String(repeating: "x", count: 1 << 20))
        let text = String(repeating: "$t1 ", count: 300)
        let template = ArgumentTemplate(compiling: RawJSON(text))
        let failure = #expect(throws: Failure.self) {
            try template.resolve { _ in .output(output) }
        }
        #expect(failure?.code == .limit)
    }
}
