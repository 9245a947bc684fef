// A message after a trip over the wire: encoded to a line and decoded again, so that tests of the
// machines also test their messages.

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

    /// The decoded message.
    ///
    /// - Throws: `WireError` if the line is over the limit or is no message.
    public static func arrive(
        _ message: Message,
        maximumLine: Int = Limits().maxLine
    ) throws -> Message {
        try read(line(message), maximumLine: maximumLine)
    }

    /// The message of a line.
    ///
    /// - Throws: `WireError` if the line is over the limit or is no message.
    public static func read(_ line: [UInt8], maximumLine: Int) throws -> Message {
        guard line.count <= maximumLine else {
            let start = String(decoding: line.prefix(40), as: UTF8.self)
            throw WireError(
                code: .lineTooLong,
                message: "\(start)… has \(line.count) bytes"
            )
        }
        return try Message(decoding: line[...])
    }
}
