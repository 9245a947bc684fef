// Reads and writes register, registered, offer and the description of a tool.
public import JSON
internal import OrderedCollections
internal import Plans

extension ToolDescription {
    /// Writes the description as one JSON object.
    public func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("name", name)
        writer.field("description", description)
        writer.field("parameters", parameters)
        writer.field("version", version)
        writer.flag("idempotent", isIdempotent)
        writer.flag("read_only", isReadOnly)
        writer.field("timeout_ms", timeoutMilliseconds)
        writer.field("max_attempts", maxAttempts)
        writer.field("concurrency", concurrency)
        writer.endObject()
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
        version = try fields.optionalString("version")
        isIdempotent = try fields.flag("idempotent")
        isReadOnly = try fields.flag("read_only")
        timeoutMilliseconds = try fields.optionalInteger(
            "timeout_ms",
            in: 1...Limits.largestInteger
        )
        maxAttempts = try fields.optionalInteger("max_attempts", in: 1...1000)
        concurrency = try fields.optionalInteger("concurrency", in: 1...Limits.largestSlots)
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
        withheld = try WithheldTool.list(fields, "withheld")
        isReplacing = try fields.flag("replace")
        labels = try Register.labels(fields)
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

    private static func labels(
        _ fields: FieldReader
    ) throws(WireError) -> OrderedDictionary<String, String> {
        guard let object = try fields.optionalObject("labels") else { return [:] }
        var labels: OrderedDictionary<String, String> = [:]
        var isText = true
        func add(key: String, value: RawJSON) {
            labels[key] = value.stringValue
            isText = isText && value.kind == .string
        }
        object.fields.forEach(add)
        guard isText, labels.count <= Limits.largestLabels else {
            throw fields.bad(
                "labels",
                "must be an object of at most \(Limits.largestLabels) strings"
            )
        }
        return labels
    }

    func write(into writer: inout JSONWriter) {
        writer.field("slots", slots)
        writer.field("queue", queue)
        ToolDescription.write(tools, into: &writer)
        WithheldTool.write(withheld, "withheld", into: &writer)
        writer.flag("replace", isReplacing)
        if !labels.isEmpty {
            writer.key("labels")
            writer.beginObject()
            for (key, value) in labels {
                writer.key(escaping: key)
                writer.string(value)
            }
            writer.endObject()
        }
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
        withheld = try WithheldTool.list(fields, "withheld")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("slots", slots)
        ToolDescription.write(tools, into: &writer)
        WithheldTool.write(withheld, "withheld", into: &writer)
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

extension WithheldTool {
    /// The tools that a message names as withheld or refused; none without the field.
    fileprivate static func list(
        _ fields: FieldReader,
        _ key: StaticString
    ) throws(WireError) -> [WithheldTool] {
        try fields.objects(key).map { (object) throws(WireError) in
            WithheldTool(
                name: try object.string("name", bytes: 1...Limits.toolNameLength),
                reason: try object.optionalString("reason") ?? ""
            )
        }
    }

    fileprivate static func write(
        _ tools: [WithheldTool],
        _ key: StaticString,
        into writer: inout JSONWriter
    ) {
        guard !tools.isEmpty else { return }
        writer.key(key)
        writer.beginArray()
        for tool in tools {
            writer.beginObject()
            writer.field("name", tool.name)
            writer.field("reason", tool.reason)
            writer.endObject()
        }
        writer.endArray()
    }
}

extension Registered: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        adopt = try fields.attempts("adopt")
        abandon = try fields.attempts("abandon")
        conflicts = try fields.strings("conflicts", bytes: 1...Limits.toolNameLength)
        refused = try WithheldTool.list(fields, "refused")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("adopt", adopt)
        writer.field("abandon", abandon)
        if !conflicts.isEmpty {
            writer.field("conflicts", conflicts)
        }
        WithheldTool.write(refused, "refused", into: &writer)
    }
}
