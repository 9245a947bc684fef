// The result of a tool call, as a server writes it, and what of it is the output. Not here: calling
// a tool.
public import Core
public import JSON

/// The result of `tools/call`.
public struct MCPCallResult: Sendable, Equatable {
    /// Whether the tool says that it failed.
    public var isError: Bool
    /// The structured content; nil if there is none.
    public var structuredContent: RawJSON?
    /// The content blocks, an array.
    public var content: RawJSON

    /// Reads a result that is complete.
    init(_ fields: JSONFields) {
        isError = fields["isError"]?.boolValue ?? false
        structuredContent = fields["structuredContent"].flatMap { $0.kind == .null ? nil : $0 }
        content = fields["content"].flatMap { $0.kind == .array ? $0 : nil } ?? .emptyArray
    }

    /// The texts, if all content is text; nil otherwise.
    public var texts: [String]? {
        var texts: [String]? = []
        content.forEachElement { block in
            if block.value(at: [.key("type")])?.stringValue == "text" {
                texts?.append(block.value(at: [.key("text")])?.stringValue ?? "")
            } else {
                texts = nil
            }
        }
        return texts
    }

    /// Whether the result is the answer of servers that do not know a tool and call it a result.
    ///
    /// Of `isError` the official Python servers make `Unknown tool: NAME`; others call it a success
    /// with the text `Error: Unknown tool`.
    func meansUnknownTool(_ tool: String) -> Bool {
        guard structuredContent == nil, let texts, texts.count == 1, let text = texts.first else {
            return false
        }
        let words = text.lowercased()
        let name = tool.lowercased()
        let forms = isError ? ["unknown tool", "unknown tool: \(name)"] : []
        return (forms + ["error: unknown tool", "error: unknown tool: \(name)"]).contains(words)
            || isError && words.hasPrefix("unknown tool: '\(name)'")
    }

    /// The output of a node, or its failure.
    ///
    /// Structured content counts; else the text, read as JSON if `readsJSON` and it is; else the
    /// content blocks as they are. A failure that the tool reports is not retryable.
    public func outcome(readsJSON: Bool) -> Result<RawJSON, Failure> {
        let texts = texts
        if isError {
            let words = texts?.joined(separator: "\n") ?? ""
            let detail = words.isEmpty ? structuredContent?.text ?? content.text : words
            return .failure(Failure(code: .toolError, message: detail))
        }
        if let structuredContent { return .success(structuredContent.detached()) }
        guard let texts else { return .success(content.detached()) }
        guard !texts.isEmpty else { return .success(.null) }
        let text = texts.joined(separator: "\n")
        if readsJSON {
            if let value = try? RawJSON(validating: text) { return .success(value) }
            let values = texts.compactMap { try? RawJSON(validating: $0) }
            if values.count == texts.count {
                var writer = JSONWriter()
                writer.beginArray()
                for value in values { writer.raw(value) }
                writer.endArray()
                return .success(RawJSON(trusted: writer.bytes[...]))
            }
        }
        return .success(RawJSON(text))
    }
}
