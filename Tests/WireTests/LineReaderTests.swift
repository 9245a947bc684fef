// The same bytes give the same lines, in any split.
import Testing

@testable import Wire

@Suite("Lines of a connection")
struct LineReaderTests {
    /// Bytes and the lines in them.
    private static let samples: [(text: String, lines: [String])] = [
        ("", []),
        ("a\n", ["a"]),
        ("a\nbc\n", ["a", "bc"]),
        ("a\r\nbc\r\n", ["a", "bc"]),
        ("\n\r\n\na\n\n\nb\n\r\n", ["a", "b"]),
        ("a\rb\n\r\rc\r\r\n", ["a\rb", "\r\rc\r"]),
        ("{\"type\":\"ping\",\"n\":1}\nhalf", ["{\"type\":\"ping\",\"n\":1}"]),
        ("äöü€😀\nπ\n", ["äöü€😀", "π"]),
    ]

    /// The lines of a text that is fed in these pieces; lines are read after each.
    private func lines(of pieces: [ArraySlice<UInt8>], maximum: Int = 64) throws -> [String] {
        var reader = LineReader(maximumLine: maximum)
        var lines: [String] = []
        for piece in pieces {
            reader.feed(Array(piece))
            while let line = try reader.next() {
                lines.append(String(decoding: line, as: UTF8.self))
            }
        }
        return lines
    }

    @Test("All at once", arguments: samples)
    func whole(_ text: String, _ expected: [String]) throws {
        #expect(try lines(of: [Array(text.utf8)[...]]) == expected)
    }

    @Test("Byte by byte", arguments: samples)
    func byteByByte(_ text: String, _ expected: [String]) throws {
        let bytes = Array(text.utf8)
        #expect(try lines(of: bytes.indices.map { bytes[$0...$0] }) == expected)
    }

    @Test("Split at every position", arguments: samples)
    func splitEverywhere(_ text: String, _ expected: [String]) throws {
        let bytes = Array(text.utf8)
        for split in 0...bytes.count {
            #expect(try lines(of: [bytes[..<split], bytes[split...]]) == expected)
        }
    }

    @Test("Split at every two positions", arguments: samples)
    func splitTwice(_ text: String, _ expected: [String]) throws {
        let bytes = Array(text.utf8)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                let pieces = [bytes[..<first], bytes[first..<second], bytes[second...]]
                #expect(try lines(of: pieces) == expected)
            }
        }
    }

    @Test("Everything fed before the first line is read", arguments: samples)
    func fedAhead(_ text: String, _ expected: [String]) throws {
        var reader = LineReader(maximumLine: 64)
        for byte in text.utf8 {
            reader.feed([byte])
        }
        var lines: [String] = []
        while let line = try reader.next() {
            lines.append(String(decoding: line, as: UTF8.self))
        }
        #expect(lines == expected)
        #expect(reader.hasPartialLine == (text.utf8.last.map { $0 != UInt8(ascii: "\n") } ?? false))
    }

    @Test("Delivered lines stay unchanged when more is fed")
    func linesStay() throws {
        var reader = LineReader(maximumLine: 64)
        reader.feed(Array("one\ntwo\nthr".utf8))
        let one = try reader.next()
        let two = try reader.next()
        #expect(try reader.next() == nil)
        reader.feed(Array("ee\n".utf8))
        let three = try reader.next()
        let texts = [one, two, three].compactMap { $0 }.map { String(decoding: $0, as: UTF8.self) }
        #expect(texts == ["one", "two", "three"])
        #expect(!reader.hasPartialLine)
    }

    @Test("Accepts a line of the limit with either line end")
    func limitIsInclusive() throws {
        for end in ["\n", "\r\n"] {
            let bytes = Array(("abcd" + end).utf8)
            #expect(try lines(of: [bytes[...]], maximum: 4) == ["abcd"])
            #expect(try lines(of: bytes.indices.map { bytes[$0...$0] }, maximum: 4) == ["abcd"])
        }
    }

    @Test("Refuses an over-long line as soon as it is known, and all later ones")
    func refusesLongLines() throws {
        var reader = LineReader(maximumLine: 4)
        reader.feed(Array("ok\nabcd".utf8))
        #expect(try reader.next() != nil)
        #expect(try reader.next() == nil)
        reader.feed(Array("e".utf8))
        #expect(throws: WireError.self) { try reader.next() }
        reader.feed(Array("\nok\n".utf8))
        let error = #expect(throws: WireError.self) { try reader.next() }
        #expect(error?.code == .lineTooLong)
        #expect(error?.message.contains("4 bytes") == true)
    }

    @Test("The limit can grow between two lines")
    func limitGrows() throws {
        var reader = LineReader(maximumLine: 4)
        reader.feed(Array("abcd\nabcdefgh\n".utf8))
        #expect(try reader.next() != nil)
        reader.maximumLine = 8
        #expect(try reader.next()?.count == 8)
    }

    @Test("Invalid UTF-8 is a line but not a message")
    func leavesUTF8ToTheDecoder() throws {
        var reader = LineReader(maximumLine: 64)
        reader.feed(Array(#"{"type":"bye","reason":""#.utf8) + [0xFF] + Array("\"}\n".utf8))
        let line = try #require(try reader.next())
        let error = #expect(throws: WireError.self) { try Message(decoding: line) }
        #expect(error?.code == .badJSON)
    }
}
