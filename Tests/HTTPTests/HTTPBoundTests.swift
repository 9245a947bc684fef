// Where a request may go, and how much may come back.
import HTTP
import HTTPTestKit
import Testing
import UVLoop

@Suite("Bounds of HTTP")
struct HTTPBoundTests {
    /// The code with which a request for a body of ten bytes ends; nil for success.
    private func end(
        _ change: @escaping @Sendable (inout HTTPRequest) -> Void
    ) async throws -> HTTPError.Code? {
        try await onLoopWithoutProxy(limit: .seconds(20)) { loop in
            let server = try ScriptedHTTPServer(loop) { _, exchange in
                exchange.respond(200, "0123456789")
            }
            let client = HTTPClient(loop: loop)
            var request = HTTPRequest(method: "GET", url: server.url + "/x")
            change(&request)
            var code: HTTPError.Code?
            client.start(request, onHead: { _ in }, onBody: { _ in }) { result in
                if case .failure(let error) = result { code = error.code }
                loop.stop()
            }
            loop.run()
            client.close()
            return code
        }
    }

    @Test("A body may be as large as its limit and no larger")
    func limit() async throws {
        #expect(try await end { $0.bodyLimit = 10 } == nil)
        #expect(try await end { $0.bodyLimit = 9 } == .tooLarge)
    }

    @Test("Connects to public addresses and those of the networks that are named")
    func networks() async throws {
        #expect(try await end { $0.networks = [] } == .forbidden)
        #expect(
            try await end { $0.networks = ["10.0.0.0/8"].compactMap { HTTPNetwork($0) } }
                == .forbidden
        )
        #expect(try await end { $0.networks = ["127.0.0.1"].compactMap { HTTPNetwork($0) } } == nil)
        #expect(
            try await end { $0.networks = ["127.0.0.0/8"].compactMap { HTTPNetwork($0) } } == nil
        )
        #expect(try await end { $0.networks = ["::/0"].compactMap { HTTPNetwork($0) } } == nil)
    }

    @Test(
        "Reads URLs, and references at their place",
        arguments: [
            ("c?d#e", "https://h/a/b", "https://h/a/c?d", "https", "h", 443),
            ("//o:8/x", "http://h/", "http://o:8/x", "http", "o", 8),
            ("/../x y", "http://H/a", "http://H/x%20y", "http", "h", 80),
            ("http://[::1]/", nil, "http://[::1]/", "http", "[::1]", 80),
        ]
    )
    func urls(
        _ text: String,
        base: String?,
        whole: String,
        scheme: String,
        host: String,
        port: Int
    ) throws {
        let url = try #require(HTTPURL(text, at: base.flatMap { HTTPURL($0) }))
        #expect(url.text.lowercased() == whole.lowercased())
        #expect(url.scheme == scheme && url.host == host && url.port == port)
    }

    @Test(
        "Reads no other URLs",
        arguments: ["file:///etc/passwd", "ftp://h/", "javascript:x", "", "http://", "http://h:x/"]
    )
    func others(_ text: String) {
        #expect(HTTPURL(text) == nil)
        #expect(HTTPURL(text.isEmpty ? "gopher://h" : text, at: HTTPURL("http://h/")) == nil)
    }
}
