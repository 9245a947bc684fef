// A time on the command line after which something happened: how long ago, or a date of UTC.
internal import ArgumentParser
internal import Glibc
internal import Wire

enum Since {
    static let help =
        "a time ago, as 90s, 15m, 2h or 7d, or a date or time of UTC, as 2026-11-28 or "
        + "2026-11-28T06:30:00Z."

    /// The time in milliseconds of Unix time.
    static func milliseconds(_ text: String) throws -> Int {
        let whole = text.count == 10 ? "\(text)T00:00:00.000Z" : text
        let exact = whole.count == 20 ? "\(whole.dropLast()).000Z" : whole
        if let time = UnixTime(exact) { return time.milliseconds }
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
        guard let unit = text.last.flatMap({ units[$0] }), let count = Int(text.dropLast()),
            count >= 0, count < 1 << 30
        else {
            throw ValidationError(
                "--since: \(text) is no time; write 15m, 2h, 7d, 2026-11-28 or "
                    + "2026-11-28T06:30:00Z."
            )
        }
        return (time(nil) - count * unit) * 1_000
    }
}
