// A large value that is composed of parts of other values: the parts are not copied, only their
// order is kept. Composing and sending are not here.

/// The JSON text of one value, as pieces of buffers that others share.
///
/// A value of 240 MB that repeats an output of 15 MB takes a few hundred bytes. Each piece begins
/// and ends between two characters; only all pieces together are a value.
public struct JSONPieces: Sendable, Equatable {
    /// The pieces in order; none is empty.
    public private(set) var pieces: [ArraySlice<UInt8>] = []
    /// Length of the whole text in bytes.
    public private(set) var count = 0
    /// Bytes of the pieces that are not marked as shared.
    public private(set) var ownBytes = 0

    /// Begins without text.
    public init() {}

    /// The text of one value, as one piece.
    public init(_ value: RawJSON, isShared: Bool = false) {
        append(value.bytes, isShared: isShared)
    }

    /// Appends a piece of text; `isShared` tells that its buffer is also kept elsewhere.
    public mutating func append(_ piece: ArraySlice<UInt8>, isShared: Bool = false) {
        guard !piece.isEmpty else { return }
        pieces.append(piece)
        count += piece.count
        if !isShared { ownBytes += piece.count }
    }

    /// The value in one buffer.
    public var joined: RawJSON {
        if pieces.count == 1 { return RawJSON(trusted: pieces[0]) }
        var text: [UInt8] = []
        text.reserveCapacity(count)
        for piece in pieces { text.append(contentsOf: piece) }
        return RawJSON(trusted: text[...])
    }

    /// Two values are equal when their texts are, however these are split into pieces.
    public static func == (left: JSONPieces, right: JSONPieces) -> Bool {
        left.count == right.count && left.joined == right.joined
    }

    /// A position in the text from which it is read.
    public struct Cursor: Sendable, Equatable {
        private var piece = 0
        private var offset = 0
        /// Bytes after the position.
        public private(set) var remaining: Int

        /// The beginning of a text.
        public init(_ text: JSONPieces) {
            remaining = text.count
        }

        /// Reads at most that many bytes, which is at least 4 unless fewer remain; ends between two
        /// characters.
        ///
        /// Text within one piece is not copied.
        public mutating func next(_ most: Int, of text: JSONPieces) -> ArraySlice<UInt8> {
            let parts = nextParts(most, of: text)
            guard parts.count > 1 else { return parts.first ?? [] }
            var joined: [UInt8] = []
            joined.reserveCapacity(parts.reduce(0) { $0 + $1.count })
            for part in parts { joined.append(contentsOf: part) }
            return joined[...]
        }

        /// The same, without joining text of several pieces.
        public mutating func nextParts(_ most: Int, of text: JSONPieces) -> [ArraySlice<UInt8>] {
            precondition(most >= min(4, remaining), "there is no room for any character")
            var parts: [ArraySlice<UInt8>] = []
            var room = most
            while room > 0, remaining > 0 {
                let part = readPart(room, of: text)
                if part.isEmpty { break }
                parts.append(part)
                room -= part.count
            }
            return parts
        }

        /// The next bytes of the current piece; empty if not even one character fits.
        private mutating func readPart(_ most: Int, of text: JSONPieces) -> ArraySlice<UInt8> {
            let whole = text.pieces[piece]
            let start = whole.startIndex + offset
            var end = min(start + most, whole.endIndex)
            while end < whole.endIndex, end > start, whole[end] & 0xC0 == 0x80 { end -= 1 }
            offset += end - start
            remaining -= end - start
            if end == whole.endIndex {
                piece += 1
                offset = 0
            }
            return whole[start..<end]
        }
    }
}
