// Reads and writes get and reply.
internal import Core
internal import JSON

extension Get: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        request = try fields.integer("request")
        what = try fields.choice("what")
        id = try fields.optionalString("id", bytes: 1...Limits.keyLength)
        node = try fields.optionalNode("node")
        from = try fields.optionalInteger("from")
        limit = try fields.optionalInteger("limit", in: 1...Limits.largestInteger)
        status = try fields.optionalChoice("status")
        label = try fields.optionalString("label", bytes: 0...Limits.keyLength)
        since = try fields.optionalInteger("since_ms")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("request", request)
        writer.field("what", what.rawValue)
        writer.field("id", id)
        writer.field("node", node?.text)
        writer.field("from", from)
        writer.field("limit", limit)
        writer.field("status", status?.rawValue)
        writer.field("label", label)
        writer.field("since_ms", since)
    }
}

extension Reply: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        request = try fields.integer("request")
        what = try fields.choice("what")
        data = try fields.payload(inline: "data", chunked: "data_chunks")
        next = try fields.optionalInteger("next")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("request", request)
        writer.field("what", what.rawValue)
        writer.payload(data, inline: "data", chunked: "data_chunks")
        writer.field("next", next)
    }
}
