// Reads the part `models` of a configuration file and collects all problems. Not here: single
// fields (ModelConfigurationReader+Fields).
internal import Configuration
internal import FoundationEssentials
internal import YAML

struct ModelConfigurationReader: FieldReading {
    /// The folder of the file, where relative paths start.
    let folder: String
    /// All problems so far, in the order of the file.
    var problems: [FileProblem] = []
    /// The model that is being read, for problems.
    private var modelName: String?

    private static let modelNames = ["planner", "joiner"]
    private static let apis = ["openai", "anthropic", "recorded", "command"]
    static let providerFields = [
        "api", "base_url", "model", "key_env", "key_file", "max_tokens", "temperature", "timeout",
        "connect_timeout", "idle_timeout", "retries", "proxy", "ca_file", "insecure", "grammar",
        "prices",
    ]
    private static let durations = Duration.milliseconds(1) ... .seconds(86_400)
    static let recordedFields = ["api", "file", "pace", "repeat", "prices"]
    static let commandFields = [
        "api", "command", "pass_env", "max_tokens", "temperature", "timeout", "prices",
    ]

    init(path: String) {
        let start = path.hasPrefix("/") ? "" : FileManager.default.currentDirectoryPath + "/"
        let parts = (start + path).split(separator: "/").dropLast().filter { $0 != "." }
        folder = "/" + parts.joined(separator: "/")
    }

    mutating func read(_ yaml: String) -> ModelConfiguration {
        var configuration = ModelConfiguration()
        let root: YAMLNode?
        do throws(YAMLError) {
            root = try YAMLNode.parse(yaml)
        } catch {
            problems.append(FileProblem(yaml: error))
            return configuration
        }
        guard let root else { return configuration }
        guard let fields = root.mapping else {
            report(root, field: nil, "The file must consist of fields, such as \"models:\".")
            return configuration
        }
        guard let node = fields["models"], !node.isNull else { return configuration }
        guard let models = node.mapping else {
            report(node, field: "models", "must have planner or joiner under it.")
            return configuration
        }
        for (key, value) in models {
            let name = key.plainText
            guard Self.modelNames.contains(name) else {
                reportUnknown(key, Self.modelNames)
                continue
            }
            modelName = name
            let model = readModel(value)
            if name == "planner" { configuration.planner = model }
            if name == "joiner" { configuration.joiner = model }
            modelName = nil
        }
        return configuration
    }

    private mutating func readModel(_ node: YAMLNode) -> ModelConfiguration.Model? {
        if let list = node.sequence {
            if list.isEmpty { report(node, field: nil, "must name at least one model.") }
            return .anyOf(list.compactMap { readModel($0) })
        }
        guard let fields = node.mapping else {
            report(node, field: nil, "must have fields, such as {api: openai, model: …}.")
            return nil
        }
        guard let api = fields["api"] else {
            report(node, field: "api", "is missing. Choose \(Self.apis.joined(separator: ", ")).")
            return nil
        }
        let model = readModel(fields, node, api: api)
        guard let prices = prices(fields) else { return model }
        return model.map { .priced($0, prices) }
    }

    private mutating func readModel(
        _ fields: YAMLNode.Mapping,
        _ node: YAMLNode,
        api: YAMLNode
    ) -> ModelConfiguration.Model? {
        switch api.plainText {
        case "openai":
            return readProvider(fields, node, base: "https://api.openai.com/v1")
                .map(ModelConfiguration.Model.openai)
        case "anthropic":
            if fields["grammar"] != nil {
                report(fields["grammar"], field: "grammar", "is for api: openai only. Remove it.")
            }
            return readProvider(fields, node, base: "https://api.anthropic.com")
                .map(ModelConfiguration.Model.anthropic)
        case "recorded":
            return readRecorded(fields, node)
        case "command":
            return readCommand(fields, node)
        default:
            report(api, field: "api", "must be one of \(Self.apis.joined(separator: ", ")).")
            return nil
        }
    }

    // MARK: - Kinds of models

    private mutating func readProvider(
        _ fields: YAMLNode.Mapping,
        _ node: YAMLNode,
        base: String
    ) -> ProviderSettings? {
        checkNames(fields, Self.providerFields)
        let baseURL = baseURL(fields) ?? base
        var settings = ProviderSettings(
            baseURL: baseURL,
            model: required(fields, "model", node, "Name the model as the provider knows it.")
        )
        settings.key = keySource(fields)
        settings.maxTokens = integer(fields, "max_tokens", 1...10_000_000)
        settings.temperature = number(fields, "temperature", 0...10)
        if let isTaken = bool(fields, "grammar") { settings.grammar = isTaken ? .always : .never }
        settings.timeout = duration(fields, "timeout", Self.durations) ?? settings.timeout
        settings.connectTimeout =
            duration(fields, "connect_timeout", Self.durations) ?? settings.connectTimeout
        settings.idleTimeout =
            duration(fields, "idle_timeout", Self.durations) ?? settings.idleTimeout
        settings.retries = integer(fields, "retries", 0...10) ?? settings.retries
        settings.proxy = text(fields, "proxy")
        if settings.proxy?.contains("@") ?? false {
            report(
                fields["proxy"],
                field: "proxy",
                "must have no user. Set https_proxy in the environment instead."
            )
        }
        settings.caFile = text(fields, "ca_file").map(absolute)
        let isInsecure = bool(fields, "insecure") ?? false
        if !isInsecure, settings.exposesKey {
            report(
                fields["base_url"],
                field: "base_url",
                "would send the key without encryption. Use https, or say insecure: true."
            )
        }
        return settings
    }

    private mutating func readRecorded(
        _ fields: YAMLNode.Mapping,
        _ node: YAMLNode
    ) -> ModelConfiguration.Model? {
        checkNames(fields, Self.recordedFields)
        let file = required(fields, "file", node, "Name the file of the recording.")
        var pace = RecordedModel.Pace.recorded
        if let value = fields["pace"], value.plainText != "recorded" {
            if value.plainText == "0" {
                pace = .every(.zero)
            } else if !("0"..."9").contains(value.plainText.first ?? " ") {
                report(
                    value,
                    field: "pace",
                    "must be recorded, 0 or the time between two pieces, such as 20ms."
                )
            } else if let interval = duration(fields, "pace", Self.durations) {
                pace = .every(interval)
            }
        }
        return .recorded(
            path: absolute(file),
            pace: pace,
            isRepeated: bool(fields, "repeat") ?? true
        )
    }

    private mutating func readCommand(
        _ fields: YAMLNode.Mapping,
        _ node: YAMLNode
    ) -> ModelConfiguration.Model? {
        checkNames(fields, Self.commandFields)
        var arguments = list(fields, "command", "such as [./model.sh, --fast]")
        if arguments.first?.isEmpty ?? true {
            if fields["command"] == nil {
                report(node, field: "command", "is missing. Give the program as a list.")
            }
            return nil
        }
        if arguments[0].contains("/") { arguments[0] = absolute(arguments[0]) }
        var settings = CommandSettings(arguments: arguments, directory: folder)
        settings.passedVariables = list(fields, "pass_env", "such as [API_KEY]")
        settings.maxTokens = integer(fields, "max_tokens", 1...10_000_000)
        settings.temperature = number(fields, "temperature", 0...10)
        settings.timeout = duration(fields, "timeout", Self.durations) ?? settings.timeout
        return .command(settings)
    }

    func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : folder + "/" + path
    }

    // MARK: - Problems

    mutating func report(_ node: YAMLNode?, field: String?, _ message: String) {
        problems.append(
            FileProblem(
                line: node?.line,
                entry: modelName,
                field: field,
                message: message
            )
        )
    }

    mutating func reportUnknown(_ key: YAMLNode, _ known: [String]) {
        let name = key.plainText
        guard ["key", "api_key", "token"].contains(name) else {
            return reportUnknownField(key, known)
        }
        report(
            key,
            field: name,
            "A key does not belong in this file. Name the variable that contains it with key_env,"
                + " or its own file with key_file."
        )
    }
}
