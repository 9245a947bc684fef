// Reads and writes ping, pong, drain, bye and error.
internal import JSON
internal import Plans

extension Ping: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        n = try fields.integer("n")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("n", n)
    }
}

extension Pong: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        n = try fields.integer("n")
        inFlight = fields.present("in_flight") == nil ? nil : try fields.attempts("in_flight")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("n", n)
        if let inFlight {
            writer.field("in_flight", inFlight)
        }
    }
}

extension Drain: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        reason = try fields.optionalString("reason")
        deadlineMilliseconds = try fields.optionalInteger("deadline_ms")
        worker = try fields.optionalName("worker")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("reason", reason)
        writer.field("deadline_ms", deadlineMilliseconds)
        writer.field("worker", worker)
    }
}

extension Bye: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        reason = try fields.optionalString("reason") ?? ""
        keepsRuns = try fields.optionalBool("keeps_runs")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("reason", reason)
        writer.field("keeps_runs", keepsRuns)
    }
}

extension ErrorMessage: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        code = ErrorCode(rawValue: try fields.string("code", bytes: 1...64))
        message = try fields.optionalString("message") ?? ""
        isFatal = try fields.flag("fatal")
        about = try fields.optionalString("about")
        request = try fields.optionalInteger("request")
        problems = try fields.problems("problems")
        leader = try fields.optionalString("leader")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("code", code.rawValue)
        writer.field("message", message)
        writer.field("fatal", isFatal)
        writer.field("about", about)
        writer.field("request", request)
        if !problems.isEmpty { writer.field("problems", problems) }
        writer.field("leader", leader)
    }
}
