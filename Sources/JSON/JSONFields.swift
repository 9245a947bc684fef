// One object's top-level fields as byte ranges: how messages are read.

internal import CSimdJSON

/// The top-level fields of one object, found without decoding them.
///
/// The whole text is validated: UTF-8, grammar, depth. The fields share its buffer.
public struct JSONFields: Sendable {
    private var text: ArraySlice<UInt8>
    /// Memory for more fields than there are; only the first `count` are set.
    private var fields: [weft_json_field]
    private var outline = weft_json_outline()

    /// Most objects have at most this many fields; more need a second pass.
    private static let usualCount = 16

    /// Reads one object.
    ///
    /// At most `JSONLimits.messageFields` fields, with different keys. Raw newlines between tokens
    /// are not part of the fields.
    public init(parsing line: ArraySlice<UInt8>) throws(JSONError) {
        text = line
        fields = [weft_json_field](repeating: weft_json_field(), count: Self.usualCount)
        var status = find()
        if status == WEFT_JSON_TOO_MANY_FIELDS {
            fields = [weft_json_field](
                repeating: weft_json_field(),
                count: JSONLimits.messageFields
            )
            status = find()
        }
        try JSONError.check(status)
        if outline.has_newline { self = try Self(parsing: line.compacted) }
    }

    /// Reads an object that is already validated.
    public init(_ raw: RawJSON) throws(JSONError) {
        try self.init(parsing: raw.bytes)
    }

    /// Number of fields.
    public var count: Int { Int(outline.count) }

    /// The value of a field, or nil when there is no such field.
    public subscript(key: StaticString) -> RawJSON? {
        let found =
            text.withContiguousStorageIfAvailable {
                weft_json_find_field(
                    $0.baseAddress,
                    fields,
                    count,
                    key.utf8Start,
                    key.utf8CodeUnitCount
                )
            } ?? count
        if found < count { return value(fields[found]) }
        return outline.has_escaped_key ? valueByDecoding(key.description) : nil
    }

    /// Calls the body for each field, in order, its key decoded.
    public func forEach(_ body: (String, RawJSON) throws -> Void) rethrows {
        for field in fields.prefix(count) {
            try body(key(field).decodedString, value(field))
        }
    }

    private func valueByDecoding(_ key: String) -> RawJSON? {
        fields.prefix(count).first { self.key($0).isString(key) }.map(value)
    }

    private func value(_ field: weft_json_field) -> RawJSON {
        let start = text.startIndex + Int(field.value_start)
        let end = text.startIndex + Int(field.value_end)
        return RawJSON(trusted: text[start..<end])
    }

    private func key(_ field: weft_json_field) -> ArraySlice<UInt8> {
        text[text.startIndex + Int(field.key_start)..<text.startIndex + Int(field.key_end)]
    }

    private mutating func find() -> weft_json_status {
        let capacity = fields.count
        return text.withContiguousStorageIfAvailable {
            weft_json_fields(
                $0.baseAddress,
                $0.count,
                UInt32(JSONLimits.depth),
                &fields,
                capacity,
                &outline
            )
        } ?? WEFT_JSON_EMPTY
    }
}
