// Reads the valid fields of an object that has invalid values. The reader of the object decides
// what to do with it.

/// The readable parts of an object whose text is not valid as a whole.
///
/// Fields are found by quotes and brackets only. An object whose own quotes, brackets, commas or
/// colons are wrong cannot be read.
public struct MendedFields: Sendable {
    /// The fields whose values are valid.
    public let fields: JSONFields
    /// The invalid fields by key; at least one.
    public let broken: [String: Broken]

    /// A value that was refused.
    public struct Broken: Sendable {
        /// Why.
        public let error: JSONError
        /// The text of the value.
        public let text: ArraySlice<UInt8>
    }

    /// Reads an object that was refused; nil if its fields cannot be told apart.
    public init?(_ line: ArraySlice<UInt8>) {
        let text = line.trimmed
        guard text.first == Byte.openBrace else { return nil }
        var mended: [UInt8] = [Byte.openBrace]
        var broken: [String: Broken] = [:]
        var index = text.skippingSpace(from: text.startIndex + 1)
        while true {
            guard let field = MendedFields.field(at: index, in: text) else { return nil }
            do throws(JSONError) {
                let value = try RawJSON(validating: text[field.value])
                // One level is the object itself.
                guard value.depth < JSONLimits.depth else {
                    throw JSONError(
                        code: .tooDeep,
                        message: "Arrays and objects nest deeper than \(JSONLimits.depth) levels."
                    )
                }
                if mended.count > 1 { mended.append(Byte.comma) }
                mended.append(contentsOf: text[field.key])
                mended.append(Byte.colon)
                mended.append(contentsOf: value.bytes)
            } catch {
                let value = Broken(error: error, text: text[field.value])
                let isNew = broken.updateValue(value, forKey: field.name) == nil
                guard isNew, broken.count <= JSONLimits.messageFields else { return nil }
            }
            index = text.skippingSpace(from: field.value.upperBound)
            guard index < text.endIndex else { return nil }
            if text[index] == Byte.comma {
                index = text.skippingSpace(from: index + 1)
            } else if text[index] == Byte.closeBrace {
                break
            } else {
                return nil
            }
        }
        guard index + 1 == text.endIndex, !broken.isEmpty else { return nil }
        mended.append(Byte.closeBrace)
        guard let fields = try? JSONFields(parsing: mended[...]) else { return nil }
        guard !MendedFields.hasAny(of: broken, in: fields) else { return nil }
        self.fields = fields
        self.broken = broken
    }

    private static func hasAny(of names: [String: Broken], in fields: JSONFields) -> Bool {
        var has = false
        func look(_ name: String, _ value: RawJSON) {
            has = has || names[name] != nil
        }
        fields.forEach(look)
        return has
    }

    /// The texts of the elements of a refused array; nil if their ends are not known.
    public static func elements(of array: ArraySlice<UInt8>) -> [ArraySlice<UInt8>]? {
        let text = array.trimmed
        guard text.first == Byte.openBracket else { return nil }
        var elements: [ArraySlice<UInt8>] = []
        var index = text.skippingSpace(from: text.startIndex + 1)
        while index < text.endIndex {
            let end = text.valueEnd(from: index)
            guard end > index, end < text.endIndex else { return nil }
            elements.append(text[index..<end].trimmed)
            index = text.skippingSpace(from: end)
            guard index < text.endIndex else { return nil }
            if text[index] == Byte.closeBracket {
                return index + 1 == text.endIndex ? elements : nil
            }
            guard text[index] == Byte.comma else { return nil }
            index = text.skippingSpace(from: index + 1)
        }
        return nil
    }

    /// The key with its quotes and the value of the field that begins at a position.
    private static func field(
        at start: Int,
        in text: ArraySlice<UInt8>
    ) -> (name: String, key: Range<Int>, value: Range<Int>)? {
        guard start < text.endIndex, text[start] == Byte.quote else { return nil }
        let key = start..<text.valueEnd(from: start)
        guard let name = try? RawJSON(validating: text[key]).stringValue else { return nil }
        let colon = text.skippingSpace(from: key.upperBound)
        guard colon < text.endIndex, text[colon] == Byte.colon else { return nil }
        let first = text.skippingSpace(from: colon + 1)
        let end = text.valueEnd(from: first)
        guard end > first, end < text.endIndex else { return nil }
        return (name, key, first..<end)
    }
}
