// Which request asks for what, and how orders become messages.
import Core
import HTTPRequests
import JSON
import Testing
import Wire

@testable import Gateway

private func named(_ text: String) -> RunID {
    guard let run = RunID(text) else { preconditionFailure("\(text) is no id") }
    return run
}

@Suite("Routes") struct GatewayRouteTests {
    private func route(
        _ path: String,
        _ method: String = "GET",
        _ query: [(name: String, value: String)] = [],
        _ headers: [(name: String, value: String)] = []
    ) throws(GatewayError) -> GatewayRoute {
        try GatewayRoute(
            HTTPRequestHead(method: method, path: path, query: query, headers: headers)
        )
    }

    private func status(_ path: String, _ method: String = "GET", _ name: String? = nil) -> Int? {
        do throws(GatewayError) {
            _ = try route(path, method, name.map { [($0, "x")] } ?? [])
            return nil
        } catch {
            return error.status
        }
    }

    private let run = named("r7")

    @Test func findsAnswers() throws {
        let get = Get(request: 0, what: .node, id: "r7", node: NodeID("t1"))
        #expect(try route("/v1/runs/r7/nodes/t1") == .document(get))
        #expect(
            try route("/v1/runs", "GET", [("limit", "5"), ("status", "failed")])
                == .document(Get(request: 0, what: .runs, limit: 5, status: .failed))
        )
        #expect(
            try route("/v1/runs/r7/nodes/t1/story")
                == .document(Get(request: 0, what: .story, id: "r7", node: NodeID("t1")))
        )
        #expect(try route("/", "HEAD") == .page)
        #expect(try route("/metrics") == .metrics)
    }

    @Test func findsOrders() throws {
        #expect(try route("/v1/runs", "POST") == .order(.submit))
        #expect(try route("/v1/runs/r7/cancel", "POST") == .order(.cancel(run)))
        #expect(try route("/v1/workers/w-1/drain", "POST") == .order(.drain("w-1")))
        for path in ["/v1/runs/r7/cancel", "/v1/runs/r7/retry", "/v1/session"] {
            #expect(status(path) == 405, "\(path) by GET has an effect")
        }
    }

    @Test func refusesTheRest() {
        for path in [
            "", "/v1", "/v1/", "/v2/runs", "/v1/runs/", "/v1/runs/R7", "/v1/runs/r7/",
            "/v1/runs/r7/nodes/t1/more", "/v1/runs/r7/nodes/a%2Fb", "/v1/runs/../status",
            "/v1/workers/w/", "/index.html", "//", "/v1/workers/a b/drain",
        ] {
            #expect(status(path) == 404, "\(path)")
        }
        #expect(status("/v1/status", "POST") == 405)
        #expect(status("/v1/status", "GET", "limit") == 400)
        #expect(status("/v1/workers", "GET", "limit") == 400)
        #expect(status("/v1/runs", "GET", "status") == 400)
        #expect(status("/v1/runs", "DELETE") == 405)
    }

    @Test func aStreamGoesOnAfterTheLastEvent() throws {
        let path = "/v1/runs/r7/events"
        #expect(try route(path) == .runEvents(run, .nodes, from: nil))
        let query = [(name: "from", value: "3"), (name: "level", value: "all")]
        #expect(try route(path, "GET", query) == .runEvents(run, .all, from: 3))
        #expect(
            try route(path, "GET", query, [("Last-Event-ID", "9")])
                == .runEvents(run, .all, from: 10)
        )
        #expect(throws: GatewayError.self) {
            try route(path, "GET", [], [("Last-Event-ID", "nine")])
        }
    }

    // MARK: - Orders

    private func message(_ order: GatewayOrder, _ body: String) throws -> Message {
        try order.message(body: Array(body.utf8), key: "fresh")
    }

    @Test func ordersBecomeMessages() throws {
        #expect(
            try message(.cancel(run), "") == .cancelRun(CancelRun(run: run, reason: nil))
        )
        #expect(
            try message(.approve(run), #"{"approved":false,"reason":"no"}"#)
                == .approve(Approve(run: run, isApproved: false, reason: "no"))
        )
        guard case .submit(let submit) = try message(.submit, #"{"goal":"x","key":"k"}"#),
            case .submit(let retry) = try message(.retry(run), #"{"nodes":["t1"]}"#)
        else { return #expect(Bool(false), "another message") }
        #expect(submit.key == "k")
        #expect(submit.goal == "x")
        #expect(retry.key == "fresh")
        #expect(retry.retry == RetriedRun(run: run, nodes: [NodeID(checked: "t1")]))
    }

    @Test func bodiesMayNotDecideWhatThePathDoes() {
        for (order, body) in [
            (GatewayOrder.submit, #"{"goal":"x","type":"cancel_run"}"#),
            (.submit, #"{"goal":"x","stream":true}"#), (.cancel(run), #"{"run":"r8"}"#),
            (.drain("w"), #"{"worker":"v"}"#), (.retry(run), #"{"retry":{"run":"r8"}}"#),
            (.submit, "[]"), (.submit, "{"), (.submit, "{}"), (.approve(run), "{}"),
        ] {
            #expect(throws: GatewayError.self, "\(order) \(body)") { try message(order, body) }
        }
    }

    // MARK: - Streams

    @Test func eventsAreWrittenForBrowsers() throws {
        let event = EventMessage(
            run: run,
            sequence: 4,
            kind: .nodeReady,
            node: NodeID("t1"),
            atMicroseconds: 5
        )
        #expect(
            String(decoding: ServerSentEvent.text(of: event), as: UTF8.self)
                == "id: 4\ndata: {\"run\":\"r7\",\"seq\":4,\"kind\":\"node_ready\","
                + "\"node\":\"t1\",\"at_us\":5}\n\n"
        )
        var snapshot = event
        snapshot.kind = .snapshot
        #expect(
            !String(decoding: ServerSentEvent.text(of: snapshot), as: UTF8.self).contains("id:")
        )
    }

    @Test func aPositionIsReadAsItWasWritten() {
        var position = ClusterPosition()
        position.note(
            EventMessage(run: run, sequence: 4, kind: .nodeReady, atMicroseconds: 5)
        )
        position.note(
            EventMessage(run: named("a"), sequence: 0, kind: .planned, atMicroseconds: 0)
        )
        #expect(position.text == "a=1,r7=5")
        #expect(ClusterPosition(position.text) == position)
        position.note(
            EventMessage(run: run, sequence: 5, kind: .runFailed, atMicroseconds: 6)
        )
        #expect(position.text == "a=1")
        #expect(ClusterPosition("r7=x,=,r8=-1,r9=99999999999999999999,b=2,").text == "b=2")
        let many = (0..<1_000).map { "r\($0)=1" }.joined(separator: ",")
        #expect(ClusterPosition(many).next.count == ClusterPosition.limit)
    }
}

@Suite("Sites") struct HTTPSiteTests {
    private func problem(
        _ headers: [(name: String, value: String)],
        isOwn: Bool = true
    ) -> HTTPSite.Problem? {
        let head = HTTPRequestHead(method: "GET", path: "/", headers: headers)
        let site = HTTPSite(otherHosts: ["Weft.Example"])
        do throws(HTTPSite.Problem) {
            if isOwn { try site.checkOwn(head) } else { try site.check(head) }
            return nil
        } catch {
            return error
        }
    }

    @Test func knowsItsNames() {
        for host in ["127.0.0.1:1", "localhost", "[::1]:9", "weft.example:443", "LOCALHOST:2"] {
            #expect(problem([("Host", host)]) == nil, "\(host)")
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "", "[::2]", "localhost."] {
            #expect(problem([("Host", host)]) == .foreignHost, "\(host)")
        }
        #expect(problem([]) == .foreignHost)
        #expect(problem([("Host", "localhost"), ("Host", "localhost")]) == .foreignHost)
    }

    @Test func onlyItsOwnPagesMayAsk() {
        let host = (name: "Host", value: "localhost:7421")
        #expect(problem([host, ("Origin", "http://localhost:7421")]) == nil)
        for origin in [
            "http://localhost:9", "http://127.0.0.1:7421", "null", "http://evil.example",
            "file://", "localhost:7421",
        ] {
            #expect(problem([host, ("Origin", origin)]) == .foreignOrigin, "\(origin)")
        }
        #expect(problem([host, ("Origin", "http://localhost:9")], isOwn: false) == nil)
        for (relation, isGood) in [
            ("same-origin", true), ("none", true), ("same-site", false), ("cross-site", false),
        ] {
            let found = problem([host, ("Sec-Fetch-Site", relation)])
            #expect((found == nil) == isGood, "\(relation)")
        }
    }
}
