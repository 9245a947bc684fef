// An MCP server as a manifest declares it, and what is made of the tools that it lists. Not here:
// reading the YAML (ManifestReader+MCP), talking to the server (MCPHost).
internal import Core
internal import JSON
internal import MCP
internal import Wire

/// An MCP server whose tools a worker offers.
public struct MCPServerEntry: Sendable {
    /// Its name in the manifest.
    public let name: String
    var place: Place
    /// What comes before the names of its tools; nil for nothing, unless two names are the same.
    var prefix: String?
    /// The only tools that are offered, by the server's names; nil for all.
    var allowed: [String]?
    /// Tools that are not offered.
    var denied: [String] = []
    /// How many processes there may be.
    var pool = 1
    /// How many calls one connection carries at a time.
    var concurrency = 32
    /// How long the server may take to list its tools.
    var startTimeout: Duration = .seconds(30)
    /// Whether what it says about the effects of its tools is believed.
    var trustsHints = false
    /// Whether a person approves each node of its tools; nil leaves it to a hint that is believed.
    var needsApproval: Bool?
    /// How long a call may take; nil for the coordinator's default.
    var timeout: Duration?
    /// What the manifest says of single tools, by the server's names.
    var overrides: [String: Override] = [:]

    private static let attemptsOfRepeatable = 3

    /// Where the server is.
    enum Place: Sendable {
        /// A program of this host that speaks MCP on its standard input and output.
        case program(ManifestTool, MCPProgram)
        /// An address.
        case address(EnvironmentText, headers: [(name: String, value: EnvironmentText)])
    }

    /// What a manifest says of one tool.
    struct Override: Sendable {
        var isIdempotent: Bool?
        var isReadOnly: Bool?
        var needsApproval: Bool?
        var timeout: Duration?
        var maxAttempts: Int?
        var concurrency: Int?
        var readsJSON = false
    }

    /// Texts that name variables of the worker.
    private var texts: [EnvironmentText] {
        switch place {
        case .program(_, let program): program.variables.map(\.value)
        case .address(let url, let headers): [url] + headers.map(\.value)
        }
    }

    /// The worker's variables that it gets, by name.
    var passedVariables: [String] {
        let own = if case .program(let tool, _) = place { tool.passedVariables } else { [String]() }
        return own + texts.flatMap(\.variables)
    }

    /// Warnings of variables that the worker's environment lacks.
    func unsetVariables(_ environment: [String: String]) -> [String] {
        texts.compactMap { $0.missing(environment) }.map {
            "\(name): the worker's environment has no \($0), which the manifest names; its tools"
                + " cannot run until that has changed."
        }
    }

    /// Whether a tool is offered.
    func offers(_ tool: String) -> Bool {
        (allowed?.contains(tool) ?? true) && !denied.contains(tool)
    }

    /// Whether a name here may be that of one of its tools.
    func mayHave(_ name: String) -> Bool {
        let ownPrefix = "\(self.name)_"
        let plain = name.hasPrefix(ownPrefix) ? name.dropFirst(ownPrefix.count) : name[...]
        return [name[...], plain].contains { text in
            let prefix = prefix ?? ""
            guard text.hasPrefix(prefix) else { return false }
            return allowed?.contains(String(text.dropFirst(prefix.count))) ?? true
        }
    }

    /// The name of a tool here; with the server's name before it if another tool has that name.
    func localName(of tool: String, isTaken: Bool) -> String {
        let name = (prefix ?? "") + tool
        return isTaken ? "\(self.name)_\(name)" : name
    }

    /// What is announced of a tool under a name.
    func description(of tool: MCPTool, named name: String) -> ToolDescription {
        let override = overrides[tool.name]
        let hints = trustsHints ? tool.annotations : MCPTool.Annotations()
        let isReadOnly = override?.isReadOnly ?? hints.isReadOnly ?? false
        var description = ToolDescription(
            name: name,
            description: tool.description ?? tool.title ?? "",
            parameters: tool.inputSchema,
            outputSchema: tool.outputSchema
        )
        description.isReadOnly = isReadOnly
        description.isIdempotent = override?.isIdempotent ?? hints.isIdempotent ?? isReadOnly
        description.needsApproval =
            override?.needsApproval ?? needsApproval
            ?? (hints.isDestructive == true && !isReadOnly)
        description.timeoutMilliseconds = (override?.timeout ?? timeout)?.millisecondsRoundedUp
        // What the tool itself reports is final; a server that ends in mid-call is not.
        let retries = description.mayBeRepeated ? Self.attemptsOfRepeatable : nil
        description.maxAttempts = override?.maxAttempts ?? retries
        description.concurrency = override?.concurrency
        return description
    }

    /// Whether texts of a tool are read as JSON.
    func readsJSON(of tool: MCPTool) -> Bool {
        overrides[tool.name]?.readsJSON ?? false || tool.outputSchema != nil
    }
}

/// How the program of a server is started, beside what all tools have.
struct MCPProgram: Sendable {
    /// The folder in which it works: that of the manifest, unless it says otherwise.
    var folder: String
    /// Variables whose values name variables of the worker.
    var variables: [(name: String, value: EnvironmentText)] = []

    /// Variables of the worker that such programs expect, as MCP clients pass them on.
    static let passedVariables = ["HOME", "LOGNAME", "SHELL", "TERM"]
}
