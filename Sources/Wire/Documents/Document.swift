// What every document can do: the answers to `get` and the data of events, each with one writer and
// one reader. Not here: when an answer is made, and of how many entries a page of it consists.
public import Core
package import JSON

/// An object of the protocol that is no message: an answer, an entry of one, the data of an event.
package protocol Document: Sendable, Equatable {
    /// Reads the fields.
    init(reading fields: FieldReader) throws(WireError)
    /// Writes the fields, without the braces.
    func write(into writer: inout JSONWriter)
}

extension Document {
    /// Reads the document from its JSON object.
    ///
    /// - Throws: `bad_message` naming the field that is missing, ill-typed or out of range.
    package init(decoding raw: RawJSON) throws(WireError) {
        try self.init(reading: FieldReader(decoding: raw))
    }

    /// Writes the document as an object.
    package func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        write(into: &writer)
        writer.endObject()
    }

    /// The document as an object.
    package var json: RawJSON { .object { write(into: &$0) } }

    /// Reads a list of such documents.
    ///
    /// - Throws: `bad_message` naming what is wrong.
    package static func list(decoding raw: RawJSON) throws(WireError) -> [Self] {
        guard raw.kind == .array else {
            throw WireError(code: .badMessage, message: "An answer must be an array.")
        }
        var elements: [RawJSON] = []
        raw.forEachElement { elements.append($0) }
        return try elements.map { (raw) throws(WireError) in try Self(decoding: raw) }
    }
}

extension FieldReader {
    /// The fields of an answer.
    init(decoding raw: RawJSON) throws(WireError) {
        do throws(JSONError) {
            self.init(try JSONFields(raw), of: "an answer")
        } catch {
            throw WireError(code: .badMessage, message: "An answer must be an object.")
        }
    }

    func document<Value: Document>(_ key: StaticString) throws(WireError) -> Value {
        try Value(reading: object(key))
    }

    func optionalDocument<Value: Document>(_ key: StaticString) throws(WireError) -> Value? {
        guard let fields = try optionalObject(key) else { return nil }
        return try Value(reading: fields)
    }

    func documents<Value: Document>(_ key: StaticString) throws(WireError) -> [Value] {
        try objects(key).map { (fields) throws(WireError) in try Value(reading: fields) }
    }

    /// Milliseconds with three digits, as microseconds.
    func optionalMicroseconds(_ key: StaticString) throws(WireError) -> Int? {
        try optionalDouble(key).map { Int(($0 * 1_000).rounded()) }
    }

    /// A time of the calendar.
    func optionalTime(_ key: StaticString) throws(WireError) -> UnixTime? {
        guard let text = try optionalString(key) else { return nil }
        guard let time = UnixTime(text) else {
            throw bad(key, "must be a time as in 2026-11-28T02:43:03.250Z")
        }
        return time
    }

    func time(_ key: StaticString) throws(WireError) -> UnixTime {
        guard let time = try optionalTime(key) else { throw missing(key) }
        return time
    }

    func microseconds(_ key: StaticString) throws(WireError) -> Int {
        guard let time = try optionalMicroseconds(key) else { throw missing(key) }
        return time
    }
}

extension JSONWriter {
    mutating func field(_ key: StaticString, _ document: some Document) {
        self.key(key)
        document.encode(into: &self)
    }

    mutating func field(_ key: StaticString, _ document: (some Document)?) {
        if let document { field(key, document) }
    }

    mutating func field(_ key: StaticString, _ documents: [some Document]) {
        self.key(key)
        beginArray()
        for document in documents { document.encode(into: &self) }
        endArray()
    }

    /// Microseconds as milliseconds with three digits, if there is a value.
    package mutating func field(_ key: StaticString, microseconds: Int?) {
        if let microseconds { field(key, milliseconds(microseconds)) }
    }
}

// MARK: - Values that several documents have

extension TokenUsage: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        self.init(
            input: try fields.integer("input"),
            output: try fields.integer("output"),
            cost: try fields.optionalDouble("cost")
        )
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("input", input)
        writer.field("output", output)
        writer.field("cost", cost)
    }
}

extension Failure: Document {
    /// Reads the `error` of a result, a node or a run.
    ///
    /// What is in it may come from a tool, so that no value in it is a breach of the protocol: a
    /// code that is unknown becomes `tool_error`, and other values of the wrong type are left out.
    package init(reading fields: FieldReader) throws(WireError) {
        let code = fields.present("code")
        guard let code else { throw fields.missing("code") }
        let written = code.stringValue ?? code.text
        let message = fields.present("message").map { $0.stringValue ?? $0.text } ?? ""
        let isCode = code.kind == .string && FailureCode(toolReported: written) != nil
        self.init(
            code: isCode ? FailureCode(rawValue: written) : .toolError,
            message: isCode ? message : written + (message.isEmpty ? "" : ": " + message),
            isRetryable: fields.present("retryable")?.boolValue ?? false,
            exitCode: fields.number("exit_code", in: -0x8000_0000...0xFFFF_FFFF),
            signal: fields.number("signal", in: 0...1024),
            stderrTail: fields.present("stderr_tail")?.stringValue
        )
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("code", code.rawValue)
        writer.field("message", message)
        writer.field("retryable", isRetryable)
        writer.field("exit_code", exitCode)
        writer.field("signal", signal)
        writer.field("stderr_tail", stderrTail)
    }
}
