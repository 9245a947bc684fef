// Decodes text from bytes that arrive in pieces.

/// Decodes UTF-8 split anywhere; bytes that are not UTF-8 become replacement characters.
public struct UTF8Decoder: Sendable {
    /// The start of a character whose end has not arrived.
    private var pending: [UInt8] = []

    /// A decoder at the start of a text.
    public init() {}

    /// Decodes the next bytes; the start of an incomplete character is kept for the next call.
    public mutating func decode(_ bytes: some Collection<UInt8>) -> String {
        pending += bytes
        let end = pending.count - unfinishedTail
        let text = String(decoding: pending[..<end], as: UTF8.self)
        pending.removeFirst(end)
        return text
    }

    /// Ends the text: replacement characters for an incomplete character.
    public mutating func finish() -> String {
        defer { pending = [] }
        return String(decoding: pending, as: UTF8.self)
    }

    /// How many bytes at the end may be the start of a longer character.
    private var unfinishedTail: Int {
        for (distance, byte) in pending.suffix(3).reversed().enumerated() {
            let length =
                switch byte {
                case 0x80...0xBF: 0
                case 0xC2...0xDF: 2
                case 0xE0...0xEF: 3
                case 0xF0...0xF4: 4
                default: 1
                }
            if length > 0 { return length > distance + 1 ? distance + 1 : 0 }
        }
        return 0
    }
}
