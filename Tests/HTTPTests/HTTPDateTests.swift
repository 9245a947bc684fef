// Dates in headers of HTTP.
import HTTP
import Testing

@Suite("Dates of HTTP")
struct HTTPDateTests {
    @Test(
        "Reads a date in any of the three forms",
        arguments: [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
            ("Sun Nov  6 08:49:37 1994", 784_111_777),
            ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199),
            ("Fri, 01 Mar 2024 00:00:00 GMT", 1_709_251_200),
            ("Wed, 31 Dec 2098 12:00:00 GMT", 4_070_865_600),
        ]
    )
    func dates(text: String, seconds: Int) {
        #expect(HTTPDate.seconds(text) == seconds)
    }

    @Test(
        "Refuses any other text",
        arguments: [
            "", "soon", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT",
            "Sun, 99 Nov 1994 08:49:37 GMT",
        ]
    )
    func others(text: String) {
        #expect(HTTPDate.seconds(text) == nil)
    }
}
