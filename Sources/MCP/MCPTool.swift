// A tool as MCP describes it, in `tools/list`. Not here: calling it.
public import JSON

/// A tool of an MCP server.
public struct MCPTool: Sendable, Equatable {
    /// Its name, unique within the server; 1–128 characters of `[A-Za-z0-9_.-]`.
    public var name: String
    /// Its name for people.
    public var title: String?
    /// What it does, for models.
    public var description: String?
    /// JSON Schema of its arguments.
    public var inputSchema: RawJSON
    /// JSON Schema of its structured content.
    public var outputSchema: RawJSON?
    /// What the server says about its effects; not to be trusted.
    public var annotations: Annotations

    /// Hints about the effects of a tool; nil where the server says nothing.
    public struct Annotations: Sendable, Equatable {
        /// It changes nothing.
        public var isReadOnly: Bool?
        /// It may destroy something.
        public var isDestructive: Bool?
        /// Calling it twice does what calling it once does.
        public var isIdempotent: Bool?
        /// It deals with more than the server's own data.
        public var isOpenWorld: Bool?

        /// Makes hints.
        public init(
            isReadOnly: Bool? = nil,
            isDestructive: Bool? = nil,
            isIdempotent: Bool? = nil,
            isOpenWorld: Bool? = nil
        ) {
            self.isReadOnly = isReadOnly
            self.isDestructive = isDestructive
            self.isIdempotent = isIdempotent
            self.isOpenWorld = isOpenWorld
        }
    }

    /// Makes a tool.
    public init(
        name: String,
        title: String? = nil,
        description: String? = nil,
        inputSchema: RawJSON,
        outputSchema: RawJSON? = nil,
        annotations: Annotations = Annotations()
    ) {
        self.name = name
        self.title = title
        self.description = description
        self.inputSchema = inputSchema
        self.outputSchema = outputSchema
        self.annotations = annotations
    }

    /// Reads a tool of a list; nil if it has no name.
    public init?(_ raw: RawJSON) {
        guard let fields = try? JSONFields(raw), let name = fields["name"]?.stringValue,
            !name.isEmpty
        else { return nil }
        self.init(
            name: name,
            title: fields["title"]?.stringValue,
            description: fields["description"]?.stringValue,
            inputSchema: fields["inputSchema"].flatMap { $0.kind == .object ? $0 : nil }
                ?? .emptyObject,
            outputSchema: fields["outputSchema"].flatMap { $0.kind == .null ? nil : $0 }
        )
        guard let hints = fields["annotations"].flatMap({ try? JSONFields($0) }) else { return }
        annotations = Annotations(
            isReadOnly: hints["readOnlyHint"]?.boolValue,
            isDestructive: hints["destructiveHint"]?.boolValue,
            isIdempotent: hints["idempotentHint"]?.boolValue,
            isOpenWorld: hints["openWorldHint"]?.boolValue
        )
    }

    /// Writes the tool as an entry of a list.
    public func write(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("name", name)
        writer.field("title", title)
        writer.field("description", description)
        writer.field("inputSchema", inputSchema)
        writer.field("outputSchema", outputSchema)
        if annotations != Annotations() {
            writer.key("annotations")
            writer.beginObject()
            writer.hint("readOnlyHint", annotations.isReadOnly)
            writer.hint("destructiveHint", annotations.isDestructive)
            writer.hint("idempotentHint", annotations.isIdempotent)
            writer.hint("openWorldHint", annotations.isOpenWorld)
            writer.endObject()
        }
        writer.endObject()
    }
}

extension JSONWriter {
    fileprivate mutating func hint(_ name: StaticString, _ value: Bool?) {
        guard let value else { return }
        field(name, value)
    }
}
