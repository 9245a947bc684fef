// JSON values as JSON Schema compares them: 1 equals 1.0, and the order of keys does not count.

internal import JSON
internal import OrderedCollections

extension JSONValue {
    /// The normal form: values that JSON Schema calls equal have equal normal forms.
    var normalized: JSONValue {
        switch self {
        case .double(let value):
            if let whole = Int64(exactly: value) { .integer(whole) } else { beyondIntegers }
        case .bigNumber: beyondIntegers
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

    /// One form for every spelling of a number beyond `Int64`.
    ///
    /// It is an array of sign, digits and exponent that cannot be the normal form of a value. Other
    /// fractions stay doubles.
    private var beyondIntegers: JSONValue {
        if case .double(let value) = self, value.magnitude < 0x1p63 { return self }
        guard let decimal = DecimalNumber(self) else { return self }
        return .array([
            .double(decimal.isNegative ? -.infinity : .infinity),
            .string(String(decoding: decimal.digits.map { $0 + UInt8(ascii: "0") }, as: UTF8.self)),
            .integer(Int64(decimal.exponent)),
        ])
    }

    /// Minus one, zero or one as this number is below, equal to or above another; nil if either is
    /// no number.
    func compareNumber(_ other: JSONValue) -> Int? {
        switch (self, other) {
        case (.integer(let left), .integer(let right)):
            return left == right ? 0 : left < right ? -1 : 1
        case (.double(let left), .double(let right)):
            return left == right ? 0 : left < right ? -1 : 1
        case (let left, let right):
            guard let left = DecimalNumber(left), let right = DecimalNumber(right) else {
                return nil
            }
            return left.compare(right)
        }
    }

    /// Whether this number is a whole multiple of another; nil if either is no number.
    func isMultiple(of other: JSONValue) -> Bool? {
        if case (.integer(let value), .integer(let divisor)) = (normalized, other.normalized) {
            return divisor > 0 ? value % divisor == 0 : nil
        }
        if case .bigNumber = self, case .integer(let divisor) = other.normalized,
            let decimal = DecimalNumber(self)
        {
            return decimal.remainder(dividingBy: divisor) == 0
        }
        guard let value = doubleValue, let divisor = other.doubleValue else { return nil }
        let quotient = value / divisor
        guard quotient.isFinite else { return value.truncatingRemainder(dividingBy: divisor) == 0 }
        // DecimalNumber fractions such as 0.01 have no exact double, so a quotient may be wrong by
        // rounding.
        return abs(quotient - quotient.rounded()) <= 4 * quotient.ulp
    }

    /// Whether the value is of a type of JSON Schema.
    func isType(_ type: SchemaType) -> Bool {
        switch (type, self) {
        case (.null, .null), (.boolean, .bool), (.string, .string), (.array, .array),
            (.object, .object), (.number, .integer), (.number, .double), (.integer, .integer),
            (.number, .bigNumber):
            true
        case (.integer, .bigNumber): DecimalNumber(self)?.isWhole == true
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
        case .bigNumber: DecimalNumber(self)?.isWhole == true ? "an integer" : "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }

    /// The cost of reading the whole value: its parts and the bytes of its strings.
    var weight: Int {
        switch self {
        case .string(let text): 1 + text.utf8.count
        case .bigNumber(let number): 1 + number.text.utf8.count
        case .array(let elements): elements.reduce(1) { $0 + $1.weight }
        case .object(let fields):
            fields.reduce(1) { $0 + 1 + $1.key.utf8.count + $1.value.weight }
        default: 1
        }
    }

    /// The cost of comparing the value as a number: the digits of a long one.
    var numberWeight: Int {
        if case .bigNumber(let number) = self { number.text.utf8.count } else { 0 }
    }

    /// The value as text of bounded length, for sentences.
    var excerpt: String {
        let text = description.unicodeScalars
        guard text.count > 80 else { return description }
        return String(String.UnicodeScalarView(text.prefix(77))) + "..."
    }
}
