// A line of which one value is no JSON. A value that comes from a tool or from the author of a plan
// must not end the session, on which others depend: it is told apart from a line that is broken.
internal import Core
internal import JSON

extension MessageKind {
    /// The kind that the field `type` names.
    init(of fields: JSONFields) throws(WireError) {
        guard let type = fields["type"], type.kind == .string else {
            throw WireError(
                code: .badMessage,
                message: "The field type is missing or is not a string."
            )
        }
        guard let kind = MessageKind(typeName: type.bytes.dropFirst().dropLast()) else {
            let shown = String(decoding: type.bytes.prefix(66), as: UTF8.self)
            throw WireError(code: .unknownType, message: "There is no message type \(shown).")
        }
        self = kind
    }
}

extension Message {
    /// Reads a line that is not valid as a whole.
    ///
    /// - Throws: `bad_json` with the reason unless all that is wrong with the line is a value whose
    ///   meaning is known: the outcome of an attempt, a tool, a plan, a text
    ///   for people.
    init(mending line: ArraySlice<UInt8>, _ error: JSONError) throws(WireError) {
        let isBroken = WireError(code: .badJSON, message: error.message)
        guard let mended = MendedFields(line) else { throw isBroken }
        guard mended.broken["type"] == nil else { throw isBroken }
        let kind = try MessageKind(of: mended.fields)
        let names = Set(mended.broken.keys)
        guard names.isSubset(of: kind.fieldsOfOthers) else { throw isBroken }
        let fields = FieldReader(mended.fields, of: kind.rawValue)
        let faults = names.sorted().compactMap { name in
            mended.broken[name].map { (name: name, reason: $0.error.message) }
        }
        switch kind {
        case .result:
            self = .result(try ResultMessage(unreadable: faults, fields))
        case .register, .offer:
            var tools: OfferedTools?
            if let array = mended.broken["tools"] {
                tools = OfferedTools(mending: array.text)
                guard tools != nil else { throw isBroken }
            }
            self =
                kind == .offer
                ? .offer(try Offer(reading: fields, tools))
                : .register(try Register(reading: fields, tools))
        case .chunk:
            let bytes = mended.broken["data"]?.text.count ?? 0
            self = .chunk(try Chunk(unreadable: bytes, fields))
        case .submit:
            self = .submit(try Submit(reading: fields, unreadable: faults))
        case .nodes:
            self = .nodes(try Nodes(reading: fields, unreadable: faults))
        default:
            // What remains is optional.
            self = try Message(kind, reading: fields)
        }
    }
}

extension MessageKind {
    /// The fields whose values the sender got from others, and which a message can do without.
    fileprivate var fieldsOfOthers: Set<String> {
        switch self {
        case .result: ["output", "error"]
        case .progress: ["fraction", "note"]
        case .chunk: ["data"]
        case .submit: ["plan", "goal", "join_instruction", "label"]
        case .nodes: ["tasks", "join_instruction"]
        case .reject, .error: ["message"]
        case .register: ["tools", "withheld", "host", "software"]
        case .offer: ["tools", "withheld"]
        default: []
        }
    }
}

extension ResultMessage {
    /// The end of an attempt whose output or error is no JSON: that attempt fails, and nothing else.
    fileprivate init(
        unreadable faults: [(name: String, reason: String)],
        _ fields: FieldReader
    ) throws(WireError) {
        let what = faults.map { "the \($0.name) is no JSON: \($0.reason)" }
        self.init(
            attempt: try fields.attempt("attempt"),
            outcome: .failure(
                Failure(
                    code: .badOutput,
                    message: "What the worker sent cannot be passed on: "
                        + what.joined(separator: "; ")
                )
            )
        )
    }
}

extension Chunk {
    /// A chunk whose data is no JSON; it has none, and its value cannot be put together.
    fileprivate init(unreadable bytes: Int, _ fields: FieldReader) throws(WireError) {
        self = try Chunk(reading: fields, data: [])
        unreadableBytes = bytes
    }
}
