// A message as it arrives: encoded to a line and decoded again, so that tests of the machines also
// test what they say to each other.

internal import JSON
public import Wire

/// The journey of one message over a connection.
public enum WireTrip {
    /// The line that the message becomes, without the newline.
    public static func line(_ message: Message) -> [UInt8] {
        var writer = JSONWriter(reserving: 256)
        message.encode(into: &writer)
        return Array(writer.bytes.dropLast())
    }

    /// What the other side reads.
    ///
    /// - Throws: `WireError` if the line is over the limit or is no message.
    public static func arrive(
        _ message: Message,
        maximumLine: Int = Limits().maxLine
    ) throws -> Message {
        let line = line(message)
        guard line.count <= maximumLine else {
            throw WireError(
                code: .lineTooLong,
                message: "\(message.kind.rawValue) has \(line.count) bytes"
            )
        }
        return try Message(decoding: line[...])
    }
}
