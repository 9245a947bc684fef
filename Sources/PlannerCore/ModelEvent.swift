// The reports of a call of a language model, from its first text to its end.

public import Core

/// Why a model stopped writing.
public enum ModelStop: String, Sendable, CaseIterable {
    /// The reply is complete.
    case end
    /// The limit on tokens was reached; the reply is cut.
    case length
    /// It wrote one of the request's stop texts.
    case stopSequence
    /// It refused to reply.
    case refusal
    /// It wants to call a tool itself.
    case toolUse
    /// Another reason, named by the provider.
    case other
}

/// Why a call of a model failed.
public struct ModelFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// The stable code of a failed call.
    public struct Code: Sendable, Hashable, RawRepresentable, ExpressibleByStringLiteral,
        CustomStringConvertible
    {
        /// The code as written in logs and answers.
        public var rawValue: String

        /// A code of this text; it is not checked.
        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// A code of this text; it is not checked.
        public init(stringLiteral value: String) {
            rawValue = value
        }

        /// No connection to the provider.
        public static let unreachable = Code(rawValue: "unreachable")
        /// The provider does not accept the key.
        public static let refusedKey = Code(rawValue: "refused_key")
        /// The provider asks the caller to wait.
        public static let rateLimited = Code(rawValue: "rate_limited")
        /// The provider failed.
        public static let serverError = Code(rawValue: "server_error")
        /// The provider did not reply in time.
        public static let timeout = Code(rawValue: "timeout")
        /// The reply breaks the rules of the provider's interface, or ended early.
        public static let badStream = Code(rawValue: "bad_stream")
        /// The call was cancelled.
        public static let cancelled = Code(rawValue: "cancelled")
        /// The model cannot be called as it is configured.
        public static let badConfiguration = Code(rawValue: "bad_configuration")
        /// The request is longer than the model's context.
        public static let tooLong = Code(rawValue: "too_long")

        /// The code as written in logs and answers.
        public var description: String { rawValue }
    }

    /// The stable code.
    public var code: Code
    /// One sentence for a person.
    public var message: String
    /// Whether another call may succeed.
    public var isRetryable: Bool
    /// The HTTP status, if there was a response.
    public var status: Int?

    /// A failure of that code.
    public init(code: Code, message: String, isRetryable: Bool = false, status: Int? = nil) {
        self.code = code
        self.message = message
        self.isRetryable = isRetryable
        self.status = status
    }

    /// The code and the message, `timeout: no reply within 60 s`.
    public var description: String { "\(code): \(message)" }
}

/// The reports of a model call: any number of deltas, usages and prices, then exactly one `ended`
/// or `failed`.
public enum ModelEvent: Sendable, Hashable {
    /// More text of the reply; deltas are split only between Unicode scalars.
    case delta(String)
    /// The tokens of this call have these prices; a later report replaces an earlier one.
    case charged(TokenPrices)
    /// Tokens used so far by this call; a later report replaces an earlier one.
    ///
    /// Its cost is not read: it follows from the prices.
    case usage(TokenUsage)
    /// The provider refused the requested form, and the call continues with a looser one.
    case formatLowered(to: ResponseFormat)
    /// The reply is complete, or was cut for the given reason.
    case ended(ModelStop)
    /// The call failed; no more of the reply follows.
    case failed(ModelFailure)
}
