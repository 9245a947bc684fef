// Durations and sizes as people write them: 10s, 500ms, 1MiB. Used for files and on the command
// line.

import Core

/// The error for a text that is not a duration or a size.
public struct QuantityError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong and what to write instead, as a sentence for a person.
    public var message: String

    /// The message.
    public var description: String { message }
}

/// Reads durations and sizes as people write them.
///
/// A quantity is a number, which may have a fraction, directly followed by its unit.
public enum Quantities {
    private static let durationUnits: [(name: String, nanoseconds: Int64)] = [
        ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000),
        ("d", 86_400_000_000_000),
    ]

    private static let sizeUnits: [(name: String, bytes: Int64)] = [
        ("", 1), ("B", 1), ("kB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000),
        ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30),
    ]

    /// Reads a duration such as `10s`, `500ms`, `2m`, `1.5h`; at least 0, at most 10,000 hours.
    ///
    /// A number without a unit is refused, because its meaning would be a guess.
    public static func parseDuration(_ text: String) throws(QuantityError) -> Duration {
        let advice = "Write a duration with its unit: 500ms, 10s, 2m, 1h or 7d."
        guard let (number, unit) = split(text) else {
            throw QuantityError(message: "\(quoted(text)) is not a duration. \(advice)")
        }
        guard let factor = durationUnits.first(where: { $0.name == unit })?.nanoseconds else {
            let problem = unit.isEmpty ? "has no unit" : "has an unknown unit"
            throw QuantityError(message: "\(quoted(text)) \(problem). \(advice)")
        }
        guard let nanoseconds = number.scaled(by: factor), nanoseconds <= 36_000_000_000_000_000
        else {
            throw QuantityError(message: "\(quoted(text)) is longer than 10000h.")
        }
        return .nanoseconds(nanoseconds)
    }

    /// Reads a size in bytes such as `1MiB`, `64KiB`, `10MB`, `4096`; at most 2^53.
    ///
    /// Upper and lower case mean the same; `KB` is 1000 and `KiB` 1024.
    public static func parseSize(_ text: String) throws(QuantityError) -> Int {
        let advice = "Write a size in bytes or with its unit: 4096, 64KiB, 1MiB or 10MB."
        guard let (number, unit) = split(text) else {
            throw QuantityError(message: "\(quoted(text)) is not a size. \(advice)")
        }
        let lowered = unit.lowercased()
        guard let factor = sizeUnits.first(where: { $0.name.lowercased() == lowered })?.bytes
        else {
            throw QuantityError(
                message: "\(quoted(text)) has an unknown unit. \(advice)"
            )
        }
        guard let bytes = number.scaled(by: factor), bytes <= 1 << 53 else {
            throw QuantityError(message: "\(quoted(text)) is larger than 2^53 bytes.")
        }
        return Int(bytes)
    }

    /// A duration in the form that is read, in the largest unit that leaves no remainder.
    public static func text(_ duration: Duration) -> String {
        let nanoseconds = duration.nanosecondsRoundedUp
        // Hours say more than days where limits are compared.
        let unit =
            durationUnits.last { nanoseconds % $0.nanoseconds == 0 && $0.name != "d" }
            ?? durationUnits[0]
        return nanoseconds == 0 ? "0s" : "\(nanoseconds / unit.nanoseconds)\(unit.name)"
    }

    /// A size in the form that is read, in the largest binary unit that leaves no remainder.
    public static func text(bytes: Int) -> String {
        let unit = sizeUnits.last { Int64(bytes) % $0.bytes == 0 && $0.name.hasSuffix("iB") }
        guard bytes > 0, let unit else { return "\(bytes)" }
        return "\(Int64(bytes) / unit.bytes)\(unit.name)"
    }

    private static func quoted(_ text: String) -> String { "\"\(text.prefix(40))\"" }

    /// The number and the unit of a text, or nil if it does not start with a number.
    private static func split(_ text: String) -> (number: Decimal, unit: String)? {
        let trimmed = text.drop { $0 == " " }
        let digits = trimmed.prefix { ("0"..."9").contains($0) || $0 == "." }
        guard let number = Decimal(digits) else { return nil }
        var unit = trimmed[digits.endIndex...].drop { $0 == " " }
        while unit.last == " " { unit.removeLast() }
        return (number, String(unit))
    }

    /// A number without sign: its digits without the point, and how many came after it.
    private struct Decimal {
        private let digits: UInt64
        private let divisor: UInt64

        init?(_ text: Substring) {
            let parts = text.split(separator: ".", omittingEmptySubsequences: false)
            guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty }),
                let whole = parts.first, whole.utf8.count <= 17
            else { return nil }
            // Eighteen digits fit; further digits of a fraction are ignored.
            let fraction = parts.count == 2 ? parts[1].prefix(18 - whole.utf8.count) : ""
            guard let digits = UInt64(whole + fraction) else { return nil }
            self.digits = digits
            divisor = fraction.reduce(into: 1) { power, _ in power *= 10 }
        }

        /// The product, rounded down; nil when it does not fit.
        func scaled(by factor: Int64) -> Int64? {
            let product = digits.multipliedFullWidth(by: UInt64(factor))
            guard product.high < divisor else { return nil }
            return Int64(exactly: divisor.dividingFullWidth(product).quotient)
        }
    }
}
