// The language model for planning and joining, as a program names it. Not here: making it on the
// loop (LanguageModel+Making), functions as models (FunctionModel).
public import Core
public import LanguageModels
public import PlannerCore

/// A language model and its options.
///
/// A value does nothing yet; a ``LocalCluster`` that starts with it makes the model. Keys are never
/// part of it: it names the environment variable or the file that contains one.
public struct LanguageModel: Sendable {
    /// How a provider is called; the defaults suit most.
    public struct Options: Sendable, Hashable {
        /// The most tokens of a reply; nil for 4096.
        public var maxTokens: Int?
        /// The sampling temperature; nil leaves it to the provider.
        public var temperature: Double?
        /// The longest time of a call as a whole, with its retries.
        public var timeout: Duration
        /// The longest silence before the first token and between any two.
        public var idleTimeout: Duration
        /// How many times a request that failed before its first token is sent again.
        public var retries: Int
        /// Whether a key may be sent to another host without encryption.
        public var allowsPlaintext: Bool

        /// Makes options.
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
        /// A piece of text after each such time; zero for as fast as possible.
        case every(Duration)
    }

    /// The kind of the model.
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
    /// What its tokens cost; nil if that is not known.
    private(set) var prices: TokenPrices?

    init(source: Source) {
        self.source = source
    }

    /// The same model with these prices of a million tokens, so that runs tell their cost and can be
    /// bound by `RunOptions.maxCost`.
    ///
    /// For the models of a configuration file, the prices in the file are used instead.
    /// - Precondition: The prices are finite, and 0 or more.
    public func priced(_ prices: TokenPrices) -> LanguageModel {
        let range = 0...Double.greatestFiniteMagnitude
        precondition(
            range.contains(prices.input) && range.contains(prices.output),
            "a price is 0 or more"
        )
        var model = self
        model.prices = prices
        return model
    }

    // MARK: - Providers

    /// A model with the chat completions interface: OpenAI and compatible providers.
    ///
    /// - Parameters:
    ///   - model: The name of the model, as the provider knows it.
    ///   - baseURL: The URL of the interface; `http://127.0.0.1:11434/v1` is Ollama on this host.
    ///   - key: Where the key is stored; nil for a provider that needs none.
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
    ///   - baseURL: The URL of the interface.
    ///   - key: Where the key is stored.
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
    /// No shell is involved. The program gets only `PATH`, `HOME`, `USER` and `LANG` of the
    /// environment.
    public static func command(
        _ arguments: [String],
        timeout: Duration = .seconds(600)
    ) -> LanguageModel {
        LanguageModel(source: .command(arguments, timeout: timeout))
    }

    /// A recording of another model, as written by `weft run --record`.
    ///
    /// After its end it is replayed from the start.
    public static func recording(_ path: String, pace: Pace = .recorded) -> LanguageModel {
        LanguageModel(source: .recording(path: path, pace))
    }

    /// A model with these replies, one after the other, independent of the requests; for tests.
    ///
    /// A call after the last reply fails with the code `model_bad_configuration`. A reply is
    /// streamed word by word, each after the interval.
    public static func scripted(
        _ replies: [String],
        interval: Duration = .zero
    ) -> LanguageModel {
        LanguageModel(source: .scripted(replies, interval: interval))
    }

    /// A model that is a Swift function, so that a program can use its own client.
    ///
    /// The function runs as a task for each call, off the loop, and writes the reply piece by
    /// piece; nodes run as soon as they are written. The reply is complete when it returns. An
    /// error fails the call: a `ModelFailure` unchanged, any other error as a failure of the
    /// provider with its description, which must not contain a key. When the call is cancelled, or
    /// takes longer than the timeout, its task is cancelled and its later text is dropped.
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
