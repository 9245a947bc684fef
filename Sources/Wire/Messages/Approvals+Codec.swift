// Reads and writes approve.
internal import Core
internal import JSON

extension Approve: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        run = try fields.run("run")
        nodes = fields.present("nodes") == nil ? nil : try fields.nodes("nodes")
        isApproved = try fields.bool("approved")
        reason = try fields.optionalString("reason", bytes: 0...Limits.reasonLength)
    }

    func write(into writer: inout JSONWriter) {
        writer.field("run", run.text)
        if let nodes { writer.field("nodes", nodes.map(\.text)) }
        writer.field("approved", isApproved)
        writer.field("reason", reason)
    }
}
