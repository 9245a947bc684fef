// The incremental reader: the same events in any split, positions of faults, and what a lenient
// reader accepts.

import JSON
import Testing

@Suite("JSON reader")
struct JSONReaderTests {
    /// The events of a document, each as one line; a fault is the last one.
    private func events(
        _ pieces: [[UInt8]],
        _ reader: JSONReader,
        enter: [String: JSONReader.Delivery] = [:]
    ) -> [String] {
        var reader = reader
        var lines: [String] = []
        var text: [UInt8] = []
        func words(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
        do throws(JSONReader.Fault) {
            for piece in pieces {
                guard reader.unread.isEmpty else { break }
                // A buffer of its own, with other bytes around the piece.
                let buffer = [0x7B] + piece + [0x7D]
                reader.push(buffer[1..<(buffer.count - 1)])
                while let event = try reader.next() {
                    let place = reader.valuePosition
                    #expect(place.offset == reader.valueOffset)
                    switch event {
                    case .beginObject: lines.append("{ at \(place.line):\(place.column)")
                    case .endObject: lines.append("}")
                    case .beginArray: lines.append("[ at \(place.line):\(place.column)")
                    case .endArray: lines.append("]")
                    case .key(let key):
                        lines.append("key \(words(key)) at \(place.line):\(place.column)")
                        if let delivery = enter[words(key)] { reader.delivery = delivery }
                    case .value(let value):
                        lines.append("value \(words(value)) at \(place.line):\(place.column)")
                    case .text(let part, let isLast):
                        text += part
                        if isLast { lines.append("text \(words(text[...]))") }
                    }
                }
            }
            try reader.finish()
        } catch {
            lines.append("\(error.reason) at \(error.position.line):\(error.position.column)")
        }
        return lines
    }

    private static let sample = #"""
         {
          "tasks" : [ {"id":"t1","q":"a { b } \" \\"},
            {"id":"é\\","n":[[],{}]} , 12, "s\"]", null],
          "answer": "say \"é\" \u00e9\ud83d\ude00", "rest" :[1]}
        """#
    private static let deliveries: [String: JSONReader.Delivery] = [
        #""tasks""#: .elements, #""answer""#: .text, #""rest""#: .fields,
    ]

    @Test("Delivers members, whole values and text with their positions")
    func sample() {
        let reader = JSONReader(.object, delivery: .fields)
        #expect(
            events([Array(Self.sample.utf8)], reader, enter: Self.deliveries) == [
                "{ at 1:2", #"key "tasks" at 2:3"#, "[ at 2:13",
                #"value {"id":"t1","q":"a { b } \" \\"} at 2:15"#,
                #"value {"id":"é\\","n":[[],{}]} at 3:5"#, "value 12 at 3:32",
                #"value "s\"]" at 3:36"#, "value null at 3:44", "]", #"key "answer" at 4:3"#,
                "text say \"é\" é😀", #"key "rest" at 4:45"#, "value [1] at 4:53", "}",
            ]
        )
    }

    @Test("Delivers the same in every split in three")
    func splits() {
        let bytes = Array(Self.sample.utf8)
        let reader = JSONReader(.object, delivery: .fields)
        let whole = events([bytes], reader, enter: Self.deliveries)
        for first in 0...bytes.count {
            for second in first...min(first + 3, bytes.count) {
                let pieces = [bytes[..<first], bytes[first..<second], bytes[second...]]
                let split = events(pieces.map(Array.init), reader, enter: Self.deliveries)
                #expect(split == whole, "split at \(first) and \(second)")
            }
        }
    }

    @Test("Delivers all members when the whole document is wanted member by member")
    func members() {
        let reader = JSONReader(.anyValue)
        let text = #"{"a":[1,{"b":[]}],"c":"d"}"#
        #expect(
            events([Array(text.utf8)], reader).map { $0.split(separator: " at ")[0] } == [
                "{", #"key "a""#, "[", "value 1", "{", #"key "b""#, "[", "]", "}", "]",
                #"key "c""#, #"value "d""#, "}",
            ]
        )
    }

    @Test(
        "A fault has a position",
        arguments: [
            ("{\n  \"é日\": ,}", "unexpected(Optional(44)) at 2:9"),
            ("{\"a\":1}\n\n}", "unexpected(Optional(125)) at 3:1"),
            ("{\"a\":1", "unexpected(nil) at 1:7"),
            ("{\"a\": \"123456789\"}", "tooLarge at 1:7"),
            (
                "{\"a\":" + String(repeating: "[", count: 70),
                "tooDeep at 1:71"
            ),
        ]
    )
    func faults(text: String, fault: String) {
        let reader = JSONReader(.object, delivery: .fields, largestValue: 70)
        let small = JSONReader(.object, delivery: .fields, largestValue: 10)
        let used = text.utf8.count < 30 ? small : reader
        #expect(events([Array(text.utf8)], used).last == fault)
    }

    @Test("Refuses a too large value while it arrives")
    func largestValue() throws {
        var reader = JSONReader(.object, delivery: .fields, largestValue: 100)
        reader.push(Array("{\"a\":\"".utf8)[...])
        while try reader.next() != nil {}
        var pieces = 0
        #expect(throws: JSONReader.Fault.self) {
            while pieces < 100 {
                reader.push([UInt8](repeating: 0x78, count: 10)[...])
                while try reader.next() != nil {}
                pieces += 1
            }
        }
        #expect(pieces == 9)
    }

    @Test(
        "A lenient reader accepts missing and extra commas, and stops at the end",
        arguments: [
            (#"1 {"b":2}"c",,]rest"#, ["value 1", #"value {"b":2}"#, #"value "c""#, "]"]),
            (#"{'a'},]"#, ["value {'a'}", "]"]),
            (",]", ["]"]),
            ("1:", ["value 1", "unexpected(Optional(58))"]),
        ]
    )
    func lenient(text: String, lines: [String]) {
        let found = events([Array(text.utf8)], JSONReader(lenientlyInside: .array))
        let heads = found.map { String($0.split(separator: " at ")[0]) }
        #expect(heads == lines)
    }

    @Test("A lenient reader of an object does not read after its end")
    func unread() throws {
        var reader = JSONReader(lenientlyInside: .object)
        reader.push(Array(#","a":1,} and "more""#.utf8)[...])
        while try reader.next() != nil {}
        #expect(reader.isAtEnd)
        #expect(reader.unread.elementsEqual(#" and "more""#.utf8))
        #expect(reader.bytesRead == 8)
    }

    @Test(
        "Finds the first byte that makes a text invalid",
        arguments: [
            (#"{"a":1,}"#, 7), (#"{"a":1"#, 6), (#"[1 2]"#, 3), (#"{"a" 1}"#, 5), (#"{a:1}"#, 1),
            (#"["abc]"#, 1), ("[\"a\nb\"]", 3), (#"["\q"]"#, 2), (#"["\u12"]"#, 2), ("[01]", 1),
            ("[1.]", 1), ("[tru]", 1), ("", 0), ("[] []", 3), ("// no\n{}", 0), ("{'a':1}", 1),
            (#"["a\ud83d"]"#, 3), (#"["a\ude00"]"#, 3), (#"{"\ud83d\ude00\q":1}"#, 14),
            ("\u{FEFF}{}", 0),
        ]
    )
    func faultOffset(text: String, offset: Int) {
        let bytes = Array(text.utf8)
        #expect(JSONReader.faultOffset(in: bytes[...]) == offset)
        #expect(throws: JSONError.self) { try RawJSON(validating: bytes[...]) }
    }

    @Test("Finds no fault in JSON")
    func sound() {
        for text in [
            "{}", " [1, -2.5e+3, 0, \"\\u00e9\\\"\", true, false, null, {\"a\": [[]]}] \n", "\"é\"",
            "7", "null ",
        ] {
            #expect(JSONReader.faultOffset(in: Array(text.utf8)[...]) == nil, "\(text)")
        }
        let invalid: [UInt8] = [0x22, 0x61, 0xC3, 0x28, 0x22]
        #expect(JSONReader.faultOffset(in: invalid[...]) == 2)
    }
}
