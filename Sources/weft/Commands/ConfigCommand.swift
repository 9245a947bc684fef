// `weft config check`: checks a configuration without calling anything.
internal import ArgumentParser
internal import Configuration
internal import Console
internal import Coordinator
internal import Core
internal import LanguageModels

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Checks a configuration.",
        subcommands: [ConfigCheckCommand.self]
    )
}

struct ConfigCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Shows every problem of a configuration, or what it configures.",
        discussion: """
            No model is called; weft models check does that. Keys are looked for and never shown. \
            The exit code is 2 if there are problems. Example:

              weft config check --config weft.yaml
            """
    )

    @OptionGroup var file: ConfigurationFile

    func run() throws {
        let configuration = try file.read()
        let models = [
            ("planner", configuration.models.planner), ("joiner", configuration.models.joiner),
        ]
        let isEmpty = models.allSatisfy { $0.1 == nil }
        Output.standard.writeNow(
            Text.printable("\(try file.path()) is fine\(isEmpty ? "; it names no model." : ".")")
                + "\n"
        )
        var lines: [(String, String)] = []
        if !isEmpty {
            lines = models.map { name, model in
                let missing = name == "joiner" ? "the planner's" : "none: goals are refused"
                return (name, model.map(\.summary) ?? missing)
            }
        }
        lines += configuration.changedLimits.map { ($0.name, $0.value) }
        if !lines.isEmpty { Printer().pairs(lines) }
    }
}

extension ModelConfiguration.Model {
    /// A short description; never a key.
    var summary: String {
        switch self {
        case .openai(let settings): "openai, \(settings.summary)"
        case .anthropic(let settings): "anthropic, \(settings.summary)"
        case .recorded(let path, _, _): "recorded, \(path)"
        // Arguments may contain secrets.
        case .command(let settings): "command, \(settings.arguments.first ?? "")"
        case .anyOf(let models): models.map(\.summary).joined(separator: "; else ")
        case .priced(let model, let prices):
            "\(model.summary), \(prices.input) in and \(prices.output) out a million tokens"
        }
    }
}

extension ProviderSettings {
    fileprivate var summary: String {
        let source =
            switch key {
            case .environment(let name): "key from the variable \(name)"
            case .file(let path): "key from the file \(path)"
            case nil: "no key"
            }
        // The text before an @ or after a question mark may be secret.
        let shown = baseURL.contains { $0 == "@" || $0 == "?" } ? "a URL with secrets" : baseURL
        return "\(model) at \(shown), \(source)"
    }
}
