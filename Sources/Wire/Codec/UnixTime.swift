// Times of the calendar, as RFC 3339 writes them in UTC with milliseconds.

/// A moment by the clock of a machine.
///
/// For people and logs: clocks of two machines are never compared.
package struct UnixTime: Sendable, Hashable {
    /// Milliseconds since the beginning of 1970, in UTC.
    package var milliseconds: Int

    /// The moment of that time.
    package init(milliseconds: Int) {
        self.milliseconds = milliseconds
    }

    /// Days from the beginning of March of the year 0 to that of 1970.
    private static let epoch = 719_468
    private static let dayMilliseconds = 86_400_000
    /// Days of 400 years.
    private static let eraDays = 146_097

    /// The moment as in `2026-11-28T02:43:03.250Z`.
    package var text: String {
        let (days, time) = milliseconds.flooredDivision(by: Self.dayMilliseconds)
        // Years that begin in March have their leap day at the end.
        let (era, day) = (days + Self.epoch).flooredDivision(by: Self.eraDays)
        let yearOfEra = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let dayOfMonth = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
        let date = "\(digits(year, 4))-\(digits(month, 2))-\(digits(dayOfMonth, 2))"
        let (hour, minute) = (time / 3_600_000, time / 60_000 % 60)
        let (second, rest) = (time / 1_000 % 60, time % 1_000)
        return "\(date)T\(digits(hour, 2)):\(digits(minute, 2)):\(digits(second, 2))"
            + ".\(digits(rest, 3))Z"
    }

    /// The moment of a text as above; nil if it is none.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        let form = Array("0000-00-00T00:00:00.000Z".utf8)
        guard bytes.count == form.count else { return nil }
        var numbers = [0]
        for (byte, wanted) in zip(bytes, form) {
            if wanted == UInt8(ascii: "0") {
                guard (0x30...0x39).contains(byte) else { return nil }
                numbers[numbers.count - 1] = numbers[numbers.count - 1] * 10 + Int(byte - 0x30)
            } else {
                guard byte == wanted else { return nil }
                numbers.append(0)
            }
        }
        let (month, day) = (numbers[1], numbers[2])
        let year = month <= 2 ? numbers[0] - 1 : numbers[0]
        let (era, yearOfEra) = year.flooredDivision(by: 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * Self.eraDays + dayOfEra - Self.epoch
        let seconds = (numbers[3] * 60 + numbers[4]) * 60 + numbers[5]
        milliseconds = days * Self.dayMilliseconds + seconds * 1_000 + numbers[6]
        // A date that does not exist, such as the 30th of February, is written in another way.
        guard self.text == text else { return nil }
    }
}

private func digits(_ number: Int, _ count: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(count - text.utf8.count, 0)) + text
}

extension Int {
    /// The quotient rounded down, and what is left, which is not negative.
    fileprivate func flooredDivision(by divisor: Int) -> (quotient: Int, remainder: Int) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
