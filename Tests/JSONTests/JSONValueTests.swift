// The tree: literals, access, parsing, and random round trips.

import JSON
import OrderedCollections
import Testing

@Suite struct JSONValueTests {
    @Test("Literals make the values they look like")
    func literals() {
        let value: JSONValue = [
            "null": nil, "yes": true, "one": 1, "half": 0.5, "one point": 1.0, "text": "x",
            "list": [1, "a", nil, [:]], "twice": 1, "twice": 2,
        ]
        #expect(
            value.description
                == #"{"null":null,"yes":true,"one":1,"half":0.5,"one point":1.0,"text":"x","list":[1,"a",null,{}],"twice":2}"#
        )
        #expect(value["null"]?.isNull == true)
        #expect(value["yes"]?.boolValue == true)
        #expect(value["one"]?.intValue == 1)
        #expect(value["one"]?.doubleValue == 1)
        #expect(value["one point"]?.intValue == nil)
        #expect(value["one point"]?.doubleValue == 1)
        #expect(value["text"]?.stringValue == "x")
        #expect(value["list"]?[1]?.stringValue == "a")
        #expect(value["list"]?[4] == nil)
        #expect(value["list"]?[-1] == nil)
        #expect(value["list"]?.arrayValue?.count == 4)
        #expect(value.objectValue?.count == 8)
        #expect(value["absent"] == nil)
        #expect(value["text"]?["x"] == nil)
        #expect(value[0] == nil)
    }

    @Test("Integers and doubles are different")
    func numbers() throws {
        #expect(JSONValue.integer(1) != JSONValue.double(1))
        for (text, value) in [
            ("1", .integer(1)), ("1.0", .double(1)), ("1e0", .double(1)), ("-0", .double(-0.0)),
            ("0", .integer(0)), ("-0.0", .double(-0.0)),
            ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
            ("9007199254740993", .integer(9_007_199_254_740_993)),
        ] as [(String, JSONValue)] {
            #expect(try JSONValue(parsing: text) == value)
        }
        #expect(try JSONValue(parsing: "-0").doubleValue?.sign == .minus)
    }

    @Test("The last of equal keys counts, at the position of the first")
    func duplicates() throws {
        let value = try JSONValue(parsing: #"{"a":1,"b":2,"\u0061":3}"#)
        #expect(value.description == #"{"a":3,"b":2}"#)
    }

    @Test("Reads whitespace and escapes wherever they are allowed")
    func whitespace() throws {
        let value = try JSONValue(
            parsing: Array(
                " {\n\"a\" :\t[ 1 ,\r\n2 , { } , [ ] ] , \"\\u00e9\\n\" : \"\\\\\" } ".utf8
            )
        )
        #expect(value == ["a": [1, 2, [:], []], "é\n": "\\"])
    }

    @Test("Parsing accepts exactly the allowed depth")
    func depth() throws {
        #expect(try RawJSON(JSONValue(parsing: nested(64))).text == nested(64))
        #expect(try RawJSON(JSONValue(parsing: nestedObjects(64))).text == nestedObjects(64))
    }

    @Test("Random values survive encoding, parsing, raw lookup and spaces", arguments: 0..<20)
    func randomRoundTrips(_ seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<100 {
            let value = RandomJSON.value(depth: 5, using: &generator)
            let raw = RawJSON(value)
            #expect(raw.bytes.allSatisfy { $0 >= 0x20 })
            #expect(try RawJSON(validating: raw.bytes) == raw)
            #expect(try JSONValue(parsing: raw.bytes) == value)
            #expect(JSONValue(raw) == value)
            let spaced = RandomJSON.spaced(raw.bytes, using: &generator)
            #expect(try JSONValue(parsing: spaced) == value)
            #expect(JSONValue(try RawJSON(validating: spaced[...])) == value)
            checkParts(of: value, in: raw)
            if case .object(let fields) = value, fields.count <= JSONLimits.messageFields {
                checkFields(of: fields, in: try JSONFields(parsing: spaced[...]))
            }
        }
    }

    @Test(
        "Random changes to a text never break a reader, and all readers agree",
        arguments: 0..<20
    )
    func randomDamage(_ seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed) + 1000)
        for _ in 0..<200 {
            let value: JSONValue = ["k": RandomJSON.value(depth: 4, using: &generator)]
            var bytes = Array(RawJSON(value).bytes)
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let position = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[position] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.insert(bytes.randomElement(using: &generator) ?? 0, at: position)
                default: if bytes.count > 1 { bytes.remove(at: position) }
                }
            }
            let raw = try? RawJSON(validating: bytes[...])
            let tree = try? JSONValue(parsing: bytes)
            if let raw {
                #expect(raw.bytes.allSatisfy { $0 != 0x0A && $0 != 0x0D })
                // Only a whole number beyond Int64 differs between the readers.
                if let tree { #expect(JSONValue(raw) == tree) }
            } else {
                #expect(tree == nil)
                #expect(throws: JSONError.self) { try JSONFields(parsing: bytes[...]) }
            }
        }
    }

    private func checkParts(of value: JSONValue, in raw: RawJSON) {
        switch value {
        case .array(let elements):
            var index = 0
            raw.forEachElement { element in
                #expect(JSONValue(element) == elements[index])
                #expect(raw.value(at: [.index(index)]) == element)
                index += 1
            }
            #expect(index == elements.count)
        case .object(let fields):
            var index = 0
            raw.forEachField { key, field in
                #expect(fields.elements[index].key == key)
                #expect(raw.value(at: [.key(key)]) == field)
                checkParts(of: fields.elements[index].value, in: field)
                index += 1
            }
            #expect(index == fields.count)
        default: break
        }
    }

    private func checkFields(of fields: OrderedDictionary<String, JSONValue>, in found: JSONFields)
    {
        var index = 0
        func check(key: String, raw: RawJSON) {
            #expect(fields.elements[index].key == key)
            #expect(fields.elements[index].value == JSONValue(raw))
            index += 1
        }
        found.forEach(check)
        #expect(index == fields.count)
    }
}

/// Random values and random layouts.
enum RandomJSON {
    static func value<G: RandomNumberGenerator>(depth: Int, using generator: inout G) -> JSONValue {
        switch Int.random(in: 0..<(depth == 0 ? 6 : 9), using: &generator) {
        case 0: return nil
        case 1: return .bool(.random(using: &generator))
        case 2: return .integer(Int64.random(in: -100...100, using: &generator))
        case 3: return .integer(Int64(bitPattern: generator.next()))
        case 4:
            let double = Double(bitPattern: generator.next())
            return .double(double.isFinite ? double : 0.5)
        case 5: return .string(string(using: &generator))
        case 6, 7:
            let count = Int.random(in: 0..<6, using: &generator)
            return .array((0..<count).map { _ in value(depth: depth - 1, using: &generator) })
        default:
            var fields: OrderedDictionary<String, JSONValue> = [:]
            for _ in 0..<Int.random(in: 0..<6, using: &generator) {
                fields[string(using: &generator)] = value(depth: depth - 1, using: &generator)
            }
            return .object(fields)
        }
    }

    static func string<G: RandomNumberGenerator>(using generator: inout G) -> String {
        var result = ""
        for _ in 0..<Int.random(in: 0..<20, using: &generator) {
            let limits: [UInt32] = [0x20, 0x80, 0x80, 0x80, 0x800, 0x11_0000]
            let limit = limits.randomElement(using: &generator) ?? 0x80
            let code = UInt32.random(in: 0..<limit, using: &generator)
            result.unicodeScalars.append(Unicode.Scalar(code) ?? "\u{FFFD}")
        }
        return result
    }

    /// The text with whitespace put between its tokens.
    static func spaced<G: RandomNumberGenerator>(
        _ text: ArraySlice<UInt8>,
        using generator: inout G
    ) -> [UInt8] {
        let spaces = Array(" \t\r\n".utf8)
        var result: [UInt8] = []
        var isInString = false
        var isEscaped = false
        for byte in text {
            let isToken = !isInString && "{}[]:,\"".utf8.contains(byte)
            func space() {
                for _ in 0..<Int.random(in: 0..<3, using: &generator) {
                    result.append(spaces.randomElement(using: &generator) ?? 0x20)
                }
            }
            if isToken { space() }
            result.append(byte)
            if isToken, byte != 0x22 { space() }
            if isEscaped {
                isEscaped = false
            } else if byte == 0x5C {
                isEscaped = true
            } else if byte == 0x22 {
                isInString.toggle()
            }
        }
        return result
    }
}
