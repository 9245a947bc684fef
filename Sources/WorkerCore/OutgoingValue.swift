// A large output on its way to the coordinator, cut as there is room for it.
internal import JSON
internal import Plans
internal import Wire

/// What is still to be sent of a value in chunks; begins again on a new connection.
struct OutgoingValue: Sendable {
    private let value: RawJSON
    private var offset = 0
    private var count = 0
    private var hash = SHA256()
    /// Whether the value waits for its turn, not for a window.
    var isInTurn = false

    init(_ value: RawJSON) {
        self.value = value
    }

    var isComplete: Bool { offset == value.count }

    /// Whether a window has room for a character, or for all that is left.
    func fits(into window: Int) -> Bool {
        window >= min(4, value.count - offset)
    }

    /// The announcement that completes the value once all chunks are sent.
    var announcement: Payload {
        .chunked(count: count, bytes: value.count, sha256: Hex.encode(hash.digest()))
    }

    /// The next chunk, of at most that many bytes, into which it fits; cut between characters, so
    /// that it goes as text.
    mutating func next(of attempt: AttemptID, bytes most: Int) -> Chunk {
        let text = value.bytes
        let start = text.startIndex + offset
        var end = min(start + most, text.endIndex)
        while end < text.endIndex, text[end] & 0xC0 == 0x80 { end -= 1 }
        let data = text[start..<end]
        hash.update(data)
        let chunk = Chunk(
            about: .attempt(attempt),
            sequence: count,
            stream: .value,
            data: data
        )
        offset += data.count
        count += 1
        return chunk
    }
}
