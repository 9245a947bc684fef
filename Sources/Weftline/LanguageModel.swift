// The language model that plans and joins goals, as a program names it. Not here: making it on the
// loop (LanguageModel+Making), functions as models (FunctionModel).
public import LanguageModels
public import PlannerCore

/// A language model, and how it is reached.
///
/// A value like this does nothing yet; a ``LocalCluster`` that starts with it makes the model. Keys
/// are never part of it: it names the environment variable or the file that holds one.
public struct LanguageModel: Sendable {
    /// How a provider is called; the defaults suit most.
    public struct Options: Sendable, Hashable {
        /// The most tokens of a reply; nil for 4096.
        public var maxTokens: Int?
        /// The sampling temperature; nil leaves it to the provider.
        public var temperature: Double?
        /// Longest time of a call as a whole, with its retries.
        public var timeout: Duration
        /// Longest silence before the first token and between any two.
        public var idleTimeout: Duration
        /// How many times a request that failed before its first token is sent again.
        public var retries: Int
        /// Whether a key may go to another host without encryption.
        public var allowsPlaintext: Bool

        /// Makes options of their parts.
        public init(
            maxTokens: Int? = nil,
            temperature: Double? = nil,
            timeout: Duration = .seconds(600),
            idleTimeout: Duration = .seconds(180),
            retries: Int = 2,
            allowsPlaintext: Bool = false
        ) {
            self.maxTokens = maxTokens
            self.temperature = temperature
            self.timeout = timeout
            self.idleTimeout = idleTimeout
            self.retries = retries
            self.allowsPlaintext = allowsPlaintext
        }
    }

    /// How fast a recording is replayed.
    public enum Pace: Sendable, Hashable {
        /// As it was recorded.
        case recorded
        /// A piece of text each such time; zero for as fast as it goes.
        case every(Duration)
    }

    /// Which kind of model it is.
    enum Source: Sendable {
        case openAI(ProviderSettings, allowsPlaintext: Bool)
        case anthropic(ProviderSettings, allowsPlaintext: Bool)
        case command([String], timeout: Duration)
        case recording(path: String, Pace)
        case scripted([String], interval: Duration)
        case function(timeout: Duration, FunctionModel.Body)
        case configuration(path: String)
    }

    let source: Source

    // MARK: - Providers

    /// A model behind chat completions: OpenAI, and all that speaks like it.
    ///
    /// - Parameters:
    ///   - model: The name of the model, as the provider knows it.
    ///   - baseURL: Where the interface is; `http://127.0.0.1:11434/v1` is Ollama on this host.
    ///   - key: Where the key is kept; nil for a provider that wants none.
    ///   - options: How it is called.
    /// - Returns: The model.
    public static func openAI(
        _ model: String,
        baseURL: String = "https://api.openai.com/v1",
        key: ModelKeySource? = nil,
        options: Options = Options()
    ) -> LanguageModel {
        let settings = ProviderSettings(baseURL, model, key, options)
        return LanguageModel(
            source: .openAI(settings, allowsPlaintext: options.allowsPlaintext)
        )
    }

    /// A model behind Anthropic's messages.
    ///
    /// - Parameters:
    ///   - model: The name of the model, as the provider knows it.
    ///   - baseURL: Where the interface is.
    ///   - key: Where the key is kept.
    ///   - options: How it is called.
    /// - Returns: The model.
    public static func anthropic(
        _ model: String,
        baseURL: String = "https://api.anthropic.com",
        key: ModelKeySource? = nil,
        options: Options = Options()
    ) -> LanguageModel {
        let settings = ProviderSettings(baseURL, model, key, options)
        return LanguageModel(
            source: .anthropic(settings, allowsPlaintext: options.allowsPlaintext)
        )
    }

    /// The models of a configuration file, such as `weft.yaml`: its planner, and its joiner if it
    /// has one.
    public static func configuration(_ path: String) -> LanguageModel {
        LanguageModel(source: .configuration(path: path))
    }

    // MARK: - Programs, recordings, functions

    /// A program: the request as JSON on its standard input, the reply on its standard output.
    ///
    /// No shell reads the arguments. Of the environment it gets `PATH`, `HOME`, `USER` and `LANG`.
    public static func command(
        _ arguments: [String],
        timeout: Duration = .seconds(600)
    ) -> LanguageModel {
        LanguageModel(source: .command(arguments, timeout: timeout))
    }

    /// What another model said once, as `weft run --record` wrote it into a file.
    ///
    /// It is said again from the start when it has been said to the end.
    public static func recording(_ path: String, pace: Pace = .recorded) -> LanguageModel {
        LanguageModel(source: .recording(path: path, pace))
    }

    /// A model that gives these replies one after the other, whatever it is asked, for tests.
    ///
    /// A further call fails with the code `model_bad_configuration`. A reply is streamed word by
    /// word, each after the interval.
    public static func scripted(
        _ replies: [String],
        interval: Duration = .zero
    ) -> LanguageModel {
        LanguageModel(source: .scripted(replies, interval: interval))
    }

    /// A model that is a Swift function, so that a program can bring a client of its own.
    ///
    /// The function runs as a task for each call, off the loop, and writes the reply piece by
    /// piece; nodes run as soon as they are written. The reply is complete when it returns. What it
    /// throws fails the call: a `ModelFailure` as it is, anything else as a failure of the provider
    /// with the error's description, so that a key must not be in it. When the call is cancelled,
    /// or takes longer than the timeout, its task is cancelled and what it writes then is dropped.
    public static func function(
        timeout: Duration = .seconds(600),
        _ body: @escaping @Sendable (ModelRequest, ModelReply) async throws -> Void
    ) -> LanguageModel {
        LanguageModel(source: .function(timeout: timeout, body))
    }

    /// A model that is a Swift function which returns its reply as a sequence of pieces of text.
    ///
    /// Everything else is as with the function that writes to a ``ModelReply``.
    public static func function<Reply: AsyncSequence & SendableMetatype>(
        timeout: Duration = .seconds(600),
        _ body: @escaping @Sendable (ModelRequest) async throws -> Reply
    ) -> LanguageModel where Reply.Element == String, Reply.AsyncIterator: SendableMetatype {
        function(timeout: timeout) { request, reply in
            for try await piece in try await body(request) { reply.write(piece) }
        }
    }
}

extension ProviderSettings {
    fileprivate init(
        _ baseURL: String,
        _ model: String,
        _ key: ModelKeySource?,
        _ options: LanguageModel.Options
    ) {
        var url = baseURL
        while url.hasSuffix("/") { url.removeLast() }
        self.init(
            baseURL: url,
            model: model,
            key: key,
            maxTokens: options.maxTokens,
            temperature: options.temperature,
            timeout: options.timeout,
            idleTimeout: options.idleTimeout,
            retries: options.retries
        )
    }
}
