// Reads a manifest's YAML into tools and collects all problems. Not here: single fields
// (ManifestReader+Fields), commands (CommandTemplate+Parsing).
internal import Configuration
internal import Core
internal import FoundationEssentials
internal import JSON
internal import OrderedCollections
internal import Plans
internal import Schemas
internal import Wire
internal import YAML

/// Reads one manifest.
struct ManifestReader: FieldReading {
    /// The folder of the manifest, an absolute path.
    let folder: String
    /// All problems so far, in the order of the file.
    var problems: [FileProblem] = []
    /// The tool that is being read, for problems.
    var toolName: String?
    /// The servers of the manifest that was read.
    private(set) var servers: [MCPServerEntry] = []

    /// The hosts that HTTP tools may use unless they say otherwise; nil if the manifest has no list.
    private(set) var allowedHosts: AllowedHosts?
    /// The position of each tool among the entries of the manifest; nil for those of OpenAPI files.
    private(set) var entryPositions: [Int?] = []

    /// Other files that the manifest is made of, by absolute path.
    var files: [String] = []

    private static let topLevelFields = ["tools", "plans", "mcpServers", "allow_hosts"]
    static let toolFields = [
        "name", "description", "version", "parameters", "output_schema", "command", "persistent",
        "output", "success_exit_codes", "idempotent", "read_only", "timeout", "max_attempts",
        "concurrency", "max_output", "env", "pass_env", "allow_dash", "examples", "limits",
        "sandbox", "privileges", "approval", "approval_timeout", "stdin", "retry_on_exit",
        "fail_on_exit", "http", "retry_on", "allow_hosts",
    ]
    /// Fields that persistent tools do not have.
    private static let executableFields = [
        "output", "success_exit_codes", "allow_dash", "stdin", "retry_on_exit", "fail_on_exit",
    ]

    /// Makes a reader for a manifest in that folder.
    init(folder: String) {
        self.folder = folder
    }

    /// The tools; incomplete when there are problems.
    mutating func read(_ yaml: String) -> [ManifestTool] {
        let root: YAMLNode?
        do throws(YAMLError) {
            root = try YAMLNode.parse(yaml)
        } catch {
            problems.append(FileProblem(yaml: error))
            return []
        }
        guard let fields = root?.mapping else {
            report(root, field: nil, "The manifest must start with \"tools:\" and a list of tools.")
            return []
        }
        checkNames(fields, Self.topLevelFields)
        servers = readServers(fields["mcpServers"])
        allowedHosts = allowedHosts(fields)
        guard let list = fields["tools"] else {
            if fields["mcpServers"] != nil { return [] }
            report(
                root,
                field: "tools",
                "is missing. List the tools under it, each starting with"
                    + " \"- name:\"."
            )
            return []
        }
        guard let entries = list.sequence else {
            report(list, field: "tools", "must be a list of tools, each starting with \"- name:\".")
            return []
        }
        if entries.count > Limits().toolsPerWorker {
            report(list, field: "tools", "lists more than \(Limits().toolsPerWorker) tools.")
            return []
        }
        var tools = readTools(entries)
        if Set(entryPositions).count >= entries.count { readExamples(fields, &tools) }
        return tools
    }

    private mutating func readTools(_ entries: [YAMLNode]) -> [ManifestTool] {
        var tools: [ManifestTool] = []
        var lines: [String: Int] = [:]
        for (position, entry) in entries.enumerated() {
            guard let fields = entry.mapping else {
                report(entry, field: "tools", "contains an entry without fields.")
                continue
            }
            let isFile = fields["openapi"] != nil
            toolName =
                fields[isFile ? "openapi" : "name"]?.scalar?.string ?? "tool \(position + 1)"
            let added =
                isFile ? readOpenAPI(fields, at: entry) : [readTool(fields, at: entry)]
            for tool in added {
                let name = tool.description.name
                if !name.isEmpty, let line = lines[name] {
                    report(
                        fields["name"] ?? entry,
                        field: "name",
                        isFile
                            ? "\(name) is used twice, first on line \(line). Give a prefix."
                            : "is used twice, first on line \(line). Names must differ."
                    )
                }
                lines[name] = lines[name] ?? entry.line
                entryPositions.append(isFile ? nil : position)
            }
            tools += added
            toolName = nil
        }
        return tools
    }

    private mutating func readTool(_ fields: YAMLNode.Mapping, at entry: YAMLNode) -> ManifestTool {
        checkNames(fields, Self.toolFields)
        var tool = ManifestTool(
            description: ToolDescription(
                name: readName(fields["name"], entry),
                description: ""
            )
        )
        describe(&tool.description, fields)
        tool.maxOutput = size(fields, "max_output")
        if fields["http"] != nil {
            readHTTP(&tool, fields)
        } else {
            readProgram(&tool, fields, at: entry)
        }
        return tool
    }

    private mutating func readProgram(
        _ tool: inout ManifestTool,
        _ fields: YAMLNode.Mapping,
        at entry: YAMLNode
    ) {
        tool.isPersistent = bool(fields, "persistent") ?? false
        for name in ["retry_on", "allow_hosts"] where fields[name] != nil {
            report(fields[name], field: name, "has no effect for a program. Remove it.")
        }
        if tool.isPersistent {
            for name in Self.executableFields where fields[name] != nil {
                report(
                    fields[name],
                    field: name,
                    "has no effect for a persistent tool, whose replies contain it. Remove it."
                )
            }
        } else {
            tool.output = output(&tool.description, fields, usual: .text)
            readExits(&tool, fields)
        }
        tool.variables = variables(fields)
        tool.passedVariables = passedVariables(fields)
        readConfinement(&tool, fields)
        readCommand(&tool, fields, at: entry)
        readInput(&tool, fields)
    }

    private mutating func describe(
        _ description: inout ToolDescription,
        _ fields: YAMLNode.Mapping
    ) {
        description.description = text(fields, "description") ?? ""
        description.version = text(fields, "version")
        description.parameters = parameters(fields)
        description.outputSchema = outputSchema(fields)
        describeEffects(&description, fields, (isIdempotent: false, isReadOnly: false))
        describeBounds(&description, fields)
    }

    /// Timeout, attempts and concurrency.
    mutating func describeBounds(
        _ description: inout ToolDescription,
        _ fields: YAMLNode.Mapping
    ) {
        description.timeoutMilliseconds = duration(fields, "timeout")?.millisecondsRoundedUp
        description.maxAttempts = integer(fields, "max_attempts", 1...1000)
        description.concurrency = integer(fields, "concurrency", 1...Limits.largestSlots)
        readApproval(&description, fields)
    }

    /// Whether a person approves each node; nil if nothing is said.
    mutating func approval(_ fields: YAMLNode.Mapping) -> Bool? {
        guard let node = fields["approval"] else { return nil }
        switch node.scalar?.string {
        case "required": return true
        case "none": return false
        default:
            report(node, field: "approval", "must be required or none.")
            return nil
        }
    }

    private mutating func readApproval(
        _ description: inout ToolDescription,
        _ fields: YAMLNode.Mapping
    ) {
        description.needsApproval = approval(fields) ?? false
        description.approvalMilliseconds =
            duration(fields, "approval_timeout")?.millisecondsRoundedUp
        if let node = fields["approval_timeout"], !description.needsApproval {
            report(
                node,
                field: "approval_timeout",
                "has no effect without approval: required. Add that or remove this."
            )
        }
    }

    /// Whether it may run twice and changes nothing: what the manifest says, or what is usual.
    mutating func describeEffects(
        _ description: inout ToolDescription,
        _ fields: YAMLNode.Mapping,
        _ usual: (isIdempotent: Bool, isReadOnly: Bool)
    ) {
        description.isIdempotent = bool(fields, "idempotent") ?? usual.isIdempotent
        description.isReadOnly = bool(fields, "read_only") ?? usual.isReadOnly
    }

    // MARK: - Command

    private mutating func readCommand(
        _ tool: inout ManifestTool,
        _ fields: YAMLNode.Mapping,
        at entry: YAMLNode
    ) {
        guard let node = fields["command"] else {
            return report(
                entry,
                field: "command",
                "is missing. Give the program and its arguments as a list: [grep, -c, \"{text}\"],"
                    + " or http for a request."
            )
        }
        guard let list = node.sequence else {
            return report(
                node,
                field: "command",
                "must be a list of words such as [grep, -c, \"{text}\"]; no shell reads it."
            )
        }
        var entries: [CommandEntry] = []
        for element in list {
            if let scalar = element.scalar {
                entries.append(CommandEntry(words: [scalar.string], line: element.line))
            } else if let inner = element.sequence, !inner.isEmpty,
                inner.allSatisfy({ $0.scalar != nil })
            {
                entries.append(
                    CommandEntry(
                        words: inner.compactMap(\.scalar?.string),
                        isGroup: true,
                        line: element.line
                    )
                )
            } else {
                report(
                    element,
                    field: "command",
                    "contains an element that is not a text. Quote elements with braces:"
                        + " \"{name}\"."
                )
            }
        }
        let schema = JSONValue(tool.description.parameters)
        var reader = CommandReader(
            folder: folder,
            declared: schema["properties"]?.objectValue.map { Array($0.keys) } ?? [],
            dashes: dashPermissions(fields, schema),
            exists: { FileManager.default.fileExists(atPath: $0) }
        )
        reader.read(entries)
        for problem in reader.problems {
            add(problem.message, field: "command", line: problem.line ?? node.line)
        }
        if tool.isPersistent, reader.template.takesArguments {
            report(
                node,
                field: "command",
                "has placeholders, but the process of a persistent tool serves many calls. It gets"
                    + " the arguments on its standard input."
            )
        }
        tool.command = reader.template
    }

    // MARK: - Problems

    mutating func report(_ node: YAMLNode?, field: String?, _ message: String) {
        add(message, field: field, line: node?.line)
    }

    mutating func add(_ message: String, field: String?, line: Int?) {
        problems.append(
            FileProblem(line: line, entry: toolName, field: field, message: message)
        )
    }
}
