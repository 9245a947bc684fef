// The rules for requests over HTTP, and the questions about approvals.
import Core
import HTTPRequests
import JSON
import MCP
import Testing
import Wire

@testable import MCPServer

@Suite("Rules for requests over HTTP")
struct HTTPRulesTests {
    private static func head(_ changes: [(String, String?)] = []) -> HTTPRequestHead {
        var headers: [(name: String, value: String)] = [
            ("Host", "127.0.0.1:8080"), ("Content-Type", "application/json; charset=utf-8"),
            ("Authorization", "Bearer secret"),
        ]
        for (name, value) in changes {
            headers.removeAll { $0.name == name }
            if let value { headers.append((name, value)) }
        }
        return HTTPRequestHead(method: "POST", path: "/mcp", headers: headers)
    }

    private static func status(_ head: HTTPRequestHead, _ rules: HTTPRules) -> Int {
        do throws(HTTPRefusal) {
            try rules.check(head)
            return 200
        } catch {
            return error.status
        }
    }

    @Test(
        "Only this host's names and known tokens are let in",
        arguments: [
            ("Host", "localhost", 200), ("Host", "[::1]:80", 200), ("Host", "LOCALHOST:1", 200),
            ("Host", "proxy.example", 200), ("Host", "localhost.evil.example", 403),
            ("Host", nil, 403), ("Host", "evil.example:8080", 403),
            ("Origin", "https://localhost", 200), ("Origin", "http://127.0.0.1:3000", 200),
            ("Origin", "http://evil.example", 403), ("Origin", "null", 403),
            ("Origin", "file://localhost", 403), ("Origin", "http://localhost@evil.example", 403),
            ("Authorization", nil, 401), ("Authorization", "Bearer wrong", 401),
            ("Authorization", "bearer  secret", 200), ("Authorization", "Basic secret", 401),
            ("Content-Type", "text/plain", 415), ("Content-Type", nil, 415),
        ] as [(String, String?, Int)]
    )
    func origins(name: String, value: String?, status: Int) {
        let rules = HTTPRules(otherHosts: ["Proxy.example"], token: "secret")
        #expect(Self.status(Self.head([(name, value)]), rules) == status)
    }

    @Test("Without a token everyone of this host is let in")
    func noToken() {
        let rules = HTTPRules(token: nil)
        #expect(Self.status(Self.head([("Authorization", nil)]), rules) == 200)
        #expect(Self.status(Self.head([("Host", "proxy.example")]), rules) == 403)
    }

    @Test("The era of a request is what its header lines and its message agree on")
    func eras() throws {
        func era(_ params: String, _ changes: [(String, String?)]) throws -> MCPEra {
            let text = #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":\#(params)}"#
            let message = try JSONRPCMessage(parsing: Array(text.utf8)[...])
            return try HTTPRules.era(of: message, Self.head(changes))
        }
        let params = #"{"name":"Grüße",\#(SessionHarness.meta)}"#
        let lines: [(String, String?)] = [
            ("Mcp-Protocol-Version", "2026-07-28"), ("Mcp-Method", "tools/call"),
            ("Mcp-Name", "=?base64?R3LDvMOfZQ==?="),
        ]
        #expect(try era(params, lines) == .modern)
        #expect(try era(#"{"name":"a"}"#, []) == .legacy)
        #expect(try era(#"{"name":"a"}"#, [("Mcp-Protocol-Version", "2025-06-18")]) == .legacy)
        for wrong in [Array(lines.dropFirst()), Array(lines.dropLast())] {
            #expect(throws: HTTPRefusal.self) { try era(params, wrong) }
        }
        #expect(throws: HTTPRefusal.self) {
            try era(#"{"name":"a"}"#, [("Mcp-Protocol-Version", "2026-07-28")])
        }
    }
}

@Suite("Questions about approvals")
struct ApprovalFormTests {
    @Test("Each node that waits is a question, and its answer comes back")
    func questions() throws {
        let run = try #require(RunID("r1"))
        let waiting = ApprovalDocument(
            run: run,
            node: try #require(NodeID("buy")),
            question: ApprovalQuestion(
                tool: "pay",
                arguments: RawJSON(["amount": 5]),
                timeoutMilliseconds: 1_000
            ),
            askedAt: UnixTime(milliseconds: 0),
            failsAt: UnixTime(milliseconds: 1_000),
            waitMilliseconds: 0
        )
        let question = try #require(JSONValue(ApprovalForm.requests([waiting]))["approve:buy"])
        #expect(question["method"] == "elicitation/create")
        #expect(
            question["params"]?["message"]
                == #"Task buy of run r1 wants to call pay with {"amount":5}. May it?"#
        )
        func answers(_ response: JSONValue) -> [Bool] {
            ApprovalForm.answers(RawJSON(["approve:buy": response, "other": response]), of: run)
                .map(\.isApproved)
        }
        #expect(answers(["action": "accept", "content": ["approve": true]]) == [true])
        #expect(answers(["action": "accept", "content": ["approve": false]]) == [false])
        #expect(answers(["action": "decline"]) == [false])
        #expect(answers(["action": "cancel"]) == [])
        #expect(answers(5) == [])
    }
}
