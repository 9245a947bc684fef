// Messages: finds the top-level fields of one line.

import JSON
import Testing

func fields(_ text: String) throws -> JSONFields {
    try JSONFields(parsing: Array(text.utf8)[...])
}

/// All fields in order, each as `key=value`.
func listing(_ fields: JSONFields) -> [String] {
    var result: [String] = []
    func add(key: String, value: RawJSON) { result.append("\(key)=\(value)") }
    fields.forEach(add)
    return result
}

@Suite struct JSONFieldsTests {
    @Test("Finds fields with their exact text")
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

    @Test("An object without fields has none")
    func empty() throws {
        for text in ["{}", " { } "] {
            let found = try fields(text)
            #expect(found.count == 0)
            #expect(found["a"] == nil)
            #expect(listing(found).isEmpty)
        }
    }

    @Test("Finds a key of one character and an empty key")
    func shortKeys() throws {
        let found = try fields(#"{"a":1,"":2}"#)
        #expect(found["a"]?.intValue == 1)
        #expect(found[""]?.intValue == 2)
    }

    @Test("Finds a key in every spelling")
    func escapedKeys() throws {
        let found = try fields(#"{"\u0074ype":"x","a\"b\\":1,"é":2}"#)
        #expect(found["type"]?.stringValue == "x")
        #expect(found[#"a"b\"#]?.intValue == 1)
        #expect(found["é"]?.intValue == 2)
        #expect(listing(found) == [#"type="x""#, #"a"b\=1"#, "é=2"])
    }

    @Test(
        "Refuses two equal keys, in every spelling",
        arguments: [
            #"{"a":1,"a":2}"#, #"{"a":1,"b":2,"\u0061":3}"#, #"{"\u0061":1,"a":2}"#,
            #"{"\u0061":1,"\u0061":2}"#, #"{"":1,"":1}"#, #"{"a\/b":1,"a/b":1}"#,
        ]
    )
    func duplicates(_ text: String) {
        let error = #expect(throws: JSONError.self) { try fields(text) }
        #expect(error?.code == .duplicateKey)
    }

    @Test("Ignores equal keys in nested objects")
    func inner() throws {
        #expect(try fields(#"{"a":{"b":1,"b":2}}"#)["a"]?.text == #"{"b":1,"b":2}"#)
    }

    @Test("Refuses anything but an object", arguments: ["[]", "1", "null", #""{}""#, "true"])
    func notAnObject(_ text: String) {
        let error = #expect(throws: JSONError.self) { try fields(text) }
        #expect(error?.code == .notAnObject)
    }

    @Test("Finds any number of fields up to the limit")
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

    @Test("Raw newlines between tokens are not part of the fields")
    func newlines() throws {
        let found = try fields("{\r\"a\":\n{ \"b\" :\r\n[1,\n \"x y\\n\"]}\n}")
        #expect(found["a"]?.text == #"{"b":[1,"x y\n"]}"#)
    }

    @Test("Fields share the buffer of the line")
    func sharing() throws {
        let line = Array(#"xx{"a":"b"}yy"#.utf8)[2..<11]
        let found = try JSONFields(parsing: line)
        #expect(found["a"]?.bytes.startIndex == 7)
        #expect(found["a"]?.detached().bytes.startIndex == 0)
        #expect(found["a"]?.detached() == found["a"])
    }

    @Test("Ignores bytes before and after the line in its buffer")
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

    @Test("Reads every length up to some blocks, and refuses it when cut")
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

    @Test("Reads a text larger than the memory that a thread keeps")
    func large() throws {
        let long = String(repeating: "0123456789", count: 300_000)
        let text = #"{"type":"result","output":["\#(long)",1],"n":2}"#
        let found = try fields(text)
        #expect(found["output"]?.count == long.utf8.count + 6)
        #expect(found["n"]?.intValue == 2)
        #expect(try fields(#"{"n":3}"#)["n"]?.intValue == 3)
    }

    @Test("Finds the fields of a validated value")
    func ofRaw() throws {
        let raw = try RawJSON(validating: #" {"a":1} "#)
        #expect(try JSONFields(raw)["a"] == RawJSON(1))
        #expect(throws: JSONError.self) { try JSONFields(RawJSON.emptyArray) }
    }

    @Test("A body that throws ends the walk")
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
