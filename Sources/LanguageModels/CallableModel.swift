// The interface of every language model.
public import PlannerCore

/// A language model: a request in, a stream of text out.
///
/// Confined to its loop.
public protocol CallableModel: AnyObject {
    /// Starts a call.
    ///
    /// `report` is called on the loop, never within this call: any number of `delta`, `usage` and
    /// `formatLowered`, then exactly one `ended` or `failed`, in every case. Only when the loop
    /// itself closes, the end is not reported. A retry within the call happens only before the
    /// first delta, so that no text is repeated.
    ///
    /// - Returns: The call, for cancelling it; it need not be kept.
    @discardableResult
    func call(
        _ request: ModelRequest,
        report: @escaping (ModelEvent) -> Void
    ) -> any ModelCall
}

/// Which model it is, for people and for metrics.
public struct ModelSource: Sendable, Hashable {
    /// Who provides it: the name of an interface, `command` or `recorded`.
    public var provider: String
    /// Its name, as the configuration has it.
    public var model: String

    /// A model of that provider.
    public init(provider: String, model: String) {
        self.provider = provider
        self.model = model
    }
}

/// A running call.
public protocol ModelCall: AnyObject {
    /// The model that is called now; of several, one after the other.
    var source: ModelSource { get }

    /// Cancels the call: `failed` with the code `cancelled` is reported before this returns, and
    /// nothing after it.
    ///
    /// Allowed inside `report`. Once the call has ended it does nothing.
    func cancel()
}

extension ModelFailure {
    static let cancelled = ModelFailure(code: .cancelled, message: "The call was cancelled.")
}

extension ModelRequest {
    /// The most tokens of the reply: the request's limit, or the configuration's if that is lower.
    func tokenLimit(_ configured: Int) -> Int { min(maxTokens ?? configured, configured) }
}

/// Limits on what a provider may send.
enum ModelLimits {
    /// The most bytes of text in one reply.
    static let reply = 16 << 20
    /// The most bytes of one event of a stream.
    static let event = 16 << 20
    /// The most bytes of an error's body that are kept.
    static let errorBody = 64 << 10
    /// The most tokens of a reply, if the configuration does not say: one interface demands a
    /// limit, and a model that is bound to a form may write blanks for ever.
    static let replyTokens = 4096
    /// The most characters of a quoted message.
    static let quotedText = 500
}
