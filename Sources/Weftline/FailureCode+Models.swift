// The codes of runs whose language model failed, by name; what else can fail is in Plans.

public import Core

extension FailureCode {
    /// No connection to the model's provider.
    public static let modelUnreachable = FailureCode(rawValue: "model_unreachable")
    /// The provider does not accept the key.
    public static let modelRefusedKey = FailureCode(rawValue: "model_refused_key")
    /// The provider asked to wait, longer than was waited.
    public static let modelRateLimited = FailureCode(rawValue: "model_rate_limited")
    /// The provider failed.
    public static let modelProviderError = FailureCode(rawValue: "model_server_error")
    /// The model did not reply in time.
    public static let modelTimeout = FailureCode(rawValue: "model_timeout")
    /// The reply broke off, or is not what the provider's interface promises.
    public static let modelBadStream = FailureCode(rawValue: "model_bad_stream")
    /// The call of the model was cancelled, and not by the run.
    public static let modelCancelled = FailureCode(rawValue: "model_cancelled")
    /// The model cannot be called the way it is configured.
    public static let modelBadConfiguration = FailureCode(rawValue: "model_bad_configuration")
    /// The request is longer than the model's context.
    public static let modelTooLong = FailureCode(rawValue: "model_too_long")
    /// The model refused to reply.
    public static let modelRefused = FailureCode(rawValue: "model_refused")
}
