// Sessions of both eras, driven by events: what is answered at once, what the cluster is asked, what
// progress and cancellation do.
import Core
import JSON
import MCP
import Testing
import Wire

@testable import MCPServer

/// A session with a clock, whose actions are read one by one.
struct SessionHarness {
    var session: MCPSession
    var now = Instant.zero
    private var actions: [MCPSession.Action] = []

    init(exposesTools: Bool = false, isOpen: Bool = false) throws {
        var settings = MCPSession.Settings(version: "1")
        settings.exposesTools = exposesTools
        session = MCPSession(settings)
        guard isOpen else { return }
        try receive(#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#)
        actions = []
    }

    static let meta = """
        "_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",\
        "io.modelcontextprotocol/clientCapabilities":{}}
        """
    static let metaWithTasks = """
        "_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",\
        "io.modelcontextprotocol/clientCapabilities":{"extensions":\
        {"io.modelcontextprotocol/tasks":{}}}}
        """

    mutating func handle(_ event: MCPSession.Event) {
        session.handle(event, at: now, into: &actions)
    }

    mutating func receive(_ text: String) throws {
        handle(.received(try JSONRPCMessage(parsing: Array(text.utf8)[...])))
    }

    mutating func next() throws -> MCPSession.Action {
        try #require(!actions.isEmpty)
        return actions.removeFirst()
    }

    /// The next action, which must send a message.
    mutating func sent() throws -> JSONValue {
        guard case .send(let message, _) = try next() else { throw NotSent() }
        return try JSONValue(parsing: message.bytes)
    }

    /// The next action, which must ask the cluster.
    mutating func begun() throws -> (CallID, ClusterRequest) {
        guard case .begin(let call, let request) = try next() else { throw NotSent() }
        return (call, request)
    }

    struct NotSent: Error {}

    var isQuiet: Bool { actions.isEmpty }
}

@Suite("Sessions of the MCP server")
struct SessionTests {
    @Test("server/discover names the version, the tasks extension and the server")
    func discover() throws {
        var harness = try SessionHarness()
        try harness.receive(
            #"{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"# + SessionHarness.meta
                + "}}"
        )
        let result = try #require(try harness.sent()["result"])
        #expect(result["resultType"] == "complete")
        #expect(result["supportedVersions"] == ["2026-07-28"])
        #expect(
            result["capabilities"]?["extensions"]?["io.modelcontextprotocol/tasks"] == [:]
        )
        #expect(result["_meta"]?["io.modelcontextprotocol/serverInfo"]?["name"] == "weft")
        #expect(harness.isQuiet)
    }

    @Test(
        "initialize agrees on a version that both know",
        arguments: [
            ("2025-11-25", "2025-11-25"), ("2024-11-05", "2024-11-05"),
            ("1900-01-01", "2025-11-25"),
        ]
    )
    func initialize(asked: String, agreed: String) throws {
        var harness = try SessionHarness()
        try harness.receive(
            #"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"\#(asked)"}}"#
        )
        let result = try #require(try harness.sent()["result"])
        #expect(result["protocolVersion"] == .string(agreed))
        #expect(result["resultType"] == nil)
    }

    @Test(
        "Requests that cannot be answered get the code of the specification",
        arguments: [
            (#""method":"tools/list""#, -32602),
            (
                #""method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"1900-01-01"}}"#,
                -32022
            ),
            (
                #""method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#,
                -32602
            ),
            (#""method":"nonsense","params":{\#(SessionHarness.meta)}"#, -32601),
            (#""method":"ping","params":{\#(SessionHarness.meta)}"#, -32601),
            (
                #""method":"tools/call","params":{\#(SessionHarness.meta),"name":"nonsense"}"#,
                -32602
            ),
            (#""method":"tasks/get","params":{\#(SessionHarness.meta),"taskId":"r1"}"#, -32021),
            (#""method":"tools/list","params":[]"#, -32602),
        ]
    )
    func refusals(request: String, code: Int) throws {
        var harness = try SessionHarness()
        try harness.receive(#"{"jsonrpc":"2.0","id":"x","# + request + "}")
        let message = try harness.sent()
        #expect(message["id"] == "x")
        #expect(message["error"]?["code"]?.intValue == code)
        #expect(harness.isQuiet)
    }

    @Test("Wrong arguments are an error of the call, which a model can correct")
    func wrongArguments() throws {
        var harness = try SessionHarness(isOpen: true)
        try harness.receive(
            #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_run"}}"#
        )
        let result = try #require(try harness.sent()["result"])
        #expect(result["isError"] == true)
        #expect(
            result["content"]?[0]?["text"]?.stringValue?.contains("/run_id: is required") == true
        )
    }

    @Test(
        "A call is begun, tells its progress strictly increasing and at least every 4 s, and ends"
    )
    func progress() throws {
        var harness = try SessionHarness(isOpen: true)
        try harness.receive(
            #"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"get_run","arguments":"#
                + #"{"run_id":"r1","wait_seconds":20},"_meta":{"progressToken":"p"}}}"#
        )
        let (call, request) = try harness.begun()
        var query = RunQuery(run: try #require(RunID("r1")))
        query.wait = .seconds(20)
        #expect(request == .tool(.getRun(query), asTask: false, canAsk: false))
        #expect(harness.session.nextDeadline == .zero + .seconds(4))

        var values: [Double] = []
        func step(_ harness: inout SessionHarness) throws {
            let params = try #require(try harness.sent()["params"])
            #expect(params["progressToken"] == "p")
            values.append(try #require(params["progress"]?.doubleValue))
            #expect(harness.isQuiet)
        }
        for _ in 0..<3 {
            harness.now = try #require(harness.session.nextDeadline)
            harness.handle(.deadlineReached)
            try step(&harness)
        }
        harness.now = harness.now + .seconds(1)
        harness.handle(.progressed(call, CallProgress(done: 1, total: 3)))
        try step(&harness)
        harness.handle(.progressed(call, CallProgress(done: 2, total: 3)))
        #expect(harness.isQuiet)
        harness.now = try #require(harness.session.nextDeadline)
        harness.handle(.deadlineReached)
        try step(&harness)
        #expect(values == values.sorted() && Set(values).count == values.count)

        harness.handle(.finished(call, .tool(.failure("no"))))
        #expect(try harness.sent()["result"]?["isError"] == true)
        #expect(harness.session.nextDeadline == nil)
        harness.handle(.progressed(call, CallProgress(done: 3)))
        #expect(harness.isQuiet)
    }

    @Test("A cancelled call ends at the cluster and gets no answer")
    func cancellation() throws {
        var harness = try SessionHarness(isOpen: true)
        try harness.receive(
            #"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search_tools"}}"#
        )
        let (call, _) = try harness.begun()
        try harness.receive(
            #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#
        )
        #expect(try harness.next() == .cancel(call))
        harness.handle(.finished(call, .tool(.failure("late"))))
        #expect(harness.isQuiet)
        #expect(harness.session.isIdle)
    }

    @Test("When the client is gone, all its calls are cancelled")
    func ending() throws {
        var harness = try SessionHarness(isOpen: true)
        var calls: [CallID] = []
        for id in 1...3 {
            try harness.receive(
                #"{"jsonrpc":"2.0","id":\#(id),"method":"tools/call","params":{"name":"search_tools"}}"#
            )
            calls.append(try harness.begun().0)
        }
        harness.handle(.ended)
        for call in calls { #expect(try harness.next() == .cancel(call)) }
        #expect(harness.isQuiet)
    }

    @Test("A client that follows tasks gets one for a plan, and not for a question")
    func tasks() throws {
        var harness = try SessionHarness()
        let params = SessionHarness.metaWithTasks
        try harness.receive(
            #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{\#(params),"name":"run_plan","#
                + #""arguments":{"plan":{"tasks":[]}}}}"#
        )
        let (call, request) = try harness.begun()
        guard case .tool(.run, asTask: true, _) = request else {
            Issue.record("no task: \(request)")
            return
        }
        let run = try #require(RunID("r1"))
        let state = TaskState(run: run, status: .working, createdAt: "then", updatedAt: "now")
        harness.handle(.finished(call, .task(state)))
        let created = try #require(try harness.sent()["result"])
        #expect(created["resultType"] == "task" && created["taskId"] == "r1")
        #expect(created["status"] == "working")

        try harness.receive(
            #"{"jsonrpc":"2.0","id":2,"method":"tasks/get","params":{\#(params),"taskId":"r1"}}"#
        )
        let (get, asked) = try harness.begun()
        #expect(asked == .getTask(run))
        var done = state
        done.status = .completed
        done.result = .failure("no")
        harness.handle(.finished(get, .task(done)))
        let got = try #require(try harness.sent()["result"])
        #expect(got["resultType"] == "complete" && got["status"] == "completed")
        #expect(got["result"]?["isError"] == true)

        try harness.receive(
            #"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{\#(params),"name":"get_run","#
                + #""arguments":{"run_id":"r1"}}}"#
        )
        guard case .tool(.getRun, asTask: false, _) = try harness.begun().1 else {
            Issue.record("a question became a task")
            return
        }
    }

    @Test("Streams of notifications are acknowledged, get changes of the tools, and end by cancel")
    func listening() throws {
        var harness = try SessionHarness(exposesTools: true)
        try harness.receive(
            #"{"jsonrpc":"2.0","id":"l","method":"subscriptions/listen","params":"#
                + #"{\#(SessionHarness.meta),"notifications":{"toolsListChanged":true}}}"#
        )
        let acknowledged = try #require(try harness.sent()["params"])
        #expect(acknowledged["notifications"]?["toolsListChanged"] == true)
        #expect(acknowledged["_meta"]?["io.modelcontextprotocol/subscriptionId"] == "l")
        #expect(try harness.next() == .watchTools(true))
        harness.handle(.toolsChanged)
        let change = try harness.sent()
        #expect(change["method"] == "notifications/tools/list_changed")
        #expect(change["params"]?["_meta"]?["io.modelcontextprotocol/subscriptionId"] == "l")
        try harness.receive(
            #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"l"}}"#
        )
        #expect(try harness.next() == .watchTools(false))
        harness.handle(.toolsChanged)
        #expect(harness.isQuiet)
    }

    @Test("An id that is in use is refused, and the first request goes on")
    func repeatedID() throws {
        var harness = try SessionHarness(isOpen: true)
        let line =
            #"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search_tools"}}"#
        try harness.receive(line)
        let (call, _) = try harness.begun()
        try harness.receive(line)
        #expect(try harness.sent()["error"]?["code"]?.intValue == -32600)
        harness.handle(.finished(call, .tool(.failure("no"))))
        #expect(try harness.sent()["result"] != nil)
    }

    @Test("Long lists come in pages, each tool once, in the order of names")
    func pages() throws {
        var harness = try SessionHarness(exposesTools: true, isOpen: true)
        let tools = (0..<450).reversed()
            .map { number in
                ToolDocument(
                    description: ToolDescription(name: "tool_\(1_000 + number)", description: "A."),
                    workers: ["w"]
                )
            }
        var names: [String] = []
        var cursor: String?
        repeat {
            let params = cursor.map { #"{"cursor":"\#($0)"}"# } ?? "{}"
            try harness.receive(
                #"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":\#(params)}"#
            )
            let (call, request) = try harness.begun()
            #expect(request == .listTools)
            harness.handle(.finished(call, .tools(tools)))
            let result = try #require(try harness.sent()["result"])
            names += result["tools"]?.arrayValue?.compactMap { $0["name"]?.stringValue } ?? []
            cursor = result["nextCursor"]?.stringValue
        } while cursor != nil && names.count < 1_000
        let exposed = names.filter { $0.hasPrefix("tool_") }
        #expect(exposed.count == 450 && exposed == exposed.sorted())
        #expect(names.count == 450 + OwnTool.allCases.count)
    }
}
