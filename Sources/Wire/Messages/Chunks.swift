// Pieces of streams and of large values: chunk, window.
// Putting values together again is in ChunkAssembler.swift.

public import Core

/// What a chunk is a piece of.
public enum ChunkStream: String, Sendable, Hashable, CaseIterable {
    /// What a tool writes to its standard output; best effort.
    case standardOutput = "stdout"
    /// What a tool writes to its standard error; best effort.
    case standardError = "stderr"
    /// A large output, or the data of a large reply.
    case value
    /// Large arguments.
    case arguments = "args"
}

/// A piece of a stream or of a large value.
///
/// On the wire the data is text if it is UTF-8 and escaping does not more than double it, and
/// base64 otherwise.
public struct Chunk: Sendable, Equatable {
    /// What it belongs to.
    public var about: Subject
    /// Its position among the chunks of the same subject and stream, from 0.
    public var sequence: Int
    /// Which stream.
    public var stream: ChunkStream
    /// The bytes; of a value that was cut, a part of it.
    public var data: ArraySlice<UInt8>
    /// Of the first chunk of a value, the bytes of the whole value, if the sender tells them.
    ///
    /// They are a hint and not checked: the receiver makes room once.
    public var totalBytes: Int?
    /// How many bytes its data took in the line if that data was no JSON; nil if it could be read.
    ///
    /// Nothing can be made of the value then. Never sent.
    public var unreadableBytes: Int?

    /// Whether its data was no JSON.
    public var isUnreadable: Bool { unreadableBytes != nil }

    /// The bytes that it takes of the window of its attempt.
    ///
    /// If the data could not be read, they are as many as it took in the line: the sender counted no
    /// more before encoding.
    public var windowBytes: Int { unreadableBytes ?? data.count }

    /// Makes the message of its fields.
    public init(
        about: Subject,
        sequence: Int,
        stream: ChunkStream,
        data: ArraySlice<UInt8>,
        totalBytes: Int? = nil
    ) {
        self.about = about
        self.sequence = sequence
        self.stream = stream
        self.data = data
        self.totalBytes = totalBytes
    }

    /// Makes the message of its fields.
    public init(about: Subject, sequence: Int, stream: ChunkStream, data: [UInt8]) {
        self.init(about: about, sequence: sequence, stream: stream, data: data[...])
    }

    /// What a chunk belongs to.
    public enum Subject: Sendable, Hashable {
        /// An attempt.
        case attempt(AttemptID)
        /// A `get` of this connection, by its number.
        case request(Int)
    }
}

/// The receiver of an attempt's chunks has room for more.
public struct Window: Sendable, Equatable {
    /// Which attempt.
    public var attempt: AttemptID
    /// How many more bytes of data may be sent.
    public var bytes: Int

    /// Makes the message of its fields.
    public init(attempt: AttemptID, bytes: Int) {
        self.attempt = attempt
        self.bytes = bytes
    }
}
