// Reading and writing descriptions of tools.
import JSON
import MCP
import Testing

@Suite struct MCPToolTests {
    @Test func `a tool is written as it was read`() throws {
        let text = """
            {"name":"add","title":"Add","description":"Adds.","inputSchema":{"type":"object"},\
            "outputSchema":{"type":"number"},"annotations":{"readOnlyHint":true,\
            "destructiveHint":false,"idempotentHint":true,"openWorldHint":false}}
            """
        let tool = try #require(MCPTool(try RawJSON(validating: text)))
        var writer = JSONWriter()
        tool.write(into: &writer)
        #expect(String(decoding: writer.bytes, as: UTF8.self) == text)
    }

    @Test func `what a server leaves out is not known`() throws {
        let tool = try #require(
            MCPTool(RawJSON(validating: #"{"name":"add","outputSchema":null}"#))
        )
        #expect(tool == MCPTool(name: "add", inputSchema: .emptyObject))
    }

    @Test(arguments: ["7", "{}", #"{"name":""}"#, #"{"name":3}"#])
    func `an entry without a name is no tool`(text: String) throws {
        #expect(MCPTool(try RawJSON(validating: text)) == nil)
    }
}
