// Cuts the bytes of a connection into lines. What is in a line is not read here.
internal import CSimdJSON

/// Cuts bytes into lines, whatever pieces they arrive in.
///
/// A line feed ends a line, a carriage return right before it is cut off, empty lines are skipped.
/// Lines that lie within one fed piece share its buffer; only a line across two pieces is copied.
public struct LineReader: Sendable {
    /// Longest line in bytes, without its line end; may be changed between two lines.
    public var maximumLine: Int
    private var buffer: [UInt8] = []
    /// Where the line begins that has not been returned.
    private var start = 0
    /// Up to where that line is known to have no line feed.
    private var searched = 0

    /// Makes a reader that has seen nothing.
    public init(maximumLine: Int) {
        self.maximumLine = maximumLine
    }

    /// Whether bytes were fed that `next()` has not returned, such as half a line.
    public var hasPartialLine: Bool { start < buffer.count }

    /// Takes the next bytes of the connection.
    public mutating func feed(_ bytes: [UInt8]) {
        if start == buffer.count {
            buffer = bytes
            start = 0
            searched = 0
        } else if start == 0 {
            // Of a line longer than a piece, nobody knows how long it will be. Memory that is not
            // touched costs nothing, moving the line each time it has doubled does.
            if buffer.capacity < buffer.count + bytes.count {
                buffer.reserveCapacity(min(4 * buffer.count, maximumLine) + bytes.count)
            }
            buffer.append(contentsOf: bytes)
        } else {
            // Lines already returned keep the old buffer; the rest moves to one of its own, so
            // that a long line is moved once and then grows in place.
            var joined: [UInt8] = []
            joined.reserveCapacity(buffer.count - start + bytes.count)
            joined.append(contentsOf: buffer[start...])
            joined.append(contentsOf: bytes)
            buffer = joined
            searched -= start
            start = 0
        }
    }

    /// Returns the next whole line, without its line end; nil if more bytes are needed.
    ///
    /// - Throws: `line_too_long` as soon as the line is known to exceed the limit, and from then
    ///   on: the connection cannot be read any further.
    public mutating func next() throws(WireError) -> ArraySlice<UInt8>? {
        while start < buffer.count {
            let end = weft_find_byte(buffer, searched, buffer.count, UInt8(ascii: "\n"))
            let hasReturn = end > start && buffer[end - 1] == UInt8(ascii: "\r")
            let lineEnd = hasReturn ? end - 1 : end
            guard lineEnd - start <= maximumLine else {
                throw WireError(
                    code: .lineTooLong,
                    message: "The line is longer than the \(maximumLine) bytes allowed here."
                )
            }
            guard end < buffer.count else {
                searched = end
                return nil
            }
            let line = start..<lineEnd
            start = end + 1
            searched = start
            if !line.isEmpty {
                return buffer[line]
            }
        }
        // An idle connection keeps no buffer.
        buffer = []
        start = 0
        searched = 0
        return nil
    }
}
