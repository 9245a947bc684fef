// Reads and writes dispatch, started, reject, progress, result, ack and cancel: the hot path.
internal import Core
internal import JSON

extension Dispatch: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        attempt = try fields.attempt("attempt")
        run = try fields.run("run")
        node = try fields.node("node")
        tool = try fields.string("tool", bytes: 1...Limits.toolNameLength)
        arguments = try fields.payload(inline: "args", chunked: "args_chunks")
        timeoutMilliseconds = try fields.optionalInteger(
            "timeout_ms",
            in: 1...Limits.largestInteger
        )
        leaseMilliseconds = try fields.integer("lease_ms", in: 1...Limits.largestInteger)
        maxOutput = try fields.integer("max_output")
        number = try fields.integer("number", in: 1...Limits.largestInteger)
        traceParent = try fields.optionalTraceParent()
    }

    func write(into writer: inout JSONWriter) {
        writer.field("attempt", attempt)
        writer.field("run", run.text)
        writer.field("node", node.text)
        writer.field("tool", tool)
        writer.payload(arguments, inline: "args", chunked: "args_chunks")
        writer.field("timeout_ms", timeoutMilliseconds)
        writer.field("lease_ms", leaseMilliseconds)
        writer.field("max_output", maxOutput)
        writer.field("number", number)
        writer.field("traceparent", traceParent?.text)
    }
}

extension Started: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        attempt = try fields.attempt("attempt")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("attempt", attempt)
    }
}

extension Reject: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        attempt = try fields.attempt("attempt")
        // A code that a newer worker has must not end the session: the attempt has not begun, which
        // is what `busy` says.
        code = RejectCode(rawValue: try fields.string("code")) ?? .busy
        isShortage = try fields.flag("shortage")
        message = try fields.optionalString("message")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("attempt", attempt)
        writer.field("code", code.rawValue)
        writer.flag("shortage", isShortage)
        writer.field("message", message)
    }
}

extension Progress: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        attempt = try fields.attempt("attempt")
        fraction = try fields.optionalFraction("fraction")
        note = try fields.optionalString("note")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("attempt", attempt)
        writer.field("fraction", fraction)
        writer.field("note", note)
    }
}

extension ResultMessage: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        attempt = try fields.attempt("attempt")
        if try fields.bool("ok") {
            outcome = .success(try fields.payload(inline: "output", chunked: "output_chunks"))
        } else {
            outcome = .failure(try fields.document("error"))
        }
        isTruncated = try fields.flag("truncated")
        durationMicroseconds = try fields.optionalInteger("duration_us")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("attempt", attempt)
        switch outcome {
        case .success(let output):
            writer.field("ok", true)
            writer.payload(output, inline: "output", chunked: "output_chunks")
        case .failure(let failure):
            writer.field("ok", false)
            writer.field("error", failure)
        }
        writer.flag("truncated", isTruncated)
        writer.field("duration_us", durationMicroseconds)
    }
}

extension Ack: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        attempts = try fields.attempts("attempts")
        stale = try fields.attempts("stale")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("attempts", attempts)
        if !stale.isEmpty {
            writer.field("stale", stale)
        }
    }
}

extension Cancel: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        attempt = try fields.attempt("attempt")
        reason = try fields.string("reason")
        graceMilliseconds = try fields.integer("grace_ms")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("attempt", attempt)
        writer.field("reason", reason)
        writer.field("grace_ms", graceMilliseconds)
    }
}
