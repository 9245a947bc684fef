// How a provider is reached and how long it may take. Not here: reading this from a file.

/// How to call a model over HTTP.
public struct ProviderSettings: Sendable, Equatable {
    /// The URL that the interface's paths are appended to, without a slash at its end.
    public var baseURL: String
    /// The model's name, as the provider knows it.
    public var model: String
    /// Where the key is kept; nil for a server that wants none.
    public var key: ModelKeySource?
    /// The most tokens of a reply, unless a request allows it fewer.
    public var maxTokens: Int?
    /// The sampling temperature, unless a request says it.
    public var temperature: Double?
    /// Longest time of a call as a whole, with its retries and the waits between them.
    public var timeout: Duration
    /// Longest time until a connection stands.
    public var connectTimeout: Duration
    /// Longest silence before the first token and between any two.
    public var idleTimeout: Duration
    /// How many times a request that failed before its first token is sent again.
    public var retries: Int
    /// The proxy's URL, the empty text for none, nil for what the environment says.
    public var proxy: String?
    /// The path of the certificates to trust instead of this host's; nil for these.
    public var caFile: String?

    /// The time after the model has stopped in which a provider may report usage and end the stream.
    var settleTime = Duration.seconds(2)
    /// The first wait before a retry when the provider names none.
    var firstRetryDelay = RetryPolicy().firstDelay

    /// Makes settings; only URL and model have no default.
    public init(
        baseURL: String,
        model: String,
        key: ModelKeySource? = nil,
        maxTokens: Int? = nil,
        temperature: Double? = nil,
        timeout: Duration = .seconds(600),
        connectTimeout: Duration = .seconds(5),
        idleTimeout: Duration = .seconds(180),
        retries: Int = 2,
        proxy: String? = nil,
        caFile: String? = nil
    ) {
        self.baseURL = baseURL
        self.model = model
        self.key = key
        self.maxTokens = maxTokens
        self.temperature = temperature
        self.timeout = timeout
        self.connectTimeout = connectTimeout
        self.idleTimeout = idleTimeout
        self.retries = retries
        self.proxy = proxy
        self.caFile = caFile
    }
}
