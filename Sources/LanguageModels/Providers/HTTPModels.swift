// The models that are reached over HTTP, and the memory between their calls. Not here: a call
// (HTTPModelCall), the requests (the dialects).
public import HTTP
public import PlannerCore
public import UVLoop

/// A model with OpenAI's chat completions interface.
public final class OpenAIModel: CallableModel {
    private let endpoint: ModelEndpoint

    /// Makes a model; the client is shared, and its owner closes it.
    public init(loop: EventLoop, client: HTTPClient, settings: ProviderSettings, key: ModelKey?) {
        endpoint = ModelEndpoint(
            loop: loop,
            client: client,
            settings: settings,
            key: key,
            dialect: OpenAIDialect()
        )
    }

    /// Starts a call; see ``CallableModel/call(_:report:)``.
    @discardableResult
    public func call(
        _ request: ModelRequest,
        report: @escaping (ModelEvent) -> Void
    ) -> any ModelCall {
        endpoint.call(request, report: report)
    }
}

/// A model with Anthropic's messages interface.
public final class AnthropicModel: CallableModel {
    private let endpoint: ModelEndpoint

    /// Makes a model; the client is shared, and its owner closes it.
    public init(loop: EventLoop, client: HTTPClient, settings: ProviderSettings, key: ModelKey?) {
        endpoint = ModelEndpoint(
            loop: loop,
            client: client,
            settings: settings,
            key: key,
            dialect: AnthropicDialect()
        )
    }

    /// Starts a call; see ``CallableModel/call(_:report:)``.
    @discardableResult
    public func call(
        _ request: ModelRequest,
        report: @escaping (ModelEvent) -> Void
    ) -> any ModelCall {
        endpoint.call(request, report: report)
    }
}

/// The state shared by all calls of one model.
final class ModelEndpoint {
    let loop: EventLoop
    let client: HTTPClient
    let settings: ProviderSettings
    let key: ModelKey?
    let dialect: any ProviderDialect
    let redactor: Redactor
    var generator = SystemRandomNumberGenerator()
    /// What the server refused so far: fields for all requests, forms for each schema by its name.
    private var omitted: Set<OptionalField> = []
    private var lowered: [String: ResponseFormat] = [:]

    init(
        loop: EventLoop,
        client: HTTPClient,
        settings: ProviderSettings,
        key: ModelKey?,
        dialect: any ProviderDialect
    ) {
        self.loop = loop
        self.client = client
        self.settings = settings
        self.key = key
        self.dialect = dialect
        redactor = Redactor(key.map { [$0.text] } ?? [])
    }

    func call(_ request: ModelRequest, report: @escaping (ModelEvent) -> Void) -> any ModelCall {
        let call = HTTPModelCall(endpoint: self, request: request, report: report)
        call.begin()
        return call
    }

    /// How to write a request, according to all refusals.
    func adaptation(for format: ResponseFormat) -> Adaptation {
        Adaptation(
            format: lowered[format.memoryName] ?? dialect.bestFormat(for: format),
            omitted: omitted
        )
    }

    /// Remembers how a request had to be written until the server accepted it.
    func remember(_ adaptation: Adaptation, for format: ResponseFormat) {
        omitted = adaptation.omitted
        if adaptation.format != format { lowered[format.memoryName] = adaptation.format }
    }
}

extension ResponseFormat {
    /// The key for a refused form: another schema may be accepted.
    fileprivate var memoryName: String {
        switch self {
        case .text: "text"
        case .jsonObject: "object"
        case .jsonSchema(let name, _): "schema " + name
        }
    }
}
