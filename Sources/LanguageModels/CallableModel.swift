// The interface of every language model. Not here: any provider.
public import PlannerCore

/// A language model: a request in, a stream of text out.
///
/// Confined to its loop.
public protocol CallableModel: AnyObject {
    /// Starts a call.
    ///
    /// `report` is called on the loop, never within this call: any number of `delta`, `usage` and
    /// `formatLowered`, then exactly one `ended` or `failed`, whatever happens. Only when the loop
    /// itself closes does the end never come. A retry within the call happens only before the
    /// first delta, so that no text comes twice.
    ///
    /// - Returns: The call, for cancelling it; it need not be kept.
    @discardableResult
    func call(
        _ request: ModelRequest,
        report: @escaping (ModelEvent) -> Void
    ) -> any ModelCall
}

/// A call under way.
public protocol ModelCall: AnyObject {
    /// Breaks the call off: `failed` with the code `cancelled` is reported before this returns, and
    /// nothing after it.
    ///
    /// Safe inside `report`. Once the call has ended it does nothing.
    func cancel()
}

extension ModelFailure {
    static let cancelled = ModelFailure(code: .cancelled, message: "The call was cancelled.")
}

extension ModelRequest {
    /// The most tokens of the reply: what the request allows, or the model's configuration if less.
    func tokenLimit(_ configured: Int) -> Int { min(maxTokens ?? configured, configured) }
}

/// Bounds on what a provider may send.
enum ModelLimits {
    /// Most bytes of text in one reply.
    static let reply = 16 << 20
    /// Most bytes of one event of a stream.
    static let event = 16 << 20
    /// Most bytes of an error's body that are kept.
    static let errorBody = 64 << 10
    /// Most tokens of a reply, unless the configuration says it: one interface demands a limit, and
    /// a model that is bound to a form may write blanks for ever.
    static let replyTokens = 4096
    /// Most characters of a quoted message.
    static let quotedText = 500
}
