// Words, numbers and durations as people read them. Pure.
internal import Core

/// Pieces of text for people.
package enum Text {
    /// The text with all control characters made visible or blank.
    package static func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var clean = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n", "\t", "\r": clean += " "
            default: clean.unicodeScalars.append(isControl(scalar) ? "\u{FFFD}" : scalar)
            }
        }
        return clean
    }

    /// Text of several lines with all other control characters made visible.
    package static func harmless(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { isControl($0) && $0 != "\n" && $0 != "\t" })
        else { return text }
        var clean = ""
        var scalars = text.unicodeScalars[...]
        while let scalar = scalars.popFirst() {
            switch scalar {
            case "\n", "\t": clean.unicodeScalars.append(scalar)
            // A line end of another system.
            case "\r" where scalars.first == "\n": continue
            default: clean.unicodeScalars.append(isControl(scalar) ? "\u{FFFD}" : scalar)
            }
        }
        return clean
    }

    /// `1 node`, `2 nodes`.
    package static func count(_ number: Int, _ noun: String, plural: String? = nil) -> String {
        number == 1 ? "1 \(noun)" : "\(number) \(plural ?? noun + "s")"
    }

    /// Milliseconds as `0.42 ms`, `12 ms`, `3.4 s`, `2 min 05 s`, `3 h 04 min`, `2 d 5 h`.
    package static func duration(milliseconds: Double) -> String {
        let positive = max(milliseconds, 0)
        if positive < 9.995 { return "\(fixed(positive, digits: 2)) ms" }
        if positive < 999.5 { return "\(Int(positive.rounded())) ms" }
        if positive < 59_950 { return "\(fixed(positive / 1000, digits: 1)) s" }
        let seconds = Int(min(positive / 1000, 1e12).rounded())
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400)
        if hours == 0 { return "\(minutes) min \(padded(seconds % 60)) s" }
        if days == 0 { return "\(hours) h \(padded(minutes % 60)) min" }
        return "\(days) d \(hours % 24) h"
    }

    /// Microseconds in the same words.
    package static func duration(microseconds: Int) -> String {
        duration(milliseconds: Core.milliseconds(microseconds))
    }

    /// Microseconds as seconds with three digits, `12.345`.
    package static func seconds(microseconds: Int) -> String {
        fixed(Double(microseconds) / 1e6, digits: 3)
    }

    /// A number with that many digits after the point.
    package static func fixed(_ value: Double, digits: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
        var scale = 1
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int((abs(value) * Double(scale)).rounded())
        let whole = "\(value < 0 && scaled > 0 ? "-" : "")\(scaled / scale)"
        guard digits > 0 else { return whole }
        let fraction = String(scaled % scale)
        return "\(whole).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
    }

    /// An amount of money: two digits after the point, or so many that small ones are not 0.
    package static func amount(_ value: Double) -> String {
        var digits = 2
        var least = 0.1
        while abs(value) < least, value != 0, digits < 12 {
            digits += 1
            least /= 10
        }
        return fixed(value, digits: digits)
    }

    private static func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            || (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
            || (0x200E...0x200F).contains(scalar.value) || (0x2028...0x2029).contains(scalar.value)
            || scalar.value == 0x061C
    }
}
