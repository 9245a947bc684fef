// Writes a large document; values that are kept elsewhere become pieces of it and are not copied.

/// A document that shares large values instead of copying them.
public struct JSONPiecesWriter: Sendable {
    /// Writes what comes next.
    public var writer = JSONWriter(reserving: 256)
    private var pieces = JSONPieces()

    /// Values that are shorter are copied.
    private let sharedBytes: Int

    /// Begins without text; values of so many bytes are shared.
    public init(sharing sharedBytes: Int = 16 << 10) {
        self.sharedBytes = sharedBytes
    }

    /// Bytes in memory that only the document holds.
    public var ownBytes: Int { pieces.ownBytes + writer.bytes.count }
    /// Its length.
    public var count: Int { pieces.count + writer.bytes.count }

    /// Writes a field, if there is a value; a large value is shared with its owner.
    public mutating func share(_ name: StaticString, _ value: RawJSON?) {
        guard let value else { return }
        writer.key(name)
        guard value.count >= sharedBytes else { return writer.raw(value) }
        // The writer puts a comma if one is needed, here and behind the value.
        writer.raw(RawJSON(trusted: []))
        close()
        pieces.append(value.bytes, isShared: true)
    }

    /// The whole document.
    public mutating func finish() -> JSONPieces {
        close()
        return pieces
    }

    private mutating func close() {
        pieces.append(writer.bytes[...])
        writer.bytes = []
    }
}
