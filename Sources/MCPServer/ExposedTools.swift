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
            outputSchema: tool.outputSchema,
            annotations: Annotations(
                isReadOnly: tool.isReadOnly,
                isIdempotent: tool.isIdempotent || tool.isReadOnly
            )
        )
    }

    /// The tool as clients of the legacy era may see it: their structured content is an object.
    var ofLegacy: MCPTool {
        var tool = self
        let type = outputSchema?.value(at: [.key("type")])?.stringValue
        if type != "object" { tool.outputSchema = nil }
        return tool
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
    /// The output of a tool of the cluster: blocks of content as they are, what has a schema and
    /// objects as structured content, too, and anything as text.
    init(output: RawJSON, of tool: ToolDescription?) {
        let hasSchema = tool?.outputSchema != nil
        if !hasSchema, let blocks = Self.blocks(output) {
            self.init(content: blocks)
        } else {
            self.init(
                content: [Self.text(output.stringValue ?? output.text)],
                structured: hasSchema || output.kind == .object ? output : nil
            )
        }
    }

    /// The elements of a list that consists of blocks of content; nil for anything else.
    private static func blocks(_ output: RawJSON) -> [RawJSON]? {
        guard output.kind == .array, output.count > 2 else { return nil }
        var blocks: [RawJSON]? = []
        output.forEachElement { element in
            if isBlock(element) { blocks?.append(element) } else { blocks = nil }
        }
        return blocks
    }

    private static func isBlock(_ element: RawJSON) -> Bool {
        func has(_ names: String...) -> Bool {
            names.allSatisfy { element.value(at: [.key($0)])?.kind == .string }
        }
        switch element.value(at: [.key("type")])?.stringValue {
        case "text": return has("text")
        case "image", "audio": return has("data", "mimeType")
        case "resource_link": return has("uri", "name")
        case "resource": return element.value(at: [.key("resource")])?.kind == .object
        default: return false
        }
    }
}
