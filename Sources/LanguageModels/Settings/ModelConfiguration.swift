// The models for planning and joining in the configuration file. Not here: reading the YAML
// (ModelConfigurationReader), making the models (ModelCatalogue).
public import Configuration
public import Core

/// The models of a coordinator: the part `models` of its configuration file.
///
///     models:
///       planner: {api: openai, base_url: https://…/v1, model: …, key_env: OPENAI_API_KEY}
///       joiner: {api: command, command: [./join.sh]}
///
/// A list of models in place of one: the next is called when one fails before its first text.
///
/// Fields of `openai` and `anthropic`: `model`, `base_url`, `key_env` or `key_file`, `max_tokens`,
/// `temperature`, `timeout`, `connect_timeout`, `idle_timeout`, `retries`, `proxy`, `ca_file` (the
/// certificates to trust instead of the host's), `insecure` (a key may go over plain http),
/// `grammar` (whether the server is sent a grammar in GBNF, as llama.cpp and vLLM take one; only for
/// repairs if it is not said). Of
/// `recorded`: `file`, `pace` (`recorded`, or the time between two events), `repeat`. Of `command`:
/// `command`, `pass_env`, `max_tokens`, `temperature`, `timeout`. Of all: `prices`, of a million
/// tokens, `{input: 0.15, output: 0.6}`. Durations have a unit: `500ms`,
/// `10s`, `2m`. Paths start in the folder of the file.
public struct ModelConfiguration: Sendable, Equatable {
    /// How one model is called.
    public enum Model: Sendable, Equatable {
        /// Chat completions.
        case openai(ProviderSettings)
        /// Anthropic's messages.
        case anthropic(ProviderSettings)
        /// A recording, by its path.
        case recorded(path: String, pace: RecordedModel.Pace, isRepeated: Bool)
        /// A program.
        case command(CommandSettings)
        /// The first one; if that fails before its first text, the next one, and so on.
        case anyOf([Model])
        /// A model whose tokens have these prices.
        indirect case priced(Model, TokenPrices)

        /// The models that it consists of, without their prices.
        var parts: [Model] {
            switch self {
            case .anyOf(let models): models.flatMap(\.parts)
            case .priced(let model, _): model.parts
            case .openai, .anthropic, .recorded, .command: [self]
            }
        }

        /// The model without its prices.
        var unpriced: Model {
            if case .priced(let model, _) = self { model } else { self }
        }

        /// The first of its models, sending grammars; nil if it has no field for one.
        var tryingGrammar: Model? {
            switch self {
            case .openai(var settings):
                settings.grammar = .always
                return .openai(settings)
            case .anyOf(let models): return models.first?.tryingGrammar
            case .priced(let model, _): return model.tryingGrammar
            case .anthropic, .recorded, .command: return nil
            }
        }

        /// The highest prices of its models; nil if none has prices.
        var highestPrices: TokenPrices? {
            switch self {
            case .anyOf(let models): models.compactMap(\.highestPrices).highest
            case .priced(_, let prices): prices
            case .openai, .anthropic, .recorded, .command: nil
            }
        }
    }

    /// The model that writes plans; nil when there is none.
    public var planner: Model?
    /// The model that joins; nil for the planner's.
    public var joiner: Model?

    /// Makes a configuration of its models.
    public init(planner: Model? = nil, joiner: Model? = nil) {
        self.planner = planner
        self.joiner = joiner
    }

    /// The same models, sending grammars also where the file does not say that the server takes one;
    /// nil where no model could.
    public var tryingGrammars: ModelConfiguration {
        ModelConfiguration(planner: planner?.tryingGrammar, joiner: joiner?.tryingGrammar)
    }

    /// The highest prices of all models; nil if none has prices.
    var highestPrices: TokenPrices? {
        [planner, joiner].compactMap { $0?.highestPrices }.highest
    }

    /// The environment variables that contain the models' keys, or are passed to their programs.
    public var keyVariables: Set<String> {
        [planner, joiner].compactMap(\.self).flatMap(\.parts)
            .reduce(into: []) { names, model in
                switch model {
                case .openai(let settings), .anthropic(let settings):
                    if case .environment(let name) = settings.key { names.insert(name) }
                case .command(let settings):
                    names.formUnion(settings.passedVariables)
                case .recorded, .anyOf, .priced:
                    break
                }
            }
    }

    /// Reads the part `models` of a configuration file; other parts are ignored.
    ///
    /// - Parameters:
    ///   - yaml: The text of the file.
    ///   - path: Its path, for messages and for the paths in it.
    /// - Returns: The models; none when the file has no such part.
    /// - Throws: All problems at once.
    public static func parse(
        yaml: String,
        path: String
    ) throws(ModelConfigurationError) -> ModelConfiguration {
        var reader = ModelConfigurationReader(path: path)
        let configuration = reader.read(yaml)
        guard reader.problems.isEmpty else {
            throw ModelConfigurationError(path: path, problems: reader.problems)
        }
        return configuration
    }
}

extension [TokenPrices] {
    /// The highest of each kind; nil without prices.
    var highest: TokenPrices? {
        guard let first else { return nil }
        return dropFirst().reduce(first) { $0.highest(with: $1) }
    }
}

/// The error for models that cannot be used as configured, with all problems.
public struct ModelConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The path of the file; empty when the problems do not concern a file.
    public var path: String
    /// The problems, in the order of the file; at least one.
    public var problems: [FileProblem]

    /// Makes an error with these problems.
    public init(path: String = "", problems: [FileProblem]) {
        self.path = path
        self.problems = problems
    }

    /// One line for each problem.
    public var description: String {
        problems.map { path.isEmpty ? "\($0)" : "\(path): \($0)" }.joined(separator: "\n")
    }
}
