// Large values on the receiving side: chunks put together and checked. Cutting is in
// ChunkCutter.swift.
public import JSON

/// Puts the chunks of one value together and checks them.
///
/// The message that announces the value comes after its chunks and completes them. A sender that
/// begins again after a reconnect needs a new assembler.
public struct ChunkAssembler: Sendable {
    /// Bytes the value may have.
    public let maximumBytes: Int
    /// Chunks taken so far.
    public private(set) var count = 0
    /// Bytes taken so far.
    public var bytes: Int { text.count }

    private let reservedBytes: Int
    private var text: [UInt8] = []
    private var hasGap = false

    /// Bytes for which room is made when any peer says that they come.
    public static let reservedForPeer = 1 << 20
    /// Bytes for which room is made when the coordinator says that they come, to which a worker or
    /// client has given itself over.
    public static let reservedForCoordinator = 256 << 20

    /// Waits for the first chunk of a value of at most that many bytes.
    ///
    /// - Parameters:
    ///   - maximumBytes: Bytes the value may have.
    ///   - reservedBytes: Bytes for which room is made at most before they are there, because the
    ///     first chunk says that they come.
    public init(maximumBytes: Int, reservedBytes: Int = ChunkAssembler.reservedForPeer) {
        self.maximumBytes = maximumBytes
        self.reservedBytes = reservedBytes
    }

    /// Waits for the first chunk of an announced value.
    ///
    /// - Throws: `limit` if more bytes are announced than allowed.
    public init(for announced: Payload, maximumBytes: Int) throws(WireError) {
        self.init(maximumBytes: maximumBytes)
        if case .chunked(_, let bytes, _) = announced, bytes > maximumBytes {
            throw tooLarge
        }
    }

    /// Takes the next chunk.
    ///
    /// - Throws: `bad_message` if it is not the next one, `limit` if the value becomes too large.
    public mutating func append(_ chunk: Chunk) throws(WireError) {
        guard chunk.sequence == count else {
            throw WireError(
                code: .badMessage,
                message: "Chunk \(count) of a value was expected, not \(chunk.sequence)."
            )
        }
        hasGap = hasGap || chunk.isUnreadable
        guard chunk.data.count <= maximumBytes - text.count else { throw tooLarge }
        if count == 0, let total = chunk.totalBytes {
            text.reserveCapacity(max(chunk.data.count, min(total, maximumBytes, reservedBytes)))
        }
        // Memory that is not touched costs nothing, moving a large value each time it doubles does.
        if text.capacity < text.count + chunk.data.count, count > 0 {
            text.reserveCapacity(min(4 * text.count, maximumBytes) + chunk.data.count)
        }
        text.append(contentsOf: chunk.data)
        count += 1
    }

    /// Whether as many chunks are there as announced.
    public func isComplete(_ announced: Payload) -> Bool {
        switch announced {
        case .inline, .pieces: true
        case .chunked(let count, _, _): self.count >= count
        }
    }

    /// The whole value, checked against its announcement; the assembler is empty afterwards.
    ///
    /// - Throws: `bad_message` if the number of chunks, their bytes or their digest are not those
    ///   announced; `bad_json` if they are, but the value is no JSON.
    public mutating func finish(_ announced: Payload) throws(WireError) -> RawJSON {
        switch announced {
        case .inline(let value):
            return value
        case .pieces(let pieces):
            return pieces.joined
        case .chunked(let count, let bytes, let sha256):
            try expect(self.count, count, "chunks")
            if hasGap {
                self = ChunkAssembler(maximumBytes: maximumBytes, reservedBytes: reservedBytes)
                throw WireError(
                    code: .badJSON,
                    message: "The chunks of a value are no JSON: a string in them has no text."
                )
            }
            try expect(text.count, bytes, "bytes")
            if let sha256, sha256.lowercased() != Hex.encode(SHA256.digest(of: text)) {
                throw WireError(
                    code: .badMessage,
                    message: "The chunks of a value do not have the announced SHA-256."
                )
            }
            let whole = text
            self = ChunkAssembler(maximumBytes: maximumBytes, reservedBytes: reservedBytes)
            do {
                return try RawJSON(validating: whole[...])
            } catch {
                throw WireError(
                    code: .badJSON,
                    message: "The chunks of a value are no JSON: \(error.message)"
                )
            }
        }
    }

    private func expect(_ actual: Int, _ announced: Int, _ unit: String) throws(WireError) {
        guard actual == announced else {
            throw WireError(
                code: .badMessage,
                message: "A value has \(actual) \(unit), but \(announced) were announced."
            )
        }
    }

    private var tooLarge: WireError {
        WireError(
            code: .limit,
            message: "A value in chunks may have at most \(maximumBytes) bytes."
        )
    }
}
