// The log as JSON: each line is one object, whatever is in it.
import Console
import JSON
import Testing

@Suite("Log as JSON")
struct LogFormatTests {
    @Test("Each line is one object with the texts as they are, and no field comes twice")
    func lines() throws {
        let hostile = "a\"b\\c\nd\u{0}\u{1b}[31m\u{202e}\u{2028}é\u{1F600}"
        let bytes = JSONLogLine.written(
            hostile,
            level: "info",
            component: "worker",
            fields: [("run", "r7"), ("message", hostile), (hostile, "x"), ("", "y")],
            milliseconds: 1_795_833_783_250
        )
        #expect(bytes.filter { $0 == UInt8(ascii: "\n") }.count == 1)
        #expect(bytes.last == UInt8(ascii: "\n"))
        let line = try JSONValue(parsing: bytes.dropLast())
        #expect(
            line == [
                "time": "2026-11-28T02:43:03.250Z", "level": "info", "component": "worker",
                "message": .string(hostile), "run": "r7", "message_": .string(hostile),
                hostile: "x", "": "y",
            ]
        )
    }
}
