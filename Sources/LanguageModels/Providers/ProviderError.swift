// The error messages of providers in their many forms, and their meaning.
internal import JSON
internal import PlannerCore

/// A provider's error, read leniently.
struct ProviderError: Sendable, Equatable {
    /// Its own message, shortened.
    var message: String
    /// Its type or code, if it has one as text.
    var type: String?
    /// The field of the request that is wrong.
    var parameter: String?
    /// The status in the error itself; within a stream there is no other one.
    var status: Int?

    /// Reads the body of a response or the data of an event.
    ///
    /// Known forms: `{"error": {"message", "type", "code", "param"}}`, `{"error": "…"}`, the fields
    /// at the top, `{"detail": …}`, and plain text.
    init(_ bytes: ArraySlice<UInt8>) {
        guard let raw = try? RawJSON(validating: bytes), raw.kind == .object else {
            self.init(message: String(decoding: bytes, as: UTF8.self))
            return
        }
        self.init(JSONValue(raw))
    }

    /// Reads an error that is already decoded.
    init(_ value: JSONValue) {
        let inner = value["error"] ?? value
        let words =
            inner["message"]?.stringValue ?? inner.stringValue
            ?? value["message"]?.stringValue ?? value["detail"]?.stringValue
        self.init(message: words ?? value.description)
        // A code that is a number is a status.
        status = inner["code"]?.intValue.flatMap { (400..<600).contains($0) ? $0 : nil }
        type = inner["code"]?.stringValue ?? inner["type"]?.stringValue
        parameter = inner["param"]?.stringValue
    }

    private init(message: String) {
        self.message = message.quotedWords
    }

    /// Whether it mentions any of these, as its field or in its message.
    func mentions(_ words: String...) -> Bool {
        let text = "\(type ?? "") \(parameter ?? "") \(message)".lowercased()
        return words.contains { text.contains($0) }
    }

    /// Whether the request is longer than the model's context.
    var isTooLong: Bool {
        mentions(
            "context_length_exceeded",
            "exceed_context_size",
            "maximum context length",
            "context length",
            "context window",
            "prompt is too long",
            "request_too_large"
        )
    }

    /// The failure for it and the status of the response, if there was one.
    func failure(status: Int?) -> ModelFailure {
        let status = status ?? self.status
        let code = code(status: status)
        let isRetryable = status.map(RetryPolicy.isRetryable) ?? code.isPassing
        let number = status.map { " (HTTP \($0))" } ?? ""
        let said = message.isEmpty ? "nothing more" : message
        return ModelFailure(
            code: code,
            message: "The model's provider reports \(type ?? "an error")\(number): \(said)",
            isRetryable: isRetryable && code != .tooLong,
            status: status
        )
    }

    private func code(status: Int?) -> ModelFailure.Code {
        switch status {
        case 401, 403: return .refusedKey
        case 429: return .rateLimited
        case 413: return .tooLong
        case let status? where RetryPolicy.isRetryable(status: status): return .serverError
        case .some: return isTooLong ? .tooLong : .badConfiguration
        case nil: break
        }
        // Within a stream there is no status, only names.
        if mentions("rate_limit", "429") { return .rateLimited }
        if mentions("authentication", "permission_error", "invalid_api_key") { return .refusedKey }
        if isTooLong { return .tooLong }
        if mentions("invalid_request") { return .badConfiguration }
        return .serverError
    }
}

extension ModelFailure.Code {
    /// Whether another attempt may succeed.
    fileprivate var isPassing: Bool { self == .rateLimited || self == .serverError }
}

extension String {
    /// The text in one line, without control characters, shortened for a message.
    var quotedWords: String {
        let words = unicodeScalars.prefix(4 * ModelLimits.quotedText)
            .split { $0.properties.isWhitespace || $0.properties.generalCategory == .control }
            .map { String(String.UnicodeScalarView($0)) }
            .joined(separator: " ")
        let kept = words.prefix(ModelLimits.quotedText)
        return kept.count < words.count ? kept + "…" : String(kept)
    }
}
