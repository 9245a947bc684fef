// The client of an MCP server by events and actions: eras, lists, calls, tasks, cancelling.
import Core
import JSON
import MCP
import Testing

/// A client and what it has asked for.
private struct Client {
    var machine: MCPClientMachine
    var now = Instant.zero
    var actions: [MCPClientMachine.Action] = []

    init(usesHTTP: Bool = false) {
        machine = MCPClientMachine(
            MCPClientMachine.Configuration(
                softwareVersion: "1",
                usesHTTP: usesHTTP,
                maxTools: 100
            )
        )
    }

    /// Hands an event over; returns what was to be done about it.
    @discardableResult
    mutating func handle(_ event: MCPClientMachine.Event) -> [MCPClientMachine.Action] {
        actions = []
        machine.handle(event, at: now, into: &actions)
        return actions
    }

    @discardableResult
    mutating func receive(_ text: String) throws -> [MCPClientMachine.Action] {
        handle(.received(try JSONRPCMessage(parsing: Array(text.utf8)[...])))
    }

    /// Answers a request.
    @discardableResult
    mutating func answer(_ id: Int, _ result: String) throws -> [MCPClientMachine.Action] {
        try receive(#"{"jsonrpc":"2.0","id":\#(id),"result":\#(result)}"#)
    }

    @discardableResult
    mutating func refuse(
        _ id: Int,
        _ code: Int,
        _ message: String = "no"
    ) throws -> [MCPClientMachine.Action] {
        try receive(
            #"{"jsonrpc":"2.0","id":\#(id),"error":{"code":\#(code),"message":"\#(message)"}}"#
        )
    }

    /// Moves time to the next deadline.
    @discardableResult
    mutating func waitForDeadline() throws -> [MCPClientMachine.Action] {
        now = try #require(machine.nextDeadline())
        return handle(.deadlineReached)
    }

    /// Begins with a server that has the tool `add`.
    mutating func begin(_ era: MCPEra, tells: Bool = false) throws {
        handle(.opened)
        if era == .modern {
            try answer(
                1,
                #"{"supportedVersions":["2026-07-28"],"#
                    + #""capabilities":{"tools":{"listChanged":\#(tells)}}}"#
            )
            try answer(2, Self.page)
        } else {
            try refuse(1, -32601)
            try answer(2, #"{"protocolVersion":"2025-06-18","capabilities":{}}"#)
            try answer(3, Self.page)
        }
    }

    static let page = """
        {"tools":[{"name":"add","inputSchema":{"properties":{"a":{"x-mcp-header":"A"}}}}]}
        """

    /// Begins a call; returns the id of its request.
    mutating func call(_ number: Int, _ arguments: String = "{}") throws -> Int {
        handle(
            .callRequested(
                MCPClientMachine.Call(
                    number: number,
                    tool: "add",
                    arguments: try RawJSON(validating: arguments)
                )
            )
        )
        return try #require(actions.sent.first?.request)
    }
}

extension [MCPClientMachine.Action] {
    /// The messages that were sent.
    fileprivate var sent: [MCPClientMachine.Outgoing] {
        compactMap { if case .send(let outgoing) = $0 { outgoing } else { nil } }
    }

    /// The methods of the messages.
    fileprivate var methods: [String] {
        sent.compactMap { outgoing in
            switch outgoing.message {
            case .request(_, let method, _), .notification(let method, _): method
            default: nil
            }
        }
    }

    fileprivate var outcomes: [MCPClientMachine.CallOutcome] {
        compactMap { if case .finished(_, let outcome) = $0 { outcome } else { nil } }
    }

    fileprivate var failure: String? {
        compactMap { if case .failed(let words) = $0 { words } else { nil } }.first
    }

    fileprivate var tools: [String]? {
        compactMap { if case .listed(let tools) = $0 { tools.map(\.name) } else { nil } }.first
    }
}

@Suite struct MCPClientMachineTests {
    @Test func `a server of the modern era is found by its description`() throws {
        var client = Client()
        #expect(client.handle(.opened).methods == ["server/discover"])
        let listing = try client.answer(1, #"{"supportedVersions":["2026-07-28"]}"#)
        #expect(listing.methods == ["tools/list"])
        #expect(try client.answer(2, Client.page).tools == ["add"])
        #expect(client.machine.isReady)
        #expect(client.machine.nextDeadline() == nil)
    }

    @Test(arguments: [-32601, -32602, -32022, 0, 12])
    func `any refusal means the legacy era`(code: Int) throws {
        var client = Client()
        client.handle(.opened)
        #expect(try client.refuse(1, code).methods == ["initialize"])
        let initialized = try client.answer(2, #"{"protocolVersion":"2024-11-05"}"#)
        #expect(initialized.methods == ["notifications/initialized", "tools/list"])
        #expect(try client.answer(3, Client.page).tools == ["add"])
    }

    @Test func `silence means that the other era is tried too and the first answer counts`() throws
    {
        var client = Client()
        client.handle(.opened)
        #expect(try client.waitForDeadline().methods == ["initialize"])
        #expect(try client.refuse(2, -32601).failure == nil)
        #expect(
            try client.answer(1, #"{"supportedVersions":["2026-07-28"]}"#).methods == ["tools/list"]
        )
        var silent = Client()
        silent.handle(.opened)
        try silent.waitForDeadline()
        #expect(try silent.waitForDeadline().failure?.contains("start_timeout") == true)
    }

    @Test func `versions that are not known end it`() throws {
        var client = Client()
        client.handle(.opened)
        let actions = try client.answer(1, #"{"supportedVersions":["1900-01-01"]}"#)
        #expect(actions.failure?.contains("1900-01-01") == true)
        var legacy = Client()
        legacy.handle(.opened)
        try legacy.refuse(1, -32601)
        #expect(try legacy.answer(2, #"{"protocolVersion":"1900"}"#).failure != nil)
    }

    @Test func `a list ends when a cursor comes again`() throws {
        var client = Client()
        client.handle(.opened)
        try client.answer(1, #"{"supportedVersions":["2026-07-28"]}"#)
        try client.answer(2, #"{"tools":[{"name":"a"},{"name":"a"},7,{}],"nextCursor":""}"#)
        let last = try client.answer(3, #"{"tools":[{"name":"b"}],"nextCursor":""}"#)
        #expect(last.tools == ["a", "b"])
    }

    @Test func `a change during a listing leads to another listing`() throws {
        var client = Client()
        try client.begin(.legacy)
        let changed = #"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#
        #expect(try client.receive(changed).methods == ["tools/list"])
        #expect(try client.receive(changed).methods.isEmpty)
        #expect(try client.answer(4, Client.page).methods == ["tools/list"])
        #expect(try client.answer(5, #"{"tools":[]}"#).tools == [])
    }

    @Test func `a list that fails later changes nothing and is asked for again`() throws {
        var client = Client()
        try client.begin(.legacy)
        _ = try client.call(1)
        let change = #"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#
        try client.receive(change)
        #expect(try client.refuse(5, -32000, "busy").isEmpty)
        #expect(client.machine.isReady)
        #expect(try client.waitForDeadline().count == 1)
        #expect(client.now == .zero + .seconds(5))
        #expect(try client.answer(6, Client.page).count == 1)
        #expect(client.machine.nextDeadline() == nil)
    }

    @Test(arguments: ["\"4\"", "4.0"])
    func `ids that became texts or fractions are understood`(id: String) throws {
        var client = Client()
        try client.begin(.legacy)
        #expect(try client.call(1) == 4)
        let actions = try client.receive(
            #"{"jsonrpc":"2.0","id":\#(id),"result":{"content":[]}}"#
        )
        #expect(actions.count == 1)
    }

    @Test func `changes are listened for and the stream is opened again`() throws {
        var client = Client()
        try client.begin(.modern, tells: true)
        #expect(client.actions.methods == ["subscriptions/listen"])
        try client.answer(3, "{}")
        #expect(try client.waitForDeadline().methods == ["subscriptions/listen"])
        // One that cannot is not asked again.
        try client.refuse(4, -32601)
        #expect(client.machine.nextDeadline() == nil)
    }

    @Test func `responses find their calls and late ones are dropped`() throws {
        var client = Client()
        try client.begin(.modern)
        let first = try client.call(1)
        let second = try client.call(2)
        let progress = try client.receive(
            #"{"jsonrpc":"2.0","method":"notifications/progress","params":"#
                + #"{"progressToken":\#(first),"progress":3,"total":2}}"#
        )
        guard case .progressed(call: 1, 1, nil)? = progress.first else {
            Issue.record("\(progress)")
            return
        }
        guard
            case .answered(let result)? = try client.answer(
                second,
                #"{"content":[],"structuredContent":5}"#
            ).outcomes.first
        else {
            Issue.record("\(client.actions)")
            return
        }
        #expect(try result.outcome(readsJSON: false).get() == RawJSON(5))
        client.handle(.cancelRequested(call: 1, grace: .seconds(1)))
        #expect(client.actions.methods == ["notifications/cancelled", "server/discover"])
        #expect(try client.answer(first, "{}").outcomes == [.cancelled])
        #expect(try client.answer(first, "{}").isEmpty)
        #expect(client.machine.callsUnderWay == 0)
    }

    @Test func `a server that answers after a cancel is alive and one that does not is ended`()
        throws
    {
        for answers in [true, false] {
            var client = Client()
            try client.begin(.legacy)
            _ = try client.call(1)
            client.handle(.cancelRequested(call: 1, grace: .seconds(60)))
            #expect(client.actions.methods == ["notifications/cancelled", "ping"])
            let ping = try #require(client.actions.sent.last?.request)
            if answers {
                #expect(try client.answer(ping, "{}").outcomes == [.cancelled])
                #expect(client.machine.nextDeadline() == nil)
            } else {
                try client.waitForDeadline()
                #expect(client.actions.failure != nil || client.actions.outcomes == [.cancelled])
                if client.actions.failure == nil { try client.waitForDeadline() }
                #expect(client.actions.failure != nil)
            }
        }
    }

    @Test func `the forms of an unknown tool are recognised and the tools listed again`() throws {
        let results = [
            #"{"content":[{"type":"text","text":"Unknown tool: add"}],"isError":true}"#,
            #"{"content":[{"type":"text","text":"Error: Unknown tool"}],"isError":false}"#,
        ]
        for result in results {
            var client = Client()
            try client.begin(.legacy)
            let actions = try client.answer(client.call(1), result)
            #expect(actions.outcomes == [.unknownTool])
            #expect(actions.methods == ["tools/list"])
        }
        var client = Client()
        try client.begin(.legacy)
        #expect(
            try client.refuse(client.call(1), -32602, "Unknown tool: add").outcomes == [
                .unknownTool
            ]
        )
        let text = #"{"content":[{"type":"text","text":"Error: Unknown tool in the box"}]}"#
        guard case .answered? = try client.answer(client.call(2), text).outcomes.first else {
            Issue.record("\(client.actions)")
            return
        }
    }

    @Test func `a task is polled as it asks`() throws {
        var client = Client()
        try client.begin(.modern)
        let call = try client.call(1)
        try client.answer(call, #"{"resultType":"task","taskId":"T","pollIntervalMs":700}"#)
        #expect(client.machine.nextDeadline() == .zero + .milliseconds(700))
        #expect(try client.waitForDeadline().methods == ["tasks/get"])
        let get = try #require(client.actions.sent.first?.request)
        try client.answer(get, #"{"status":"working","pollIntervalMs":1,"statusMessage":"half"}"#)
        #expect(client.machine.nextDeadline() == client.now + .milliseconds(20))
        try client.waitForDeadline()
        let again = try #require(client.actions.sent.first?.request)
        let done = #"{"status":"completed","result":{"content":[{"type":"text","text":"x"}]}}"#
        guard case .answered? = try client.answer(again, done).outcomes.first else {
            Issue.record("\(client.actions)")
            return
        }
        #expect(client.machine.nextDeadline() == nil)
    }

    @Test(arguments: [
        #"{"status":"failed","error":{"code":-32603,"message":"it broke"}}"#,
        #"{"status":"cancelled"}"#, #"{"status":"completed"}"#,
        #"{"status":"input_required","inputRequests":{"a":{"params":{"message":"Who?"}}}}"#, "7",
    ])
    func `a task that ends otherwise ends its call`(state: String) throws {
        var client = Client()
        try client.begin(.modern)
        try client.answer(client.call(1), #"{"resultType":"task","taskId":"T"}"#)
        try client.waitForDeadline()
        let get = try #require(client.actions.sent.first?.request)
        #expect(try client.answer(get, state).outcomes.count == 1)
        #expect(client.machine.callsUnderWay == 0)
    }

    @Test func `a cancelled task is cancelled by its name`() throws {
        var client = Client()
        try client.begin(.modern)
        try client.answer(client.call(1), #"{"resultType":"task","taskId":"T"}"#)
        client.handle(.cancelRequested(call: 1, grace: .seconds(9)))
        #expect(client.actions.methods == ["tasks/cancel"])
        let id = try #require(client.actions.sent.first?.request)
        #expect(try client.answer(id, "{}").outcomes == [.cancelled])
    }

    @Test func `a server's request is answered`() throws {
        var client = Client()
        try client.begin(.legacy)
        let ping = try client.receive(#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#)
        #expect(ping.sent.first?.message == .result(id: RawJSON("p"), .emptyObject))
        let other = try client.receive(#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#)
        guard case .error(_, let error)? = other.sent.first?.message else {
            Issue.record("\(other)")
            return
        }
        #expect(error.code == -32601)
    }

    @Test func `by HTTP headers repeat parts of the message and a break is the cancel`() throws {
        var client = Client(usesHTTP: true)
        try client.begin(.modern)
        let id = try client.call(1, #"{"a":"häuser","b":2}"#)
        let headers = client.actions.sent[0].headers
        #expect(headers.contains { $0 == ("Mcp-Method", "tools/call") })
        #expect(headers.contains { $0 == ("Mcp-Name", "add") })
        #expect(headers.contains { $0 == ("Mcp-Param-A", "=?base64?aMOkdXNlcg==?=") })
        client.handle(.cancelRequested(call: 1, grace: .seconds(1)))
        #expect(client.actions.sent.isEmpty)
        guard case .abandon(request: id)? = client.actions.first else {
            Issue.record("\(client.actions)")
            return
        }
        #expect(client.actions.outcomes == [.cancelled])
    }

    @Test func `a lost response is the outcome of its call`() throws {
        var client = Client(usesHTTP: true)
        try client.begin(.legacy)
        let lost = MCPClientMachine.LostResponse(
            reason: "broken off",
            mayHaveArrived: true,
            isSessionGone: true
        )
        client.handle(.responseLost(request: try client.call(1), lost))
        #expect(client.actions.outcomes == [.lost(lost)])
        #expect(client.actions.failure != nil)
    }
}
