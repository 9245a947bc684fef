// Which tools of MCP servers need approval: by the manifest, else by hints that are believed.
import JSON
import MCP
import Testing
import Wire

@testable import Tools

@Suite struct MCPApprovalTests {
    private func needsApproval(_ fields: String, hint: String) throws -> Bool {
        let manifest = try Manifest.parse(
            yaml: "mcpServers: {s: {command: /bin/true, \(fields)}}",
            path: "/tmp/tools.yaml"
        )
        let text = #"{"name":"drop","inputSchema":{},"annotations":{\#(hint)}}"#
        let tool = try #require(MCPTool(try RawJSON(validating: text)))
        let server = try #require(manifest.servers.first)
        return server.description(of: tool, named: "drop").needsApproval
    }

    @Test(arguments: [
        ("trust_hints: true", #""destructiveHint":true"#, true),
        ("trust_hints: true", #""destructiveHint":true,"readOnlyHint":true"#, false),
        // What the specification assumes without a hint would ask about nearly every tool.
        ("trust_hints: true", "", false),
        ("trust_hints: false", #""destructiveHint":true"#, false),
        ("trust_hints: true, approval: none", #""destructiveHint":true"#, false),
        ("approval: required", "", true),
        ("approval: required, tools: {drop: {approval: none}}", "", false),
        ("tools: {drop: {approval: required}}", "", true),
    ])
    func `the manifest decides, else a hint that is believed`(
        fields: String,
        hint: String,
        isNeeded: Bool
    ) throws {
        #expect(try needsApproval(fields, hint: hint) == isNeeded)
    }
}
