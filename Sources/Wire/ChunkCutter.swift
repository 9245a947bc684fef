// Large values on the sending side: cut into chunks, one at a time.
// Putting them together again is in ChunkAssembler.swift.
public import JSON

/// Cuts a value's JSON text into chunks, numbered from 0, each made when it is asked for.
///
/// Cuts lie between characters, so that every chunk travels as text. The value itself is shared,
/// never copied.
public struct ChunkCutter: Sendable {
    /// The value, in one piece or several.
    public let value: JSONPieces
    private let about: Chunk.Subject
    private let stream: ChunkStream
    private var cursor: JSONPieces.Cursor
    private var count = 0

    /// Begins with the first byte of the value.
    public init(value: JSONPieces, about: Chunk.Subject, stream: ChunkStream) {
        self.value = value
        cursor = JSONPieces.Cursor(value)
        self.about = about
        self.stream = stream
    }

    /// The same for a value in one piece.
    public init(value: RawJSON, about: Chunk.Subject, stream: ChunkStream) {
        self.init(value: JSONPieces(value), about: about, stream: stream)
    }

    /// Bytes that no chunk has had yet.
    public var remaining: Int { cursor.remaining }

    /// Whether the chunks made so far are the whole value.
    public var isComplete: Bool { remaining == 0 }

    /// The next chunk, with at most that many bytes: at least 4, the longest character, or all
    /// that remain.
    public mutating func next(bytes most: Int) -> Chunk {
        var chunk = nextWithoutData
        chunk.data = cursor.next(most, of: value)
        count += 1
        return chunk
    }

    /// Appends the next chunk as a line, with the same bounds; nothing is copied in between.
    mutating func encodeNext(bytes most: Int, into writer: inout JSONWriter) {
        let parts = cursor.nextParts(most, of: value)
        nextWithoutData.encode(text: parts, into: &writer)
        count += 1
    }

    private var nextWithoutData: Chunk {
        Chunk(
            about: about,
            sequence: count,
            stream: stream,
            data: [],
            totalBytes: count == 0 ? value.count : nil
        )
    }

    /// What the message that completes the value says in place of it; right once all is cut.
    ///
    /// It has no digest: TCP sees to it that what arrives is what was sent, and a digest would cost
    /// each side more than anything else that it does with the bytes.
    public var announcement: Payload {
        .chunked(count: count, bytes: value.count, sha256: nil)
    }
}

extension Chunk {
    /// All chunks of a value, of at most that many bytes each, and their announcement.
    public static func slice(
        value: RawJSON,
        about: Subject,
        stream: ChunkStream,
        bytesPerChunk: Int
    ) -> [Chunk] {
        var cutter = ChunkCutter(value: value, about: about, stream: stream)
        var chunks: [Chunk] = []
        while !cutter.isComplete { chunks.append(cutter.next(bytes: bytesPerChunk)) }
        return chunks
    }
}

extension Payload {
    /// Announces the chunks of a value, with their digest.
    public init(announcing chunks: [Chunk]) {
        var hash = SHA256()
        var bytes = 0
        for chunk in chunks {
            hash.update(chunk.data)
            bytes += chunk.data.count
        }
        self = .chunked(
            count: chunks.count,
            bytes: bytes,
            sha256: Hex.encode(hash.digest())
        )
    }
}
