// One object's top-level fields as byte ranges: how messages are read.

internal import CSimdJSON

/// The top-level fields of one object, found without decoding them.
///
/// The whole text is validated: UTF-8, grammar, finite numbers, depth. The fields share its buffer.
public struct JSONFields: Sendable {
    private let text: ArraySlice<UInt8>
    private let fields: [weft_json_field]
    private let hasEscapedKey: Bool

    /// How many fields most objects stay within; more cost a second look.
    private static let usualCount = 16

    /// Reads one object.
    ///
    /// Fields are at most `JSONLimits.messageFields`, and no two keys are equal. Raw newlines
    /// between tokens do not show in the fields.
    public init(parsing line: ArraySlice<UInt8>) throws(JSONError) {
        var text = line
        var fields = try Self.find(in: text)
        if text.hasNewline {
            text = text.compacted
            fields = try Self.find(in: text)
        }
        self.text = text
        self.fields = fields
        hasEscapedKey = fields.contains { field in
            text[Self.keyRange(field, in: text)].position(of: Byte.backslash) != nil
        }
    }

    /// Reads an object that is already validated.
    public init(_ raw: RawJSON) throws(JSONError) {
        try self.init(parsing: raw.bytes)
    }

    /// Number of fields.
    public var count: Int { fields.count }

    /// The value of a field, or nil when there is no such field.
    public subscript(key: StaticString) -> RawJSON? {
        let found =
            text.withContiguousStorageIfAvailable {
                weft_json_find_field(
                    $0.baseAddress,
                    fields,
                    fields.count,
                    key.utf8Start,
                    key.utf8CodeUnitCount
                )
            } ?? fields.count
        if found < fields.count { return value(fields[found]) }
        return hasEscapedKey ? valueByDecoding(key.description) : nil
    }

    /// Calls the body for each field, in order, its key decoded.
    public func forEach(_ body: (String, RawJSON) throws -> Void) rethrows {
        for field in fields {
            try body(text[Self.keyRange(field, in: text)].decodedString, value(field))
        }
    }

    private func valueByDecoding(_ key: String) -> RawJSON? {
        for field in fields where text[Self.keyRange(field, in: text)].isString(key) {
            return value(field)
        }
        return nil
    }

    private func value(_ field: weft_json_field) -> RawJSON {
        let start = text.startIndex + Int(field.value_start)
        let end = text.startIndex + Int(field.value_end)
        return RawJSON(trusted: text[start..<end])
    }

    private static func keyRange(
        _ field: weft_json_field,
        in text: ArraySlice<UInt8>
    ) -> Range<Int> {
        text.startIndex + Int(field.key_start)..<text.startIndex + Int(field.key_end)
    }

    private static func find(in text: ArraySlice<UInt8>) throws(JSONError) -> [weft_json_field] {
        do {
            return try find(in: text, atMost: usualCount)
        } catch {
            guard error.code == .tooManyFields else { throw error }
            return try find(in: text, atMost: JSONLimits.messageFields)
        }
    }

    private static func find(
        in text: ArraySlice<UInt8>,
        atMost capacity: Int
    ) throws(JSONError) -> [weft_json_field] {
        var fields = [weft_json_field](repeating: weft_json_field(), count: capacity)
        var count = 0
        let status = text.withContiguousStorageIfAvailable {
            weft_json_fields(
                $0.baseAddress,
                $0.count,
                UInt32(JSONLimits.depth),
                &fields,
                capacity,
                &count
            )
        }
        try JSONError.check(status ?? WEFT_JSON_EMPTY)
        fields.removeLast(capacity - count)
        return fields
    }
}
