// The MCP servers of a manifest, in the shape of the configuration files of MCP clients. Not here:
// what is done with them (MCPHost).
internal import Configuration
internal import Core
internal import JSON
internal import OrderedCollections
internal import Plans
internal import Wire
internal import YAML

extension ManifestReader {
    private static let serverFields = [
        "command", "args", "env", "cwd", "url", "headers", "type", "prefix", "allow", "deny",
        "pool",
        "concurrency", "timeout", "start_timeout", "trust_hints", "tools", "pass_env", "limits",
        "sandbox", "privileges", "disabled", "approval",
    ]
    private static let programFields = [
        "args", "env", "cwd", "pass_env", "limits", "sandbox", "privileges", "pool",
    ]
    private static let overrideFields = [
        "idempotent", "read_only", "timeout", "max_attempts", "concurrency", "output",
        "approval",
    ]

    /// The servers; incomplete when there are problems.
    mutating func readServers(_ node: YAMLNode?) -> [MCPServerEntry] {
        guard let node, !node.isNull else { return [] }
        guard let servers = node.mapping else {
            report(
                node,
                field: "mcpServers",
                "must be names with their servers, such as {time: {command: mcp-server-time}}."
            )
            return []
        }
        var entries: [MCPServerEntry] = []
        for (key, value) in servers {
            toolName = key.plainText
            if let entry = readServer(key, value) { entries.append(entry) }
            toolName = nil
        }
        return entries
    }

    private mutating func readServer(_ key: YAMLNode, _ node: YAMLNode) -> MCPServerEntry? {
        guard let fields = node.mapping else {
            report(node, field: nil, "must have fields, at least command or url.")
            return nil
        }
        checkNames(fields, Self.serverFields)
        let name = readName(key, key)
        guard let place = readPlace(fields, key, name) else { return nil }
        var entry = MCPServerEntry(name: name, place: place)
        entry.prefix = fields["prefix"].map { readName($0, $0) }
        entry.allowed = names(fields, "allow")
        entry.denied = names(fields, "deny") ?? []
        entry.pool = integer(fields, "pool", 1...64) ?? 1
        entry.concurrency = integer(fields, "concurrency", 1...Limits.largestSlots) ?? 32
        entry.startTimeout = duration(fields, "start_timeout") ?? .seconds(30)
        entry.trustsHints = bool(fields, "trust_hints") ?? false
        entry.timeout = duration(fields, "timeout")
        entry.needsApproval = approval(fields)
        entry.overrides = overrides(fields)
        return bool(fields, "disabled") == true ? nil : entry
    }

    private mutating func readPlace(
        _ fields: YAMLNode.Mapping,
        _ key: YAMLNode,
        _ name: String
    ) -> MCPServerEntry.Place? {
        let type = text(fields, "type") ?? (fields["url"] == nil ? "stdio" : "http")
        switch (fields["command"], fields["url"]) {
        case (let command?, nil):
            guard type == "stdio" else {
                report(fields["type"], field: "type", "must be stdio for a server with a command.")
                return nil
            }
            return readProgram(command, fields, name)
        case (nil, let url?):
            guard ["http", "streamable-http", "streamable_http", "streamableHttp"].contains(type)
            else {
                report(
                    fields["type"],
                    field: "type",
                    type == "sse"
                        ? "is sse, the transport of 2024, which is not spoken here. Use the server's"
                            + " address for Streamable HTTP."
                        : "must be http for a server with a url."
                )
                return nil
            }
            for name in Self.programFields where fields[name] != nil {
                report(fields[name], field: name, "has no effect for a server with a url.")
            }
            return readAddress(url, fields)
        case (nil, nil):
            report(key, field: nil, "needs command, a program of this host, or url, an address.")
        case (_?, let url?):
            report(url, field: "url", "cannot be there beside command. Remove one of both.")
        }
        return nil
    }

    private mutating func readProgram(
        _ command: YAMLNode,
        _ fields: YAMLNode.Mapping,
        _ name: String
    ) -> MCPServerEntry.Place? {
        if let headers = fields["headers"] {
            report(headers, field: "headers", "has no effect for a server with a command.")
        }
        var words = [command.plainText]
        if words[0].isEmpty {
            report(command, field: "command", "must be a program; its arguments stand in args.")
        }
        if let node = fields["args"] {
            guard let list = node.sequence, list.allSatisfy({ $0.scalar != nil }) else {
                report(node, field: "args", "must be a list of texts, such as [--repository, .].")
                return nil
            }
            words += list.map(\.plainText)
        }
        if words.contains(where: { $0.utf8.contains(0) }) {
            report(command, field: "args", "holds a NUL character, which no argument can hold.")
        }
        var program = MCPProgram(folder: folder)
        if let path = text(fields, "cwd") {
            program.folder = path.hasPrefix("/") ? path : "\(folder)/\(path)"
        }
        var tool = ManifestTool(description: ToolDescription(name: name, description: ""))
        if words[0].contains("/"), !words[0].hasPrefix("/") {
            words[0] = "\(program.folder)/\(words[0])"
        }
        tool.command = CommandTemplate(literal: words)
        for (variable, value) in variables(fields) {
            guard let value = expandable(value, fields["env"], field: "env") else { continue }
            program.variables.append((variable, value))
        }
        tool.passedVariables = MCPProgram.passedVariables + passedVariables(fields)
        readConfinement(&tool, fields)
        return .program(tool, program)
    }

    private mutating func readAddress(
        _ node: YAMLNode,
        _ fields: YAMLNode.Mapping
    ) -> MCPServerEntry.Place? {
        let text = node.plainText
        guard text.hasPrefix("http://") || text.hasPrefix("https://") || text.hasPrefix("${") else {
            report(node, field: "url", "must start with http:// or https://.")
            return nil
        }
        guard let url = expandable(text, node, field: "url") else { return nil }
        var headers: [(name: String, value: EnvironmentText)] = []
        if let node = fields["headers"] {
            guard let mapping = node.mapping else {
                report(
                    node,
                    field: "headers",
                    "must be names with values, such as {Authorization: \"Bearer ${TOKEN}\"}."
                )
                return nil
            }
            for (key, value) in mapping {
                guard let text = value.scalar?.string, !key.plainText.isEmpty,
                    let value = expandable(text, value, field: "headers")
                else {
                    report(value, field: "headers", "must give \(key.plainText) a text.")
                    continue
                }
                headers.append((key.plainText, value))
            }
        }
        return .address(url, headers: headers)
    }

    /// A text in which `${NAME}` stands for a variable of the worker.
    mutating func expandable(
        _ text: String,
        _ node: YAMLNode?,
        field: String
    ) -> EnvironmentText? {
        if let value = EnvironmentText(text) { return value }
        report(node, field: field, "has a ${ without a variable's name and } after it.")
        return nil
    }

    private mutating func names(_ fields: YAMLNode.Mapping, _ name: String) -> [String]? {
        guard let node = fields[name] else { return nil }
        guard let list = node.sequence, list.allSatisfy({ !$0.plainText.isEmpty }) else {
            report(node, field: name, "must be a list of the server's names of tools.")
            return nil
        }
        return list.map(\.plainText)
    }

    private mutating func overrides(
        _ fields: YAMLNode.Mapping
    ) -> [String: MCPServerEntry.Override] {
        guard let node = fields["tools"] else { return [:] }
        guard let mapping = node.mapping else {
            report(
                node,
                field: "tools",
                "must be the server's names of tools with fields, such as {add: {idempotent: true}}."
            )
            return [:]
        }
        var overrides: [String: MCPServerEntry.Override] = [:]
        for (key, value) in mapping {
            guard let inner = value.mapping else {
                report(value, field: "tools", "must give \(key.plainText) fields.")
                continue
            }
            checkNames(inner, Self.overrideFields)
            overrides[key.plainText] = MCPServerEntry.Override(
                isIdempotent: bool(inner, "idempotent"),
                isReadOnly: bool(inner, "read_only"),
                needsApproval: approval(inner),
                timeout: duration(inner, "timeout"),
                maxAttempts: integer(inner, "max_attempts", 1...1000),
                concurrency: integer(inner, "concurrency", 1...Limits.largestSlots),
                readsJSON: outputFormat(inner) == .json
            )
        }
        return overrides
    }
}
