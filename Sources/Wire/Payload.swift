// A value on its way: in the line itself, or announced there and sent in chunks.
// Cutting into chunks and putting together again is in ChunkAssembler.swift.
public import JSON

/// Arguments, an output or the data of a reply.
public enum Payload: Sendable, Equatable {
    /// The value stands in the message.
    case inline(RawJSON)
    /// The value stands in the message, in pieces that others share: a large value that was put
    /// together. Only who sends has it so.
    case pieces(JSONPieces)
    /// The value travels in chunk messages: how many, the bytes of the value's JSON text, and the
    /// SHA-256 of that text in lower-case hex.
    case chunked(count: Int, bytes: Int, sha256: String?)

    /// Length of the value's text in bytes when it stands in the message, else 0.
    var inMessageBytes: Int {
        switch self {
        case .inline(let value): value.count
        case .pieces(let pieces): pieces.count
        case .chunked: 0
        }
    }

    /// The value as pieces, when it stands in the message.
    var pieces: JSONPieces? {
        switch self {
        case .inline(let value): JSONPieces(value)
        case .pieces(let pieces): pieces
        case .chunked: nil
        }
    }

    /// The value, when it stands in the message.
    public var inlineValue: RawJSON? {
        switch self {
        case .inline(let value): value
        case .pieces(let pieces): pieces.joined
        case .chunked: nil
        }
    }
}
