// Escapes and characters of text that arrives in pieces.

import JSON
import Testing

@Suite("Strings in pieces")
struct StringDecoderTests {
    private func decode(_ pieces: [ArraySlice<UInt8>], _ dialect: StringDecoder.Dialect) -> String {
        var decoder = StringDecoder(dialect)
        var text: [UInt8] = []
        for piece in pieces { decoder.decode(piece, into: &text) }
        decoder.finish(into: &text)
        return String(decoding: text, as: UTF8.self)
    }

    @Test(
        "Decodes escapes of JSON in every split",
        arguments: [
            (#"a\n\t\r\b\f\"\\\/z"#, "a\n\t\r\u{8}\u{C}\"\\/z"),
            (#"\u00e9\u0041"#, "éA"), (#"\ud83d\ude00!"#, "😀!"),
            (#"\ud83dx\ude00"#, "\u{FFFD}x\u{FFFD}"), (#"\ud83d\n"#, "\u{FFFD}\n"),
            (#"\ud83d\ud83d\ude00"#, "\u{FFFD}😀"), (#"\u12"#, "\u{FFFD}"),
            (#"\u12zé"#, "\u{FFFD}zé"), (#"\q"#, "q"), ("\\", ""), (#"\ud83d"#, "\u{FFFD}"),
            (#"\u12\n"#, "\u{FFFD}\n"),
        ]
    )
    func json(escaped: String, text: String) {
        let bytes = Array(escaped.utf8)
        #expect(decode([bytes[...]], .json) == text)
        #expect(decode(bytes.indices.map { bytes[$0...$0] }, .json) == text)
        for cut in bytes.indices {
            #expect(decode([bytes[..<cut], bytes[cut...]], .json) == text, "cut at \(cut)")
        }
    }

    @Test(
        "Decodes escapes of Python in every split",
        arguments: [
            (#"\a\v\0\'\x41\U0001F600"#, "\u{7}\u{B}\0'A😀"), ("a\\\nb", "ab"),
            (#"\ud83d\ude00"#, "😀"), (#"\q\d"#, #"\q\d"#), (#"\x4"#, #"\x4"#),
            (#"\u12Zz"#, #"\u12Zz"#), (#"\U00110000"#, "\u{FFFD}"), ("\\", "\\"),
            (#"C:\dir\file"#, "C:\\dir\u{C}ile"),
        ]
    )
    func python(escaped: String, text: String) {
        let bytes = Array(escaped.utf8)
        #expect(decode([bytes[...]], .python) == text)
        #expect(decode(bytes.indices.map { bytes[$0...$0] }, .python) == text)
    }
}

@Suite("UTF-8 in pieces")
struct UTF8DecoderTests {
    @Test(
        "Every split of any bytes gives the text of the whole",
        arguments: [
            Array("a\u{E4}\u{20AC}\u{1F600}z".utf8), [0xE2, 0x82, 0x41, 0xF0, 0x9F, 0x98],
            [0x80, 0xFF, 0xC0, 0xC3], [0xF0, 0x80, 0xED, 0xA0, 0x80, 0xC3, 0xA4],
            [0xF4, 0x90, 0x80, 0x80, 0xE0, 0x80, 0x80], [0xC3, 0xC3, 0xA4, 0xE2, 0xC3, 0xA4],
        ] as [[UInt8]]
    )
    func splits(_ bytes: [UInt8]) {
        let whole = String(decoding: bytes, as: UTF8.self)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                var decoder = UTF8Decoder()
                var text = ""
                for piece in [bytes[..<first], bytes[first..<second], bytes[second...]] {
                    text += decoder.decode(piece)
                }
                text += decoder.finish()
                #expect(text.unicodeScalars.elementsEqual(whole.unicodeScalars))
            }
        }
    }

    @Test("Delivers a character as soon as it is complete")
    func early() {
        var decoder = UTF8Decoder()
        #expect(decoder.decode([0x61, 0xE2]) == "a")
        #expect(decoder.decode([0x82]).isEmpty)
        #expect(decoder.decode([0xAC, 0x62]) == "\u{20AC}b")
        #expect(decoder.decode([0xC3]).isEmpty)
        #expect(decoder.finish() == "\u{FFFD}")
    }
}
