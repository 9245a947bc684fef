// Reads and writes watch and event.
internal import Core
package import JSON

extension Watch: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        run = try fields.run("run")
        from = try fields.optionalInteger("from")
        level = try fields.optionalChoice("level") ?? .nodes
        request = try fields.optionalInteger("request")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("run", run.text)
        writer.field("from", from)
        writer.field("level", level.rawValue)
        writer.field("request", request)
    }
}

extension EventMessage: MessageBody {
    /// The event as an object, without the type of the message.
    package var json: RawJSON { .object { write(into: &$0) } }

    init(reading fields: FieldReader) throws(WireError) {
        run = try fields.run("run")
        sequence = try fields.integer("seq")
        kind = try fields.choice("kind")
        node = try fields.optionalNode("node")
        attempt = try fields.optionalInteger("attempt", in: 1...Limits.largestInteger)
        worker = try fields.optionalName("worker")
        data = fields.optionalValue("data")
        atMicroseconds = try fields.integer("at_us")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("run", run.text)
        writer.field("seq", sequence)
        writer.field("kind", kind.rawValue)
        writer.field("node", node?.text)
        writer.field("attempt", attempt)
        writer.field("worker", worker)
        writer.field("data", data)
        writer.field("at_us", atMicroseconds)
    }
}
