// Numbers that do not fit into Int64 or Double: kept as written, and compared digit by digit.

/// A JSON number as written, and its decimal value.
///
/// Values are made from JSON text only, so the text is always a valid JSON number.
public struct BigNumber: Sendable, Hashable, CustomStringConvertible {
    /// The number as it is written.
    public let text: String

    /// Makes a number of text that is already validated.
    init(checked digits: ArraySlice<UInt8>) {
        text = String(decoding: digits, as: UTF8.self)
    }

    /// The number as it is written.
    public var description: String { text }

    /// The nearest double; nil beyond the range of doubles.
    public var doubleValue: Double? { Array(text.utf8)[...].nearestDouble }
}

/// A number as sign, digits and a power of ten: `-120.5` is minus, `1205`, -1.
///
/// Equal numbers have equal decimals, however they are written.
public struct DecimalNumber: Sendable, Hashable {
    /// Whether it is below zero.
    public let isNegative: Bool
    /// The digits from 0 to 9 without zeros at either end; none for zero.
    public let digits: [UInt8]
    /// The power of ten by which the digits, read as a whole number, are multiplied.
    public let exponent: Int

    /// Exponents beyond this are treated as this one.
    private static let largestExponent = 1 << 40

    /// The decimal of a number; nil for other values and for doubles that are not finite.
    ///
    /// A double counts as its shortest text that reads back as the same double.
    public init?(_ value: JSONValue) {
        switch value {
        case .integer(let integer): self.init(reading: integer.description)
        case .double(let double) where double.isFinite: self.init(reading: double.description)
        case .bigNumber(let number): self.init(reading: number.text)
        default: return nil
        }
    }

    private init(reading text: String) {
        var digits: [UInt8] = []
        var exponent = 0
        var written = 0
        var isInFraction = false
        var isNegative = false
        var isExponentNegative = false
        var isInExponent = false
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "-"):
                if isInExponent { isExponentNegative = true } else { isNegative = true }
            case UInt8(ascii: "."): isInFraction = true
            case UInt8(ascii: "e"), UInt8(ascii: "E"): isInExponent = true
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                let digit = byte - UInt8(ascii: "0")
                if isInExponent {
                    written = min(written * 10 + Int(digit), Self.largestExponent)
                } else {
                    if !digits.isEmpty || digit != 0 { digits.append(digit) }
                    if isInFraction { exponent -= 1 }
                }
            default: break
            }
        }
        exponent += isExponentNegative ? -written : written
        let count = digits.count - (digits.lastIndex { $0 != 0 }.map { $0 + 1 } ?? 0)
        digits.removeLast(count)
        self.digits = digits
        self.exponent = digits.isEmpty ? 0 : exponent + count
        self.isNegative = isNegative && !digits.isEmpty
    }

    /// Whether it has no fraction.
    public var isWhole: Bool { exponent >= 0 }

    /// Minus one, zero or one as this number is below, equal to or above another.
    public func compare(_ other: DecimalNumber) -> Int {
        if isNegative != other.isNegative { return isNegative ? -1 : 1 }
        return isNegative ? -compareSize(other) : compareSize(other)
    }

    private func compareSize(_ other: DecimalNumber) -> Int {
        if digits.isEmpty || other.digits.isEmpty {
            return (digits.isEmpty ? 0 : 1) - (other.digits.isEmpty ? 0 : 1)
        }
        let (height, otherHeight) = (digits.count + exponent, other.digits.count + other.exponent)
        if height != otherHeight { return height < otherHeight ? -1 : 1 }
        // There are no zeros at the ends, so of two that begin alike the longer one is larger.
        if digits == other.digits { return 0 }
        return digits.lexicographicallyPrecedes(other.digits) ? -1 : 1
    }

    /// The remainder of a whole number, without its sign, after a division; nil for a fraction.
    public func remainder(dividingBy divisor: Int64) -> UInt64? {
        guard isWhole, divisor > 0 else { return nil }
        let divisor = UInt64(divisor)
        func product(_ left: UInt64, _ right: UInt64) -> UInt64 {
            divisor.dividingFullWidth(left.multipliedFullWidth(by: right)).remainder
        }
        var rest = digits.reduce(0) { product($0, 10 % divisor) + UInt64($1) % divisor }
        var power = exponent
        var base = 10 % divisor
        rest %= divisor
        while power > 0 {
            if power & 1 == 1 { rest = product(rest, base) }
            base = product(base, base)
            power >>= 1
        }
        return rest
    }
}
