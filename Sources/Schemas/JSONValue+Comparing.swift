// JSON values as JSON Schema compares them: 1 equals 1.0, and the order of keys does not count.

internal import JSON
internal import OrderedCollections

extension JSONValue {
    /// The form in which values that JSON Schema calls equal are equal.
    var normalized: JSONValue {
        switch self {
        case .double(let value):
            if let whole = Int64(exactly: value) { .integer(whole) } else { self }
        case .array(let elements): .array(elements.map(\.normalized))
        case .object(let fields):
            .object(
                OrderedDictionary(
                    uniqueKeysWithValues: fields.sorted { $0.key < $1.key }
                        .map { ($0.key, $0.value.normalized) }
                )
            )
        default: self
        }
    }

    /// Minus one, zero or one as this number is below, equal to or above another; nil if either is
    /// no number.
    func compareNumber(_ other: JSONValue) -> Int? {
        switch (self.normalized, other.normalized) {
        case (.integer(let left), .integer(let right)):
            return left == right ? 0 : left < right ? -1 : 1
        case (let left, let right):
            // A double that equals no integer differs from every integer by more than rounding,
            // unless it is beyond their range, where rounding does not matter.
            guard let left = left.doubleValue, let right = right.doubleValue else { return nil }
            return left == right ? 0 : left < right ? -1 : 1
        }
    }

    /// Whether this number is a whole multiple of another; nil if either is no number.
    func isMultiple(of other: JSONValue) -> Bool? {
        if case (.integer(let value), .integer(let divisor)) = (normalized, other.normalized) {
            return divisor > 0 ? value % divisor == 0 : nil
        }
        guard let value = doubleValue, let divisor = other.doubleValue else { return nil }
        let quotient = value / divisor
        guard quotient.isFinite else { return false }
        // Decimal fractions such as 0.01 have no exact double: a quotient may miss by rounding.
        return abs(quotient - quotient.rounded()) <= 4 * quotient.ulp
    }

    /// Whether the value is of a type of JSON Schema.
    func isType(_ type: SchemaType) -> Bool {
        switch (type, self) {
        case (.null, .null), (.boolean, .bool), (.string, .string), (.array, .array),
            (.object, .object), (.number, .integer), (.number, .double), (.integer, .integer):
            true
        case (.integer, .double(let value)): value.isFinite && value == value.rounded()
        default: false
        }
    }

    /// The value's type with its article, for sentences.
    var typePhrase: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer: "an integer"
        case .double: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }

    /// How much work it is to look at the whole value: its parts and the bytes of its strings.
    var weight: Int {
        switch self {
        case .string(let text): 1 + text.utf8.count
        case .array(let elements): elements.reduce(1) { $0 + $1.weight }
        case .object(let fields):
            fields.reduce(1) { $0 + 1 + $1.key.utf8.count + $1.value.weight }
        default: 1
        }
    }

    /// The value as text of bounded length, for sentences.
    var excerpt: String {
        let text = description.unicodeScalars
        guard text.count > 80 else { return description }
        return String(String.UnicodeScalarView(text.prefix(77))) + "..."
    }
}
