// The server's own tools, the cluster's tools as MCP describes them, search, and what is said about
// runs.
import Core
import JSON
import MCP
import Plans
import Testing
import Wire

@testable import MCPServer

@Suite("Tools of the MCP server")
struct ToolTests {
    private static func tool(
        _ name: String,
        _ description: String,
        _ parameters: JSONValue = [:]
    ) -> ToolDocument {
        ToolDocument(
            description: ToolDescription(
                name: name,
                description: description,
                parameters: RawJSON(parameters)
            ),
            workers: ["w-1"]
        )
    }

    @Test(
        "Schemas of the server's own tools are valid and describe objects",
        arguments: OwnTool.allCases
    )
    func schemas(of tool: OwnTool) throws {
        let description = tool.description
        #expect(JSONValue(description.inputSchema)["type"] == "object")
        #expect(description.outputSchema.map { JSONValue($0)["type"] } == "object")
        #expect(throws: ArgumentProblems.self) { try tool.check(RawJSON(["nonsense": 1])) }
    }

    @Test("Dollar signs of literal arguments are doubled in texts, not in keys")
    func literalArguments() throws {
        let arguments = try RawJSON(
            validating: #"{"a$b":"$t1 \u0024{x}\\$ \"$\"","n":[1,"$$"], "k" : "v"}"#
        )
        let literal = LiteralArguments.of(arguments)
        #expect(literal.text == #"{"a$b":"$$t1 $${x}\\$$ \"$$\"","n":[1,"$$$$"], "k" : "v"}"#)
        let template = ArgumentTemplate(compiling: literal)
        #expect(!template.hasReferences)
        #expect(JSONValue(template.source) == JSONValue(arguments))
    }

    @Test("A plan may be written as a text; outputs are those of its ends")
    func plans() throws {
        let plan =
            #"{"tasks":[{"id":"a","tool_name":"x"},{"id":"b","tool_name":"x","args":{"v":"$a"}}]}"#
        let arguments = RawJSON(["plan": .string(plan)])
        guard case .run(let request)? = try ToolRequest("run_plan", arguments),
            case .plan(let document) = request.content
        else {
            Issue.record("no plan")
            return
        }
        #expect(document.text == plan)
        #expect(request.outputs.resolved(in: document) == .only(["b"]))
        #expect(WantedOutputs.all.resolved(in: document) == .all)
    }

    @Test("Tools are found by words of names, descriptions and arguments, the best first")
    func search() throws {
        let search = ToolSearch([
            Self.tool(
                "weather",
                "The weather of a city.",
                [
                    "type": "object",
                    "properties": [
                        "city": ["type": "string"],
                        "days": ["type": "integer", "description": "How far the forecast goes."],
                    ],
                    "required": ["city"],
                ]
            ),
            Self.tool("readFile", "Reads a file."),
            Self.tool("write_file", "Writes a text into a file of the host."),
        ])
        func names(_ query: String, limit: Int = 8) -> [String] {
            let found = search.find(query, limit: limit).structured.map { JSONValue($0) }
            return found?["tools"]?.arrayValue?.compactMap { $0["name"]?.stringValue } ?? []
        }
        #expect(names("forecast") == ["weather"])
        #expect(names("read a file").first == "readFile")
        #expect(names("") == ["readFile", "weather", "write_file"])
        #expect(names("", limit: 1) == ["readFile"])
        #expect(names("zebra") == [])
        let brief = try #require(search.find("weather", limit: 1).structured)
        #expect(
            JSONValue(brief)["tools"]?[0]?["parameters"] == ["city": "string", "days?": "integer"]
        )
        #expect(search.describe("wether").isError)
    }

    @Test(
        "The cluster's tools get a schema of an object; names that MCP does not allow are left out"
    )
    func exposedTools() throws {
        let plain = try #require(MCPTool(Self.tool("a.b", "").description))
        #expect(plain.inputSchema.text == #"{"type":"object"}"#)
        #expect(plain.description?.isEmpty == false)
        #expect(MCPTool(Self.tool("run_plan", "Ours.").description) == nil)
        #expect(MCPTool(Self.tool("white space", "None.").description) == nil)
    }

    @Test("Output schemas are listed; clients of the legacy era get those of objects alone")
    func outputSchemas() throws {
        var description = Self.tool("a", "Counts.").description
        description.outputSchema = RawJSON(["type": "integer"])
        let listed = try #require(MCPTool(description))
        #expect(listed.outputSchema == description.outputSchema)
        #expect(listed.ofLegacy.outputSchema == nil)
        #expect(ToolResult(output: RawJSON(5), of: description).structured == RawJSON(5))
        description.outputSchema = RawJSON([
            "type": "object", "properties": ["n": ["type": "integer"]],
        ])
        #expect(MCPTool(description)?.ofLegacy.outputSchema == description.outputSchema)
        let search = ToolSearch([ToolDocument(description: description, workers: [])])
        let found = try #require(search.find("counts", limit: 1).structured)
        #expect(JSONValue(found)["tools"]?[0]?["output"] == ["n": "integer"])
    }

    @Test("Outputs become content: blocks as they are, objects also structured, the rest as text")
    func content() throws {
        func result(_ text: String) throws -> ToolResult {
            ToolResult(output: try RawJSON(validating: text), of: nil)
        }
        let image = #"{"type":"image","data":"aGk=","mimeType":"image/png"}"#
        #expect(try result("[\(image)]").content.map(\.text) == [image])
        #expect(try result(#"{"a":1}"#).structured?.text == #"{"a":1}"#)
        #expect(
            try result(#"[{"type":"image"}]"#)
                == ToolResult(content: [
                    ToolResult.text(#"[{"type":"image"}]"#)
                ])
        )
        #expect(try result(#""a\nb""#).content == [ToolResult.text("a\nb")])
        #expect(try result("[]").structured == nil)
    }
}

@Suite("What is said about runs")
struct RunReplyTests {
    private func run(_ status: RunStatus, total: Int, failed: Int = 0) throws -> RunDocument {
        var counts = NodeCounts()
        counts.total = total
        counts.failed = failed
        counts.succeeded = total - failed
        return RunDocument(
            run: try #require(RunID("r1")),
            status: status,
            isGrowing: false,
            join: .json,
            ageMilliseconds: 5,
            counts: counts,
            timing: RunTiming(wall: 1_000, criticalPath: 0, work: 0)
        )
    }

    private func page(_ nodes: [(String, NodeDocument)]) throws -> NodesPage {
        var writer = NodesPage.Writer()
        for (id, node) in nodes { writer.add(try #require(NodeID(id)), node) }
        return try NodesPage(decoding: writer.finish(next: nil, total: nodes.count).joined)
    }

    private func success(_ output: RawJSON) -> NodeDocument {
        NodeDocument(status: .succeeded, tool: "x", output: output, attempts: 1)
    }

    @Test("Wanted outputs are returned, large ones shortened and named")
    func outputs() throws {
        var reply = RunReply(try run(.succeeded, total: 3), wanted: .only(["b", "c"]))
        #expect(reply.needsNodes)
        try reply.add(
            page([
                ("a", success(RawJSON(1))), ("b", success(RawJSON(2))),
                ("c", success(RawJSON(String(repeating: "x", count: 100_000)))),
            ])
        )
        let document = JSONValue(reply.document)
        #expect(document["outputs"]?["a"] == nil)
        #expect(document["outputs"]?["b"] == 2)
        #expect(document["shortened"] == ["c"])
        let text = try #require(document["outputs"]?["c"]?.stringValue)
        #expect(text.count < 20_000 && text.hasSuffix("more characters)"))
        #expect(!reply.result.isError)
    }

    @Test("A failed run is an error that names its nodes")
    func failure() throws {
        var reply = RunReply(try run(.failed, total: 2, failed: 1), wanted: .none)
        let error = Failure(code: .toolError, message: "exit status 3", stderrTail: "no number")
        try reply.add(
            page([("a", NodeDocument(status: .failed, tool: "sum", error: error, attempts: 1))])
        )
        let failure = try #require(JSONValue(reply.document)["failures"]?[0])
        #expect(failure["node"] == "a" && failure["code"] == "tool_error")
        #expect(failure["stderr"] == "no number")
        #expect(reply.result.isError)
    }

    @Test("A long output is read page by page")
    func pages() throws {
        let text = String(repeating: "ab", count: 40_000)
        var details = NodeDetails(
            id: try #require(NodeID("a")),
            node: success(RawJSON(text)),
            dependencies: []
        )
        let id = try #require(RunID("r1"))
        var offset: Int? = 0
        var read = ""
        while let next = offset {
            let part = RunReply.output(of: details, in: id, from: next).structured
            let document = try #require(part.map { JSONValue($0) })
            read += document["outputs"]?["a"]?.stringValue ?? ""
            offset = document["next_offset"]?.intValue
        }
        #expect(read == text)
        details.node.output = RawJSON(5)
        let whole = RunReply.output(of: details, in: id, from: 0).structured
        #expect(whole.map { JSONValue($0)["outputs"]?["a"] } == 5)
    }
}
