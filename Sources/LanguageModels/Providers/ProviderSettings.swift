// The settings of a provider: how it is reached and its time limits. Not here: reading them from a
// file.
internal import HTTP

/// When a server is sent the grammar of a reply.
public enum GrammarUse: Sendable, Hashable {
    /// With every request that has one.
    case always
    /// With requests that ask for a repair. A server that refuses it is not sent one again.
    case repairs
    /// Never.
    case never
}

/// How to call a model over HTTP.
public struct ProviderSettings: Sendable, Equatable {
    /// The URL that the interface's paths are appended to, without a slash at its end.
    public var baseURL: String
    /// The model's name, as the provider knows it.
    public var model: String
    /// Where the key is stored; nil for a server that needs none.
    public var key: ModelKeySource?
    /// The most tokens of a reply, unless a request allows fewer.
    public var maxTokens: Int?
    /// The sampling temperature, unless a request says it.
    public var temperature: Double?
    /// When the server is sent a grammar in GBNF, as llama.cpp and vLLM take one.
    public var grammar: GrammarUse
    /// The longest time of a call as a whole, with its retries and the waits between them.
    public var timeout: Duration
    /// The longest time until a connection is open.
    public var connectTimeout: Duration
    /// The longest silence before the first token and between any two.
    public var idleTimeout: Duration
    /// How many times a request that failed before its first token is sent again.
    public var retries: Int
    /// The proxy's URL; the empty text for none, nil for the one of the environment.
    public var proxy: String?
    /// The path of the certificates to trust instead of this host's; nil for this host's.
    public var caFile: String?

    /// How long after the end of the reply a provider may take to report usage and end the stream.
    var settleTime = Duration.seconds(2)
    /// The first wait before a retry if the provider does not name one.
    var firstRetryDelay = RetryPolicy().firstDelay

    /// Makes settings; only URL and model have no default.
    public init(
        baseURL: String,
        model: String,
        key: ModelKeySource? = nil,
        maxTokens: Int? = nil,
        temperature: Double? = nil,
        grammar: GrammarUse? = nil,
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
        // OpenAI itself is known to take none.
        self.grammar = grammar ?? (baseURL == "https://api.openai.com/v1" ? .never : .repairs)
        self.timeout = timeout
        self.connectTimeout = connectTimeout
        self.idleTimeout = idleTimeout
        self.retries = retries
        self.proxy = proxy
        self.caFile = caFile
    }
}

extension ProviderSettings {
    /// Why settings made by a program cannot be used, as a sentence; nil if they can.
    ///
    /// The reader of a configuration file has the same checks for its fields.
    public func problem(allowsPlaintext: Bool) -> String? {
        if model.isEmpty { return "The name of the model is empty." }
        guard Self.isURL(baseURL), !Self.hasMoreThanPath(baseURL) else {
            return "The base URL must be one such as https://api.openai.com/v1, without user, "
                + "query and fragment."
        }
        guard allowsPlaintext || !exposesKey else {
            return "\(baseURL) would get the key without encryption. Use https."
        }
        return nil
    }

    /// Whether a text is a URL of HTTP.
    static func isURL(_ text: String) -> Bool {
        let scheme = text.prefix { $0 != ":" }.lowercased()
        let rest = text.dropFirst(scheme.count)
        return (scheme == "http" || scheme == "https") && rest.hasPrefix("://") && rest.count > 3
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }

    /// Whether a URL has a user, a query or a fragment, after which no path can be appended.
    static func hasMoreThanPath(_ url: String) -> Bool {
        url.contains("?") || url.contains("#") || url.contains("@")
    }

    /// Whether a key would be sent to another host unencrypted.
    var exposesKey: Bool {
        key != nil && baseURL.lowercased().hasPrefix("http://")
            && !HTTPRequest.isLoopback(url: baseURL)
    }
}
