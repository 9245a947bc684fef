// Chat completions as defined by OpenAI and implemented by many servers, with small differences.
// Not here: sending.
internal import Core
internal import HTTP
internal import JSON
internal import PlannerCore

struct OpenAIDialect: ProviderDialect {
    var provider: String { "openai" }

    func headers(key: ModelKey?) -> [(String, String)] {
        key.map { [("Authorization", "Bearer \($0.text)")] } ?? []
    }

    func url(base: String) -> String { base + "/chat/completions" }

    func bestFormat(for format: ResponseFormat) -> ResponseFormat { format }

    func formatBelow(_ format: ResponseFormat) -> ResponseFormat? {
        switch format {
        case .jsonSchema: .jsonObject
        case .jsonObject: .text
        case .text: nil
        }
    }

    func refusedField(_ error: ProviderError) -> OptionalField? {
        if error.mentions("grammar", "structured_outputs") { return .grammar }
        if error.mentions("stream_options") { return .streamOptions }
        if error.mentions("max_completion_tokens") { return .oldTokenLimit }
        if error.mentions("temperature") { return .temperature }
        if error.parameter == "stop" || error.mentions("'stop'") { return .stop }
        return nil
    }

    func hasGrammar(_ request: ModelRequest, _ settings: ProviderSettings) -> Bool {
        guard request.grammar != nil else { return false }
        return switch settings.grammar {
        case .always: true
        case .repairs: request.isRepair
        case .never: false
        }
    }

    func body(
        _ request: ModelRequest,
        _ adaptation: Adaptation,
        _ settings: ProviderSettings
    ) -> [UInt8] {
        var writer = JSONWriter(reserving: 4096)
        writer.beginObject()
        writer.field("model", settings.model)
        writer.key("messages")
        writer.beginArray()
        for message in request.messages {
            writer.beginObject()
            writer.field("role", message.role.rawValue)
            writer.field("content", message.text)
            writer.endObject()
        }
        writer.endArray()
        writer.field("stream", true)
        if !adaptation.omitted.contains(.streamOptions) {
            writer.key("stream_options")
            writer.beginObject()
            writer.field("include_usage", true)
            writer.endObject()
        }
        let limit = request.tokenLimit(settings.maxTokens ?? ModelLimits.replyTokens)
        if adaptation.omitted.contains(.oldTokenLimit) {
            writer.field("max_completion_tokens", limit)
        } else {
            writer.field("max_tokens", limit)
        }
        if !adaptation.omitted.contains(.temperature) {
            writer.field("temperature", request.temperature ?? settings.temperature)
        }
        if !request.stop.isEmpty, !adaptation.omitted.contains(.stop) {
            writer.key("stop")
            writer.beginArray()
            for text in request.stop { writer.string(text) }
            writer.endArray()
        }
        if let grammar = request.grammar, hasGrammar(request, settings),
            !adaptation.omitted.contains(.grammar)
        {
            // llama.cpp has the one field, vLLM the other.
            writer.field("grammar", grammar)
            writer.key("structured_outputs")
            writer.beginObject()
            writer.field("grammar", grammar)
            writer.endObject()
        }
        write(adaptation.format, into: &writer)
        writer.endObject()
        return writer.bytes
    }

    private func write(_ format: ResponseFormat, into writer: inout JSONWriter) {
        guard format != .text else { return }
        writer.key("response_format")
        writer.beginObject()
        if case .jsonSchema(let name, let schema) = format {
            writer.field("type", "json_schema")
            writer.key("json_schema")
            writer.beginObject()
            writer.field("name", name)
            writer.field("strict", true)
            writer.field("schema", schema)
            writer.endObject()
        } else {
            writer.field("type", "json_object")
        }
        writer.endObject()
    }

    func makeReader() -> any ReplyReader { OpenAIReader() }
}

/// Reads chunks of a chat completion; any of its fields may be missing.
struct OpenAIReader: ReplyReader {
    private(set) var stop: ModelStop?
    private var hasRefused = false
    private var hasText = false

    mutating func read(
        _ event: ServerSentEvent,
        into readings: inout [Reading]
    ) throws(UnreadableReply) {
        let text = event.data.drop { $0 == 0x20 }
        if text.starts(with: "[DONE]".utf8) {
            readings.append(.complete)
        } else if !text.isEmpty {
            let value = try JSONValue(lenient: event.data)
            try read(value, isError: event.type == "error", into: &readings)
        }
    }

    mutating func read(
        whole value: JSONValue,
        into readings: inout [Reading]
    ) throws(UnreadableReply) {
        try read(value, isError: false, into: &readings)
        if stop != nil { readings.append(.complete) }
    }

    private mutating func read(
        _ value: JSONValue,
        isError: Bool,
        into readings: inout [Reading]
    ) throws(UnreadableReply) {
        if isError || value["error"].map({ !$0.isNull }) == true
            || value["object"]?.stringValue == "error"
        {
            let error = ProviderError(value)
            // This is the message of llama.cpp for a reply in a given form that was cut at its
            // limit.
            if hasText, error.mentions("does not match the expected") {
                stop = .length
                readings.append(.complete)
            } else {
                readings.append(.failed(error))
            }
            return
        }
        guard value.objectValue != nil else {
            throw UnreadableReply(message: "The provider sent a chunk that is not an object.")
        }
        // There is one choice, because one was asked for; some servers omit its number.
        let choices = value["choices"]?.arrayValue ?? []
        for choice in choices where choice.count("index") == 0 {
            read(choice: choice, into: &readings)
        }
        if let usage = value["usage"], usage.objectValue != nil {
            let counts = TokenUsage(
                input: usage.count("prompt_tokens"),
                output: usage.count("completion_tokens")
            )
            readings.append(.usage(counts))
        }
    }

    private mutating func read(choice: JSONValue, into readings: inout [Reading]) {
        // A server that does not stream sends `message`, one with the older interface `text`. Tool
        // calls are beside the content and are not text.
        let part = choice["delta"] ?? choice["message"]
        let text = Self.text(part?["content"]) ?? choice["text"]?.stringValue ?? ""
        if !text.isEmpty {
            hasText = true
            readings.append(.delta(text))
        }
        if let words = part?["refusal"]?.stringValue, !words.isEmpty { hasRefused = true }
        guard let reason = choice["finish_reason"]?.stringValue, !reason.isEmpty else { return }
        switch reason {
        case "stop", "eos", "end_turn": stop = hasRefused ? .refusal : .end
        case "length", "max_tokens": stop = .length
        case "tool_calls", "function_call": stop = .toolUse
        case "content_filter": stop = .refusal
        default: stop = .other
        }
    }

    /// Content is a text, or a list of parts of which some are text.
    private static func text(_ content: JSONValue?) -> String? {
        if let text = content?.stringValue { return text }
        guard let parts = content?.arrayValue else { return nil }
        return parts.filter { $0["type"]?.stringValue == "text" }
            .compactMap { $0["text"]?.stringValue }
            .joined()
    }
}
