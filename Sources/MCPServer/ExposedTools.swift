// The cluster's tools under their own names, as MCP describes tools, and their outputs as content.
// Not here: the server's own tools (OwnTools).
internal import JSON
package import MCP
package import Wire

extension MCPTool {
    /// A tool of the cluster; nil if its name is none of MCP or one of the server's own.
    package init?(_ tool: ToolDescription) {
        guard Self.isName(tool.name), OwnTool(rawValue: tool.name) == nil else { return nil }
        self.init(
            name: tool.name,
            description: tool.description.isEmpty
                ? "The tool \(tool.name) of the cluster." : tool.description,
            inputSchema: Self.ofObject(tool.parameters),
            annotations: Annotations(
                isReadOnly: tool.isReadOnly,
                isIdempotent: tool.isIdempotent || tool.isReadOnly
            )
        )
    }

    private static func isName(_ name: String) -> Bool {
        (1...128).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "_-.".utf8.contains($0)
                }
            }
    }

    /// The schema with the type that MCP demands.
    private static func ofObject(_ schema: RawJSON) -> RawJSON {
        guard schema.kind == .object,
            schema.value(at: [.key("type")])?.stringValue != "object"
        else { return schema.kind == .object ? schema : .literal(#"{"type":"object"}"#) }
        return .object { writer in
            writer.field("type", "object")
            schema.forEachField { name, value in
                guard name != "type" else { return }
                writer.key(escaping: name)
                writer.raw(value)
            }
        }
    }
}

extension ToolResult {
    /// The output of a tool of the cluster.
    init(output: RawJSON, of tool: ToolDescription?) {
        self.init(content: [Self.text(output.stringValue ?? output.text)])
    }
}
