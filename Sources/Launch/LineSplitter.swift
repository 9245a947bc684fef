// Lines out of pieces of output.

/// Cuts pieces of text into lines.
struct LineSplitter {
    private var rest: [UInt8] = []
    /// Longer lines are cut.
    private static let longest = 8192

    /// The lines that are complete with this piece.
    mutating func lines(adding bytes: [UInt8]) -> [String] {
        var lines: [String] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                lines.append(String(decoding: rest, as: UTF8.self))
                rest = []
            } else if byte != UInt8(ascii: "\r"), rest.count < Self.longest {
                rest.append(byte)
            }
        }
        return lines
    }

    /// What came after the last line end, if anything did.
    mutating func last() -> String? {
        defer { rest = [] }
        return rest.isEmpty ? nil : String(decoding: rest, as: UTF8.self)
    }
}
