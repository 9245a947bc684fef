// Reads and writes register, registered, offer and the description of a tool.
public import JSON
internal import OrderedCollections
internal import Plans

extension ToolDescription {
    /// Writes the description as one JSON object.
    public func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        write(into: &writer)
        writer.endObject()
    }

    /// Writes the fields, without the braces; flags that are false as well if that is wanted.
    func write(into writer: inout JSONWriter, saysFalse: Bool = false) {
        writer.field("name", name)
        writer.field("description", description)
        writer.field("parameters", parameters)
        writer.field("output_schema", outputSchema)
        writer.field("version", version)
        writer.field("idempotent", isIdempotent || saysFalse ? isIdempotent : nil)
        writer.field("read_only", isReadOnly || saysFalse ? isReadOnly : nil)
        writer.field("timeout_ms", timeoutMilliseconds)
        writer.field("max_attempts", maxAttempts)
        writer.field("concurrency", concurrency)
        writer.field("approval", needsApproval || saysFalse ? needsApproval : nil)
        writer.field("approval_timeout_ms", approvalMilliseconds)
        guard !examples.isEmpty else { return }
        writer.key("examples")
        writer.beginArray()
        for example in examples {
            writer.beginObject()
            writer.field("goal", example.goal)
            writer.key("calls")
            writer.beginArray()
            for call in example.calls { writer.string(call) }
            writer.endArray()
            writer.endObject()
        }
        writer.endArray()
    }

    /// Reads a description from its JSON object.
    ///
    /// - Throws: `bad_message` naming the field that is missing, ill-typed or out of range.
    public init(decoding raw: RawJSON) throws(WireError) {
        do {
            self = try ToolDescription(reading: FieldReader(try JSONFields(raw), of: "a tool"))
        } catch let error as WireError {
            throw error
        } catch {
            throw WireError(code: .badMessage, message: "A tool must be an object.")
        }
    }

    init(reading fields: FieldReader) throws(WireError) {
        name = try fields.string("name", bytes: 1...Limits.toolNameLength)
        description = try fields.optionalString("description") ?? ""
        parameters = fields.present("parameters") ?? .emptyObject
        outputSchema = fields.present("output_schema")
        version = try fields.optionalString("version")
        isIdempotent = try fields.flag("idempotent")
        isReadOnly = try fields.flag("read_only")
        timeoutMilliseconds = try fields.optionalInteger(
            "timeout_ms",
            in: 1...Limits.largestInteger
        )
        maxAttempts = try fields.optionalInteger("max_attempts", in: 1...1000)
        concurrency = try fields.optionalInteger("concurrency", in: 1...Limits.largestSlots)
        needsApproval = try fields.flag("approval")
        approvalMilliseconds = try fields.optionalInteger(
            "approval_timeout_ms",
            in: 1...Limits.largestInteger
        )
        examples = try fields.objects("examples").prefix(PlanExample.mostExamples).map {
            (object) throws(WireError) in
            PlanExample(
                goal: try object.string("goal", bytes: 1...PlanExample.mostBytes),
                calls: try object.strings("calls", bytes: 1...PlanExample.mostBytes)
            )
        }
    }
}

extension Register: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        self = try Register(reading: fields, nil)
    }

    /// Reads the fields, of which the tools may have been read already.
    init(reading fields: FieldReader, _ offered: OfferedTools?) throws(WireError) {
        slots = try fields.integer("slots", in: 1...Limits.largestSlots)
        queue = try fields.optionalInteger("queue", in: 0...Limits.largestInteger)
        let offered = try OfferedTools(fields, or: offered)
        tools = offered.tools
        unreadable = offered.unreadable
        withheld = try fields.documents("withheld")
        isReplacing = try fields.flag("replace")
        labels = try fields.labels("labels")
        inFlight = try fields.objects("in_flight").map { (object) throws(WireError) in
            InFlight(
                attempt: try object.attempt("attempt"),
                state: try object.choice("state")
            )
        }
        host = try fields.optionalString("host")
        pid = try fields.optionalInteger("pid")
        software = try fields.optionalString("software")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("slots", slots)
        writer.field("queue", queue)
        ToolDescription.write(tools, into: &writer)
        if !withheld.isEmpty { writer.field("withheld", withheld) }
        writer.flag("replace", isReplacing)
        if !labels.isEmpty { writer.field("labels", labels) }
        if !inFlight.isEmpty {
            writer.key("in_flight")
            writer.beginArray()
            for entry in inFlight {
                writer.beginObject()
                writer.field("attempt", entry.attempt)
                writer.field("state", entry.state.rawValue)
                writer.endObject()
            }
            writer.endArray()
        }
        writer.field("host", host)
        writer.field("pid", pid)
        writer.field("software", software)
    }
}

extension Offer: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        self = try Offer(reading: fields, nil)
    }

    /// Reads the fields, of which the tools may have been read already.
    init(reading fields: FieldReader, _ offered: OfferedTools?) throws(WireError) {
        slots = try fields.integer("slots", in: 1...Limits.largestSlots)
        let offered = try OfferedTools(fields, or: offered)
        tools = offered.tools
        unreadable = offered.unreadable
        withheld = try fields.documents("withheld")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("slots", slots)
        ToolDescription.write(tools, into: &writer)
        if !withheld.isEmpty { writer.field("withheld", withheld) }
    }
}

extension ToolDescription {
    fileprivate static func write(_ tools: [ToolDescription], into writer: inout JSONWriter) {
        writer.key("tools")
        writer.beginArray()
        for tool in tools {
            tool.encode(into: &writer)
        }
        writer.endArray()
    }
}

extension Registered: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        adopt = try fields.attempts("adopt")
        abandon = try fields.attempts("abandon")
        conflicts = try fields.strings("conflicts", bytes: 1...Limits.toolNameLength)
        refused = try fields.documents("refused")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("adopt", adopt)
        writer.field("abandon", abandon)
        if !conflicts.isEmpty {
            writer.field("conflicts", conflicts)
        }
        if !refused.isEmpty { writer.field("refused", refused) }
    }
}
