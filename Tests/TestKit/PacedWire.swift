// The messages of a coordinator to one peer, through the real outbox and the real codec, read by
// the peer as fast as a test lets it.

public import Wire

/// The sending half of a connection whose peer reads everything at once, slowly, or not at all.
public struct PacedWire {
    /// Bytes that the peer still reads.
    public var allowance = Int.max
    private var outbox: Outbox
    private var reader: LineReader
    /// What a socket would have queued, and how much of it the peer has taken.
    private var piece: [UInt8] = []
    private var offset = 0
    private var takenBytes = 0

    /// A connection on which nothing was sent yet.
    public init(limits: Limits = Limits()) {
        outbox = Outbox(
            cutting: Outbox.Cutting(
                largestInline: limits.announced.largestInline,
                bytesPerChunk: limits.chunkBytes
            )
        )
        reader = LineReader(maximumLine: limits.maxLine)
    }

    /// What waits for the peer.
    public var backlog: Backlog {
        Backlog(
            encodedBytes: outbox.encodedBytes + piece.count - offset,
            takenBytes: takenBytes,
            values: outbox.values
        )
    }

    /// Whether anything waits.
    public var isBehind: Bool { !outbox.isEmpty || offset < piece.count }

    /// Sends a message.
    public mutating func send(_ message: Message) { outbox.append(message) }

    /// Drops messages that have not begun to leave.
    public mutating func discard() { outbox.removeAll() }

    /// The messages that the peer has read to their end by now.
    ///
    /// - Throws: `WireError` if a line is over the limit or is no message.
    public mutating func takeMessages() throws -> [Message] {
        var messages: [Message] = []
        while allowance > 0 {
            if offset == piece.count {
                piece = []
                offset = 0
                guard outbox.takePiece(into: &piece) else { break }
            }
            let count = min(allowance, piece.count - offset)
            reader.feed(Array(piece[offset..<offset + count]))
            offset += count
            takenBytes += count
            if allowance < .max { allowance -= count }
            while let line = try reader.next() { messages.append(try Message(decoding: line)) }
        }
        return messages
    }
}
