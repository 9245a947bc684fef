// Entries of a manifest that make tools of an OpenAPI file.
internal import Configuration
internal import Core
internal import JSON
internal import OrderedCollections
internal import Plans
internal import Wire
internal import YAML

extension ManifestReader {
    private static let openAPIFields = [
        "openapi", "allow", "base_url", "prefix", "headers", "query", "proxy", "retry_on",
        "allow_hosts", "timeout", "max_attempts", "concurrency", "max_output", "idempotent",
        "read_only", "check_output", "approval", "approval_timeout",
    ]

    /// The tools of the operations that an entry allows.
    mutating func readOpenAPI(
        _ fields: YAMLNode.Mapping,
        at entry: YAMLNode
    ) -> [ManifestTool] {
        checkNames(fields, Self.openAPIFields)
        let name = text(fields, "openapi") ?? ""
        let path = name.hasPrefix("/") ? name : "\(folder)/\(name)"
        let file: OpenAPIFile
        do {
            file = try OpenAPIFile(path: path)
        } catch {
            report(fields["openapi"], field: "openapi", "cannot be used. \(error.message)")
            return []
        }
        let known = file.operations.map(\.id)
        guard let list = fields["allow"]?.sequence else {
            let shown = known.prefix(20).joined(separator: ", ")
            report(
                fields["allow"] ?? entry,
                field: "allow",
                "must list the operations that become tools. The file has \(shown)"
                    + (known.count > 20 ? " and \(known.count - 20) more." : ".")
            )
            return []
        }
        files.append(path)
        var tools: [ManifestTool] = []
        for node in list {
            guard let operation = file.operations.first(where: { $0.id == node.plainText }) else {
                report(
                    node,
                    field: "allow",
                    "names \(node.plainText), which is no operation of the file."
                        + Suggestions.sentence(for: node.plainText, among: known)
                )
                continue
            }
            do {
                if let tool = try tool(operation, of: file, fields, at: node) { tools.append(tool) }
            } catch {
                report(node, field: "allow", "names \(operation.id). \(error.message)")
            }
        }
        return tools
    }

    private mutating func tool(
        _ operation: OpenAPIFile.Operation,
        of file: OpenAPIFile,
        _ fields: YAMLNode.Mapping,
        at node: YAMLNode
    ) throws(OpenAPIProblem) -> ManifestTool? {
        guard let base = try base(operation, fields) else { return nil }
        var maker = try OpenAPITools(file: file, operation: operation, base: base)
        let name = OpenAPITools.plainName((text(fields, "prefix") ?? "") + operation.id)
        guard name.utf8.count <= PlanLimits.toolName else {
            throw OpenAPIProblem(
                message:
                    "Its name is longer than \(PlanLimits.toolName) bytes; it cannot be a tool."
            )
        }
        var tool = ManifestTool(description: ToolDescription(name: name, description: ""))
        describeBounds(&tool.description, fields)
        describeEffects(&tool.description, fields, Self.effects(of: operation.method))
        tool.description.description = maker.words
        tool.description.parameters = try maker.parameters()
        tool.maxOutput = size(fields, "max_output")
        tool.description.outputSchema = maker.output()
        tool.output = OutputContract(format: nil)
        tool.checksOutput = bool(fields, "check_output") ?? false
        var template = maker.template
        for (added, name) in [(headers(fields), "headers"), (entries(fields, "query"), "query")]
        where added.contains(where: { !$0.value.parameters.isEmpty }) {
            report(fields[name], field: name, "can have ${NAME} in it, but no arguments.")
        }
        template.headers += headers(fields)
        template.query += entries(fields, "query")
        let http = HTTPTool(
            template: template,
            retried: statuses(fields),
            allowed: fields["allow_hosts"] == nil ? allowedHosts : allowedHosts(fields),
            proxy: text(fields, "proxy")
        )
        if base.variables.isEmpty, let problem = http.problem(template.url) {
            report(fields["base_url"] ?? node, field: "base_url", "is no use: \(problem).")
        }
        tool.http = http
        return tool
    }

    /// The address that the paths of the file follow.
    private mutating func base(
        _ operation: OpenAPIFile.Operation,
        _ fields: YAMLNode.Mapping
    ) throws(OpenAPIProblem) -> TextTemplate? {
        if let node = fields["base_url"] {
            guard let base = template(node, field: "base_url") else { return nil }
            guard base.parameters.isEmpty else {
                report(node, field: "base_url", "can have ${NAME} in it, but no arguments.")
                return nil
            }
            return base.withoutSlash
        }
        guard let server = operation.servers?[0], var url = server["url"]?.stringValue else {
            throw OpenAPIProblem(message: "The file names no server. Give base_url.")
        }
        for (name, variable) in server["variables"]?.objectValue ?? [:] {
            url = url.replacing("{\(name)}", with: variable["default"]?.stringValue ?? "")
        }
        guard url.hasPrefix("http://") || url.hasPrefix("https://"), !url.contains("{") else {
            throw OpenAPIProblem(
                message: "The file's server is \(url), which is no whole address. Give base_url."
            )
        }
        return TextTemplate(plain: url).withoutSlash
    }
}
