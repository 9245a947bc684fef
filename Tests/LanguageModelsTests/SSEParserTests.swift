// Server-sent events and text, for every split of their bytes.
import Foundation
import HTTP
import Testing

/// The events of a stream, fed in pieces.
private func events(_ pieces: [ArraySlice<UInt8>]) throws -> [ServerSentEvent] {
    var parser = SSEParser()
    var events: [ServerSentEvent] = []
    for piece in pieces { try parser.feed(piece, into: &events) }
    parser.finish(into: &events)
    return events
}

private func events(_ text: String) throws -> [String] {
    try events([Array(text.utf8)[...]]).map { event in
        "\(event.type)|\(String(decoding: event.data, as: UTF8.self))"
    }
}

/// Splits bytes at random places, empty pieces included.
func randomPieces(
    _ bytes: [UInt8],
    using generator: inout some RandomNumberGenerator
) -> [ArraySlice<UInt8>] {
    let cuts = (0..<Int.random(in: 1...12, using: &generator))
        .map { _ in Int.random(in: 0...bytes.count, using: &generator) }
        .sorted()
    return zip([0] + cuts, cuts + [bytes.count]).map { bytes[$0..<$1] }
}

/// A generator whose numbers repeat, so that failures do too.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

@Suite("Server-sent events")
struct SSEParserTests {
    @Test(
        "Reads each form of a line as in the standard",
        arguments: [
            ("data: a\n\n", ["message|a"]),
            ("data:a\n\ndata:  b\n\n", ["message|a", "message| b"]),
            ("data: a\r\n\r\ndata: b\r\rdata: c\n\n", ["message|a", "message|b", "message|c"]),
            ("data: a\ndata: b\ndata\ndata: c\n\n", ["message|a\nb\n\nc"]),
            ("data: a\r\ndata: b\r\n: c\r\ndata: d\r\n\r\n", ["message|a\nb\nd"]),
            ("data: a\rdata: b\r\r", ["message|a\nb"]),
            (": ping\n\ndata: a\n: in between\n\n", ["message|a"]),
            ("event: error\ndata: x\n\ndata: y\n\n", ["error|x", "message|y"]),
            ("event: lonely\n\ndata: y\n\n", ["message|y"]),
            ("id: 7\nretry: 10\nunknown: z\ndata: y\n\n", ["message|y"]),
            ("data:\n\n", ["message|"]),
            ("\u{FEFF}data: a\n\n\u{FEFF}data: b\n\n", ["message|a"]),
            ("\n\n\n", []),
            ("", []),
            ("data: a", ["message|a"]),
            ("data: a\ndata: b\n", ["message|a\nb"]),
            ("Data: a\n\ndata : b\n\n", []),
        ]
    )
    func forms(_ text: String, _ expected: [String]) throws {
        #expect(try events(text) == expected)
    }

    @Test("Every split of a stream gives the same events")
    func splits() throws {
        let text =
            "\u{FEFF}: hi\r\ndata: {\"a\":\"\u{E4}\u{1F600}\"}\r\n\r\nevent: x\rdata: 1\rdata: 2\r\r"
            + "data: z\n\ndata: [DONE]\r\n\r\ndata: tail"
        let bytes = Array(text.utf8)
        let whole = try events([bytes[...]])
        #expect(whole.count == 5)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                let pieces = [bytes[..<first], bytes[first..<second], bytes[second...]]
                #expect(try events(pieces) == whole)
            }
        }
        #expect(try events(bytes.indices.map { bytes[$0...$0] }) == whole)
    }

    /// `WEFT_SEEDS` says how many, `WEFT_SEED` is one to replay.
    @Test("Random streams give the same events in every split")
    func fuzz() throws {
        let environment = ProcessInfo.processInfo.environment
        let count = environment["WEFT_SEEDS"].flatMap(UInt64.init) ?? 500
        let one = environment["WEFT_SEED"].flatMap(UInt64.init)
        for seed in one.map({ $0..<$0 + 1 }) ?? 0..<count { try fuzz(seed) }
    }

    private func fuzz(_ seed: UInt64) throws {
        var generator = SeededGenerator(state: seed)
        let parts = [
            "data", "event", ":", " ", "\n", "\r", "\r\n", "\n\n", "a", "\u{E4}", "{}", "id: 3\n",
            "data: x\n\n", ":c\n", "\u{FEFF}",
        ]
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 0...60, using: &generator) {
            bytes += Array((parts.randomElement(using: &generator) ?? "").utf8)
            if Int.random(in: 0..<20, using: &generator) == 0 {
                bytes.append(UInt8.random(in: 0...255, using: &generator))
            }
        }
        let whole = try events([bytes[...]])
        for _ in 0..<20 {
            let split = try events(randomPieces(bytes, using: &generator))
            try #require(split == whole, "WEFT_SEED=\(seed)")
        }
        let single = try events(bytes.indices.map { bytes[$0...$0] })
        try #require(single == whole, "WEFT_SEED=\(seed)")
    }

    @Test("Refuses an event that is too long, in one line or many")
    func limit() {
        let long: [[UInt8]] = [
            Array("data: \(String(repeating: "x", count: 100))".utf8),
            Array(String(repeating: "data: 12345678\n", count: 20).utf8),
        ]
        for bytes in long {
            var parser = SSEParser(limit: 64)
            var events: [ServerSentEvent] = []
            #expect(throws: ServerSentEventTooLong.self) {
                try parser.feed(bytes[...], into: &events)
            }
        }
        var parser = SSEParser(limit: 64)
        var events: [ServerSentEvent] = []
        #expect(throws: Never.self) {
            for _ in 0..<100 {
                try parser.feed(Array("data: 12345678\n\n".utf8)[...], into: &events)
            }
        }
        #expect(events.count == 100)
    }
}
