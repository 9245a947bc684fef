// The last standard error output of a process, for the message of a failure.

/// Keeps the last bytes of a stream.
struct OutputTail {
    /// How many bytes are kept.
    static let limit = 4096

    private var bytes: [UInt8] = []

    /// Adds what was written.
    mutating func append(_ more: [UInt8]) {
        if more.count >= Self.limit {
            bytes = Array(more.suffix(Self.limit))
            return
        }
        bytes += more
        // Cutting at twice the limit keeps the cost of many small writes linear.
        if bytes.count > 2 * Self.limit { bytes.removeFirst(bytes.count - Self.limit) }
    }

    /// The kept bytes as text; nil when nothing was written.
    ///
    /// Bytes that are not UTF-8 become replacement characters.
    var text: String? {
        guard !bytes.isEmpty else { return nil }
        var tail = bytes.suffix(Self.limit)
        if tail.count < bytes.count {
            // The cut may be within a character.
            tail = tail.drop { $0 & 0xC0 == 0x80 }
        }
        return String(decoding: tail, as: UTF8.self)
    }

    /// The last line that is not blank, shortened for a message.
    var lastLine: String? {
        guard let text else { return nil }
        let lines = text.split { $0.isNewline }
        guard let line = lines.last(where: { !$0.allSatisfy(\.isWhitespace) }) else { return nil }
        let kept = line.prefix(200)
        return kept.count < line.count ? kept + "…" : String(kept)
    }
}
