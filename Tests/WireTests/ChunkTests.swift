// Large values in pieces: how they are split, written, and joined again.
import JSON
import Plans
import Testing

@testable import Wire

@Suite("Chunks of large values")
struct ChunkTests {
    private let subject = Chunk.Subject.attempt(MessageExamples.attempt)

    private func slices(_ text: String, bytes: Int) -> [Chunk] {
        Chunk.slice(
            value: MessageExamples.raw(text),
            about: subject,
            stream: .value,
            bytesPerChunk: bytes
        )
    }

    @Test("Splits between characters, for any size")
    func cutsBetweenCharacters() {
        let text = #""aä€😀 aä€😀 😀😀😀😀""#
        for bytes in 4...40 {
            let chunks = slices(text, bytes: bytes)
            #expect(chunks.map(\.sequence) == Array(0..<chunks.count))
            #expect(chunks.flatMap(\.data) == Array(text.utf8))
            for chunk in chunks {
                #expect((1...bytes).contains(chunk.data.count))
                #expect(isValidUTF8(chunk.data[...]))
                #expect(encode(.chunk(chunk)).contains(#""encoding":"utf8""#))
            }
        }
    }

    @Test("A value stays the same when it is split, written, read and joined")
    func survives() throws {
        let text = #"{"text":"aä€😀 \"quoted\" \\ \n","list":[1,2,3]}"#
        for bytes in 4...60 {
            let chunks = slices(text, bytes: bytes)
            let announced = Payload(announcing: chunks)
            var assembler = try ChunkAssembler(for: announced, maximumBytes: 100)
            for chunk in chunks {
                #expect(!assembler.isComplete(announced))
                guard case .chunk(let read) = try decode(encode(.chunk(chunk))) else {
                    Issue.record("a chunk was read as something else")
                    return
                }
                try assembler.append(read)
            }
            #expect(assembler.isComplete(announced))
            #expect(try assembler.finish(announced).text == text)
            #expect(assembler.count == 0)
        }
    }

    @Test("Sends bytes that are not text, or mostly need escapes, as base64")
    func choosesEncoding() throws {
        let samples: [(data: [UInt8], encoding: String)] = [
            ([], "utf8"), (Array("plain".utf8), "utf8"), (Array("\"\n\"".utf8), "utf8"),
            ([0xC3], "base64"), ([1, 2, 3], "base64"), (Array(0...255), "base64"),
        ]
        for sample in samples {
            let chunk = Chunk(
                about: .request(1),
                sequence: 0,
                stream: .standardError,
                data: sample.data
            )
            let line = encode(.chunk(chunk))
            #expect(line.contains(#""encoding":"\#(sample.encoding)""#), "\(line)")
            #expect(try decode(line) == .chunk(chunk))
        }
    }

    @Test("A chunk of the default size fits in a line of the default size")
    func fitsInALine() {
        let limits = Limits()
        for byte in [UInt8(ascii: "a"), UInt8(ascii: "\\"), 1, 0xFF] as [UInt8] {
            let chunk = Chunk(
                about: subject,
                sequence: 1 << 53,
                stream: .standardOutput,
                data: [UInt8](repeating: byte, count: limits.chunkBytes)
            )
            #expect(encode(.chunk(chunk)).utf8.count <= limits.maxLine)
        }
    }

    private func problem(
        announced: Payload,
        chunks: [Chunk],
        maximum: Int = 1000
    ) -> WireError? {
        do {
            var assembler = try ChunkAssembler(for: announced, maximumBytes: maximum)
            for chunk in chunks {
                try assembler.append(chunk)
            }
            _ = try assembler.finish(announced)
            return nil
        } catch {
            return error
        }
    }

    @Test("Refuses chunks that do not match their announcement")
    func refusesOtherValues() throws {
        let chunks = slices("[1,2,3,4,5]", bytes: 4)
        let right = Payload(announcing: chunks)
        #expect(problem(announced: right, chunks: chunks) == nil)

        #expect(problem(announced: right, chunks: [])?.message.contains("0 chunks") == true)
        #expect(
            problem(announced: right, chunks: chunks.dropLast())?.message.contains("chunks")
                == true
        )
        #expect(
            problem(announced: .chunked(count: 3, bytes: 12, sha256: nil), chunks: chunks)?.message
                .contains("11 bytes") == true
        )
        let digest = MessageExamples.digits
        #expect(
            problem(announced: .chunked(count: 3, bytes: 11, sha256: digest), chunks: chunks)?
                .message.contains("SHA-256") == true
        )
        #expect(
            problem(announced: .chunked(count: 2, bytes: 8, sha256: nil), chunks: [chunks[0]])?
                .code == .badMessage
        )
        let broken = slices("[1,2,3,4,5", bytes: 4)
        #expect(
            problem(announced: Payload(announcing: broken), chunks: broken)?.message
                .contains("no JSON") == true
        )
    }

    @Test("Refuses a chunk out of order")
    func refusesOtherOrder() {
        let chunks = slices("[1,2,3,4,5]", bytes: 4)
        let right = Payload(announcing: chunks)
        for wrong in [[chunks[1]], [chunks[0], chunks[0]], [chunks[0], chunks[2]]] {
            let error = problem(announced: right, chunks: wrong)
            #expect(error?.code == .badMessage)
            #expect(error?.message.contains("was expected") == true)
        }
    }

    @Test("Refuses a value beyond the limit when announced and when it grows")
    func refusesLargeValues() throws {
        let chunks = slices("[1,2,3,4,5]", bytes: 4)
        let right = Payload(announcing: chunks)
        #expect(problem(announced: right, chunks: chunks, maximum: 11) == nil)
        #expect(problem(announced: right, chunks: [], maximum: 10)?.code == .limit)

        var assembler = ChunkAssembler(maximumBytes: 10)
        try assembler.append(chunks[0])
        try assembler.append(chunks[1])
        let error = #expect(throws: WireError.self) { try assembler.append(chunks[2]) }
        #expect(error?.code == .limit)
    }

    @Test("Only the first chunk tells the length of the value")
    func tellsTotal() throws {
        let chunks = slices("[1,2,3,4,5]", bytes: 4)
        #expect(chunks.map(\.totalBytes) == [11, nil, nil])
        for chunk in chunks {
            let line = encode(.chunk(chunk))
            #expect(line.contains(#""total":11"#) == (chunk.sequence == 0))
            #expect(try decode(line) == .chunk(chunk))
        }
    }

    @Test("A wrong length in a chunk is a hint that changes nothing")
    func ignoresWrongTotals() throws {
        let text = "[1,2,3,4,5]"
        let right = Payload.chunked(count: 3, bytes: 11, sha256: nil)
        for total in [0, 1, 12, 1 << 20, Limits.largestInteger, Int.max] {
            for chunk in 0..<3 {
                var chunks = slices(text, bytes: 4)
                chunks[chunk].totalBytes = total
                for reserved in [0, 5, 1 << 16] {
                    var assembler = ChunkAssembler(maximumBytes: 1000, reservedBytes: reserved)
                    for chunk in chunks { try assembler.append(chunk) }
                    #expect(try assembler.finish(right).text == text)
                }
                #expect(problem(announced: right, chunks: chunks, maximum: 10)?.code == .limit)
            }
        }
    }

    @Test("Refuses a length that is not a whole number from 0")
    func refusesImpossibleTotals() throws {
        for total in ["-1", "1.5", "\"9\"", "9007199254740993"] {
            let line =
                #"{"type":"chunk","attempt":"r1/0/1","seq":0,"stream":"value","total":\#(total),"#
                + #""data":"1"}"#
            let error = #expect(throws: WireError.self) { try decode(line) }
            #expect(error?.code == .badMessage, "\(total)")
            #expect(error?.message.contains("total") == true, "\(total)")
        }
    }

    @Test("Writes a value in pieces in the same chunks as the value in one piece")
    func writesPieces() throws {
        let text = #"{"text":"aä€😀 \"quoted\" \\ \n","list":["a","b",3]}"#
        let bytes = Array(text.utf8)
        for cut in 1..<bytes.count where bytes[cut] & 0xC0 != 0x80 {
            var pieces = JSONPieces()
            pieces.append(bytes[..<cut])
            pieces.append(bytes[cut...])
            for most in [4, 5, 7, 16, 100] {
                var cutter = ChunkCutter(value: pieces, about: subject, stream: .value)
                var chunks: [Chunk] = []
                while !cutter.isComplete {
                    var writer = JSONWriter()
                    cutter.encodeNext(bytes: most, into: &writer)
                    let line = String(decoding: writer.bytes.dropLast(), as: UTF8.self)
                    guard case .chunk(let chunk) = try decode(line) else { return }
                    chunks.append(chunk)
                }
                var assembler = ChunkAssembler(maximumBytes: 1000)
                for chunk in chunks { try assembler.append(chunk) }
                #expect(try assembler.finish(cutter.announcement).text == text)
                #expect(chunks[0].totalBytes == bytes.count)
                #expect(chunks.allSatisfy { $0.data.count <= most })
            }
        }
    }

    @Test("A value inside its message needs no chunks")
    func passesInlineValues() throws {
        var assembler = ChunkAssembler(maximumBytes: 10)
        #expect(assembler.isComplete(.inline(.true)))
        #expect(try assembler.finish(.inline(.true)) == .true)
    }
}
