// Makes the models that a coordinator calls, on its loop, from the models that a program names.
internal import Configuration
internal import FoundationEssentials
internal import LanguageModels
internal import PlannerCore
internal import UVLoop

/// The models of a cluster.
struct ModelSetup: Sendable {
    var planner: LanguageModel
    /// The joiner; nil for the planner's model.
    var joiner: LanguageModel?

    /// Makes the models; they have to be closed.
    ///
    /// - Throws: All problems at once: files that cannot be read, keys that are missing.
    func make(on loop: EventLoop) throws(ModelConfigurationError) -> ModelCatalogue {
        var configuration = ModelConfiguration()
        var problems: [FileProblem] = []
        if case .configuration(let path) = planner.source {
            configuration = try LanguageModel.read(path)
            if configuration.planner == nil {
                throw ModelConfigurationError(
                    path: path,
                    problems: [
                        FileProblem(
                            message: "The file names no planner under models."
                        )
                    ]
                )
            }
        } else {
            configuration.planner = planner.configured("planner", &problems)
                .map(planner.withPrices)
        }
        if let joiner {
            if case .configuration(let path) = joiner.source {
                let other = try LanguageModel.read(path)
                configuration.joiner = other.joiner ?? other.planner
            } else {
                configuration.joiner = joiner.configured("joiner", &problems)
                    .map(joiner.withPrices)
            }
        }
        guard problems.isEmpty else { throw ModelConfigurationError(problems: problems) }
        return try ModelCatalogue.make(
            configuration,
            loop: loop,
            environment: ProcessInfo.processInfo.environment,
            ownPlanner: planner.made(on: loop),
            ownJoiner: joiner?.made(on: loop)
        )
    }
}

extension LanguageModel {
    fileprivate static func read(
        _ path: String
    ) throws(ModelConfigurationError) -> ModelConfiguration {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ModelConfigurationError(
                path: path,
                problems: [FileProblem(message: "The file cannot be read.")]
            )
        }
        return try ModelConfiguration.parse(yaml: String(decoding: data, as: UTF8.self), path: path)
    }

    /// The model in the form of a configuration file; nil for one that no file can name.
    fileprivate func configured(
        _ name: String,
        _ problems: inout [FileProblem]
    ) -> ModelConfiguration.Model? {
        func note(_ message: String?) {
            guard let message else { return }
            problems.append(FileProblem(entry: name, message: message))
        }
        switch source {
        case .openAI(let settings, let allowsPlaintext):
            note(settings.problem(allowsPlaintext: allowsPlaintext))
            return .openai(settings)
        case .anthropic(let settings, let allowsPlaintext):
            note(settings.problem(allowsPlaintext: allowsPlaintext))
            return .anthropic(settings)
        case .command(let arguments, let timeout):
            if arguments.first?.isEmpty ?? true { note("A command names a program.") }
            return .command(CommandSettings(arguments: arguments, timeout: timeout))
        case .recording(let path, .recorded):
            return .recorded(path: path, pace: .recorded, isRepeated: true)
        case .recording(let path, .every(let interval)):
            return .recorded(path: path, pace: .every(interval), isRepeated: true)
        case .scripted, .function, .configuration:
            return nil
        }
    }

    fileprivate func withPrices(_ model: ModelConfiguration.Model) -> ModelConfiguration.Model {
        prices.map { .priced(model, $0) } ?? model
    }

    /// The model itself, if it is a function of the program.
    fileprivate func made(on loop: EventLoop) -> (any CallableModel)? {
        guard let prices else { return function(on: loop) }
        return function(on: loop).map { PricedModel($0, prices: prices) }
    }

    private func function(on loop: EventLoop) -> (any CallableModel)? {
        switch source {
        case .scripted(let replies, let interval):
            RecordedModel(
                loop: loop,
                recording: Recording(calls: replies.map { Recording.Call(reply: $0) }),
                pace: .every(interval),
                isRepeated: false
            )
        case .function(let timeout, let body):
            FunctionModel(loop: loop, timeout: timeout, body: body)
        case .openAI, .anthropic, .command, .recording, .configuration:
            nil
        }
    }
}

extension Recording.Call {
    /// A call that gives this reply, word by word.
    fileprivate init(reply: String) {
        var pieces: [String] = []
        for character in reply {
            // A piece ends with the blank after its word.
            if pieces.isEmpty || pieces[pieces.count - 1].last?.isWhitespace ?? false {
                pieces.append("")
            }
            pieces[pieces.count - 1].append(character)
        }
        let events = pieces.map { ModelEvent.delta($0) } + [.ended(.end)]
        self.init(entries: events.map { Recording.Entry(time: .zero, event: $0) })
    }
}
