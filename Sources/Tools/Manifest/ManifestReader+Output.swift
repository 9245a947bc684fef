// What a manifest says of the output of a tool, of its exit codes, and of a program's input.
internal import Configuration
internal import Core
internal import JSON
internal import OrderedCollections
internal import Wire
internal import YAML

extension ManifestReader {
    /// `text` or `json`, for tools whose output is one of both.
    mutating func outputFormat(_ fields: YAMLNode.Mapping) -> OutputFormat {
        guard let node = fields["output"] else { return .text }
        if let format = OutputFormat(rawValue: node.plainText), format != .base64 { return format }
        report(node, field: "output", "must be text or json.")
        return .text
    }

    /// The `output` of a tool: a format, or `{format, path, schema}`; the schema is the same as
    /// `output_schema`.
    mutating func output(
        _ description: inout ToolDescription,
        _ fields: YAMLNode.Mapping,
        usual: OutputFormat?
    ) -> OutputContract {
        guard let node = fields["output"] else { return OutputContract(format: usual) }
        guard let inner = node.mapping else {
            return OutputContract(format: format(node) ?? usual)
        }
        checkNames(inner, ["format", "path", "schema"])
        var contract = OutputContract(format: inner["format"].flatMap { format($0) } ?? usual)
        if let path = inner["path"] {
            contract.path = OutputPath(path.plainText)
            if contract.path == nil {
                report(
                    path,
                    field: "path",
                    "must be a path of names and positions: $.items[0].name."
                )
            }
        }
        if let schema = inner["schema"] {
            if fields["output_schema"] != nil {
                report(schema, field: "schema", "cannot be there beside output_schema. Remove one.")
            }
            description.outputSchema = outputSchema(inner, "schema")
        }
        // A part of a value, or one with a form, is JSON for a program.
        let isOfValue = contract.path != nil || inner["schema"] != nil
        if usual == .text, inner["format"] == nil, isOfValue { contract.format = .json }
        if contract.path != nil, contract.format == .text || contract.format == .base64 {
            report(inner["path"], field: "path", "is for JSON, and the format is another one.")
        }
        return contract
    }

    private mutating func format(_ node: YAMLNode) -> OutputFormat? {
        if let format = OutputFormat(rawValue: node.plainText) { return format }
        report(
            node,
            field: "output",
            "must be text, json or base64, or {format: json, path: $.items, schema: {type: array}}."
        )
        return nil
    }

    // MARK: - Programs

    /// Which exit codes are a success, and which failures are worth another attempt.
    mutating func readExits(_ tool: inout ManifestTool, _ fields: YAMLNode.Mapping) {
        tool.successExitCodes = codes(fields, "success_exit_codes", [0, 1]) ?? [0]
        tool.exitRetries.retried = codes(fields, "retry_on_exit", [75])
        tool.exitRetries.failing = codes(fields, "fail_on_exit", [2]) ?? []
        let both = tool.exitRetries.failing.intersection(
            tool.successExitCodes.union(tool.exitRetries.retried ?? [])
        )
        let successes = tool.successExitCodes.intersection(tool.exitRetries.retried ?? [])
        if let code = both.union(successes).min() {
            report(
                fields["fail_on_exit"] ?? fields["retry_on_exit"],
                field: fields["fail_on_exit"] == nil ? "retry_on_exit" : "fail_on_exit",
                "says something else of code \(code) than another list of codes."
            )
        }
    }

    private mutating func codes(
        _ fields: YAMLNode.Mapping,
        _ name: String,
        _ example: [Int]
    ) -> Set<Int>? {
        guard let node = fields[name] else { return nil }
        let codes = (try? JSONValue(node))?.arrayValue?.map { $0.intValue ?? -1 } ?? []
        guard !codes.isEmpty, codes.allSatisfy({ (0...255).contains($0) }) else {
            report(
                node,
                field: name,
                "must be a list of exit codes from 0 to 255, such as \(example)."
            )
            return nil
        }
        return Set(codes)
    }

    /// What a program gets on its standard input.
    mutating func readInput(_ tool: inout ManifestTool, _ fields: YAMLNode.Mapping) {
        guard let node = fields["stdin"], !tool.isPersistent else { return }
        guard let template = template(node, field: "stdin") else { return }
        for name in template.variables {
            report(
                node,
                field: "stdin",
                "has ${\(name)}; a program reads the worker's variables that pass_env names."
            )
        }
        checkParameters(template.parameters, of: tool, node, field: "stdin")
        tool.input = template
    }

    // MARK: - Templates

    /// A text with placeholders.
    mutating func template(_ node: YAMLNode, field: String) -> TextTemplate? {
        guard let text = node.scalar?.string else {
            report(node, field: field, "must be a text.")
            return nil
        }
        do {
            return try TextTemplate(text)
        } catch {
            report(node, field: field, error.message)
            return nil
        }
    }

    /// Reports placeholders that are no parameters of the tool.
    mutating func checkParameters(
        _ names: [String],
        of tool: ManifestTool,
        _ node: YAMLNode?,
        field: String
    ) {
        let properties = JSONValue(tool.description.parameters)["properties"]?.objectValue
        let declared = properties.map { Array($0.keys) } ?? []
        for name in names where !declared.contains(name) {
            report(
                node,
                field: field,
                "uses {\(name)}, which is not a parameter of the tool."
                    + Suggestions.sentence(for: name, among: declared)
                    + " Declare it under parameters, properties."
            )
        }
    }
}
