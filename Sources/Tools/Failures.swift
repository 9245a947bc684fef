// Failures that all runners share.

import Core

extension Failure {
    /// The invocation was cancelled; the caller knows why.
    static func cancelled(_ tool: String) -> Failure {
        Failure(code: .cancelled, message: "\(tool) was cancelled.")
    }

    /// The invocation came after the tool was shut down, or was ended by it.
    static func shutDown(_ tool: String) -> Failure {
        Failure(
            code: .cancelled,
            message: "\(tool) ended because its worker is shutting down.",
            isRetryable: true
        )
    }

    /// The output exceeds what the tool or the coordinator allows.
    static func outputTooLarge(_ tool: String, limit: Int) -> Failure {
        Failure(
            code: .outputTooLarge,
            message: "\(tool) produced more than the allowed \(limit) bytes of output."
        )
    }
}
