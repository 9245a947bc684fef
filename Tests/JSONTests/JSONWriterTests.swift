// Encoding: the output of the writer, byte by byte.

import JSON
import Testing

private func written(_ body: (inout JSONWriter) -> Void) -> String {
    var writer = JSONWriter()
    body(&writer)
    return String(decoding: writer.bytes, as: UTF8.self)
}

@Suite struct JSONWriterTests {
    @Test("Writes commas and colons where they belong")
    func structure() {
        let text = written { writer in
            writer.beginObject()
            writer.field("s", "x")
            writer.field("i", -12)
            writer.field("d", 1.0)
            writer.field("b", true)
            writer.field("r", RawJSON.emptyArray)
            writer.field("none", String?.none)
            writer.field("none", Int?.none)
            writer.field("none", Double?.none)
            writer.field("none", Bool?.none)
            writer.field("none", RawJSON?.none)
            writer.field("some", Int?.some(5))
            writer.key("o")
            writer.beginObject()
            writer.endObject()
            writer.key(escaping: "a\"b\n")
            writer.beginArray()
            writer.integer(1)
            writer.beginArray()
            writer.endArray()
            writer.null()
            writer.beginObject()
            writer.field("x", 1)
            writer.endObject()
            writer.bool(false)
            writer.endArray()
            writer.endObject()
            writer.newline()
            writer.beginObject()
            writer.endObject()
            writer.newline()
        }
        #expect(
            text
                == #"{"s":"x","i":-12,"d":1.0,"b":true,"r":[],"some":5,"o":{},"a\"b\n":[1,[],null,{"x":1},false]}"#
                + "\n{}\n"
        )
    }

    @Test(
        "Writes integers in full",
        arguments: [
            0, 9, 10, 11, 99, 100, 12345, -1, -10, 1_000_000_007, Int.max, Int.min, Int.max - 1,
        ]
    )
    func integers(_ value: Int) {
        #expect(written { $0.integer(value) } == "\(value)")
        #expect(RawJSON(value).intValue == value)
    }

    @Test("Writes short doubles that read back the same and stay doubles")
    func doubles() throws {
        for (value, text) in [
            (0.0, "0.0"), (-0.0, "-0.0"), (1.0, "1.0"), (0.1, "0.1"), (-2.5, "-2.5"),
            (1e100, "1e+100"), (.leastNonzeroMagnitude, "5e-324"), (100_000.0, "100000.0"),
        ] {
            #expect(written { $0.double(value) } == text)
            #expect(try JSONValue(parsing: text) == .double(value))
        }
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<10_000 {
            let value = Double(bitPattern: generator.next())
            guard value.isFinite else { continue }
            let raw = RawJSON(.double(value))
            #expect(raw.doubleValue == value)
            #expect(raw.intValue == nil)
        }
    }

    @Test("A double that JSON cannot express becomes null")
    func notFinite() {
        for value in [Double.infinity, -.infinity, .nan] {
            #expect(RawJSON(.double(value)) == .null)
        }
    }

    @Test("Writes every character below 128 as JSON that reads back")
    func ascii() throws {
        for code in UInt8(0)..<128 {
            let text = "ab" + String(Unicode.Scalar(code)) + "cd"
            let raw = RawJSON(text)
            #expect(try RawJSON(validating: raw.bytes).stringValue == text)
            let isPlain = code >= 0x20 && code != 0x22 && code != 0x5C
            #expect(
                raw.count == (isPlain ? 7 : "\n\r\t\u{8}\u{C}\"\\".utf8.contains(code) ? 8 : 12)
            )
        }
        #expect(RawJSON("\u{1}\u{1F}").text == #""\u0001\u001f""#)
    }

    @Test("Finds an escape at every position of a text of every length")
    func escapePositions() {
        for length in 1..<40 {
            for position in 0..<length {
                for byte in [UInt8(0x22), 0x5C, 0x00, 0x1F, 0x20, 0x7F] {
                    var bytes = [UInt8](repeating: 0x78, count: length)
                    bytes[position] = byte
                    let text = String(decoding: bytes, as: UTF8.self)
                    #expect(RawJSON(text).stringValue == text)
                    let whole = [0x22] + bytes + [0x22]
                    let slice = whole[1...length]
                    #expect(written { $0.string(utf8: slice) } == RawJSON(text).text)
                }
            }
        }
    }

    @Test("Writes characters beyond ASCII unchanged")
    func unicode() {
        let text = "äöü€😀e\u{301}\u{2028}\u{FFFF}\u{10FFFF}"
        #expect(RawJSON(text).text == "\"\(text)\"")
        #expect(
            Array(RawJSON(text).stringValue?.unicodeScalars ?? "".unicodeScalars)
                == Array(text.unicodeScalars)
        )
    }

    @Test("Bytes can be taken between lines")
    func reuse() {
        var writer = JSONWriter(reserving: 64)
        writer.integer(1)
        writer.newline()
        #expect(writer.bytes == Array("1\n".utf8))
        writer.bytes.removeAll(keepingCapacity: true)
        writer.integer(2)
        #expect(writer.bytes == Array("2".utf8))
    }

    @Test("Distinguishes valid and invalid UTF-8")
    func validity() {
        #expect(isValidUTF8([]))
        #expect(isValidUTF8(Array("xaé😀".utf8)[1...]))
        #expect(!isValidUTF8([0x61, 0xC3]))
        #expect(!isValidUTF8([0xED, 0xA0, 0x80]))
        #expect(isValidUTF8([0xC3, 0xA9, 0xC3][0..<2]))
    }
}
