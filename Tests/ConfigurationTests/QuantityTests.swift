// Durations and sizes as people write them.
import Configuration
import Testing

@Suite struct QuantityTests {
    @Test(arguments: [
        ("10s", Duration.seconds(10)), ("500ms", .milliseconds(500)), ("2m", .seconds(120)),
        ("1h", .seconds(3600)), ("0s", .zero), ("1.5s", .milliseconds(1500)),
        ("0.001ms", .microseconds(1)), ("10 s", .seconds(10)), ("10000h", .seconds(36_000_000)),
        ("0.10s", .milliseconds(100)),
    ])
    func `durations are read with their unit`(text: String, duration: Duration) throws {
        #expect(try Quantities.parseDuration(text) == duration)
    }

    @Test(arguments: [
        "", "10", "s", "10 parsecs", "-1s", "1e3s", "1..5s", "1.s", ".5s", "10001h", "10S",
        "99999999999999999999s", "1s1s", "99999999999999999h",
    ])
    func `a text that is not a duration is refused`(text: String) {
        #expect(throws: QuantityError.self) { try Quantities.parseDuration(text) }
    }

    @Test(arguments: [
        ("4096", 4096), ("64KiB", 65536), ("1MiB", 1 << 20), ("2GiB", 2 << 30),
        ("10MB", 10_000_000),
        ("10kB", 10_000), ("1mib", 1 << 20), ("0", 0), ("7B", 7), ("1.5KiB", 1536),
        ("9007199254740992", 1 << 53),
    ])
    func `sizes are read with or without a unit`(text: String, bytes: Int) throws {
        #expect(try Quantities.parseSize(text) == bytes)
    }

    @Test(arguments: ["", "MiB", "1 potato", "-1", "1K", "9007199254740993", "99999999999GiB"])
    func `a text that is not a size is refused`(text: String) {
        #expect(throws: QuantityError.self) { try Quantities.parseSize(text) }
    }

    @Test func `the error for a duration without a unit says what to write`() {
        let error = #expect(throws: QuantityError.self) { try Quantities.parseDuration("10") }
        #expect(
            error?.message
                == "\"10\" has no unit. Write a duration with its unit: 500ms, 10s, 2m, 1h or 7d."
        )
    }
}
