// What a call of a tool returns to the model: content blocks, structured content, and whether it is
// an error. Not here: what is in them.
package import JSON

/// The result of a call.
package struct ToolResult: Sendable, Equatable {
    /// Blocks of content.
    package var content: [RawJSON]
    /// The same as JSON.
    package var structured: RawJSON?
    /// Whether the call failed; its content says why.
    package var isError: Bool

    /// Makes a result of blocks.
    package init(content: [RawJSON], structured: RawJSON? = nil, isError: Bool = false) {
        self.content = content
        self.structured = structured
        self.isError = isError
    }

    /// A document, also as text for clients that read no structured content.
    package init(structured: RawJSON, isError: Bool = false) {
        self.init(content: [Self.text(structured.text)], structured: structured, isError: isError)
    }

    /// A failure in words.
    package static func failure(_ message: String) -> ToolResult {
        ToolResult(content: [text(message)], isError: true)
    }

    /// A block of text.
    package static func text(_ text: String) -> RawJSON {
        .object {
            $0.field("type", "text")
            $0.field("text", text)
        }
    }

    /// Writes the fields of the result.
    func write(into writer: inout JSONWriter) {
        writer.key("content")
        writer.beginArray()
        for block in content { writer.raw(block) }
        writer.endArray()
        writer.field("structuredContent", structured)
        writer.field("isError", isError)
    }
}
