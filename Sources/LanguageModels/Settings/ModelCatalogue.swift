// The models of a coordinator, made from its configuration. Not here: reading the configuration.
internal import Configuration
public import Core
internal import HTTP
public import UVLoop

/// The models that can be called.
public final class ModelCatalogue {
    /// The model that writes plans; nil when none is configured.
    public let planner: (any CallableModel)?
    /// The joiner's model: the planner's, unless there is a separate one.
    public let joiner: (any CallableModel)?
    /// The highest prices of all models; nil if none has prices.
    public let highestPrices: TokenPrices?

    private let client: HTTPClient

    /// Makes all models of a configuration.
    ///
    /// - Parameters:
    ///   - configuration: What to make.
    ///   - loop: The loop that the models are confined to.
    ///   - environment: Where keys are read from, and variables for programs.
    ///   - recorder: Records all calls, under `planner` and `joiner`; nil for none.
    ///   - onNotice: Called with a sentence for people when a recording is replayed for something
    ///     else than it was made for.
    ///   - ownPlanner: Plans in place of the configuration's; nil for that one.
    ///   - ownJoiner: Joins in place of the configuration's; nil for that one.
    /// - Returns: The models; they have to be closed.
    /// - Throws: All problems at once: keys that are missing, recordings that cannot be read.
    public static func make(
        _ configuration: ModelConfiguration,
        loop: EventLoop,
        environment: [String: String],
        recorder: ModelRecorder? = nil,
        onNotice: ((String) -> Void)? = nil,
        ownPlanner: (any CallableModel)? = nil,
        ownJoiner: (any CallableModel)? = nil
    ) throws(ModelConfigurationError) -> ModelCatalogue {
        let client = HTTPClient(loop: loop)
        var maker = ModelMaker(
            loop: loop,
            client: client,
            environment: environment,
            onNotice: onNotice
        )
        let planner = ownPlanner ?? maker.make(configuration.planner, "planner")
        let joiner = ownJoiner ?? maker.makeJoiner(configuration)
        guard maker.problems.isEmpty else {
            client.close()
            throw ModelConfigurationError(problems: maker.problems)
        }
        let recorded = { (model: (any CallableModel)?, label: String) in
            model.map { recorder?.recording($0, as: label, on: loop) ?? $0 }
        }
        return ModelCatalogue(
            planner: recorded(planner, "planner"),
            joiner: recorded(joiner ?? planner, "joiner"),
            highestPrices: [
                configuration.highestPrices, (ownPlanner as? PricedModel)?.prices,
                (ownJoiner as? PricedModel)?.prices,
            ].compactMap(\.self).highest,
            client: client
        )
    }

    private init(
        planner: (any CallableModel)?,
        joiner: (any CallableModel)?,
        highestPrices: TokenPrices?,
        client: HTTPClient
    ) {
        self.highestPrices = highestPrices
        self.planner = planner
        self.joiner = joiner
        self.client = client
    }

    /// Ends all calls over HTTP as cancelled and closes their connections.
    ///
    /// Running programs and replays are cancelled by their callers. Calling it again does nothing.
    public func close() { client.close() }
}

@available(*, unavailable)
extension ModelCatalogue: Sendable {}

private struct ModelMaker {
    let loop: EventLoop
    let client: HTTPClient
    let environment: [String: String]
    let onNotice: ((String) -> Void)?
    var problems: [FileProblem] = []

    mutating func make(
        _ model: ModelConfiguration.Model?,
        _ name: String
    ) -> (any CallableModel)? {
        switch model {
        case nil:
            return nil
        case .openai(let settings):
            let key = key(settings, name)
            return OpenAIModel(loop: loop, client: client, settings: settings, key: key)
        case .anthropic(let settings):
            let key = key(settings, name)
            return AnthropicModel(loop: loop, client: client, settings: settings, key: key)
        case .recorded(let path, let pace, let isRepeated):
            return recorded(path, pace, isRepeated, name)
        case .command(let settings):
            return CommandModel(loop: loop, settings: settings, environment: environment)
        case .priced(let model, let prices):
            return make(model, name).map { PricedModel($0, prices: prices) }
        case .anyOf(let models):
            let made = models.compactMap { make($0, name) }
            return made.isEmpty ? nil : FallbackModel(made)
        }
    }

    /// The joiner; nil for the planner's model.
    ///
    /// A recording may contain calls of both; each model then replays its own.
    mutating func makeJoiner(_ configuration: ModelConfiguration) -> (any CallableModel)? {
        if configuration.joiner == nil,
            case .recorded(let path, _, _) = configuration.planner?.unpriced,
            let recording = try? Recording.load(path: path),
            recording.calls.contains(where: { $0.label == "joiner" })
        {
            return make(configuration.planner, "joiner")
        }
        return make(configuration.joiner, "joiner")
    }

    private mutating func key(_ settings: ProviderSettings, _ name: String) -> ModelKey? {
        if let message = settings.caFileProblem {
            problems.append(FileProblem(entry: name, message: message))
        }
        guard let source = settings.key else { return nil }
        do throws(ModelKeyError) {
            return try ModelKey(source, environment: environment)
        } catch {
            problems.append(FileProblem(entry: name, message: error.description))
            return nil
        }
    }

    private mutating func recorded(
        _ path: String,
        _ pace: RecordedModel.Pace,
        _ isRepeated: Bool,
        _ name: String
    ) -> (any CallableModel)? {
        do throws(RecordingError) {
            return RecordedModel(
                loop: loop,
                recording: try Recording.load(path: path),
                label: name,
                pace: pace,
                isRepeated: isRepeated,
                onNotice: onNotice
            )
        } catch {
            problems.append(FileProblem(entry: name, message: error.message))
            return nil
        }
    }
}
