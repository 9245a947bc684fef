// HOST:PORT as people write it.
import Client
import Testing
import Transport

@Suite("Endpoints")
struct EndpointTests {
    @Test(
        "Reads and writes names, addresses and IPv6 in brackets",
        arguments: [
            ("127.0.0.1:7420", "127.0.0.1", 7420), ("build-host:1", "build-host", 1),
            ("[::1]:65535", "::1", 65535), ("a.example.org:80", "a.example.org", 80),
        ]
    )
    func reads(text: String, host: String, port: Int) throws {
        let endpoint = try Endpoint.parse(text)
        #expect(endpoint == Endpoint(host: host, port: port))
        #expect(endpoint.description == text)
    }

    @Test(
        "Reports what is wrong",
        arguments: [
            ("", "no host"), (":7420", "no host"), ("host", "no port"), ("host:", "no port"),
            ("::1:7420", "brackets"), ("[::1:7420", "without a ]"), ("[::1]", "no port"),
            ("[::1]7420", "no port"), ("[host]:1", "something else than IPv6"),
            ("host:0", "1 to 65535"), ("host:65536", "1 to 65535"), ("host:+1", "1 to 65535"),
            ("host:99999999999999999999", "1 to 65535"), ("ho st:1", "neither a name"),
            ("http://host:1", "several colons"),
        ]
    )
    func refuses(text: String, problem: String) {
        let error = #expect(throws: EndpointError.self) { try Endpoint.parse(text) }
        #expect(error?.message.contains(problem) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("HOST:PORT") == true)
    }
}
