// What a call of a language model reports, from its first words to its one end.

public import Core

/// Why a model stopped writing.
public enum ModelStop: String, Sendable, CaseIterable {
    /// It had said all.
    case end
    /// The limit on tokens was reached; the reply is cut.
    case length
    /// It wrote one of the request's stop texts.
    case stopSequence
    /// It refused to reply.
    case refusal
    /// It wants to call a tool itself.
    case toolUse
    /// Another reason, which the provider named.
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

        /// A code of that spelling; it is not checked.
        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// A code of that spelling; it is not checked.
        public init(stringLiteral value: String) {
            rawValue = value
        }

        /// No connection to the provider.
        public static let unreachable = Code(rawValue: "unreachable")
        /// The provider does not accept the key.
        public static let refusedKey = Code(rawValue: "refused_key")
        /// The provider asks to wait.
        public static let rateLimited = Code(rawValue: "rate_limited")
        /// The provider failed.
        public static let serverError = Code(rawValue: "server_error")
        /// The provider did not reply in time.
        public static let timeout = Code(rawValue: "timeout")
        /// The reply is not what the provider's interface promises, or broke off.
        public static let badStream = Code(rawValue: "bad_stream")
        /// The call was cancelled.
        public static let cancelled = Code(rawValue: "cancelled")
        /// The model cannot be called the way it is configured.
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

/// What a model call reports: any number of deltas and usages, then exactly one `ended` or `failed`.
public enum ModelEvent: Sendable, Hashable {
    /// More of the reply; a character may lie in two deltas only between its Unicode scalars.
    case delta(String)
    /// Tokens used so far by this call; a later one replaces an earlier one.
    case usage(TokenUsage)
    /// The provider refused the form asked for, and the call goes on with a looser one.
    case formatLowered(to: ResponseFormat)
    /// The reply is complete, or was cut for the reason given.
    case ended(ModelStop)
    /// There is no more of the reply.
    case failed(ModelFailure)
}
