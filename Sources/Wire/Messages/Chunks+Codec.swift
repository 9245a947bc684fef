// Reads and writes chunk and window.
internal import JSON
internal import Plans

extension Chunk: MessageBody {
    private enum Encoding: String, CaseIterable {
        case utf8
        case base64
    }

    init(reading fields: FieldReader) throws(WireError) {
        self = try Chunk(reading: fields, data: Chunk.data(fields))
    }

    /// Reads all but the data.
    init(reading fields: FieldReader, data: ArraySlice<UInt8>) throws(WireError) {
        let request = try fields.optionalInteger("request")
        if fields.present("attempt") != nil {
            guard request == nil else {
                throw fields.bad("request", "must not stand beside attempt")
            }
            about = .attempt(try fields.attempt("attempt"))
        } else {
            guard let request else { throw fields.missing("attempt") }
            about = .request(request)
        }
        sequence = try fields.integer("seq")
        stream = try fields.choice("stream")
        totalBytes = try fields.optionalInteger("total")
        self.data = data
    }

    private static func data(_ fields: FieldReader) throws(WireError) -> ArraySlice<UInt8> {
        let text = try fields.stringBytes("data")
        switch try fields.optionalChoice("encoding") ?? Encoding.utf8 {
        case .utf8:
            return text
        case .base64:
            guard let bytes = Base64.decode(Array(text)) else {
                throw fields.bad("data", "must be base64 with padding")
            }
            return bytes[...]
        }
    }

    func write(into writer: inout JSONWriter) {
        writeHead(into: &writer)
        if isText {
            writer.field("encoding", Encoding.utf8.rawValue)
            writer.key("data")
            writer.string(utf8: data)
        } else {
            writer.field("encoding", Encoding.base64.rawValue)
            writer.key("data")
            writer.string(utf8: Base64.encode(Array(data))[...])
        }
    }

    /// Appends the message as one line; its data is a text in several parts instead of its own, so
    /// that they need not be joined first.
    func encode(text parts: [ArraySlice<UInt8>], into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("type", MessageKind.chunk.rawValue)
        writeHead(into: &writer)
        writer.field("encoding", Encoding.utf8.rawValue)
        writer.key("data")
        writer.string(utf8: parts)
        writer.endObject()
        writer.newline()
    }

    /// Writes all but the data.
    private func writeHead(into writer: inout JSONWriter) {
        switch about {
        case .attempt(let attempt): writer.field("attempt", attempt)
        case .request(let request): writer.field("request", request)
        }
        writer.field("seq", sequence)
        writer.field("stream", stream.rawValue)
        writer.field("total", totalBytes)
    }

    /// Whether the data is UTF-8 and escaping does not more than double it.
    private var isText: Bool {
        // Values are JSON texts: only quotes and backslashes in them are escaped.
        if stream == .value || stream == .arguments { return isValidUTF8(data) }
        var excess = 0
        for byte in data {
            switch byte {
            case 0x08, 0x09, 0x0A, 0x0C, 0x0D, UInt8(ascii: "\""), UInt8(ascii: "\\"):
                excess += 1
            case 0..<0x20:
                excess += 5
            default:
                break
            }
        }
        return excess <= data.count && isValidUTF8(data)
    }
}

extension Window: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        attempt = try fields.attempt("attempt")
        bytes = try fields.integer("bytes")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("attempt", attempt)
        writer.field("bytes", bytes)
    }
}
