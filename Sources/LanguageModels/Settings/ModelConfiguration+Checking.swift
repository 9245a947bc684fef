// Finds all problems of a configuration at once: those of its text, and those of its environment.
public import Configuration
internal import FoundationEssentials
internal import Glibc

extension ModelConfiguration {
    /// Finds all problems of a configuration file: those of its text, keys that are missing, and
    /// recordings and programs that cannot be used.
    ///
    /// No model is called.
    public static func problems(
        yaml: String,
        path: String,
        environment: [String: String]
    ) -> [FileProblem] {
        var reader = ModelConfigurationReader(path: path)
        let configuration = reader.read(yaml)
        return reader.problems + problems(configuration.planner, "planner", environment)
            + problems(configuration.joiner, "joiner", environment)
    }

    private static func problems(
        _ model: Model?,
        _ name: String,
        _ environment: [String: String]
    ) -> [FileProblem] {
        if case .anyOf(let models) = model {
            return models.flatMap { problems($0, name, environment) }
        }
        if case .priced(let model, _) = model { return problems(model, name, environment) }
        var messages: [String?] = []
        switch model {
        case .openai(let settings), .anthropic(let settings):
            messages = [settings.caFileProblem, settings.key.flatMap { problem($0, environment) }]
        case .recorded(let path, _, _):
            do throws(RecordingError) {
                _ = try Recording.load(path: path)
            } catch {
                messages = [error.message]
            }
        case .command(let settings):
            messages = [settings.programProblem(environment)]
        case nil, .anyOf, .priced:
            break
        }
        return messages.compactMap(\.self).map { FileProblem(entry: name, message: $0) }
    }

    private static func problem(
        _ source: ModelKeySource,
        _ environment: [String: String]
    ) -> String? {
        do throws(ModelKeyError) {
            _ = try ModelKey(source, environment: environment)
            return nil
        } catch {
            return error.description
        }
    }
}

extension CommandSettings {
    /// Why the program cannot be run; nil if it can.
    fileprivate func programProblem(_ environment: [String: String]) -> String? {
        guard let program = arguments.first else { return nil }
        if program.contains("/") {
            return access(program, X_OK) == 0
                ? nil : "The program \(program) cannot be executed."
        }
        let folders = (environment["PATH"] ?? "").split(separator: ":")
        let isThere = folders.contains { access("\($0)/\(program)", X_OK) == 0 }
        return isThere ? nil : "There is no program \(program) in PATH."
    }
}

extension ProviderSettings {
    /// Why the certificates to trust cannot be used; nil if they can, or if there are none.
    var caFileProblem: String? {
        guard let caFile else { return nil }
        guard let data = FileManager.default.contents(atPath: caFile) else {
            return "The certificates \(caFile) cannot be read."
        }
        guard String(decoding: data, as: UTF8.self).contains("-----BEGIN CERTIFICATE") else {
            return "The file \(caFile) contains no certificates in PEM form."
        }
        return nil
    }
}
