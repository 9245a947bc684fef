// The messages interface of Anthropic, also used by other servers. Not here: sending.
internal import Core
internal import HTTP
internal import JSON
internal import PlannerCore

struct AnthropicDialect: ProviderDialect {
    var provider: String { "anthropic" }

    func headers(key: ModelKey?) -> [(String, String)] {
        [("anthropic-version", "2023-06-01")] + (key.map { [("x-api-key", $0.text)] } ?? [])
    }

    func url(base: String) -> String {
        base.hasSuffix("/v1") ? base + "/messages" : base + "/v1/messages"
    }

    /// It has no form between a schema and text.
    func bestFormat(for format: ResponseFormat) -> ResponseFormat {
        format == .jsonObject ? .text : format
    }

    func formatBelow(_ format: ResponseFormat) -> ResponseFormat? {
        format == .text ? nil : .text
    }

    func refusedField(_ error: ProviderError) -> OptionalField? {
        if error.mentions("temperature") { return .temperature }
        if error.mentions("stop_sequences") { return .stop }
        return nil
    }

    func hasGrammar(_ request: ModelRequest, _ settings: ProviderSettings) -> Bool { false }

    func body(
        _ request: ModelRequest,
        _ adaptation: Adaptation,
        _ settings: ProviderSettings
    ) -> [UInt8] {
        var writer = JSONWriter(reserving: 4096)
        writer.beginObject()
        writer.field("model", settings.model)
        let limit = request.tokenLimit(settings.maxTokens ?? ModelLimits.replyTokens)
        writer.field("max_tokens", limit)
        let system = request.messages.filter { $0.role == .system }.map(\.text)
        if !system.isEmpty { writer.field("system", system.joined(separator: "\n\n")) }
        writer.key("messages")
        writer.beginArray()
        // Empty messages are refused.
        for message in request.messages where message.role != .system && !message.text.isEmpty {
            writer.beginObject()
            writer.field("role", message.role.rawValue)
            writer.field("content", message.text)
            writer.endObject()
        }
        writer.endArray()
        writer.field("stream", true)
        if !adaptation.omitted.contains(.temperature) {
            writer.field("temperature", request.temperature ?? settings.temperature)
        }
        if !request.stop.isEmpty, !adaptation.omitted.contains(.stop) {
            writer.key("stop_sequences")
            writer.beginArray()
            for text in request.stop { writer.string(text) }
            writer.endArray()
        }
        if case .jsonSchema(_, let schema) = adaptation.format {
            writer.key("output_config")
            writer.beginObject()
            writer.key("format")
            writer.beginObject()
            writer.field("type", "json_schema")
            writer.field("schema", schema)
            writer.endObject()
            writer.endObject()
        }
        writer.endObject()
        return writer.bytes
    }

    func makeReader() -> any ReplyReader { AnthropicReader() }
}

/// Reads the events of a message.
struct AnthropicReader: ReplyReader {
    private(set) var stop: ModelStop?
    private var usage = TokenUsage()

    mutating func read(
        _ event: ServerSentEvent,
        into readings: inout [Reading]
    ) throws(UnreadableReply) {
        guard !event.data.isEmpty else { return }
        let value = try JSONValue(lenient: event.data)
        // The type is in the data too; a proxy may remove the line that names it.
        switch value["type"]?.stringValue ?? event.type {
        case "message_start":
            note(value["message"]?["usage"], into: &readings)
        case "content_block_start":
            note(text: value["content_block"], into: &readings)
        case "content_block_delta":
            // Thinking and the arguments of tool calls are other kinds of deltas.
            note(text: value["delta"], into: &readings)
        case "message_delta":
            note(reason: value["delta"]?["stop_reason"]?.stringValue)
            note(value["usage"], into: &readings)
        case "message_stop":
            readings.append(.complete)
        case "error":
            readings.append(.failed(ProviderError(value)))
        default:
            break
        }
    }

    mutating func read(
        whole value: JSONValue,
        into readings: inout [Reading]
    ) throws(UnreadableReply) {
        if value["type"]?.stringValue == "error" || value["error"] != nil {
            readings.append(.failed(ProviderError(value)))
            return
        }
        guard let blocks = value["content"]?.arrayValue else {
            throw UnreadableReply(message: "The model's provider sent a message without content.")
        }
        for block in blocks { note(text: block, into: &readings) }
        note(reason: value["stop_reason"]?.stringValue)
        note(value["usage"], into: &readings)
        readings.append(.complete)
    }

    private func note(text part: JSONValue?, into readings: inout [Reading]) {
        guard let part, ["text", "text_delta"].contains(part["type"]?.stringValue) else { return }
        if let text = part["text"]?.stringValue, !text.isEmpty { readings.append(.delta(text)) }
    }

    /// Counts are totals for the message; a missing one keeps its value.
    private mutating func note(_ counts: JSONValue?, into readings: inout [Reading]) {
        guard let counts, counts.objectValue != nil else { return }
        if counts["input_tokens"]?.intValue != nil {
            usage.input = ["cache_creation_input_tokens", "cache_read_input_tokens"]
                .reduce(counts.count("input_tokens")) { sum, name in
                    sum.addingReportingOverflow(counts.count(name)).partialValue
                }
        }
        if let output = counts["output_tokens"]?.intValue { usage.output = max(0, output) }
        readings.append(.usage(usage))
    }

    private mutating func note(reason: String?) {
        switch reason {
        case nil: break
        case "end_turn": stop = .end
        case "max_tokens", "model_context_window_exceeded": stop = .length
        case "stop_sequence": stop = .stopSequence
        case "tool_use": stop = .toolUse
        case "refusal": stop = .refusal
        default: stop = .other
        }
    }
}
