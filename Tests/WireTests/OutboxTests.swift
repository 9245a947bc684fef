// The messages that wait for a peer: their order, and the reports about them. When they leave is in
// the tests of MessageConnection.
import JSON
import Testing

@testable import Wire

@Suite("Outbox")
struct OutboxTests {
    private func reply(_ request: Int, bytes: Int) -> Message {
        let text = RawJSON(String(repeating: "x", count: bytes - 2))
        return .reply(Reply(request: request, what: .answer, data: .inline(text)))
    }

    private func lines(of outbox: inout Outbox) throws -> [Message] {
        var text: [UInt8] = []
        var piece: [UInt8] = []
        while outbox.takePiece(into: &piece) {
            #expect(!piece.isEmpty)
            text += piece
            piece = []
        }
        #expect(outbox.isEmpty && outbox.waitingBytes == 0 && outbox.encodedBytes == 0)
        return try text.split(separator: UInt8(ascii: "\n")).map { try Message(decoding: $0) }
    }

    @Test("Large messages leave in the order sent, among small ones")
    func keepsOrder() throws {
        var outbox = Outbox()
        let sizes = [10, 70_000, 20, 30, 300_000, 400_000, 40]
        let sent = sizes.enumerated().map { reply($0.offset, bytes: $0.element) }
        for message in sent { outbox.append(message) }
        #expect(outbox.encodedBytes == outbox.waitingBytes)
        #expect(outbox.waitingBytes >= sizes.reduce(0, +))
        #expect(outbox.hasWholePiece)
        #expect(try lines(of: &outbox) == sent)
        #expect(outbox.values == 0)
    }

    @Test(
        "Splits a value beyond the longest one for a line",
        arguments: [1_000, 30_000, 65_536, 65_537, 200_000]
    )
    func cuts(largest: Int) throws {
        var outbox = Outbox(
            cutting: Outbox.Cutting(largestInline: largest, bytesPerChunk: largest / 2)
        )
        outbox.append(reply(1, bytes: largest))
        outbox.append(reply(2, bytes: largest + 1))
        #expect(outbox.waitingBytes >= 2 * largest + 1)
        #expect(outbox.encodedBytes < 2 * largest)
        let messages = try lines(of: &outbox)
        #expect(messages.map(\.kind) == [.reply, .chunk, .chunk, .chunk, .reply])
        #expect(outbox.values == 1)
    }

    @Test("What is held leaves when it is released, in order, and is not counted before")
    func holds() throws {
        var outbox = Outbox()
        let messages = (0..<5).map { reply($0, bytes: $0 == 3 ? 100_000 : 50) }
        outbox.append(messages[0])
        let before = outbox.encodedBytes
        outbox.hold(until: 4)
        outbox.append(messages[1])
        outbox.hold(until: 4)
        outbox.append(messages[2])
        outbox.hold(until: 7)
        outbox.append(messages[3])
        outbox.append(messages[4])
        #expect(outbox.encodedBytes == before && !outbox.isHeld && !outbox.isEmpty)
        var piece: [UInt8] = []
        let isFirst = outbox.takePiece(into: &piece)
        #expect(isFirst)
        #expect(try Message(decoding: piece.dropLast()[...]) == messages[0])
        let isNext = outbox.takePiece(into: &piece)
        #expect(!isNext && outbox.isHeld && !outbox.hasWholePiece)
        #expect(outbox.encodedBytes == 0 && !outbox.isEmpty)
        outbox.release(upTo: 3)
        #expect(outbox.isHeld)
        outbox.release(upTo: 6)
        // The next part is free, and another one is held behind it.
        #expect(!outbox.isHeld && outbox.isHolding)
        piece = []
        var text: [UInt8] = []
        while outbox.takePiece(into: &piece) {
            text += piece
            piece = []
        }
        let early = try text.split(separator: UInt8(ascii: "\n")).map { try Message(decoding: $0) }
        #expect(early == [messages[1], messages[2]])
        #expect(outbox.isHeld)
        outbox.release(upTo: 7)
        #expect(outbox.encodedBytes == outbox.waitingBytes)
        #expect(try lines(of: &outbox) == [messages[3], messages[4]])
        // What was released before is not held.
        outbox.hold(until: 7)
        outbox.append(messages[0])
        #expect(try lines(of: &outbox) == [messages[0]])
        outbox.hold(until: 9)
        #expect(outbox.isEmpty)
    }

    @Test("Dropped messages do not leave, and are not counted")
    func forgets() throws {
        var outbox = Outbox()
        outbox.append(reply(1, bytes: 100_000))
        outbox.append(reply(2, bytes: 100))
        outbox.removeAll()
        #expect(try lines(of: &outbox).isEmpty)
    }
}
