// A value on its way: in the line itself, or announced there and sent in chunks.
// Cutting into chunks and putting together again is in ChunkAssembler.swift.
public import JSON

/// Arguments, an output or the data of a reply.
public enum Payload: Sendable, Equatable {
    /// The value stands in the message.
    case inline(RawJSON)
    /// The value travels in chunk messages: how many, the bytes of the value's JSON text, and the
    /// SHA-256 of that text in lower-case hex.
    case chunked(count: Int, bytes: Int, sha256: String?)

    /// The value, when it stands in the message.
    public var inlineValue: RawJSON? {
        guard case .inline(let value) = self else { return nil }
        return value
    }
}
