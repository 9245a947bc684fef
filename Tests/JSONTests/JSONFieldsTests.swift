// Messages: finding the top-level fields of one line.

import JSON
import Testing

func fields(_ text: String) throws -> JSONFields {
    try JSONFields(parsing: Array(text.utf8)[...])
}

/// All fields as they are handed out, each as `key=value`.
func listing(_ fields: JSONFields) -> [String] {
    var result: [String] = []
    func add(key: String, value: RawJSON) { result.append("\(key)=\(value)") }
    fields.forEach(add)
    return result
}

@Suite struct JSONFieldsTests {
    @Test("fields are found with their exact text")
    func exactText() throws {
        let found = try fields(
            #" { "type" : "x" ,"n":-1.5e3,"o": {"a":[1,{"b":"}"}]} , "s":"a,b:\"c\"\\", "t":true,"l":[ ] }"#
        )
        #expect(found.count == 6)
        #expect(found["type"]?.text == #""x""#)
        #expect(found["n"]?.text == "-1.5e3")
        #expect(found["o"]?.text == #"{"a":[1,{"b":"}"}]}"#)
        #expect(found["s"]?.stringValue == #"a,b:"c"\"#)
        #expect(found["t"]?.boolValue == true)
        #expect(found["l"]?.text == "[ ]")
        #expect(found["absent"] == nil)
        #expect(
            listing(found).map { $0.prefix { $0 != "=" } } == ["type", "n", "o", "s", "t", "l"]
        )
    }

    @Test("an object without fields has none")
    func empty() throws {
        for text in ["{}", " { } "] {
            let found = try fields(text)
            #expect(found.count == 0)
            #expect(found["a"] == nil)
            #expect(listing(found).isEmpty)
        }
    }

    @Test("a key of one character and an empty key are found")
    func shortKeys() throws {
        let found = try fields(#"{"a":1,"":2}"#)
        #expect(found["a"]?.intValue == 1)
        #expect(found[""]?.intValue == 2)
    }

    @Test("a key is found however it is written")
    func escapedKeys() throws {
        let found = try fields(#"{"\u0074ype":"x","a\"b\\":1,"é":2}"#)
        #expect(found["type"]?.stringValue == "x")
        #expect(found[#"a"b\"#]?.intValue == 1)
        #expect(found["é"]?.intValue == 2)
        #expect(listing(found) == [#"type="x""#, #"a"b\=1"#, "é=2"])
    }

    @Test(
        "two equal keys are refused, however they are written",
        arguments: [
            #"{"a":1,"a":2}"#, #"{"a":1,"b":2,"\u0061":3}"#, #"{"\u0061":1,"a":2}"#,
            #"{"\u0061":1,"\u0061":2}"#, #"{"":1,"":1}"#, #"{"a\/b":1,"a/b":1}"#,
        ]
    )
    func duplicates(_ text: String) {
        let error = #expect(throws: JSONError.self) { try fields(text) }
        #expect(error?.code == .duplicateKey)
    }

    @Test("equal keys deeper inside are no matter of the message")
    func inner() throws {
        #expect(try fields(#"{"a":{"b":1,"b":2}}"#)["a"]?.text == #"{"b":1,"b":2}"#)
    }

    @Test("anything but an object is refused", arguments: ["[]", "1", "null", #""{}""#, "true"])
    func notAnObject(_ text: String) {
        let error = #expect(throws: JSONError.self) { try fields(text) }
        #expect(error?.code == .notAnObject)
    }

    @Test("up to the limit, any number of fields is found")
    func manyFields() throws {
        for count in [1, 15, 16, 17, 63, 64, 65] {
            let members = (0..<count).map { #""k\#($0)":\#($0)"# }
            let text = "{" + members.joined(separator: ",") + "}"
            if count > JSONLimits.messageFields {
                let error = #expect(throws: JSONError.self) { try fields(text) }
                #expect(error?.code == .tooManyFields)
            } else {
                #expect(try listing(fields(text)) == (0..<count).map { "k\($0)=\($0)" })
            }
        }
    }

    @Test("raw newlines between tokens do not show in the fields")
    func newlines() throws {
        let found = try fields("{\r\"a\":\n{ \"b\" :\r\n[1,\n \"x y\\n\"]}\n}")
        #expect(found["a"]?.text == #"{"b":[1,"x y\n"]}"#)
    }

    @Test("the fields share the buffer they were found in")
    func sharing() throws {
        let line = Array(#"xx{"a":"b"}yy"#.utf8)[2..<11]
        let found = try JSONFields(parsing: line)
        #expect(found["a"]?.bytes.startIndex == 7)
        #expect(found["a"]?.detached().bytes.startIndex == 0)
        #expect(found["a"]?.detached() == found["a"])
    }

    @Test("what lies before and behind the line in its buffer does not matter")
    func surroundings() throws {
        let text = #"{"a":[1,2],"b":12}"#
        for padding in [0, 1, 31, 32, 63, 64, 65, 200] {
            for filler in [#"""#, "9", "}", "\\", "\u{0}"] {
                let around = Array(String(repeating: filler, count: padding).utf8)
                let buffer = around + Array(text.utf8) + around
                let line = buffer[padding..<padding + text.utf8.count]
                let found = try JSONFields(parsing: line)
                #expect(found["a"]?.text == "[1,2]")
                #expect(found["b"]?.text == "12")
                #expect(throws: JSONError.self) { try JSONFields(parsing: line.dropLast()) }
            }
        }
    }

    @Test("every length up to some blocks is read right, and refused when cut short")
    func everyLength() throws {
        for length in 0..<300 {
            let text = #"{"k":""# + String(repeating: "x", count: length) + #"","z":1}"#
            let bytes = Array(text.utf8)
            let found = try JSONFields(parsing: bytes[...])
            #expect(found["k"]?.count == length + 2)
            #expect(found["z"]?.text == "1")
            #expect(throws: JSONError.self) { try JSONFields(parsing: bytes.dropLast()) }
        }
    }

    @Test("a text larger than what a thread keeps memory for is read as well")
    func large() throws {
        let long = String(repeating: "0123456789", count: 300_000)
        let text = #"{"type":"result","output":["\#(long)",1],"n":2}"#
        let found = try fields(text)
        #expect(found["output"]?.count == long.utf8.count + 6)
        #expect(found["n"]?.intValue == 2)
        #expect(try fields(#"{"n":3}"#)["n"]?.intValue == 3)
    }

    @Test("fields of a value that is already validated are found")
    func ofRaw() throws {
        let raw = try RawJSON(validating: #" {"a":1} "#)
        #expect(try JSONFields(raw)["a"] == RawJSON(1))
        #expect(throws: JSONError.self) { try JSONFields(RawJSON.emptyArray) }
    }

    @Test("a body that throws ends the walk")
    func throwing() throws {
        struct Stop: Error {}
        var seen = 0
        func stop(key: String, value: RawJSON) throws {
            seen += 1
            throw Stop()
        }
        #expect(throws: Stop.self) { try fields(#"{"a":1,"b":2}"#).forEach(stop) }
        #expect(seen == 1)
    }
}
