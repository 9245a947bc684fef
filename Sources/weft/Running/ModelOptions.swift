// The configuration file of a command, its language models, and their recording.
internal import ArgumentParser
internal import Configuration
internal import Console
internal import Coordinator
internal import FoundationEssentials
internal import LanguageModels
internal import UVLoop

extension CoordinatorConfiguration {
    /// The variables that contain the models' keys.
    var keyVariables: Set<String> { models.keyVariables }
}

/// The flags of commands that have models.
struct ModelOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The configuration: language models and limits (default: WEFT_CONFIG).",
            valueName: "weft.yaml"
        )
    )
    var config: String?
    @Option(
        help: ArgumentHelp("Record what the models say, to replay it later.", valueName: "file")
    )
    var record: String?
    @Flag(help: "Let --record replace a file that is there.")
    var force = false

    /// The path of the configuration, if there is one.
    var path: String? { ConfigurationFile.path(flag: config) }

    /// Reads the configuration; the defaults if there is none.
    func configuration() throws(CommandFailure) -> CoordinatorConfiguration {
        guard let path else { return CoordinatorConfiguration() }
        return try ConfigurationFile.parse(try ConfigurationFile.text(at: path), path: path)
    }

    /// Makes the models on a loop; nil if there is no configuration.
    func models(
        _ configuration: CoordinatorConfiguration,
        on loop: EventLoop
    ) throws -> ModelCatalogue? {
        guard path != nil else { return nil }
        do {
            return try ModelCatalogue.make(
                configuration.models,
                loop: loop,
                environment: ProcessInfo.processInfo.environment,
                recorder: try record.map { try Self.recorder($0, replacesFile: force) },
                onNotice: { Shell.tell("warning: \($0)") }
            )
        } catch let failure as CommandFailure {
            throw failure
        } catch let error as ModelConfigurationError {
            throw CommandFailure(.usage, error.problems.map { "error: \(path ?? ""): \($0)" })
        } catch {
            throw CommandFailure(.usage, "\(error)")
        }
    }

    /// A recorder that can write to its file; a later write error is reported, and the command
    /// fails.
    private static func recorder(_ path: String, replacesFile: Bool) throws -> ModelRecorder {
        let recorder = try ModelRecorder(path: path, replacesFile: replacesFile)
        if let problem = recorder.problem { throw CommandFailure(.failed, problem) }
        recorder.onProblem = { WriteFailures.report($0) }
        return recorder
    }
}
