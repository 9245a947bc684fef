// Durations as numbers: what is rounded up, what to the nearest, and the ends of the range.

import Core
import Testing

@Suite("Durations")
struct DurationTests {
    @Test(
        "What limits something is rounded up",
        arguments: [
            (0, 0), (1, 1), (999_999, 1), (1_000_000, 1), (1_000_001, 2), (1_999_999, 2), (-1, 0),
            (-999_999, 0), (-1_000_001, -1),
        ]
    )
    func limits(nanoseconds: Int64, milliseconds: Int) {
        #expect(Duration.nanoseconds(nanoseconds).millisecondsRoundedUp == milliseconds)
    }

    @Test(
        "What was measured is rounded to the nearest unit, a half upwards",
        arguments: [
            (0, 0), (499, 0), (500, 1), (1_499, 1), (1_500, 2), (-499, 0), (-500, 0), (-501, -1),
            (-1_500, -1), (-1_501, -2),
        ]
    )
    func measured(small: Int64, rounded: Int) {
        #expect(Duration.nanoseconds(small).wholeMicroseconds == rounded)
        #expect(Duration.microseconds(small).wholeMilliseconds == rounded)
        let start = Instant(nanoseconds: 7)
        #expect((start + .nanoseconds(small)).microseconds(since: start) == rounded)
    }

    @Test("A fraction of a nanosecond counts as one more")
    func fractions() {
        let fraction = Duration(secondsComponent: 0, attosecondsComponent: 1)
        #expect(fraction.nanosecondsRoundedUp == 1)
        #expect((.seconds(2) + fraction).nanosecondsRoundedUp == 2_000_000_001)
        #expect((.zero - fraction).nanosecondsRoundedUp == 0)
        #expect(fraction.millisecondsRoundedUp == 1)
        #expect(fraction.wholeMilliseconds == 0)
    }

    @Test("What does not fit stays at the end of the range")
    func saturation() {
        #expect(Duration.seconds(Int64.max).nanosecondsRoundedUp == .max)
        #expect(Duration.seconds(Int64.min).nanosecondsRoundedUp == .min)
        #expect(Duration.seconds(Int64.max).millisecondsRoundedUp == 9_223_372_036_855)
        #expect(Duration.seconds(Int64.max).wholeMilliseconds == 9_223_372_036_855)
        let (first, last) = (Instant(nanoseconds: .min), Instant(nanoseconds: .max))
        #expect(last.microseconds(since: first) == 9_223_372_036_854_776)
        #expect(first.microseconds(since: last) == -9_223_372_036_854_776)
    }

    @Test("Microseconds read as milliseconds with three digits")
    func digits() {
        #expect(milliseconds(12_345) == 12.345)
        #expect(milliseconds(-1) == -0.001)
    }
}
