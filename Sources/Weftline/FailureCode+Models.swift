// The failure codes of runs whose language model failed; other codes are in Core.

public import Core

extension FailureCode {
    /// No connection to the model's provider.
    public static let modelUnreachable = FailureCode(rawValue: "model_unreachable")
    /// The provider does not accept the key.
    public static let modelRefusedKey = FailureCode(rawValue: "model_refused_key")
    /// The provider asked for a wait that was too long.
    public static let modelRateLimited = FailureCode(rawValue: "model_rate_limited")
    /// The provider failed.
    public static let modelProviderError = FailureCode(rawValue: "model_server_error")
    /// The model did not reply in time.
    public static let modelTimeout = FailureCode(rawValue: "model_timeout")
    /// The reply ended early, or breaks the rules of the provider's interface.
    public static let modelBadStream = FailureCode(rawValue: "model_bad_stream")
    /// The model's call was cancelled, but not by the run.
    public static let modelCancelled = FailureCode(rawValue: "model_cancelled")
    /// The model cannot be called as it is configured.
    public static let modelBadConfiguration = FailureCode(rawValue: "model_bad_configuration")
    /// The request is longer than the model's context.
    public static let modelTooLong = FailureCode(rawValue: "model_too_long")
    /// The model refused to reply.
    public static let modelRefused = FailureCode(rawValue: "model_refused")
}
