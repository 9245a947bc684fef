// JSON numbers: which ones are integers, and their values.

extension ArraySlice<UInt8> {
    /// Whether the number is written with a fraction or an exponent, or is minus zero, which
    /// integer types do not have.
    var isWrittenAsDouble: Bool {
        if elementsEqual("-0".utf8) { return true }
        return contains { byte in
            byte == UInt8(ascii: ".") || byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E")
        }
    }

    /// The value of a whole number; nil when it has a fraction or exponent or does not fit.
    var wholeNumber: Int64? {
        guard let first, !(first == Byte.minus && count == 1) else { return nil }
        let isNegative = first == Byte.minus
        var value: Int64 = 0
        for byte in isNegative ? dropFirst() : self {
            guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte else { return nil }
            let digit = Int64(byte - UInt8(ascii: "0"))
            let (shifted, overflow) = value.multipliedReportingOverflow(by: 10)
            // Built as a negative number, because negative numbers have the larger range.
            let (next, underflow) = shifted.subtractingReportingOverflow(digit)
            if overflow || underflow { return nil }
            value = next
        }
        if isNegative { return value == 0 ? nil : value }
        return value == .min ? nil : -value
    }

    /// The nearest double; nil beyond the range of doubles.
    var nearestDouble: Double? {
        guard let double = Double(String(decoding: self, as: UTF8.self)), double.isFinite else {
            return nil
        }
        return double
    }
}
