// Spans as OTLP/JSON: ids as hexadecimal digits, 64-bit numbers as text, enumerations as numbers.
internal import JSON

extension SpanBatch {
    /// The body of a request, `application/json`.
    public var json: [UInt8] {
        var writer = JSONWriter(reserving: 512 * (spans.count + 1))
        writer.beginObject()
        writer.key("resourceSpans")
        writer.beginArray()
        writer.beginObject()
        writer.key("resource")
        writer.beginObject()
        writer.attributes(resource)
        writer.endObject()
        writer.key("scopeSpans")
        writer.beginArray()
        writer.beginObject()
        writer.key("scope")
        writer.beginObject()
        writer.field("name", Self.scope)
        writer.field("version", version)
        writer.endObject()
        writer.key("spans")
        writer.beginArray()
        for span in spans { writer.span(span) }
        writer.endArray()
        writer.endObject()
        writer.endArray()
        writer.endObject()
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }
}

extension JSONWriter {
    fileprivate mutating func span(_ span: Span) {
        beginObject()
        field("traceId", span.trace)
        field("spanId", span.id)
        field("parentSpanId", span.parent)
        field("name", span.name)
        field("kind", span.kind.rawValue)
        field("startTimeUnixNano", "\(span.start)")
        field("endTimeUnixNano", "\(span.end)")
        attributes(span.attributes)
        if !span.links.isEmpty {
            key("links")
            beginArray()
            for link in span.links {
                beginObject()
                field("traceId", span.trace)
                field("spanId", link)
                endObject()
            }
            endArray()
        }
        if span.isFailed {
            key("status")
            beginObject()
            if !span.message.isEmpty { field("message", span.message) }
            field("code", SpanStatus.failed)
            endObject()
        }
        endObject()
    }

    fileprivate mutating func attributes(_ attributes: [Span.Attribute]) {
        guard !attributes.isEmpty else { return }
        key("attributes")
        beginArray()
        for attribute in attributes {
            beginObject()
            field("key", attribute.name)
            key("value")
            beginObject()
            switch attribute.value {
            case .text(let text): field("stringValue", text)
            case .number(let number): field("intValue", "\(number)")
            case .fraction(let fraction): field("doubleValue", fraction)
            }
            endObject()
            endObject()
        }
        endArray()
    }
}

/// The codes of how a span ended.
enum SpanStatus {
    static let failed = 2
}
