// The versions of MCP, the two eras they belong to, and the names that their messages have in
// common. Source: modelcontextprotocol.io, specifications up to 2026-07-28.

/// What separates the versions of MCP.
public enum MCPEra: Sendable, Equatable {
    /// Up to 2025-11-25: a connection begins with `initialize` and keeps its state.
    case legacy
    /// From 2026-07-28 on: each request says its version; there is no `initialize`.
    case modern
}

/// The versions of MCP that are spoken here.
public enum MCPVersion {
    /// The newest version, and the only one of the modern era.
    public static let modern = "2026-07-28"
    /// The newest version of the legacy era.
    public static let newestLegacy = "2025-11-25"
    /// The versions of the legacy era, newest first.
    public static let legacy = [newestLegacy, "2025-06-18", "2025-03-26", "2024-11-05"]
}

/// Names of methods.
public enum MCPMethod {
    /// Asks a server of the modern era for its versions and capabilities.
    public static let discover = "server/discover"
    /// Opens a connection of the legacy era.
    public static let initialize = "initialize"
    /// The client is ready (legacy era).
    public static let initialized = "notifications/initialized"
    /// Asks whether the peer is there (legacy era).
    public static let ping = "ping"
    /// Asks for a page of the tools.
    public static let listTools = "tools/list"
    /// Calls a tool.
    public static let callTool = "tools/call"
    /// The tools have changed.
    public static let toolsChanged = "notifications/tools/list_changed"
    /// A request makes progress.
    public static let progress = "notifications/progress"
    /// The result of a request is no longer wanted.
    public static let cancelled = "notifications/cancelled"
    /// Opens a stream of notifications (modern era).
    public static let listen = "subscriptions/listen"
    /// The first message of such a stream.
    public static let acknowledged = "notifications/subscriptions/acknowledged"
    /// Asks for the state of a task (tasks extension).
    public static let getTask = "tasks/get"
    /// Cancels a task (tasks extension).
    public static let cancelTask = "tasks/cancel"
    /// Gives a task the inputs that it asked for (tasks extension).
    public static let updateTask = "tasks/update"
}

/// Keys within `_meta`, and names of extensions.
public enum MCPKey {
    /// The version of a request (modern era).
    public static let protocolVersion: StaticString = "io.modelcontextprotocol/protocolVersion"
    /// Name and version of the client (modern era).
    public static let clientInfo: StaticString = "io.modelcontextprotocol/clientInfo"
    /// What the client can do (modern era).
    public static let clientCapabilities: StaticString =
        "io.modelcontextprotocol/clientCapabilities"
    /// Name and version of the server (modern era).
    public static let serverInfo: StaticString = "io.modelcontextprotocol/serverInfo"
    /// The id of the request that opened the stream of a notification (modern era).
    public static let subscriptionID: StaticString = "io.modelcontextprotocol/subscriptionId"
    /// The extension for tasks, a name among the extensions of capabilities.
    public static let tasks: StaticString = "io.modelcontextprotocol/tasks"
}
