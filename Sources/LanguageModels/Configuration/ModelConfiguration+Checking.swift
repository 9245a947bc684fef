// Everything wrong with a configuration at once: what its text says, and what it needs from outside.
public import Configuration
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
        return reader.problems + problem(configuration.planner, "planner", environment)
            + problem(configuration.joiner, "joiner", environment)
    }

    private static func problem(
        _ model: Model?,
        _ name: String,
        _ environment: [String: String]
    ) -> [FileProblem] {
        var message: String?
        switch model {
        case .openai(let settings), .anthropic(let settings):
            guard let source = settings.key else { break }
            do throws(ModelKeyError) {
                _ = try ModelKey(source, environment: environment)
            } catch {
                message = error.description
            }
        case .recorded(let path, _, _):
            do throws(RecordingError) {
                _ = try Recording.load(path: path)
            } catch {
                message = error.message
            }
        case .command(let settings):
            guard let program = settings.arguments.first, program.contains("/"),
                access(program, X_OK) != 0
            else { break }
            message = "The program \(program) cannot be executed."
        case nil:
            break
        }
        return message.map { [FileProblem(entry: name, message: $0)] } ?? []
    }
}
