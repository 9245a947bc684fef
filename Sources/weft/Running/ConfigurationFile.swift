// The configuration file of a command: its path, its text and its problems.
internal import ArgumentParser
internal import Console
internal import Coordinator
internal import FoundationEssentials

/// The configuration that a command checks.
struct ConfigurationFile: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The configuration: language models and limits (default: WEFT_CONFIG).",
            valueName: "weft.yaml"
        )
    )
    var config: String?

    func path() throws(CommandFailure) -> String {
        guard let path = Self.path(flag: config), !path.isEmpty else {
            throw CommandFailure(.usage, "Name a configuration by --config or WEFT_CONFIG.")
        }
        return path
    }

    /// The path of the flag, or else of WEFT_CONFIG.
    static func path(flag: String?) -> String? {
        if let flag { return flag }
        let named = ProcessInfo.processInfo.environment["WEFT_CONFIG"] ?? ""
        return named.isEmpty ? nil : named
    }

    /// The text of a configuration file.
    static func text(at path: String) throws(CommandFailure) -> String {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CommandFailure(
                .usage,
                "The configuration \(path) cannot be read: \(Files.reason(at: path))."
            )
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// The configuration in a text; ends the command with all problems of the text.
    static func parse(
        _ text: String,
        path: String
    ) throws(CommandFailure) -> CoordinatorConfiguration {
        do throws(CoordinatorConfigurationError) {
            return try CoordinatorConfiguration.parse(yaml: text, path: path)
        } catch {
            throw CommandFailure(.usage, error.problems.map { "error: \(path): \($0)" })
        }
    }

    /// Reads the file; ends the command with all its problems.
    func read() throws(CommandFailure) -> CoordinatorConfiguration {
        let path = try path()
        let text = try Self.text(at: path)
        let problems = CoordinatorConfiguration.problems(
            yaml: text,
            path: path,
            environment: ProcessInfo.processInfo.environment
        )
        let failure = CommandFailure(.usage, problems.map { "error: \(path): \($0)" })
        guard problems.isEmpty else { throw failure }
        return try Self.parse(text, path: path)
    }
}
